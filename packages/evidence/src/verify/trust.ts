import type { Examination } from './examination.ts';

/** Grace between the last statement's time and the witnessed head, in seconds: clocks differ. */
const graceSeconds = 60;

/** What the trust file says: the right root, the right log, enough witnesses, fresh enough. */
export function checkTrust(exam: Examination): string | null {
  const { trust } = exam.options;
  if (!trust) {
    exam.unanchored('no trust file: nobody vouches for the root, the log or the witnesses');
    return 'none given';
  }
  const root = [...exam.keys].find(([, key]) => key.role === 'root')?.[0];
  if (trust.root === undefined) exam.unanchored('the trust file names no root');
  else if (trust.root !== root) exam.forged(`the root is ${root}, the trust file names ${trust.root}`);
  for (const note of new Set([exam.note, exam.exportedProof?.checkpoint ?? null])) {
    if (note !== null) exam.attempt('the checkpoint', () => checkNote(exam, note));
  }
  checkFreshness(exam, exam.exportedProof?.checkpoint);
  return `quorum ${trust.quorum}`;
}

/** The log's signatures and the witness quorum of one checkpoint. @throws EvidenceError note */
export function checkNote(exam: Examination, note: string): void {
  const judged = exam.judge(note);
  if (!judged) return;
  const what = `checkpoint of size ${judged.checkpoint.size}`;
  if (judged.badSignatures.length > 0) exam.forged(`${what}: the signature by ${judged.badSignatures.join()} fails`);
  if (judged.missingLogKeys.length > 0)
    exam.forged(`${what}: no signature by the log key ${judged.missingLogKeys.join()}`);
  else if (!judged.logKeysOk && judged.badSignatures.length === 0) exam.unanchored('the trust file names no log');
  if (exam.options.trust?.quorum === 'none') exam.unanchored('the trust file asks for no witness');
  else if (!judged.quorumMet) exam.unanchored(`${what}: no witness quorum`);
}

/** The head is younger than `max-age`, and was witnessed after the last statement was written. */
export function checkFreshness(exam: Examination, note: string | undefined): void {
  const witnessed = note === undefined ? undefined : exam.judge(note)?.witnessedTime;
  if (witnessed === undefined) return; // no quorum: said above
  const last = Math.max(...exam.statements.map(({ statement }) => Date.parse(statement.time))) / 1000;
  if (witnessed + graceSeconds < last) exam.unanchored('the head was witnessed before the last statement was written');
  const { trust, nowMs = 0 } = exam.options;
  const age = nowMs / 1000 - witnessed;
  if (trust?.maxAgeSeconds !== undefined && age > trust.maxAgeSeconds) {
    exam.unanchored(`the head was witnessed ${Math.round(age)} s ago, the trust file allows ${trust.maxAgeSeconds} s`);
  }
}
