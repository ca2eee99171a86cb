import { sign } from 'node:crypto';
import { toBase64 } from '@deed/evidence';
import { enrolmentChallenge, newP256, spkiOf } from '@deed/server';
import { writeAgentKey } from '../agent-key.ts';
import type { Client } from '../client.ts';
import { identity, packageFile, type World } from './world.ts';

/** The commands of the two tool servers, as they are registered. */
export interface Tools {
  readonly files: readonly string[];
  readonly git: readonly string[];
}

/** Two tool servers that nobody here wrote, and the forge as source and as target of a credential for each task. */
export async function registerTools(client: Client, world: World): Promise<Tools> {
  // The filesystem server is started above the repository: it would allow the write that Deed refuses.
  const files = [process.execPath, packageFile('@modelcontextprotocol/server-filesystem', 'dist/index.js'), world.work];
  const git = [process.execPath, packageFile('@cyanheads/git-mcp-server', 'dist/index.js')];
  await client.post('/v1/tools', { name: 'files', kind: 'filesystem', argv: files, env: {} });
  await client.post('/v1/tools', {
    name: 'git',
    kind: 'git',
    argv: git,
    env: {
      ...identity,
      GIT_SIGN_COMMITS: 'false',
      MCP_LOG_LEVEL: 'error',
      NODE_ENV: 'production',
      GIT_BASE_DIR: world.work,
    },
  });
  const { forgeUrl, forgeAdminTokenFile, forgeFolder } = world;
  await client.post('/v1/sources', {
    id: 'forge',
    kind: 'git-forge',
    config: { dir: forgeFolder },
    forge: { name: 'forge', url: forgeUrl, adminUrl: forgeUrl, adminTokenFile: forgeAdminTokenFile },
  });
  return { files, git };
}

/** The operator invites, the agent makes a key and redeems the code. */
export async function enrolAgent(
  client: Client,
  keyFile: string,
): Promise<{ readonly id: string; readonly spiffe: string }> {
  const { code, origin } = await client.post<{ code: string; origin: string }>('/v1/agents/invite', {
    name: 'release-agent',
  });
  const key = newP256();
  const spki = spkiOf(key);
  const proof = sign('sha256', enrolmentChallenge(origin, code, spki), key);
  const agent = await client.post<{ id: string; spiffe: string }>('/v1/agents/redeem', {
    code,
    spki: toBase64(spki),
    proof: toBase64(proof),
  });
  writeAgentKey(keyFile, { agent: agent.id, spiffe: agent.spiffe, origin, key });
  return agent;
}

export async function openTask(client: Client, world: World, agent: string, objective: string): Promise<string> {
  const { task } = await client.post<{ task: string }>('/v1/tasks', {
    objective,
    agent,
    principal: { kind: 'person', id: 'demo-owner', authenticated: 'the operator at the socket' },
    allow: [
      { server: 'files', paths: { under: [world.service] } },
      {
        server: 'git',
        tools: ['git_add', 'git_commit', 'git_push'],
        paths: { under: [world.service] },
        git: { repositories: ['service'], refs: ['refs/heads/main'] },
      },
    ],
    ceiling: 'approve',
    budget: 50,
    deadlineSeconds: 3600,
  });
  return task;
}
