import type { Examination } from './examination.ts';

/** Erased by a statement of the task, and named so by the export. */
export function isErased(exam: Examination, event: string): boolean {
  const { left = [] } = exam.exported?.statement.body ?? {};
  return exam.erased.has(event) && left.some(({ payload, how }) => payload === event && how === 'erased');
}

export function taskCredentials(exam: Examination) {
  return exam.all('task-opened').flatMap(({ statement }) => statement.body.credentials);
}
