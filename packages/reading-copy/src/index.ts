export * from './errors.ts';
export { makeReadingCopy, maxCaseBytes } from './make-page.ts';
