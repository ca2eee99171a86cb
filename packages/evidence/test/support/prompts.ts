import { utf8 } from '../../src/encoding.ts';
import { cutRequest } from '../../src/model/cut.ts';
import { type ExchangeBody, encodeExchange, exchangeType, pieceType } from '../../src/model/exchange.ts';
import { after, all, at, inCall } from './bends.ts';
import { digestOf } from './props.ts';
import type { Bend, Story } from './story.ts';

const write = { path: 'docs/index.md', content: 'mended' };

export interface Prompted {
  readonly link?: string;
  readonly call?: string | null;
  /** The calls that the model asked for: id, name, arguments. */
  readonly asked?: readonly (readonly [id: string, name: string, input: object])[];
  /** What the client says in `_meta` of its message. */
  readonly meta?: Readonly<Record<string, string>>;
  /** How far the end of the exchange is from the intent, in milliseconds. */
  readonly endedMs?: number;
  /** Changes the exchange before it is named. */
  readonly bend?: (record: Parameters<typeof encodeExchange>[0], story: Story) => void;
  readonly exchange?: null;
}

/** The write of the story, as a model asked for it through the relay. */
export function prompted(how: Prompted = {}): Bend {
  const {
    link = 'exact',
    call = 'toolu_1',
    asked = [['toolu_1', 'mcp__files__write_file', write]],
    meta = link === 'exact' || link === 'altered' ? { 'claudecode/toolUseId': call ?? '' } : {},
  } = how;
  return all(
    inCall('write', (draft) => {
      const params = { name: 'write_file', arguments: write, _meta: meta };
      draft.message = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
    }),
    at('write:intent', (draft, story) => {
      draft.body.prompt = { link, call, exchange: how.exchange === null ? null : exchangeOf(story, asked, how) };
    }),
  );
}

function exchangeOf(story: Story, asked: NonNullable<Prompted['asked']>, { endedMs = 0, bend }: Prompted) {
  const request = { model: 'm', messages: [{ role: 'user', content: 'Mend the page' }] };
  const content = asked.map(([id, name, input]) => ({ type: 'tool_use', id, name, input }));
  const record = {
    v: 1 as const,
    provider: 'anthropic',
    method: 'POST',
    target: '/v1/messages',
    began: story.time(endedMs - 2000),
    ended: story.time(endedMs),
    end: 'complete' as const,
    request: { headers: [], body: bodyOf(story, JSON.stringify(request)) },
    response: { status: 200, headers: [], body: bodyOf(story, JSON.stringify({ type: 'message', content })) },
  };
  bend?.(record, story);
  return story.log.payload(encodeExchange(record), exchangeType);
}

export function bodyOf({ log }: Story, text: string): ExchangeBody {
  const pieces = cutRequest(utf8(text)).map((piece) => log.payload(piece, pieceType));
  return {
    wire: { size: utf8(text).length, sha256: digestOf(text) },
    decoded: false,
    pieces: pieces.map(({ sha256, size }) => ({ sha256, size })),
  };
}

export interface Confirmation {
  readonly call?: string;
  /** What the model is told, and of which call. */
  readonly told?: readonly [id: string, text: string];
  readonly beganMs?: number;
  readonly body?: Readonly<Record<string, unknown>>;
}

/** The tool answered this, and the next turn tells the model. */
export function confirmed({
  call = 'toolu_1',
  told = ['toolu_1', 'written'],
  beganMs = 0,
  body = {},
}: Confirmation = {}): Bend {
  return all(
    at('write:outcome', (draft, { log }) => {
      const answer = { jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: 'written' }] } };
      draft.body.result = log.payload(JSON.stringify(answer), 'application/json');
    }),
    after('write:outcome', (story) => tellConfirmed(story, { call, told, beganMs, body })),
  );
}

export function tellConfirmed(story: Story, { call, told, beganMs, body }: Required<Confirmation>): void {
  const [id, text] = told;
  const content = [{ type: 'tool_result', tool_use_id: id, content: [{ type: 'text', text }] }];
  const request = { model: 'm', messages: [{ role: 'user', content }] };
  const record = {
    v: 1 as const,
    provider: 'anthropic',
    method: 'POST',
    target: '/v1/messages',
    began: story.time(beganMs),
    ended: story.time(beganMs + 1000),
    end: 'complete' as const,
    request: { headers: [], body: bodyOf(story, JSON.stringify(request)) },
    response: { status: 200, headers: [], body: bodyOf(story, '{"type":"message","content":[]}') },
  };
  story.record({
    step: 'prompt-confirmed',
    predicate: 'prompt-confirmed',
    place: { task: story.task, chain: 'after' },
    subject: { name: `action:${story.actions.write}`, sha256: story.records.get('write')?.sha256 ?? '' },
    body: {
      action: story.actions.write,
      intent: story.digest('write:intent'),
      call,
      exchange: story.log.payload(encodeExchange(record), exchangeType),
      ...body,
    },
  });
}
