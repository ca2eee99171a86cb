import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openWord, utf8, wordChallenge } from '@deed/evidence';
import { expect, test } from 'vitest';
import { sshAgentIdentities, sshPersonSigner } from '../../src/keys/ssh-agent.ts';
import { refused } from '../refused.ts';

const present = ['ssh-agent', 'ssh-keygen', 'ssh-add'].every((name) => spawnSync('which', [name]).status === 0);
if (!present) console.warn('SKIPPED: ssh-agent, ssh-keygen or ssh-add is not on this machine');

test.skipIf(!present)('keys of a real ssh-agent give words that verify, and ssh-keygen agrees', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'deed-ssh-'));
  const socket = join(folder, 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await new Promise((resolve) => agent.stdout.once('data', resolve));
    for (const type of ['ed25519', 'ecdsa', 'rsa']) {
      const file = join(folder, type);
      execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', `${type} of alice`, '-f', file]);
      execFileSync('ssh-add', ['-q', file], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    }
    const identities = await sshAgentIdentities(socket);
    expect(identities.map(({ comment }) => comment)).toEqual(['ed25519 of alice', 'ecdsa of alice']);
    const bytes = utf8('{"v":1}');
    for (const { key } of identities) {
      const word = await sshPersonSigner(key, socket).word('deed-approval-v1', bytes);
      expect(Buffer.from(openWord('deed-approval-v1', word))).toEqual(Buffer.from(bytes));
      await expect(refused(() => openWord('deed-hold-v1', word))).resolves.toBe('signature');
      const blob = Buffer.from(word.signature.sig, 'base64').toString('base64');
      const signature = join(folder, 'sig');
      writeFileSync(signature, `-----BEGIN SSH SIGNATURE-----\n${blob}\n-----END SSH SIGNATURE-----\n`);
      const arguments_ = ['-Y', 'check-novalidate', '-n', 'deed-approval-v1', '-s', signature];
      const checked = spawnSync('ssh-keygen', arguments_, { input: wordChallenge('deed-approval-v1', bytes) });
      expect(checked.status, String(checked.stderr)).toBe(0);
    }
    execFileSync('ssh-add', ['-q', '-D'], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' });
    const [gone] = identities;
    if (gone)
      expect(await refused(() => sshPersonSigner(gone.key, socket).word('deed-hold-v1', bytes))).toBe('ssh-agent');
  } finally {
    agent.kill();
  }
  expect(await refused(() => sshAgentIdentities(join(folder, 'nobody')))).toBe('ssh-agent');
});
