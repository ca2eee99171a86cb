import { equal, match, ok } from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { type Report, verify } from '@deed/evidence';
import { keyPersonSigner, type PersonSigner, readSealedKey } from '@deed/server';
import { readAgentKey } from '../agent-key.ts';
import { Client } from '../client.ts';
import { answerHold, type HoldView } from '../commands/approve.ts';
import type { ReconciledView } from '../commands/reconcile.ts';
import { AgentTools } from './agent.ts';
import { enrolAgent, openTask, registerTools, type Tools } from './deployment.ts';
import { leakCredential } from './leak.ts';
import { type Overheard, sendMessage, signMessage } from './raw-message.ts';
import { changeOneByte, withoutFinding } from './tamper.ts';
import type { Telling } from './telling.ts';
import { until } from './until.ts';
import type { World } from './world.ts';

export const objective = 'Raise the retry limit to 5 and release it';

export interface StoryOptions {
  readonly world: World;
  readonly telling: Telling;
  /** Lets the newcomer read and answer the approval; null: the demo plays the person. */
  readonly ask: ((rendering: string) => Promise<'approve' | 'reject'>) | null;
}

export interface Told {
  readonly task: string;
  readonly caseFile: string;
  readonly report: Report;
}

/** What the chapters hand on to each other. */
interface Scene extends StoryOptions {
  readonly client: Client;
  readonly person: PersonSigner;
  readonly tools: Tools;
  readonly keyFile: string;
  readonly task: string;
}

/** The newcomer rejected the push: the demo ends here, and rightly so. */
export class Rejected extends Error {}

/** The whole demo. Each step asserts what it says; anything else throws. */
export async function tellStory(options: StoryOptions): Promise<Told> {
  const { world, telling } = options;
  const client = new Client(world.data);
  telling.chapter('A deployment, a forge, an agent with a task');
  const person = keyPersonSigner(
    await readSealedKey(join(world.keys, 'person.key.json'), 'demo: anyone may know this'),
  );
  const tools = await registerTools(client, world);
  const keyFile = join(world.keys, 'agent.key.json');
  const agent = await enrolAgent(client, keyFile);
  const task = await openTask(client, world, agent.id, objective);
  telling.fact(`${agent.spiffe} is enrolled with a key of its own, by a one-time code.`);
  telling.fact(`Task ${task}: "${objective}".`);
  telling.aside(
    'Policy: edits and commits at tier record, a push at tier approve. The task may touch work/service, nothing else.',
  );
  const scene: Scene = { ...options, client, person, tools, keyFile, task };
  const overheard = await edit(scene);
  await push(scene);
  await behindTheBack(scene, overheard);
  await reconcile(scene);
  return conclude(scene);
}

/** Chapter 2: allowed work at tier record, and a write outside the task. */
async function edit({ world, telling, client, tools, keyFile, task }: Scene): Promise<Overheard> {
  telling.chapter('The agent works through Deed');
  const files = await AgentTools.connect({ data: world.data, task, key: keyFile, argv: tools.files });
  const config = join(world.service, 'config', 'http.json');
  const read = await files.call('read_text_file', { path: config });
  match(read.text, /"retryLimit": 3/);
  telling.fact('It reads config/http.json (tier observe: digests only).');
  const edited = await files.call('edit_file', {
    path: config,
    edits: [{ oldText: '"retryLimit": 3', newText: '"retryLimit": 5' }],
  });
  ok(!edited.isError, edited.text);
  match(readFileSync(config, 'utf8'), /"retryLimit": 5/);
  telling.fact('It sets "retryLimit": 5 (tier record: intent and outcome with exact bytes).');

  const before = readFileSync(world.payroll, 'utf8');
  const outside = await files.call('write_file', { path: world.payroll, content: 'name,salary\nAgent,999999\n' });
  ok(outside.isError && outside.text.includes('outside-grant'), outside.text);
  equal(readFileSync(world.payroll, 'utf8'), before);
  telling.caught(
    'It tries to write payroll/salaries.csv, outside its task: refused, recorded, and the file is untouched.',
  );
  await files.close();

  const identity = { ...readAgentKey(keyFile), task };
  const line = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'list_directory', arguments: { path: world.service } },
  });
  const overheard = await signMessage(client, identity, line);
  await initialize(client, tools.files, identity, overheard);
  return overheard;
}

