import { openContainer } from '../case/container.ts';
import { isKnownMember, members } from '../case/members.ts';
import type { Examination } from './examination.ts';

/** Opens the zip in its one byte form; every name in it must be one that a case can have. */
export function checkContainer(exam: Examination, file: Uint8Array): string | null {
  const opened = exam.attempt('not a case', () => openContainer(file), 'unusable');
  if (!opened) return null;
  for (const name of opened.keys()) if (!isKnownMember(name)) exam.unusable(`unlisted member ${name}`);
  if (!opened.has(members.caseJson)) exam.unusable('no case.json: a zip, but not a case');
  exam.members = opened;
  return exam.reasons.length > 0 ? null : `${opened.size} members`;
}
