import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeAllow, jwkThumbprint, type Report, toBase64 } from '@deed/evidence';
import { makeAssertion, makeHop, makeHopAccepted, spkiOf, systemClock } from '@deed/server';
import { type Agent, Deployment } from './deployment.ts';

const here = new Deployment();
try {
  await here.begin();
  await tell();
} finally {
  await here.end();
}

/** A planner passes a part of its task on to a worker, the worker a part of that to a second one; each acts in its own name. */
async function tell(): Promise<void> {
  const [planner, worker, sub] = [
    await here.enrol('planner'),
    await here.enrol('worker'),
    await here.enrol('sub-worker'),
  ];
  const docs = join(here.site, 'docs');
  const all = here.allow('task', [{ server: 'files', paths: { under: [here.site] } }]);
  const inDocs = here.allow('docs', [{ server: 'files', paths: { under: [docs] } }]);
  const writing = here.allow('writing', [{ server: 'files', tools: ['write_file'], paths: { under: [docs] } }]);
  const task = await open('Write the documents of the site', planner, all);
  const other = await open('Something else that the planner does', planner, all);

  say('the planner passes the folder docs on to the worker, and the worker writing in it to the sub-worker');
  const first = await passOn(planner, worker, task, ['--allow', inDocs, '--actions', '5', '--depth', '1']);
  const second = await passOn(worker, sub, task, ['--allow', writing, '--actions', '2']);

  say('each of them writes a file, in its own MCP session');
  for (const [agent, name] of [
    [planner, 'plan'],
    [worker, 'work'],
    [sub, 'part'],
  ] as const) {
    const path = join(agent === planner ? here.site : docs, `${name}.md`);
    const { refused, text } = await here.call(agent, task, 'write_file', { path, content: `by ${agent.name}` });
    assert.equal(refused, false, text);
  }
  assert.equal(here.read('docs', 'part.md'), 'by sub-worker');

  say('nobody gets beyond what was passed on');
  const outside = { path: join(here.site, 'private', 'x.md'), content: 'x' };
  for (const agent of [worker, sub])
    assert.match((await here.call(agent, task, 'write_file', outside)).text, /passed on/);
  const reading = await here.call(sub, task, 'read_text_file', { path: join(docs, 'part.md') });
  assert.match(reading.text, /not among what was passed on/);
  await refuses(/delegator may not/, () => delegate(worker, sub, task, ['--allow', all, '--actions', '1']));
  await refuses(/and 3 are left/, () => delegate(worker, sub, task, ['--allow', writing, '--actions', '4']));
  await refuses(/in the chain already/, () => delegate(sub, planner, task, ['--allow', writing, '--actions', '1']));

  say('a hop of one task is worth nothing in another, and nobody accepts for somebody else');
  const spliced = await sign(planner, worker, other, inDocs);
  assert.match((await here.post(`/v1/tasks/${task}/hops`, spliced)).body.detail ?? '', /of another task/);
  const offered = await delegate(planner, sub, task, ['--allow', inDocs, '--actions', '1']);
  const framing = await makeHopAccepted({ agent: sub.id, ...keyOf(worker) }, { ...keyOf(worker), task, hop: offered });
  assert.equal((await here.post(`/v1/tasks/${task}/hops/accept`, { word: framing })).status, 400);

  say('the planner takes the hop to the worker back: the sub-worker is stopped as well');
  await here.deed('task', 'withdraw', task, '--hop', first, '--key', planner.keyFile);
  const late = await here.call(sub, task, 'write_file', { path: join(docs, 'late.md'), content: 'late' });
  assert.equal(late.refused, true, late.text);
  assert.equal(existsSync(join(docs, 'late.md')), false);

  say('the case of the task says who did what, for whom');
  const report = await verified(task);
  assert.equal(report.verdict, 'VERIFIED', JSON.stringify(report.reasons));
  const names = (actors: readonly string[]) => actors.map((spiffe) => spiffe.split('/').at(-1)).join(' > ');
  const acts = report.actions.map(({ actors, end }) => `${names(actors)}: ${end}`);
  for (const line of acts) console.log(`  ${line}`);
  assert.deepEqual(
    acts.filter((line) => line.endsWith(': ok')),
    ['planner: ok', 'planner > worker: ok', 'planner > worker > sub-worker: ok'],
  );
  const refusals = report.actions.filter(({ end }) => end === 'refused').map(({ result }) => result);
  for (const what of [/delegator may not/, /and 3 are left/, /in the chain already/])
    assert.ok(
      refusals.some((result) => what.test(result)),
      `no refusal says ${what}: ${refusals.join('\n')}`,
    );
  assert.deepEqual(
    report.hops.map(({ hop, state, begun }) => [hop, state, begun]),
    [
      [first, 'ended', 2],
      [second, 'accepted', 1],
      [offered, 'offered', 0],
    ],
  );
  assert.match(
    report.actions.find(({ actors }) => actors.length === 3)?.agent ?? '',
    /sub-worker for .*worker for .*planner on behalf of/,
  );

  const another = await verified(other);
  assert.equal(another.verdict, 'VERIFIED', JSON.stringify(another.reasons));
  assert.match(another.actions[0]?.result ?? '', /the token is of another task/);
  console.log('Everything is as it should be.');
}

