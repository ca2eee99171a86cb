export { bundleScript } from './bundle.ts';
export * from './errors.ts';
export { makeReadingCopy, maxCaseBytes } from './make-page.ts';
export { style } from './style.ts';
