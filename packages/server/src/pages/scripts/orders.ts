import './jitless.ts';
import { encodePeopleWord, type PeopleChange } from '@deed/evidence';
import { attempt, byId, get, post } from './ask.ts';
import { type OwnPasskey, signWord } from './passkey-word.ts';

interface Orders {
  readonly person: string;
  readonly origin: string;
  readonly after: string;
  readonly passkeys: readonly OwnPasskey[];
  readonly waiting: {
    readonly person: string;
    readonly change: PeopleChange;
    readonly by: string;
    readonly fingerprint: string | null;
  } | null;
}

function inWords({ kind, ...change }: PeopleChange): string {
  const roles = 'roles' in change ? change.roles.join(' and ') : '';
  switch (kind) {
    case 'enrolled':
      return `is to be let in as ${roles}`;
    case 'roles':
      return `is to be ${roles}`;
    case 'key-added':
      return 'is to have another key';
    case 'key-removed':
      return 'is to lose a key';
    case 'removed':
      return 'is to leave';
  }
}

void attempt(null, async () => {
  const { person, origin, after, passkeys, waiting } = await get<Orders>('/v1/my/orders');
  if (!waiting) {
    byId('meaning').textContent = 'No order waits for a second person.';
    return;
  }
  byId('meaning').textContent = `${waiting.by} ordered: ${waiting.person} ${inWords(waiting.change)}.`;
  byId('compare').hidden = waiting.fingerprint === null;
  byId('fingerprint').textContent = waiting.fingerprint ?? '';
  const isOwn = waiting.by === person;
  byId('order').hidden = isOwn || passkeys.length === 0;
  byId('own').hidden = !isOwn;
  byId('waiting').hidden = false;
  const button = byId<HTMLButtonElement>('order');
  button.addEventListener('click', () =>
    attempt(button, async () => {
      const change = { origin, after, person: waiting.person, change: waiting.change };
      const bytes = encodePeopleWord({ ...change, by: person, time: new Date().toISOString() });
      await post('/v1/my/orders', { word: await signWord('deed-people-v1', bytes, passkeys) });
      byId('waiting').hidden = true;
      byId('meaning').textContent =
        `Done: ${waiting.person} ${inWords(waiting.change)}. Both your words are in the log.`;
    }),
  );
});
