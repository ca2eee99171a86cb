import type { PayloadRef } from '../predicates.ts';
import type { StatementWith } from '../statement.ts';
import { type Examination, erasureText, type Logged } from './examination.ts';
import type { Layer, LayerName } from './report.ts';
import { stampedBy } from './timestamps.ts';

type Acted = Logged<StatementWith<'intent'> | StatementWith<'refusal'>>;

const digestsOnly = 'tier observe keeps digests only';
const present = (why: string): Layer => ({ state: 'present', why });
const missing = (why: string): Layer => ({ state: 'missing', why });
/** Why a payload is not here: erased, by whom and when, or only left out. */
const absent = (exam: Examination, ref: PayloadRef | null, what: string): Layer => {
  const erased = ref && erasureText(exam, ref.sha256);
  return missing(erased ? `${what}: ${erased}` : `${what} are not in the case`);
};
const notAsked = (why: string): Layer => ({ state: 'not-asked', why });

/** Which layers of evidence an action has. A layer is present only if what it rests on was checked in this case. */
export function layersOf(
  exam: Examination,
  acted: Acted,
  outcome: Logged<StatementWith<'outcome'>> | undefined,
): Readonly<Record<LayerName, Layer>> {
  const sound = !exam.reasons.some(({ verdict }) => verdict === 'FORGED');
  if (!sound) {
    const none = missing('the case is forged');
    return {
      identity: none,
      authority: none,
      decision: none,
      approval: none,
      record: none,
      separation: none,
      anchor: none,
      corroboration: none,
    };
  }
  return {
    identity: identity(exam, acted),
    authority: authority(exam, acted),
    decision: decision(exam, acted),
    approval: approval(exam, acted),
    record: record(exam, acted, outcome),
    separation: separation(acted),
    anchor: anchor(exam, acted),
    corroboration: corroboration(exam, acted, outcome),
  };
}

/** Only at tier observe are digests enough; a statement of another tier that kept no more lacks something. */
function isObserved(statement: Acted['statement']): boolean {
  return statement.predicate === 'intent' && statement.body.tier === 'observe';
}

function identity(exam: Examination, { statement }: Acted): Layer {
  const { authority: shown } = statement.body;
  if (!shown || shown.pop === 'none') return missing('agent not enrolled: no key was proved');
  if (shown.evidence?.kept === false && isObserved(statement)) return notAsked(digestsOnly);
  if (!exam.payload(shown.evidence)) return absent(exam, shown.evidence, 'token and proof');
  const where = shown.pop === 'shim' ? ' (in the shim)' : '';
  return present(`the agent's key signed this very message${where}${enrolledBy(exam, statement)}`);
}

/** Where the key is an agent's by the word of its platform, whether that word is here. */
function enrolledBy(exam: Examination, { series }: Acted['statement']): string {
  const opened = exam.series.get(series.replace(/\/after$/, ''))?.[0]?.statement;
  const agent = opened?.predicate === 'task-opened' ? opened.body.agent : null;
  const enrolled = exam.find(agent?.enrolled ?? null, 'agent-enrolled')?.statement.body;
  if (enrolled?.how !== 'workload-token') return '';
  return exam.payload(enrolled.evidence)
    ? ', and enrolled by a workload token'
    : ', but the workload token that it enrolled by is not in the case';
}

function authority(exam: Examination, { statement }: Acted): Layer {
  const { authority: shown } = statement.body;
  const grant = exam.find(shown?.grant ?? null, 'grant-decision');
  if (!shown || !grant) return missing('no grant');
  const { verdict, grade } = grant.statement.body;
  if (shown.unearned) return missing(`authority not earned: grant ${verdict}, grade ${grade}`);
  return present(`grant ${verdict}, grade ${grade}`);
}

function decision(exam: Examination, { statement }: Acted): Layer {
  const { decision: made } = statement.body;
  if (!made) return missing('refused before policy was asked');
  if (!made.inputs.kept && isObserved(statement)) return notAsked(digestsOnly);
  return exam.payload(made.inputs)
    ? present('policy decision with its inputs: it can be replayed')
    : absent(exam, made.inputs, 'the inputs of the decision');
}

function approval(exam: Examination, { statement }: Acted): Layer {
  const { approvals } = statement.body;
  const given = approvals.flatMap((digest) => exam.find(digest, 'approval')?.statement.body ?? []);
  if (given.length < approvals.length) return missing('an approval is not in the case');
  const shown = given[0]?.rendering ?? null;
  if (shown && exam.erased.has(shown.sha256)) return absent(exam, shown, 'signed, but what the person was shown');
  if (given.length > 0) return present(`signed exactly this action, as shown: ${given.map(signedBy).join('; ')}`);
  const asked = statement.predicate === 'intent' && statement.body.tier === 'approve';
  return asked ? missing('none') : notAsked('the tier does not ask for one');
}

const means = {
  A0: "with a key that the agent's own user may read",
  A1: 'with a key out of reach of the agent, as far as the server measured',
  A2: 'with a passkey that verified its user',
} as const;

function signedBy({ person, grade }: StatementWith<'approval'>['body']): string {
  return `${person.id} ${means[grade]} (grade ${grade})`;
}

function record(exam: Examination, { statement }: Acted, outcome?: Logged<StatementWith<'outcome'>>): Layer {
  const { record: call } = statement.body;
  if (call?.kept === false && isObserved(statement)) return notAsked(digestsOnly);
  if (!exam.payload(call)) return absent(exam, call, 'the bytes of the call');
  const answer = outcome?.statement.body.result ?? null;
  if (answer && !exam.payload(answer)) return absent(exam, answer, 'the bytes of the answer');
  return present(answer ? 'exact bytes of call and answer' : 'exact bytes of the call');
}

function separation({ statement }: Acted): Layer {
  const { agent, tool } = statement.separation;
  const near = [...(agent === 'same-uid' ? ['agent'] : []), ...(tool === 'same-uid' ? ['tool'] : [])];
  if (near.length > 0)
    return missing(`${near.join(' and ')} ran as the same user as the server and could have read its keys`);
  if (agent === 'none' || (tool === 'none' && statement.predicate === 'intent'))
    return missing('it was not measured how far they were from the server');
  return present(`agent ${agent}, tool ${tool}`);
}

function anchor(exam: Examination, { statement }: Acted): Layer {
  const { exportedProof } = exam;
  const judged = exportedProof ? exam.judge(exportedProof.checkpoint) : undefined;
  if (!judged) return missing('no trust file was given');
  if (!judged.quorumMet || judged.witnessedTime === undefined) return missing('no witness quorum');
  const names = judged.witnesses.map(({ name }) => name);
  const local = names.every((name) => name === 'local') ? ' (run by the same operator)' : '';
  const before = exam.anchored.has(statement.digest) ? ', its intent before the outcome was written' : '';
  const stamped = stampedBy(exam, statement.digest);
  const by = stamped === undefined ? '' : `, timestamped ${new Date(stamped).toISOString()}`;
  return present(`witnessed by ${names.join(', ')}${local}${before}${by}`);
}

function corroboration(exam: Examination, { statement }: Acted, outcome?: Logged<StatementWith<'outcome'>>): Layer {
  if (statement.predicate === 'refusal') return notAsked('nothing was dispatched');
  if (!outcome) return missing('no outcome');
  if (exam.corroborated.has(outcome.statement.digest)) return present("the touched system's own record agrees");
  const faded = erasureText(exam, exam.faded.get(outcome.statement.digest) ?? '');
  if (faded) return missing(`the touched system's record, or what it was compared with: ${faded}`);
  return missing('no source covers this resource, or its record was not matched');
}
