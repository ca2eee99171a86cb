import {
  type ApprovalGrade,
  fromBase64,
  type PayloadRef,
  type PredicateBody,
  parseApproval,
  type Report,
  type Word,
} from '@deed/evidence';
import { answers, type Child, el, paged, section } from './dom.ts';
import { content } from './payloads.ts';
import { attempt, type HeldCase } from './read-case.ts';

const approvalsAtOnce = 50;

interface Signed {
  readonly action: string;
  readonly word: Word;
  readonly time: string;
  /** What the person saw; null where the statement does not point to it. */
  readonly rendering: PayloadRef | null;
  /** The arguments that an edit asks for. */
  readonly edit: PayloadRef | null;
  readonly grade: ApprovalGrade | null;
  readonly reported: PredicateBody<'approval'>['reported'];
}

/** What people signed about actions, each with exactly what they were shown. */
export function approvalsSection(report: Report, held: HeldCase): HTMLElement | null {
  const approvals = held.all('approval').map(({ body, time }): Signed => {
    const { action, approval: word, rendering, grade, reported } = body;
    return { action, word, time, rendering, edit: null, grade, reported };
  });
  const rejections = held.all('refusal').flatMap(({ body, time }): Signed[] =>
    body.rejection === null
      ? []
      : [
          {
            action: body.action,
            word: body.rejection,
            time,
            rendering: null,
            edit: body.edit,
            grade: null,
            reported: null,
          },
        ],
  );
  const signed = [...approvals, ...rejections];
  if (signed.length === 0) return null;
  const doubts = report.reasons.filter(({ check, verdict }) => check === 'people' && verdict === 'FORGED');
  const doubt =
    doubts.length > 0 ? el('p', { class: 'notice' }, 'The check "people" failed: see the reasons above.') : null;
  const title = `Approvals (${signed.length})`;
  return section(
    'approvals',
    title,
    doubt,
    paged(signed, approvalsAtOnce, (one) => card(one, report, held)),
  );
}

function card(
  { action, word, time, rendering, edit, grade, reported }: Signed,
  report: Report,
  held: HeldCase,
): HTMLElement {
  const said = attempt(() => parseApproval(fromBase64(word.bytes)));
  const resource = report.actions.find((known) => known.action === action)?.resource ?? action;
  return el(
    'article',
    { class: 'card' },
    el('h3', {}, resource),
    answers([
      ['Who signed', said?.person ?? 'the signed words cannot be read'],
      ['What they said', said?.says ?? '-'],
      ['Recorded', time],
      ['Good for', said ? `${said.notBefore} to ${said.expires}` : '-'],
      ['Signature', signatures[word.signature.kind]],
      ...(grade ? [['Grade', `${grade}: ${grades[grade]}`] as const] : []),
      ...(reported ? [['Said by the browser', readingOf(reported)] as const] : []),
      ['Action', el('code', {}, action)],
    ]),
    ...shown('Exactly what the person was shown', rendering, held),
    ...shown('The arguments that the person asks for instead', edit, held),
  );
}

const signatures = {
  es256: 'a P-256 key',
  sshsig: 'an SSH key',
  webauthn: 'a passkey that verified its user',
} as const;
const grades = {
  A0: "the agent's own user may read the key",
  A1: 'the key was out of reach of the agent, as far as the server measured',
  A2: 'a passkey signed exactly this',
} as const;

/** A claim of the approver's browser, and shown as one. */
function readingOf({ shownMs, seenPercent }: NonNullable<Signed['reported']>): string {
  return `on the screen for ${Math.round(shownMs / 1000)} s, ${seenPercent} % of it in view (a claim, not a proof)`;
}

function shown(what: string, rendering: PayloadRef | null, held: HeldCase): Child[] {
  if (rendering === null) return [];
  const found = held.payload(rendering);
  const title = el('h4', {}, what);
  if (found.state === 'here') return [title, content(found.bytes)];
  return [
    title,
    el('p', { class: 'notice' }, `Not here: ${'reason' in found ? `${found.state}, ${found.reason}` : found.state}.`),
  ];
}
