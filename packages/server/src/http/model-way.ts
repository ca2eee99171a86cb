import type { IncomingMessage, ServerResponse } from 'node:http';
import { DeedError } from '@deed/evidence';
import { type ModelKey, type ModelRelay, modelRelay, type Passage } from '@deed/gateway';
import type { Deployment } from '../deployment.ts';
import { ServerError } from '../errors.ts';
import { injectedHeaders } from '../model-config.ts';
import type { ModelConfig } from '../models.ts';
import { notWriting, type Way } from './listen.ts';

/** Where agents reach models through the gateway. */
export interface ModelWay extends Way {
  close(): void;
}

const path = /^\/model\/([^/?]+)\/([a-z0-9][a-z0-9._-]{0,62})(\/[^\s#]*)$/;
/** Exchanges under way at once, with one key and with all. */
const maxPerKey = 64;
const maxUnderWay = 512;

/** `/model/<key>/<provider>/…`: what follows is the provider's own path. */
export function modelWay(deployment: Deployment): ModelWay {
  const { modelKeys, authority } = deployment;
  const relays = new Map<string, { readonly relay: ModelRelay; readonly url: string }>();
  const underWay = new Map<Passage, ModelKey>();

  const relayTo = ({ name, url }: ModelConfig): ModelRelay => {
    const known = relays.get(name);
    if (known?.url === url) return known.relay;
    known?.relay.close();
    const onError = (error: unknown) => process.stderr.write(`deed: model ${name}: ${(error as Error).message}\n`);
    const relay = modelRelay({ upstream: new URL(url), onExchange: () => undefined, onError });
    relays.set(name, { relay, url });
    return relay;
  };

  const stopListening = authority.tasks.onClose((task) => {
    for (const [passage, key] of underWay) if (key.task === task) passage.cut();
    modelKeys.forget(task);
  });

  const take = (request: IncomingMessage, response: ServerResponse): void => {
    if (!deployment.ledger.isReady) throw new ServerError('not-ready', notWriting);
    const [, text = '', name = '', target = ''] = path.exec(request.url ?? '') ?? [];
    const key = modelKeys.find(text);
    // Whoever has no key learns nothing of what is here.
    if (!key || (key.task !== null && !authority.tasks.isOpen(key.task)))
      throw new ServerError('forbidden', 'this opens nothing, or no longer: deed model key makes one');
    const provider = deployment.config.models.find((one) => one.name === name);
    if (!provider) throw new ServerError('not-found', `no provider ${name} is registered: deed model add ${name}`);
    if (leavesItsPlace(target)) throw new ServerError('request', 'a path with ".." in it goes nowhere');
    const ofKey = [...underWay.values()].filter(({ id }) => id === key.id).length;
    if (ofKey >= maxPerKey || underWay.size >= maxUnderWay)
      throw new ServerError('busy', 'too many requests to models are under way: try again');
    const follower = deployment.prompts.follow(key.task, provider.name, target);
    const passage = relayTo(provider).handle(request, response, {
      target,
      onExchange: (exchange) => follower.ended(exchange),
      headers: injectedHeaders(deployment, provider),
    });
    underWay.set(passage, key);
    follower.began(passage);
    void passage.ended.then(() => underWay.delete(passage));
  };

  return {
    prefix: '/model/',
    handle(request, response) {
      try {
        take(request, response);
      } catch (error) {
        refuse(request, response, error);
      }
    },
    close() {
      stopListening();
      for (const passage of underWay.keys()) passage.cut();
      for (const { relay } of relays.values()) relay.close();
    },
  };
}

function leavesItsPlace(target: string): boolean {
  const [steps = ''] = target.split('?', 1);
  return steps
    .replaceAll(/%2e/gi, '.')
    .split(/[/\\]|%2f|%5c/i)
    .includes('..');
}

const statuses: Readonly<Record<string, number>> = {
  forbidden: 401,
  'not-found': 404,
  request: 400,
  busy: 429,
  'not-ready': 503,
};

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const known = error instanceof DeedError;
  if (!known) process.stderr.write(`deed: ${(error as Error).stack}\n`);
  const code = known ? error.code : 'internal';
  const status = known ? (statuses[code] ?? 503) : 500;
  const detail = known ? error.message : 'the server failed; its log says why';
  request.resume();
  response.writeHead(status, { 'content-type': 'application/problem+json', connection: 'close' });
  response.end(JSON.stringify({ type: `https://w3id.org/deed/problem/${code}`, title: code, status, detail }));
}
