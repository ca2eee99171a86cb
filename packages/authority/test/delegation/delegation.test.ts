import { encodeAllow, makePayload, parseJwt } from '@deed/evidence';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { makeHop, makeHopAccepted } from '../../src/delegation/words.ts';
import { newP256 } from '../../src/keys/p256.ts';
import { refused } from '../refused.ts';
import { World } from '../world.ts';
import { files, Member } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

const bodies = (task: string, name: string) =>
  world.statements(task).flatMap((statement) => (statement.predicate === name ? [statement.body] : []));
const kinds = (task: string) => world.statements(task).map(({ predicate }) => predicate);

/** Planner, worker and sub-worker, each of whom holds what the one before passed on. */
async function line(over: Parameters<World['task']>[1] = {}) {
  const planner = await Member.begin(world, over);
  const [worker, sub] = [await planner.other('worker'), await planner.other('sub')];
  const first = await planner.passOn(worker, { depth: 1 });
  const second = await worker.passOn(sub, { actions: 3 });
  return { planner, worker, sub, first, second };
}

describe('a task that is passed on', () => {
  test('lets its delegates act in their own names, and each statement carries the whole chain', async () => {
    proves('invariant-6');
    const { planner, worker, sub, first, second } = await line();
    for (const member of [planner, worker, sub]) await (await member.act()).durable;
    expect(bodies(planner.task.id, 'intent').map((body) => 'authority' in body && body.authority?.chain)).toEqual([
      [],
      [first.accepted],
      [first.accepted, second.accepted],
    ]);
    const { claims } = parseJwt(await sub.token(), 'deed-task+jwt');
    expect(claims).toMatchObject({
      hop: second.accepted,
      cnf: { jkt: sub.agent.jkt },
      act: { sub: sub.agent.spiffe, act: { sub: worker.agent.spiffe, act: { sub: planner.agent.spiffe } } },
    });
    const [upper, lower] = world.authority.delegation.list(planner.task.id);
    expect([upper?.used, lower?.used, world.authority.tasks.get(planner.task.id)?.used]).toEqual([2, 1, 3]);
  });

  test('is as it was after a restart', async () => {
    const { planner, worker, sub } = await line();
    await (await sub.act()).durable;
    await world.restart();
    await (await sub.act()).durable;
    expect(world.authority.delegation.list(planner.task.id).map(({ used }) => used)).toEqual([2, 2]);
    await (await worker.act()).durable;
  });

  test('gives an agent nothing before it accepted, and nothing to another', async () => {
    proves('invariant-6');
    const planner = await Member.begin(world);
    const [worker, stranger] = [await planner.other('worker'), await planner.other('stranger')];
    const offered = await planner.offer(worker);
    expect(await refused(() => worker.token())).toBe('hop-ended');
    const { origin } = world.init;
    const of = { origin, task: planner.task.id, hop: offered.digest };
    for (const signer of [
      stranger.signer,
      { agent: worker.agent.id, key: stranger.key },
      { agent: worker.agent.id, key: planner.key },
    ]) {
      const word = await makeHopAccepted(signer, of);
      expect(await refused(() => world.authority.delegation.accept(planner.task.id, word))).toBe('word');
    }
    expect(kinds(planner.task.id)).toEqual(['task-opened', 'hop']);
    await worker.accept(offered.digest);
    expect(await refused(() => worker.accept(offered.digest))).toBe('hop');
    await worker.act();
  });

  test('waits ten minutes for an acceptance', async () => {
    const planner = await Member.begin(world);
    const worker = await planner.other('worker');
    const offered = await planner.offer(worker);
    world.clock.advance(600_000);
    expect(await refused(() => worker.accept(offered.digest))).toBe('hop');
  });

  test('ends with its task, for everybody at once', async () => {
    proves('invariant-5');
    const { planner, worker, sub } = await line();
    const messages = [await worker.message('write_file'), await sub.message('write_file')];
    const closing = world.authority.tasks.close(planner.task.id, 'operator');
    for (const message of messages)
      expect(await refused(() => world.authority.actions.admit(message))).toBe('task-closed');
    for (const member of [worker, sub]) expect(await refused(() => member.token())).toBe('task-closed');
    await closing;
    expect(await refused(() => sub.accept('0'.repeat(64)))).toBe('task-closed');
  });

  test('is dead below a hop that its delegator or an operator took back, also between decision and intent', async () => {
    proves('invariant-6');
    const { planner, worker, sub, first, second } = await line();
    const { actions } = world.authority;
    const message = await sub.message('write_file');
    expect(await refused(() => sub.end(first.hop))).toBe('word');
    await planner.end(first.hop);
    expect(await refused(() => actions.admit(message))).toBe('hop-ended');
    for (const member of [worker, sub]) expect(await refused(() => member.token())).toBe('hop-ended');
    expect(await refused(() => planner.end(first.hop))).toBe('hop');
    await planner.act();
    await world.authority.delegation.end(planner.task.id, second.hop, null).durable;
    expect(bodies(planner.task.id, 'hop-ended')).toHaveLength(2);
    expect(bodies(planner.task.id, 'refusal')).toMatchObject([
      { reason: 'denied', authority: { chain: [first.accepted, second.accepted] } },
    ]);
  });

  test('is dead below an agent that was revoked', async () => {
    const { worker, sub } = await line();
    const message = await sub.message('write_file');
    await world.authority.agents.revoke(worker.agent.id, 'lost laptop');
    expect(await refused(() => world.authority.actions.admit(message))).toBe('agent-revoked');
    expect(await refused(() => sub.token())).toBe('hop-ended');
    expect(await refused(() => worker.token())).toBe('agent-revoked');
  });

  test('is decided by the least of all that leads to the actor', async () => {
    proves('invariant-6');
    const planner = await Member.begin(world);
    const [worker, sub] = [await planner.other('worker'), await planner.other('sub')];
    await planner.passOn(worker, {
      depth: 1,
      actions: 1,
      allow: [{ server: 'files', tools: ['write_file', 'read_file'] }],
    });
    await worker.passOn(sub, { actions: 1, allow: [{ server: 'files', tools: ['write_file'] }] });
    expect(await refused(() => sub.act('read_file'))).toBe('outside-grant');
    await sub.act('write_file');
    // what the sub-worker did counts for the worker
    expect(await refused(() => worker.act('read_file'))).toBe('outside-grant');
    await (await planner.act('delete_file')).durable;
    const reasons = bodies(planner.task.id, 'refusal').map((body) => 'detail' in body && body.detail);
    expect(reasons).toEqual([
      expect.stringMatching(/not among what was passed on/),
      expect.stringMatching(/are used up/),
    ]);
  });

  test('asks which hop, where an agent holds several', async () => {
    const planner = await Member.begin(world);
    const worker = await planner.other('worker');
    const narrow = await planner.passOn(worker, { allow: [{ server: 'files', tools: ['read_file'] }] });
    const wide = await planner.passOn(worker);
    expect(await refused(() => worker.token())).toBe('hop');
    expect(await refused(async () => worker.act('write_file', await worker.token(narrow.hop)))).toBe('outside-grant');
    await worker.act('write_file', await worker.token(wide.hop));
    expect(await refused(() => planner.token(wide.hop))).toBe('hop');
  });
});

