import type { Operands } from '../action-record.ts';

/** One thing that an action touches. Each facet is decided on its own; every one of them must be allowed. */
export type Facet =
  | {
      readonly kind: 'path';
      /** Absolute, all links resolved. */
      readonly real: string;
    }
  | {
      readonly kind: 'git';
      /** The push URL. */
      readonly remote: string;
      /** The repository's name at the forge. */
      readonly repository: string;
      /** The full ref name. */
      readonly ref: string;
      readonly deletes: boolean;
      /** Not a fast-forward. */
      readonly forced: boolean;
      readonly tag: boolean;
    };

/** What policy and the allowed actions are asked about: each path and each ref on its own. */
export function facetsOf(operands: Operands): Facet[] {
  if (operands.kind === 'none' || operands.kind === 'http') return []; // a request is judged by its arguments
  if (operands.kind === 'paths') return operands.paths.map(({ real }) => ({ kind: 'path', real }));
  const { url, repository, updates } = operands;
  return updates.map(({ ref, kind }) => ({
    kind: 'git',
    remote: url,
    repository,
    ref,
    deletes: kind === 'delete',
    forced: kind === 'rewrite' || kind === 'tag-move',
    tag: ref.startsWith('refs/tags/'),
  }));
}