/** One more honest call, on a plain connection, so that somebody could have overheard its token and proof. */
async function initialize(
  client: Client,
  argv: readonly string[],
  identity: Parameters<typeof signMessage>[1],
  overheard: Overheard,
): Promise<void> {
  const answer = await sendMessage(client, argv, identity.task, overheard);
  ok(answer.includes('"id":1'), answer);
}

/** Chapter 3: the push waits for a person; a swapped commit is refused; the honest one passes. */
async function push({ world, telling, client, person, tools, keyFile, task, ask }: Scene): Promise<void> {
  telling.chapter('The release waits for a person');
  const git = await AgentTools.connect({ data: world.data, task, key: keyFile, argv: tools.git });
  const path = world.service;
  const added = await git.call('git_add', { path, paths: ['config/http.json'] });
  ok(!added.isError, added.text);
  const committed = await git.call('git_commit', { path, message: 'Raise the retry limit to 5' });
  ok(!committed.isError, committed.text);
  const honest = (await world.git(path, 'rev-parse', 'HEAD')).trim();
  telling.fact(`It commits the change: ${honest.slice(0, 12)} (tier record).`);

  const arguments_ = { path, remote: 'origin', branch: 'main' };
  const first = git.call('git_push', arguments_);
  const firstHold = await nextHold(client);
  telling.fact('It asks to push. Deed works out what would really be pushed, and holds the call.');
  writeFileSync(
    join(path, 'config', 'http.json'),
    '{\n  "timeoutSeconds": 30,\n  "retryLimit": 5,\n  "mirror": "http://attacker.invalid/"\n}\n',
  );
  await world.git(path, 'commit', '--quiet', '--all', '--amend', '--no-edit');
  telling.aside('Meanwhile somebody swaps the commit in the working copy for another one with the same message.');
  await answerHold(client, firstHold, 'approve', person);
  const swapped = await first;
  ok(swapped.isError && swapped.text.includes('operands-changed'), swapped.text);
  equal(await forgeHead(world), await seedCommit(world));
  telling.caught(
    'The person approved what was shown. What would run now is something else: refused, nothing was pushed.',
  );

  await world.git(path, 'reset', '--quiet', '--hard', honest);
  const second = git.call('git_push', arguments_);
  const hold = await nextHold(client);
  const rendering = renderingOf(hold);
  ok(rendering.includes(honest), 'the rendering names the commit');
  telling.aside(
    ask
      ? 'The agent asks again. Now it is yours to read and to decide:'
      : 'The agent asks again. This is what the person is shown (the demo plays the person; --ask lets you):',
  );
  telling.block(frame(rendering));
  const decision = ask ? await ask(rendering) : 'approve';
  const { kind } = await answerHold(client, hold, decision, person);
  if (decision === 'reject')
    throw new Rejected('You said no. The refusal is recorded with your signature, and nothing was pushed.');
  equal(kind, 'approved');
  let pushed = await second;
  // A person who takes longer than the call may wait: the agent was told to come back, and does.
  if (pushed.isError && pushed.text.includes('deed approve')) pushed = await git.call('git_push', arguments_);
  ok(!pushed.isError, pushed.text);
  equal(await forgeHead(world), honest);
  telling.fact(
    "A person's key signed exactly this. A witness cosigned the intent, then the push ran: the forge is at the approved commit.",
  );
  await git.close();
}

/** Chapter 4: the credential leaks and is used directly, before and after the task is closed; an old proof is replayed. */
async function behindTheBack({ world, telling, client, tools, task }: Scene, overheard: Overheard): Promise<void> {
  telling.chapter('Behind the back of the gateway');
  const { id, secret } = leakCredential(world.data, task);
  const elsewhere = await mkdtemp(join(world.folder, 'elsewhere-'));
  const forge = new URL(`${world.forgeUrl}service.git`);
  forge.username = id;
  forge.password = secret;
  await world.git(elsewhere, 'clone', '--quiet', forge.href, 'service');
  const copy = join(elsewhere, 'service');
  writeFileSync(join(copy, 'README.md'), '# service\n\nNothing to see here.\n');
  await world.git(copy, 'commit', '--quiet', '--all', '--message', 'Small change');
  await world.git(copy, 'push', '--quiet', 'origin', 'main');
  telling.aside(
    "A process of the same user took the task's git credential out of the data folder and pushed with it, without Deed.",
  );
  telling.fact('The forge accepted a second push. No receipt knows of it.');

  await client.post(`/v1/tasks/${task}/close`, { reason: 'principal' });
  telling.fact('The task is closed: its tokens are dead, its credential is revoked.');
  const replayed = await sendMessage(client, tools.files, task, overheard);
  ok(replayed.includes('proof-replayed'), replayed);
  telling.caught(
    'An old message is sent again, with its valid token and proof: refused, recorded, and it cites the first use.',
  );
  writeFileSync(join(copy, 'README.md'), '# service\n\nStill here.\n');
  await world.git(copy, 'commit', '--quiet', '--all', '--message', 'Another small change');
  const refused = await world.git(copy, 'push', '--quiet', 'origin', 'main').then(
    () => null,
    (error: Error & { stderr?: string }) => error.stderr ?? error.message,
  );
  ok(refused !== null, 'the forge must refuse the credential of a closed task');
  telling.caught('A third push with the same credential: the forge refuses it.');
}