async function open(objective: string, agent: Agent, allow: string): Promise<string> {
  const args = ['--agent', agent.id, '--allow', allow, '--budget', '20', '--depth', '2'];
  return (await here.deed<{ task: string }>('task', 'open', objective, ...args)).task;
}

async function delegate(from: Agent, to: Agent, task: string, terms: readonly string[]): Promise<string> {
  const args = ['--key', from.keyFile, '--to', to.id, ...terms];
  return (await here.deed<{ hop: string }>('task', 'delegate', task, ...args)).hop;
}

async function passOn(from: Agent, to: Agent, task: string, terms: readonly string[]): Promise<string> {
  const hop = await delegate(from, to, task, terms);
  await here.deed('task', 'accept', task, '--hop', hop, '--key', to.keyFile);
  return hop;
}

/** An offer as the planner's own program would sign it, without the command line. */
async function sign(from: Agent, to: Agent, task: string, allowFile: string): Promise<object> {
  const identity = keyOf(from);
  const assertion = await makeAssertion(identity.key, { ...identity, task }, systemClock);
  const { token = '' } = (await here.post(`/v1/tasks/${task}/token`, { assertion })).body;
  const offer = await makeHop(
    { agent: from.id, key: identity.key },
    token,
    {
      delegate: { agent: to.id, jkt: jwkThumbprint(spkiOf(keyOf(to).key)) },
      allow: decodeAllow(readFileSync(allowFile)),
      ceiling: 'record',
      actions: 1,
      deadlineMs: systemClock.now() + 600_000,
      depth: 0,
    },
    systemClock,
  );
  return { ...offer, allow: toBase64(offer.allow) };
}

function keyOf({ keyFile }: Agent) {
  const { key, spiffe, origin } = JSON.parse(readFileSync(keyFile, 'utf8')) as Record<
    'key' | 'spiffe' | 'origin',
    string
  >;
  return { key: createPrivateKey(key), spiffe, origin };
}

async function verified(task: string): Promise<Report> {
  const file = join(here.folder, `${task}.deed`);
  await here.deed('task', 'close', task);
  await here.deed('case', 'export', task, '-o', file);
  return here.deed<Report>('verify', file, '--trust', here.trust);
}

async function refuses(says: RegExp, attempt: () => Promise<unknown>): Promise<void> {
  await assert.rejects(attempt, (error: { readonly stdout?: string; readonly stderr?: string }) => {
    assert.match(`${error.stdout}${error.stderr}`, says);
    return true;
  });
}

function say(text: string): void {
  console.log(`- ${text}`);
}