describe('a hop is refused, and the refusal recorded with what its delegator signed, when it', () => {
  const cases: Readonly<Record<string, readonly [RegExp, Parameters<Member['terms']>[1]]>> = {
    'allows another server': [/delegator may not/, { allow: [{ server: 'payments' }] }],
    'lasts longer': [/lasts longer/, { deadlineMs: Date.UTC(2027, 0) }],
    'goes deeper': [/goes deeper/, { depth: 3 }],
    'has a higher ceiling': [/ceiling/, { ceiling: 'approve' }],
    'passes on more actions': [/and 100 are left/, { actions: 101 }],
    'is to an agent that is not enrolled': [
      /not enrolled/,
      { delegate: { agent: 'agt_01M81B5H8011XEGGPTM5DD17Q6', jkt: 'A'.repeat(43) } },
    ],
  };
  for (const [name, [says, over]] of Object.entries(cases)) {
    test(name, async () => {
      proves('invariant-6', 'invariant-8');
      const planner = await Member.begin(world, { ceiling: 'record', budget: { actions: 100 } });
      const worker = await planner.other('worker');
      expect(await refused(() => planner.offer(worker, over))).toBe('hop');
      expect(bodies(planner.task.id, 'hop')).toEqual([]);
      const [refusal] = bodies(planner.task.id, 'refusal');
      expect(refusal).toMatchObject({ method: 'deed/hop', detail: expect.stringMatching(says) });
    });
  }

  test('comes back to somebody in the chain', async () => {
    proves('invariant-6');
    const { planner, worker, sub } = await line();
    const other = await planner.other('other');
    await worker.passOn(other, { depth: 0, actions: 1 });
    const deep = await Member.begin(world);
    const [first, second] = [await deep.other('first'), await deep.other('second')];
    await deep.passOn(first, { depth: 2 });
    await first.passOn(second, { depth: 1 });
    for (const to of [deep, first, second]) expect(await refused(() => second.offer(to))).toBe('hop');
    expect(await refused(() => sub.offer(other))).toBe('hop'); // no hop further
  });

  test('is of another task, under another token, or by another key than the one who sends it', async () => {
    proves('invariant-6');
    const [here, there] = [await Member.begin(world), await Member.begin(world)];
    const worker = await here.other('worker');
    const { clock, authority } = world;
    const token = await here.token();
    const honest = () => makeHop(here.signer, token, here.terms(worker), clock);
    // a hop of one task sent to another
    expect(await refused(async () => authority.delegation.offer(there.task.id, await honest()))).toBe('hop');
    // its word under another token of the same agent: the proof is for the word and the token that it came with
    const spliced = { ...(await honest()), token: await here.token() };
    expect(await refused(() => authority.delegation.offer(here.task.id, spliced))).toBe('proof-invalid');
    // the word of one offer beside the proof of another
    const [one, two] = [await honest(), await honest()];
    expect(await refused(() => authority.delegation.offer(here.task.id, { ...one, word: two.word }))).toBe(
      'proof-body',
    );
    // somebody who has the token and not the key
    const stolen = await makeHop({ agent: here.agent.id, key: newP256() }, token, here.terms(worker), clock);
    expect(await refused(() => authority.delegation.offer(here.task.id, stolen))).toBe('proof-invalid');
    // a good proof over a word that another key signed
    const good = await honest();
    const foreign = { ...good.word, signature: { ...good.word.signature, sig: stolen.word.signature.sig } };
    expect(await refused(() => authority.delegation.offer(here.task.id, { ...good, word: foreign }))).toBe('hop');
    // other allowed actions than the word names
    const { salt, bytes } = makePayload(encodeAllow(files));
    const swapped = { ...(await honest()), allow: new Uint8Array([...salt, ...bytes]) };
    expect(await refused(() => authority.delegation.offer(here.task.id, swapped))).toBe('hop');
    expect(bodies(here.task.id, 'hop')).toEqual([]);
    // and the honest one, once
    const last = await honest();
    await (await authority.delegation.offer(here.task.id, last)).durable;
    expect(await refused(() => authority.delegation.offer(here.task.id, last))).toBe('proof-replayed');
    expect(
      await refused(() => authority.delegation.offer(here.task.id, { ...last, word: { ...last.word, bytes: 'AA==' } })),
    ).toBe('word');
    expect(bodies(here.task.id, 'hop')).toHaveLength(1);
  });

  test('is of a task that nobody said may be passed on', async () => {
    const planner = await Member.begin(world, { depth: 0 });
    expect(await refused(async () => planner.offer(await planner.other('worker')))).toBe('hop');
  });
});
