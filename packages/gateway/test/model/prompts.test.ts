import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Prompts } from '../../src/model/prompts.ts';
import type { Exchange, Passage } from '../../src/model/relay.ts';

interface Asked {
  readonly id: string;
  readonly name: string;
  readonly input: object;
}

const captured = (text: string) => {
  const bytes = Buffer.from(text);
  return { sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), bytes };
};

/** An exchange in which a model asked for these calls. */
function asking(calls: readonly Asked[], over: Partial<Exchange> = {}): Exchange {
  const content = calls.map((call) => ({ type: 'tool_use', ...call }));
  return {
    method: 'POST',
    target: '/v1/messages',
    requestHeaders: [],
    request: captured('{"messages":[]}'),
    status: 200,
    responseHeaders: [],
    response: captured(JSON.stringify({ type: 'message', content })),
    end: 'complete',
    beganMs: 0,
    endedMs: 1,
    ...over,
  };
}

function told(prompts: Prompts, task: string | null, ...calls: readonly Asked[]): void {
  prompts.follow(task, 'anthropic', '/v1/messages').ended(asking(calls));
}

const said = (tool: string, given: object, id: string | null = null) => ({ id, tool, arguments: given as never });
const linkOf = async (prompts: Prompts, call: ReturnType<typeof said>, task = 'tsk') => {
  const cited = await prompts.cite(task, call);
  return cited && [cited.link, cited.call, cited.exchange !== null];
};

