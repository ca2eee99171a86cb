import { parseActivation } from '../activation.ts';
import { encodePolicyManifest } from '../case/case-json.ts';
import { members } from '../case/members.ts';
import { toHex } from '../encoding.ts';
import { sha256 } from '../platform.ts';
import type { StatementWith } from '../statement.ts';
import { openWord } from '../word.ts';
import { checkApproval, checkRejection } from './approvals.ts';
import { type Examination, type Logged, label, need } from './examination.ts';
import { enrolled, peopleOf } from './standing.ts';

/** What people signed: changes among themselves, approvals and rejections of exactly this action and rendering, activations. */
export function checkPeople(exam: Examination): string | null {
  const { changes, faults } = peopleOf(exam);
  let words = changes;
  for (const fault of faults) exam.forged(fault);
  for (const logged of exam.all('approval')) {
    words++;
    exam.attempt(label(logged), () => checkApproval(exam, logged));
  }
  for (const logged of exam.all('refusal')) {
    const { rejection, reason, edit } = logged.statement.body;
    if ((reason === 'rejected' || reason === 'edited') !== (rejection !== null))
      exam.forged(`${label(logged)}: called ${reason}, with ${rejection ? 'a' : 'no'} signed rejection`);
    if ((reason === 'edited') !== (edit !== null))
      exam.forged(`${label(logged)}: called ${reason}, with ${edit ? '' : 'no '}arguments of an edit`);
    if (!rejection) continue;
    words++;
    exam.attempt(label(logged), () => checkRejection(exam, logged));
  }
  for (const logged of exam.all('policy-activated')) {
    words++;
    exam.attempt(label(logged), () => checkActivation(exam, logged));
  }
  return `${words} words of people`;
}

function checkActivation(exam: Examination, logged: Logged<StatementWith<'policy-activated'>>): void {
  const { body, origin, subject } = logged.statement;
  const word = parseActivation(openWord('deed-activation-v1', body.activation));
  need(
    word.origin === origin && word.bundle === body.bundle && word.version === body.version,
    'another policy was activated',
  );
  need(word.version === logged.statement.position.n + 1, 'its version is not the next one: an old word was used again');
  need(word.person === body.person, 'another person signed');
  enrolled(exam, word.person, body.activation, 'operator', logged.index);
  const manifest = encodePolicyManifest(body.files);
  need(
    toHex(sha256(manifest)) === body.bundle && subject.sha256 === body.bundle,
    'the bundle is not the digest of its files',
  );
  const held = exam.members.get(members.manifest(body.bundle));
  if (!held) return;
  need(toHex(sha256(held)) === body.bundle, 'the manifest that is here is not that of its bundle');
  for (const { path, sha256: digest } of body.files) {
    const file = exam.members.get(members.policyFile(body.bundle, path));
    if (!file) exam.incomplete(`${label(logged)}: its file ${path} is not here`);
    else need(toHex(sha256(file)) === digest, `its file ${path} is another`);
  }
}
