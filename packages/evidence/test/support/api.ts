import { all, at, inCall } from './bends.ts';
import type { Bend } from './story.ts';

const asked = {
  idempotencyKey: 'key-1',
  server: 'files',
  tool: 'write_file',
  arguments: { path: 'docs/index.md', content: 'mended' },
};

/** The file is written by the agent itself, which asked the HTTP API for leave and told what came of it (with these changes). */
export function acted(told: Record<string, unknown> = {}, request: Record<string, unknown> = {}): Bend {
  return all(
    requested({ request: 'act', ...request }, 'self-reported'),
    at('write:outcome', (draft, story) => {
      const message = { request: 'result', action: story.actions.write, status: 'ok', result: 'fine', ...told };
      const shown = story.shown('write:told', () => JSON.stringify(message), story.own);
      draft.body.result = { ...shown, type: 'application/vnd.deed.told+json' };
    }),
  );
}

/** The gateway wrote it, as the agent asked the HTTP API. */
export function executed(request: Record<string, unknown> = {}): Bend {
  return requested({ request: 'execute', ...request }, 'gateway-executed');
}

export function requested(request: Record<string, unknown>, observed: string): Bend {
  return all(
    inCall('write', (call) => {
      call.message = JSON.stringify({ ...asked, ...request });
    }),
    observedAs(observed),
  );
}

export function observedAs(observed: string): Bend {
  return all(
    at('write:intent', (draft) => {
      draft.header.observed = observed;
    }),
    at('write:outcome', (draft) => {
      draft.header.observed = observed;
    }),
  );
}
