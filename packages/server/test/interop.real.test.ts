import { createPublicKey } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  caseBundle,
  formatVkey,
  fromBase64,
  parseTrust,
  parseVkey,
  sigstoreTrustedRoot,
  toBase64,
} from '@deed/evidence';
import { makeLogKeys, pemNoteSigner } from '@deed/ledger';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client } from '../../cli/src/client.ts';
import type { ConsistencyView, ProofView } from '../src/proofs.ts';
import { cosign, ran, sigstorePython, sigstorePythonCheck, type Tool, tlogChecker } from './support/foreign.ts';
import { World } from './support/world.ts';

/** Programs that know nothing of Deed, over what a real deployment serves and exports (docs/formats/interop.md). */
const world = await World.begin();
const [checker, python, signer] = [await tlogChecker(world.base), await sigstorePython(world.base), await cosign()];
const pathOf = (tool: Tool) => ('path' in tool ? tool.path : '');
const absent = (tool: Tool) => 'absent' in tool;
const file = (name: string, bytes: string | Uint8Array) => {
  writeFileSync(join(world.base, name), bytes);
  return join(world.base, name);
};

interface Claims {
  Vkey: string;
  Log: string;
  Old: string;
  Checkpoint: string;
  Consistency: string[];
  TlogProof: string;
  Leaf: string;
}
let claims: Claims;
let bundle: object;
let bundleFile: string;
let keyFile: string;
let rootFile: string;
let type: string;

beforeAll(async () => {
  const { ledger } = world.serving.deployment;
  const client = new Client(world.dir);
  const old = ledger.latestWitnessed();
  if (!old) throw new Error('no checkpoint was witnessed');
  const { task } = await world.worker();
  await world.closeTask(task);
  // More than one tile.
  const now = new Date().toISOString();
  const records = Array.from({ length: 300 }, () =>
    ledger.record({
      predicate: 'rejects-counted',
      place: { series: 'deployment' },
      subject: { name: `deployment:${ledger.origin}`, sha256: 'a'.repeat(64) },
      observed: 'gateway-observed',
      separation: { agent: 'none', tool: 'none' },
      body: { since: now, until: now, counts: [{ code: 'token-invalid', count: 1 }] },
    }),
  );
  await records.at(-1)?.witnessed(AbortSignal.timeout(60_000));
  const exported = await client.postForBytes(`/v1/tasks/${task}/case`);

  const { checkpoint, proof } = await client.get<ConsistencyView>(`/v1/log/consistency?from=${old.size}`);
  const closed = caseBundle(exported);
  const proven = await client.get<ProofView>(`/v1/log/proofs/${closed.index}`);
  const [vkey = ''] = ledger.vkeys.filter((one) => parseVkey(one).type === 1);
  claims = {
    Vkey: vkey,
    Log: ledger.logFolder,
    Old: file('old.checkpoint', old.note),
    Checkpoint: file('present.checkpoint', checkpoint),
    Consistency: [...(proof ?? [])],
    TlogProof: file('closed.tlog-proof', proven.proof),
    Leaf: file('closed.leaf', fromBase64(proven.leaf)),
  };
  bundle = closed.bundle;
  bundleFile = file('bundle.json', JSON.stringify(bundle));
  const key = createPublicKey({ key: Buffer.from(closed.spki), format: 'der', type: 'spki' });
  keyFile = file('key.pem', key.export({ format: 'pem', type: 'spki' }).toString());
  rootFile = file('trusted_root.json', JSON.stringify(sigstoreTrustedRoot(parseTrust(world.made.trustFile))));
  type = 'https://w3id.org/deed/task-closed/v1';
});
afterAll(() => world.end());

/** A copy of the bundle with something changed. */
// biome-ignore lint/suspicious/noExplicitAny: JSON whose form the verifiers under test know
function bent(name: string, change: (copy: any) => void): string {
  const copy = structuredClone(bundle);
  change(copy);
  return file(name, JSON.stringify(copy));
}

/** Another key under the same name. */
function newNoteVkey(vkey: string): string {
  const { key } = pemNoteSigner(parseVkey(vkey).name, 1, makeLogKeys().ed25519);
  return formatVkey(key);
}

const flip = (bytes: Uint8Array, at = bytes.length - 1) => bytes.with(at, (bytes[at] ?? 0) ^ 1);

