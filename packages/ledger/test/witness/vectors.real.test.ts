import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatVkey, noteKey, parseNote } from '@deed/evidence';
import { expect, test } from 'vitest';
import { initWitness, startWitness, trustLog } from '../../src/index.ts';

const folder = new URL('../../../../../shared/vectors/extracted/', import.meta.url);
const present = existsSync(folder);
if (!present) console.warn('SKIPPED foreign witness conversations: the vectors folder is absent');

interface Conversation {
  readonly setup: readonly string[];
  readonly requests: readonly { readonly body: string; readonly status: number; readonly asserts: readonly string[] }[];
}

/** In a sigsum setup the bare key is given, and the origin is that of the first request. */
function logVkey(conversation: Conversation, origin: string): string {
  const setup = conversation.setup.join('\n');
  const bare = /add-sigsum-log -key=([0-9a-f]{64})/.exec(setup)?.[1];
  if (bare !== undefined) return formatVkey(noteKey(origin, 1, Buffer.from(bare, 'hex')));
  return /\S+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+/.exec(setup)?.[0] ?? '';
}

test.skipIf(!present).each(['litewitness', 'sumdb'])('the conversation of %s is answered as recorded', async (name) => {
  const file = new URL(`witness-add-checkpoint-${name}.json`, folder);
  const conversation: Conversation = JSON.parse(readFileSync(file, 'utf8'));
  const stateFolder = mkdtempSync(join(tmpdir(), 'deed-witness-vectors-'));
  initWitness(stateFolder, { name: 'example.com/witness' });
  const origin = conversation.requests[0]?.body.split('\n\n')[1]?.split('\n')[0] ?? '';
  trustLog(stateFolder, { origin, vkeys: [logVkey(conversation, origin)] });
  const witness = await startWitness({ stateFolder });
  for (const [at, { body, status, asserts }] of conversation.requests.entries()) {
    const response = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body });
    const text = await response.text();
    // Since the vectors were made tlog-witness says 404 for an unknown log.
    const expected = asserts.some((line) => line.includes('unknown log')) ? 404 : status;
    // A bad signature whose base64 has a second spelling is refused by us before it is looked up.
    const accepted = text.includes('not canonical base64') && status === 403 ? 400 : expected;
    expect(response.status, `request ${at}: ${text}`).toBe(accepted);
    const exact = asserts.map((line) => /^body == ("(?:.*)")$/.exec(line)?.[1]).find((line) => line !== undefined);
    if (exact !== undefined) expect(text).toBe(JSON.parse(exact));
    if (status === 200) expect(parseNote(`x\n\n${text}`).signatures[0]?.name).toBe('example.com/witness');
  }
  await witness.close();
  rmSync(stateFolder, { recursive: true });
});