/** Chapter 5: the forge's own record against the receipts. */
async function reconcile({ world, telling, client, task }: Scene): Promise<void> {
  telling.chapter("What the forge's own record says");
  const refusedByForge = () =>
    readFileSync(join(world.forgeFolder, 'access.jsonl'), 'utf8').includes('"reason":"revoked"');
  await until(world.forgeFolder, refusedByForge, 'the forge writes down the refused push');
  const found = await client.post<ReconciledView>(`/v1/tasks/${task}/reconcile`);
  equal(found.confirmed.length, 1);
  equal(found.pending, 0);
  equal(
    found.findings
      .map(({ type }) => type)
      .sort()
      .join(),
    'hidden_side_effect,use_after_close',
  );
  telling.fact('The approved push is confirmed: repository, ref, old and new commit agree.');
  for (const { type, why } of found.findings) telling.caught(`${type}: ${why}.`);
}

/** Chapter 6: one file, verified offline; and two that were tampered with. */
async function conclude({ world, telling, client, task }: Scene): Promise<Told> {
  telling.chapter('One file that proves it');
  const bytes = await client.postForBytes(`/v1/tasks/${task}/case`);
  const caseFile = join(world.folder, 'release.deed');
  writeFileSync(caseFile, bytes);
  const trust = readFileSync(world.trust, 'utf8');
  const report = verify(bytes, { trust });
  equal(report.verdict, 'VERIFIED', JSON.stringify(report.reasons, null, 2));
  telling.fact(`The case (${Math.round(bytes.length / 1024)} KiB) verifies without any server: VERIFIED.`);
  equal(verify(changeOneByte(bytes), { trust }).verdict, 'FORGED');
  telling.caught('A copy with one byte of one payload changed, zipped again in the same form: FORGED.');
  const cut = verify(withoutFinding(bytes, 'hidden_side_effect'), { trust }).verdict;
  equal(cut, 'INCOMPLETE');
  telling.caught(`A copy without the finding: ${cut}.`);
  checkReport(report);
  return { task, caseFile, report };
}

/** What the report must say of this story. */
function checkReport({ actions, findings }: Report): void {
  const ends = actions.map(({ tier, end }) => `${tier ?? '-'} ${end}`);
  for (const [end, times] of [
    ['record ok', 3],
    ['approve ok', 1],
    ['- refused', 3],
  ] as const) {
    equal(ends.filter((one) => one === end).length, times, `${times} actions ended as ${end}: ${ends.join(', ')}`);
  }
  const released = actions.find(({ tier, end }) => tier === 'approve' && end === 'ok');
  for (const layer of ['identity', 'decision', 'approval', 'record', 'anchor', 'corroboration'] as const) {
    equal(released?.layers[layer].state, 'present', `layer ${layer}`);
  }
  for (const layer of ['authority', 'separation'] as const)
    equal(released?.layers[layer].state, 'missing', `layer ${layer}`);
  equal(findings.length, 2);
}

async function nextHold(client: Client): Promise<HoldView> {
  for (;;) {
    const { approvals } = await client.get<{ approvals: { id: string }[] }>('/v1/approvals?wait=20');
    const [hold] = approvals;
    if (hold) return client.get<HoldView>(`/v1/approvals/${hold.id}`);
  }
}

function renderingOf({ renderingObject }: HoldView): string {
  return Buffer.from(renderingObject, 'base64').subarray(16).toString();
}

function frame(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `     | ${line}`)
    .join('\n');
}

async function forgeHead(world: World): Promise<string> {
  return (
    await world.git(join(world.forgeFolder, 'repositories', 'service.git'), 'rev-parse', 'refs/heads/main')
  ).trim();
}

async function seedCommit(world: World): Promise<string> {
  return (await world.git(world.service, 'rev-list', '--max-parents=0', 'HEAD')).trim();
}
