export * from './errors.ts';
export { reconcileExamination } from './examination.ts';
export { type Ingested, ingest } from './ingest.ts';
export { type Finding, Reconcile, type Reconciled, type ReconcileOptions } from './reconcile.ts';
export { reconcileMigrations } from './schema.ts';
export { addSource, listSources, type Source } from './sources.ts';