describe('a call is linked to the prompt that led to it', () => {
  it('exactly, if the client says the id, and never to another', async () => {
    const prompts = new Prompts();
    told(prompts, 'tsk', { id: 'a', name: 'write', input: { n: 1 } }, { id: 'b', name: 'write', input: { n: 2 } });
    expect(await linkOf(prompts, said('write', { n: 2 }, 'b'))).toEqual(['exact', 'b', true]);
    expect(await linkOf(prompts, said('write', { n: 1 }, 'a'))).toEqual(['exact', 'a', true]);
    expect(await linkOf(prompts, said('write', { n: 2 }, 'a'))).toEqual(['altered', 'a', true]);
    expect(await linkOf(prompts, said('write', { n: 1 }, 'c'))).toBeUndefined();
  });

  it('of fifty equal calls at once to none by mistake', async () => {
    const prompts = new Prompts();
    const calls = Array.from({ length: 50 }, (_, n) => ({ id: `call_${n}`, name: 'echo', input: { same: true } }));
    told(prompts, 'tsk', ...calls);
    const links = await Promise.all(calls.map(({ id }) => linkOf(prompts, said('echo', { same: true }, id))));
    expect(links).toEqual(calls.map(({ id }) => ['exact', id, true]));
    const others = new Prompts();
    told(others, 'tsk', ...calls);
    const guessed = await Promise.all(calls.map(() => linkOf(others, said('echo', { same: true }))));
    expect(guessed).toEqual(calls.map(() => ['ambiguous', null, true]));
    expect(await linkOf(others, said('echo', { same: true }))).toBeUndefined();
  });

  it('that is named where it can be no other, whatever the model asked for and in whatever order it is done', async () => {
    const asked = fc.uniqueArray(fc.record({ id: fc.uuid(), name: fc.constantFrom('a', 'b'), n: fc.nat(3) }), {
      selector: ({ id }) => id,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(asked, fc.infiniteStream(fc.boolean()), async (calls, named) => {
        const prompts = new Prompts();
        const answers = [calls.slice(0, 5), calls.slice(5)];
        for (const part of answers)
          told(prompts, 'tsk', ...part.map(({ id, name, n }) => ({ id, name, input: { n } })));
        for (const { id, name, n } of calls) {
          const shows = named.next().value;
          const cited = await prompts.cite('tsk', said(name, { n }, shows ? id : null));
          if (shows) expect(cited).toMatchObject({ link: 'exact', call: id });
          else if (cited?.link === 'inferred') {
            // The one that is left that fits: equal ones were named before.
            const equal = calls.filter((other) => other.name === name && other.n === n);
            expect(equal.map((other) => other.id)).toContain(cited.call);
          } else if (cited) expect(cited).toMatchObject({ link: 'ambiguous', call: null });
        }
      }),
      { numRuns: 200 },
    );
  });

  it('is ambiguous without an exchange where several have such a call', async () => {
    const prompts = new Prompts();
    for (const id of ['a', 'b']) told(prompts, 'tsk', { id, name: 'echo', input: {} });
    expect(await linkOf(prompts, said('echo', {}))).toEqual(['ambiguous', null, false]);
  });

  it('is not guessed at once an answer could not be read', async () => {
    const prompts = new Prompts();
    told(prompts, 'tsk', { id: 'a', name: 'echo', input: {} });
    const odd = asking([], { responseHeaders: [{ name: 'content-encoding', value: 'compress' }] });
    prompts.follow('tsk', 'anthropic', '/v1/messages').ended(odd);
    expect(await linkOf(prompts, said('echo', {}))).toBeUndefined();
    expect(await linkOf(prompts, said('echo', {}, 'a'))).toEqual(['exact', 'a', true]);
  });

  it('of an answer that is still under way once that has ended', async () => {
    const prompts = new Prompts();
    const exchange = asking([{ id: 'a', name: 'echo', input: {} }]);
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const follower = prompts.follow('tsk', 'anthropic', '/v1/messages');
    const bytes = exchange.response.bytes ?? new Uint8Array();
    const passage: Passage = { soFar: () => ({ headers: [], bytes }), ended, cut: () => {} };
    follower.began(passage);
    const link = linkOf(prompts, said('echo', {}, 'a'));
    follower.ended(exchange);
    resolve();
    expect(await link).toEqual(['exact', 'a', true]);
  });

  it('in its own task, or by its id to what came with a key of nobody in particular', async () => {
    const prompts = new Prompts();
    told(prompts, 'other', { id: 'a', name: 'echo', input: {} });
    told(prompts, null, { id: 'b', name: 'echo', input: {} });
    expect(await linkOf(prompts, said('echo', {}))).toBeUndefined();
    expect(await linkOf(prompts, said('echo', {}, 'a'))).toBeUndefined();
    expect(await linkOf(prompts, said('echo', {}, 'b'))).toEqual(['exact', 'b', true]);
    prompts.forget('other');
    expect(await linkOf(prompts, said('echo', {}), 'other')).toBeUndefined();
  });

  it('whatever headers and ids a provider makes up', async () => {
    const prompts = new Prompts();
    const header = { name: 'content-type', value: 'x'.repeat(20_000) };
    const headers = Array.from({ length: 100 }, () => header);
    const calls = [
      { id: 'a'.repeat(600), name: 'echo', input: { long: true } },
      { id: 'a', name: 'echo', input: { n: 1 } },
    ];
    const odd = asking(calls, { responseHeaders: headers, target: `/v1/messages?beta=${'x'.repeat(20_000)}` });
    prompts.follow('tsk', 'anthropic', '/v1/messages').ended(odd);
    expect(await linkOf(prompts, said('echo', { long: true }))).toBeUndefined();
    const cited = await prompts.cite('tsk', said('echo', { n: 1 }));
    const staged: string[] = [];
    cited?.exchange?.((bytes, type) => {
      staged.push(type);
      return { sha256: 'a'.repeat(64), size: bytes.length, type, kept: true };
    });
    expect(staged.at(-1)).toBe('application/vnd.deed.exchange+json');
  });

  it('within a bound for all tasks together: who has most gives up', async () => {
    const prompts = new Prompts();
    const large = captured('x'.repeat(15 * 1024 * 1024));
    const send = (task: string, n: number) => {
      const exchange = asking([{ id: `call_${n}`, name: 'echo', input: { n } }], { request: large });
      prompts.follow(task, 'anthropic', '/v1/messages').ended(exchange);
    };
    for (let n = 0; n < 20; n++) send(`task_${n % 10}`, n);
    const found = await Promise.all(
      Array.from({ length: 20 }, (_, n) => linkOf(prompts, said('echo', { n }, `call_${n}`), `task_${n % 10}`)),
    );
    const left = found.filter((link) => link !== undefined).length;
    expect(left).toBeGreaterThan(10);
    expect(left * large.sizeBytes).toBeLessThanOrEqual(256 * 1024 * 1024);
  });

  it('within what is remembered, and nothing is inferred beyond that', async () => {
    const prompts = new Prompts();
    for (let n = 0; n < 70; n++) told(prompts, 'tsk', { id: `call_${n}`, name: 'echo', input: { n } });
    expect(await linkOf(prompts, said('echo', { n: 0 }, 'call_0'))).toBeUndefined();
    expect(await linkOf(prompts, said('echo', { n: 69 }, 'call_69'))).toEqual(['exact', 'call_69', true]);
    expect(await linkOf(prompts, said('echo', { n: 68 }))).toBeUndefined();
  });
});
