import type { IncomingMessage } from 'node:http';
import { utf8 } from '@deed/evidence';
import { GatewayError } from '../../errors.ts';
import { errorReply, type Message, maxLineBytes, parseMessage } from '../message.ts';
import { statusOfAnswer } from '../tool-link.ts';
import { EventSplitter, type StreamEvent } from './event-stream.ts';
import type { Outlet } from './outlet.ts';
import type { HttpSession } from './session.ts';
import { wholeOf } from './upstream.ts';

export interface PassOptions {
  readonly log: (text: string) => void;
  /** Told each answer that goes by to a request that is not judged. */
  readonly onAnswer: (answer: Message) => void;
  /** Told each notification before it goes by. */
  readonly onNotification?: (message: Message) => Promise<void>;
  /** Judges an answer that is no stream; false: something else is said in its place. */
  readonly onWhole?: (status: number, bytes: Uint8Array, message: Message | null) => Promise<boolean> | boolean;
}

/** How a stream ended. */
export interface Passed {
  /** One of its events has a name, after which a client may go on. */
  readonly resumable: boolean;
}

/**
 * Passes an answer on as it comes: events one by one, anything else whole. An answer to a judged call waits until its outcome is
 * recorded; what no request waits for is dropped.
 */
export async function passAnswer(
  incoming: IncomingMessage,
  outlet: Outlet,
  session: HttpSession,
  headers: Readonly<Record<string, string>>,
  options: PassOptions,
): Promise<Passed> {
  const status = incoming.statusCode ?? 502;
  const noCredential = status === 401 || status === 403;
  if (noCredential || !headers['content-type']?.startsWith('text/event-stream')) {
    const body = await wholeOf(incoming, 4 * maxLineBytes);
    const message = messageOf(body);
    const judged = options.onWhole ? options.onWhole(status, body, message) : letBy(message, session, options);
    if (!(await judged)) return { resumable: false };
    if (noCredential) {
      const text = `the server at its address refused its credential (HTTP status ${status})`;
      outlet.finish(errorReply(null, -32001, text, 'credential'), 502);
    } else if (outlet.isStream) outlet.finish(body.toString('utf8'));
    else outlet.answer(status, headers, body);
    return { resumable: false };
  }
  outlet.stream(status, headers);
  return passEvents(incoming, outlet, session, options);
}

async function passEvents(
  incoming: IncomingMessage,
  outlet: Outlet,
  session: HttpSession,
  options: PassOptions,
): Promise<Passed> {
  const events: StreamEvent[] = [];
  const splitter = new EventSplitter((event) => events.push(event));
  let resumable = false;
  try {
    for await (const chunk of incoming) {
      splitter.push(chunk as Buffer);
      for (const event of events.splice(0)) {
        resumable ||= event.id !== null;
        if (await mayPass(event, session, options)) await outlet.write(event.bytes);
      }
    }
  } catch (error) {
    if (error instanceof GatewayError) options.log(`a stream was cut: ${error.message}`);
    outlet.breakOff();
    return { resumable };
  }
  await outlet.write(splitter.rest());
  outlet.end();
  return { resumable };
}

async function mayPass({ data }: StreamEvent, session: HttpSession, options: PassOptions): Promise<boolean> {
  if (data === null || data === '') return true;
  const message = messageOf(utf8(data));
  if (!message) {
    options.log('an event that is no message was dropped');
    return false;
  }
  if (message.method === 'notifications/tools/list_changed') session.catalogue.invalidate();
  if (message.kind === 'notification') await options.onNotification?.(message);
  return message.kind !== 'response' || letBy(message, session, options);
}

/** Resolves when an answer may go on; false if it is to nothing that waits, or not the first. */
async function letBy(message: Message | null, session: HttpSession, { log, onAnswer }: PassOptions): Promise<boolean> {
  if (message?.kind !== 'response') return true;
  const request = session.inFlight.get(message.id ?? '');
  if (request?.kind === 'judged') {
    return request.settle({ status: statusOfAnswer(message), bytes: message.line }, message);
  }
  if (!request && message.id !== null) {
    log('an answer that nobody waits for was dropped');
    return false;
  }
  if (message.id !== null) session.inFlight.delete(message.id);
  try {
    onAnswer(message);
  } catch (error) {
    log(`the tools were not pinned: ${(error as Error).message}`); // whoever calls one is told
  }
  return true;
}

function messageOf(bytes: Uint8Array): Message | null {
  try {
    return bytes.length === 0 ? null : parseMessage(bytes);
  } catch (error) {
    if (error instanceof GatewayError) return null;
    throw error;
  }
}
