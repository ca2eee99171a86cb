import { actors, logKey, newNoteSigner, newSigner, origin, roleKey } from '../../support/actors.ts';
import { after, all } from '../../support/bends.ts';
import { tellKey } from '../../support/key-events.ts';
import type { Bend, Story } from '../../support/story.ts';

export const successor = newSigner();
export const [oldLog, otherLog] = actors.logs;
export const newLog = newNoteSigner(origin, 1);

/** After a step the receipt key is given up in this way, and its successor signs all that follows. */
export function rotatedAfter(step: string, event: 'end' | 'compromised', from: (story: Story) => number): Bend {
  return all(
    after(step, (story) => {
      tellKey(story, roleKey('receipt', successor), 'add', 0);
      tellKey(story, roleKey('receipt'), event, from(story));
    }),
    {
      draft(draft, story) {
        if (story.said.has(`key:${event}:${actors.receipt.keyid}`) && draft.signer === actors.receipt)
          draft.signer = successor;
      },
    },
  );
}

/** The log's Ed25519 key is exchanged before the task. Who signs the checkpoints that follow is said by the test. */
export function logRotated(signers: readonly (typeof newLog)[], event: 'end' | 'compromised' = 'end'): Bend {
  return {
    ...after('person', (story) => {
      const from = story.log.size + 2;
      tellKey(story, logKey(newLog), 'add', from);
      tellKey(story, logKey(oldLog), event, event === 'end' ? from : 0);
    }),
    anchor: () => ({ signers: [...signers, actors.witness] }),
    logKeys: signers,
  };
}
