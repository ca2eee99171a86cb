import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** How large a request may be, in bytes: a real one has about 70. */
const maxBytes = 4096;

const { values } = parseArgs({ options: { dir: { type: 'string' }, port: { type: 'string', default: '0' } } });
if (values.dir === undefined) {
  console.error('usage: node examples/tsa/tsa.ts --dir DIR [--port 0]');
  process.exit(2);
}
const dir = resolve(values.dir);
mkdirSync(dir, { recursive: true });
if (!existsSync(join(dir, 'tsa.pem'))) makeKeys();

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', [...args], { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** A certificate that may stamp and nothing else, signed by itself, and the configuration of `openssl ts`. */
function makeKeys(): void {
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', 'tsa.key');
  const uses = ['keyUsage=critical,digitalSignature', 'extendedKeyUsage=critical,timeStamping'];
  const extensions = uses.flatMap((use) => ['-addext', use]);
  openssl(
    'req',
    '-x509',
    '-new',
    '-key',
    'tsa.key',
    '-subj',
    '/CN=A small TSA',
    '-days',
    '30',
    ...extensions,
    '-out',
    'tsa.pem',
  );
  writeFileSync(join(dir, 'serial'), '01\n');
  const settings = {
    serial: 'serial',
    signer_cert: 'tsa.pem',
    signer_key: 'tsa.key',
    signer_digest: 'sha256',
    default_policy: '1.3.6.1.4.1.99999.1',
    digests: 'sha256, sha512',
    ess_cert_id_alg: 'sha256',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  writeFileSync(join(dir, 'tsa.cnf'), `[tsa]\ndefault_tsa = here\n[here]\n${lines.join('')}`);
}

const server = createServer(async (request, response) => {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size <= maxBytes) parts.push(part);
  }
  try {
    if (request.method !== 'POST' || size > maxBytes) throw new Error('not a request for a timestamp');
    writeFileSync(join(dir, 'request'), Buffer.concat(parts));
    openssl('ts', '-reply', '-config', 'tsa.cnf', '-queryfile', 'request', '-out', 'reply');
    response.writeHead(200, { 'Content-Type': 'application/timestamp-reply' }).end(readFileSync(join(dir, 'reply')));
  } catch {
    response.writeHead(400).end();
  }
});
server.listen(Number(values.port), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}/` }));
});
process.on('SIGINT', () => process.exit(0));
