import { all, at, inCall } from './bends.ts';
import type { Bend } from './story.ts';

const event = {
  session_id: 'c0ffee00',
  tool_use_id: 'toolu_1',
  tool_name: 'write_file',
  tool_input: { content: 'mended', path: 'docs/index.md' },
  tool_response: { type: 'update' },
};

/** The file is written by the agent's client itself, which tells a hook: before, and (with these changes) after. */
export function told(after: Record<string, unknown> = {}, status = 'ok'): Bend {
  return all(
    inCall('write', (call) => {
      const message = call.message === '' ? null : JSON.parse(call.message);
      const params = { name: 'write_file', arguments: { path: 'docs/index.md', content: 'mended' } };
      const meta = { 'claudecode/toolUseId': 'toolu_1', 'dev.deed/hook': { session_id: 'c0ffee00' } };
      call.message = JSON.stringify({
        ...message,
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { ...params, _meta: meta },
      });
    }),
    at('write:intent', (draft) => {
      draft.header.observed = 'hook';
    }),
    at('write:outcome', (draft, story) => {
      draft.header.observed = 'hook';
      draft.body.status = status;
      draft.body.result = story.log.payload(JSON.stringify({ ...event, ...after }), 'application/vnd.deed.hook+json');
    }),
  );
}
