import { actors } from './actors.ts';
import type { Story } from './story.ts';

/** Says of a key that it is added, has ended or was compromised from a log index on. */
export function tellKey(
  story: Story,
  key: { readonly keyid: string; readonly [field: string]: unknown },
  event: 'add' | 'end' | 'compromised' = 'add',
  from = 0,
): void {
  story.record({
    step: `key:${event}:${key.keyid}`,
    predicate: 'key-event',
    place: { series: 'keys' },
    subject: { name: `key:${key.keyid}`, sha256: key.keyid },
    body: { event, key, from },
    signer: actors.root,
  });
}