describe.skipIf(absent(checker))('golang.org/x/mod/sumdb', () => {
  const check = (changed: Partial<Claims> = {}) =>
    ran(pathOf(checker), [file('claims.json', JSON.stringify({ ...claims, ...changed }))]);

  test('derives the same tree from our tiles and entries, and accepts our signatures and proofs', async () => {
    const { code, text } = await check();
    expect(text).toMatch(/^tree of 3\d\d entries\nconsistency from \d+ to 3\d\d\ntlog-proof of entry \d+\n$/);
    expect(code).toBe(0);
  });

  /** A copy of the log's folder with one file changed. */
  function logWith(name: string, change: (bytes: Uint8Array) => Uint8Array): Partial<Claims> {
    const Log = join(world.base, `log-${name.replaceAll('/', '-')}`);
    cpSync(claims.Log, Log, { recursive: true });
    writeFileSync(join(Log, name), change(readFileSync(join(Log, name))));
    return { Log };
  }

  test('refuses another tile, entry, checkpoint or key', async () => {
    const refusals: readonly (readonly [string, Partial<Claims>])[] = [
      ['tiles', logWith('tile/0/000', (bytes) => flip(bytes, 40))],
      ['entries', logWith('tile/entries/000', (bytes) => flip(bytes, 100))],
      [
        'checkpoint',
        logWith('checkpoint', (bytes) => Buffer.from(Buffer.from(bytes).toString().replace(/\n3/, '\n2'))),
      ],
      ['checkpoint', { Vkey: newNoteVkey(claims.Vkey) }],
      ['vkey', { Vkey: claims.Vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+') }],
    ];
    for (const [what, changed] of refusals) {
      const { code, text } = await check(changed);
      expect({ code, text }).toEqual({ code: 1, text: expect.stringMatching(new RegExp(`^${what}: `)) });
    }
  });

  test('refuses another consistency proof, tlog-proof or leaf', async () => {
    const [first = '', ...rest] = claims.Consistency;
    const proof = readFileSync(claims.TlogProof, 'utf8');
    const refusals: readonly (readonly [string, Partial<Claims>])[] = [
      ['consistency', { Consistency: [toBase64(flip(fromBase64(first))), ...rest] }],
      ['consistency', { Consistency: rest }],
      ['tlog-proof', { TlogProof: file('bent.tlog-proof', proof.replace(/index \d+/, 'index 3')) }],
      ['tlog-proof', { Leaf: file('bent.leaf', flip(readFileSync(claims.Leaf))) }],
    ];
    for (const [what, changed] of refusals) {
      const { code, text } = await check(changed);
      expect({ code, text }).toEqual({ code: 1, text: expect.stringMatching(new RegExp(`^${what}: `, 'm')) });
    }
  });
});

describe.skipIf(absent(python))('sigstore-python', () => {
  const say = async (name = bundleFile) => {
    const { code, text } = await ran(pathOf(python), [sigstorePythonCheck, name, rootFile]);
    expect({ code, text }).toMatchObject({ code: 0 });
    return JSON.parse(text) as Record<'bundle' | 'inclusion' | 'checkpoint', string>;
  };

  test('knows no bundle without a certificate, but accepts the entry, its proof and our checkpoint', async () => {
    expect(await say()).toEqual({
      bundle: 'expected certificate in bundle',
      inclusion: 'accepted',
      checkpoint: 'accepted',
    });
  });

  test('refuses the entry with another leaf, and the checkpoint with another text', async () => {
    const leaf = bent('leaf.json', ({ verificationMaterial: { tlogEntries } }) => {
      tlogEntries[0].canonicalizedBody = toBase64(flip(fromBase64(tlogEntries[0].canonicalizedBody)));
    });
    expect((await say(leaf)).inclusion).toMatch(/invalid root hash/);
    const checkpoint = bent('checkpoint.json', ({ verificationMaterial: { tlogEntries } }) => {
      const { checkpoint: note } = tlogEntries[0].inclusionProof;
      note.envelope = note.envelope.replace(/\n3/, '\n2');
    });
    expect((await say(checkpoint)).checkpoint).toMatch(/invalid signature/);
  });
});

describe.skipIf(absent(signer))('cosign', () => {
  const verify = (name = bundleFile, ...more: readonly string[]) =>
    ran(pathOf(signer), [
      'verify-blob-attestation',
      ...['--key', keyFile, '--bundle', name, '--trusted-root', rootFile, '--type', type],
      ...(more.length > 0 ? more : ['--check-claims=false']),
    ]);

  test('accepts a bundle by our key without a timestamp', async () => {
    expect(await verify()).toEqual({ code: 0, text: 'Verified OK\n' });
  });

  test('refuses it where a timestamp is asked for, with another payload, and for another subject', async () => {
    expect(await verify(bundleFile, '--check-claims=false', '--use-signed-timestamps')).toMatchObject({ code: 1 });
    const payload = bent('payload.json', ({ dsseEnvelope }) => {
      const text = Buffer.from(dsseEnvelope.payload, 'base64').toString();
      dsseEnvelope.payload = toBase64(Buffer.from(text.replace('"operator"', '"principal"')));
    });
    expect(await verify(payload)).toMatchObject({ code: 1 });
    expect(await verify(bundleFile, '--digest', 'f'.repeat(64), '--digestAlg', 'sha256')).toMatchObject({ code: 1 });
  });
});
