export * from './database.ts';
export * from './durable.ts';
export * from './errors.ts';
export * from './lock.ts';
export * from './objects.ts';
export * from './snapshot.ts';
