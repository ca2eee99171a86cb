import './jitless.ts';
import {
  type ApprovalWord,
  concat,
  encodeApproval,
  fromBase64,
  fromUtf8,
  makePayload,
  openPayload,
  parseActionRecord,
  toBase64,
  utf8,
} from '@deed/evidence';
import { attempt, byId, get, post } from './ask.ts';
import { type OwnPasskey, signWord } from './passkey-word.ts';

interface View {
  readonly id: string;
  readonly expires: string;
  readonly arguments: string;
  readonly quorum: { readonly people: number; readonly grade: string };
  readonly recordObject: string;
  readonly renderingObject: string;
  readonly word: Omit<ApprovalWord, 'v' | 'type' | 'says' | 'decision' | 'person' | 'arguments'>;
  readonly person: string;
  readonly whyNot: string | null;
  readonly passkeys: readonly OwnPasskey[];
}

const [, , id = ''] = location.pathname.split('/');

/** How long it was looked at and how much of it was in view: told to the server as what this browser says, no more. */
const seen = { sinceMs: performance.now(), shownMs: 0, percent: 0 };

function watchReading(): void {
  const end = () => {
    if (document.visibilityState !== 'hidden') return;
    seen.shownMs += performance.now() - seen.sinceMs;
  };
  document.addEventListener('visibilitychange', () => {
    end();
    if (document.visibilityState === 'visible') seen.sinceMs = performance.now();
  });
  const measure = () => {
    const { top, height } = byId('rendering').getBoundingClientRect();
    const inView = Math.min(Math.max(innerHeight - top, 0), height);
    seen.percent = Math.max(seen.percent, Math.min(100, Math.ceil((inView / height) * 100)));
    if (seen.percent < 100) return;
    byId('hint').hidden = true;
    byId<HTMLButtonElement>('approve').disabled = byId('why-not').hidden === false;
  };
  addEventListener('scroll', measure, { passive: true });
  addEventListener('resize', measure, { passive: true });
  measure();
}

function reported() {
  const now = document.visibilityState === 'visible' ? performance.now() - seen.sinceMs : 0;
  return { shownMs: Math.round(seen.shownMs + now), seenPercent: seen.percent };
}

/** What is shown is what its name says and belongs to the action that is signed. The server could lie; hashes cannot. */
function checkedRendering({ word, recordObject, renderingObject }: View): string {
  const record = parseActionRecord(openPayload(fromBase64(recordObject), word.record).bytes);
  if (record.action !== id || word.action !== id || record.task !== word.task)
    throw new Error('The server shows another action than was asked for. Nothing can be signed here.');
  return fromUtf8(openPayload(fromBase64(renderingObject), word.rendering).bytes);
}

function show(view: View): void {
  let isLoud = false;
  const lines = checkedRendering(view)
    .split('\n')
    .map((text) => {
      const line = document.createElement('span');
      line.textContent = `${text}\n`;
      // A warning of the template goes on while its lines are indented; a line that another party chose never begins one.
      isLoud = text.startsWith('!!') || (isLoud && text.startsWith('  '));
      if (isLoud || text.startsWith('  !!') || text.startsWith('    !!')) line.className = 'loud';
      return line;
    });
  byId('rendering').replaceChildren(...lines);
  byId('meaning').textContent =
    view.quorum.people === 1
      ? 'An agent waits for your answer to exactly this.'
      : `An agent waits for ${view.quorum.people} people to answer exactly this, each for themselves.`;
  byId('until').textContent = `It waits until ${view.expires}.`;
  const why =
    view.whyNot ??
    (view.passkeys.length === 0
      ? 'you have no passkey here: approve with deed approve, or ask for an invitation'
      : null);
  byId('why-not').hidden = why === null;
  byId('why-not').textContent = `You cannot approve this: ${why}.`;
  byId<HTMLTextAreaElement>('arguments').value = pretty(view.arguments);
  byId('shown').hidden = false;
}

function pretty(text: string): string {
  return JSON.stringify(JSON.parse(text), null, 2);
}

/** Has a passkey sign the answer, and hands it in. */
async function answer(view: View, decision: ApprovalWord['decision'], edited: string | null = null): Promise<void> {
  const object = edited === null ? null : makePayload(utf8(edited));
  const bytes = encodeApproval({ ...view.word, person: view.person, decision, arguments: object?.name ?? null });
  const word = await signWord('deed-approval-v1', bytes, view.passkeys);
  tell(
    await post<{ kind: string; people?: number }>(`/v1/my/approvals/${id}`, {
      word,
      reported: reported(),
      ...(object ? { edited: toBase64(concat(object.salt, object.bytes)) } : {}),
    }),
  );
}

function tell({ kind, people }: { readonly kind: string; readonly people?: number }): void {
  const [title, meant] =
    kind === 'approved'
      ? ['Approved', 'It may run once, exactly as you saw it. Your signature goes into its evidence.']
      : kind === 'waiting'
        ? ['Your approval is recorded', `It takes ${people} more ${people === 1 ? 'person' : 'people'}.`]
        : kind === 'edited'
          ? ['Rejected, with other arguments', 'The agent is asked to make the call with these; others judge it.']
          : ['Rejected', 'It does not run. Your signature goes into its evidence.'];
  byId('shown').hidden = true;
  byId('meaning').hidden = true;
  byId('outcome').textContent = title;
  byId('meant').textContent = meant;
  byId('done').hidden = false;
  byId('outcome').focus();
}

void attempt(null, async () => {
  const view = await get<View>(`/v1/my/approvals/${id}`);
  show(view);
  watchReading();
  const approve = byId<HTMLButtonElement>('approve');
  approve.addEventListener('click', () => attempt(approve, () => answer(view, 'approve')));
  const reject = byId<HTMLButtonElement>('reject');
  reject.addEventListener('click', () => attempt(reject, () => answer(view, 'reject')));
  const form = byId<HTMLFormElement>('edit');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const text = byId<HTMLTextAreaElement>('arguments').value;
    void attempt(form.querySelector('button'), async () => {
      const edited = JSON.stringify(JSON.parse(text));
      await answer(view, 'edit', edited);
    });
  });
}).then(() => {
  if (byId('shown').hidden && !byId('said').hidden) byId('meaning').textContent = 'There is nothing to answer here.';
});
