import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeTimestampRequest, parseNote, sha256, timestampNonce, utf8, verifyTimestamp } from '@deed/evidence';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TimestampAuthority } from '../../../evidence/test/support/timestamp-authority.ts';
import { Timestamps } from '../../src/index.ts';
import { requestTimestamp } from '../../src/time/authority-client.ts';
import { draft, World } from '../world.ts';
import { HttpAuthority, send } from './http-authority.ts';

const { status } = spawnSync('openssl', ['ts', '-help'], { stdio: 'ignore' });
const present = status === 0;
if (!present) console.warn('SKIPPED timestamps by a real authority: there is no openssl with the ts command');

/** A certification authority of OpenSSL's and a timestamp authority under it, in a folder. */
class OpensslAuthority {
  readonly folder = mkdtempSync(join(tmpdir(), 'deed-tsa-'));
  readonly caFile = join(this.folder, 'ca.pem');
  readonly certificate: X509Certificate;

  constructor(
    key: readonly string[],
    { digest = 'sha256', ess = 'sha256' }: { readonly digest?: string; readonly ess?: string } = {},
  ) {
    const newKey = (name: string, ...how: readonly string[]) => this.run('genpkey', ...how, '-out', name);
    newKey('ca.key', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256');
    newKey('tsa.key', ...key);
    this.run('req', '-x509', '-new', '-key', 'ca.key', '-subj', '/CN=Test CA', '-days', '30', '-out', 'ca.pem');
    this.write('tsa.ext', 'keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n');
    this.run('req', '-new', '-key', 'tsa.key', '-subj', '/CN=Test TSA', '-out', 'tsa.csr');
    const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '20', '-extfile', 'tsa.ext'];
    this.run('x509', '-req', '-in', 'tsa.csr', ...signing, '-out', 'tsa.pem');
    this.write('serial', '01\n');
    const lines = {
      serial: join(this.folder, 'serial'),
      signer_cert: join(this.folder, 'tsa.pem'),
      signer_key: join(this.folder, 'tsa.key'),
      certs: this.caFile,
      signer_digest: digest,
      default_policy: '1.3.6.1.4.1.99999.1',
      digests: 'sha256, sha512',
      accuracy: 'secs:1, millisecs:500',
      ordering: 'no',
      tsa_name: 'yes',
      ess_cert_id_chain: 'yes',
      ess_cert_id_alg: ess,
    };
    const text = Object.entries(lines).map(([name, value]) => `${name} = ${value}\n`);
    this.write('tsa.cnf', `[tsa]\ndefault_tsa = here\n[here]\n${text.join('')}`);
    this.certificate = new X509Certificate(readFileSync(join(this.folder, 'tsa.pem')));
  }

  get sha256(): string {
    return this.certificate.fingerprint256.replaceAll(':', '').toLowerCase();
  }

  /** Answers a request as `openssl ts` does. */
  answer(request: Uint8Array): Uint8Array {
    this.write('q.tsq', request);
    this.run('ts', '-reply', '-config', 'tsa.cnf', '-section', 'here', '-queryfile', 'q.tsq', '-out', 'r.tsr');
    return new Uint8Array(readFileSync(join(this.folder, 'r.tsr')));
  }

  write(name: string, content: string | Uint8Array): void {
    writeFileSync(join(this.folder, name), content);
  }

  run(...args: readonly string[]): string {
    return execFileSync('openssl', args, { cwd: this.folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

const keys: Readonly<Record<string, ConstructorParameters<typeof OpensslAuthority>>> = {
  'P-256': [['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']],
  'P-384 with SHA-384': [['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'], { digest: 'sha384' }],
  RSA: [['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']],
  'RSA with SHA-512 that names its certificate by SHA-1': [
    ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:3072'],
    { digest: 'sha512', ess: 'sha1' },
  ],
};

describe.skipIf(!present)('openssl ts as the authority', () => {
  let http: HttpAuthority;
  const made: OpensslAuthority[] = [];
  beforeAll(async () => {
    http = await HttpAuthority.start();
  });
  afterAll(async () => {
    await http.close();
    for (const { folder } of made) rmSync(folder, { recursive: true });
  });
  const begin = (args: ConstructorParameters<typeof OpensslAuthority>): OpensslAuthority => {
    const openssl = new OpensslAuthority(...args);
    made.push(openssl);
    http.behaviour = (request, response) => send(response, openssl.answer(request));
    return openssl;
  };
  const text = 'log.example/test\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n';
  const client = { clock: Date.now, signal: AbortSignal.timeout(60_000) };

  for (const [name, args] of Object.entries(keys)) {
    test(`with a key on ${name} gives a stamp that both of us verify`, async () => {
      const openssl = begin(args);
      const endpoint = { url: http.url, certificate: openssl.sha256 };
      const { response, timestamp } = await requestTimestamp(endpoint, text, client);
      expect(timestamp).toMatchObject({ accuracyMs: 1500, checked: true });
      openssl.write('stamp.tsr', response);
      openssl.write('text', text);
      const verified = openssl.run('ts', '-verify', '-in', 'stamp.tsr', '-data', 'text', '-CAfile', 'ca.pem');
      expect(verified).toMatch(/Verification: OK/);
      expect(() => verifyTimestamp(response, utf8(`${text} `))).toThrow(/other bytes/);
    });
  }

  test('reads our request as what it is', () => {
    const openssl = begin(keys['P-256'] ?? [[]]);
    const nonce = timestampNonce(new Uint8Array(16).fill(0xab));
    openssl.write('q.tsq', encodeTimestampRequest(sha256(utf8(text)), nonce));
    const shown = openssl.run('ts', '-query', '-in', 'q.tsq', '-text');
    expect(shown).toMatch(/Hash Algorithm: sha256/);
    expect(shown).toMatch(/Nonce: 0x6BABABABABABABABABABABABABABABAB/);
    expect(shown).toMatch(/Certificate required: yes/);
  });

  test('verifies the answers that the unit tests make, so these are real ones', () => {
    for (const kind of ['p256', 'p384', 'rsa'] as const) {
      const openssl = begin(keys['P-256'] ?? [[]]);
      const own = new TimestampAuthority({ kind });
      openssl.write('own.pem', new X509Certificate(own.certificate).toString());
      openssl.write('own.tsr', own.stamp(utf8(text), Date.now()));
      openssl.write('text', text);
      const partial = ['-partial_chain', '-CAfile', 'own.pem'];
      expect(openssl.run('ts', '-verify', '-in', 'own.tsr', '-data', 'text', ...partial)).toMatch(/Verification: OK/);
    }
  });

  test('stamps the checkpoints of a log', async () => {
    const openssl = begin(keys['P-256'] ?? [[]]);
    const world = new World();
    const { endpoint } = await world.witness();
    const ledger = await world.ledger({ witnesses: [endpoint] });
    const stamping = new Timestamps({ ledger, clock: Date.now, lookMs: 5 });
    stamping.follow({ url: http.url, certificate: openssl.sha256, everySeconds: 3600, from: 0 });
    const { index } = await ledger.record(draft('deployment')).durable;
    const { size, note } = await ledger.witnessed(index);
    const stamp = await stamping.soon(size, AbortSignal.timeout(60_000));
    const timestamp = verifyTimestamp(stamp?.response ?? new Uint8Array(), utf8(parseNote(note).text));
    expect(timestamp.certificate).toBe(openssl.sha256);
    await stamping.close();
    await world.tidy();
  });
});
