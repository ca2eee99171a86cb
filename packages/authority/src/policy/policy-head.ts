/** What a policy's head says of the requests that it can apply to. Null: anything. */
export interface PolicyHead {
  /** The one action that it names. */
  readonly action: string | null;
  /** The one resource that it names, as {@link uidOf} writes it. */
  readonly resource: string | null;
}

export const uidOf = ({ type, id }: { readonly type: string; readonly id: string }): string =>
  JSON.stringify([type, id]);

/** The parts of a policy's JSON form (Cedar: JSON policy format, `action` and `resource`) that an index can use. */
interface Scope {
  readonly op: string;
  readonly entity?: unknown;
}

/** `action == X`, `resource == Y`: everything else (`in`, `is`, none) can apply to many. */
export function headOf({ action, resource }: { readonly action: Scope; readonly resource: Scope }): PolicyHead {
  return { action: exact(action), resource: exact(resource) };
}

function exact({ op, entity }: Scope): string | null {
  if (op !== '==' || typeof entity !== 'object' || entity === null) return null;
  const { type, id } = ('__entity' in entity ? entity.__entity : entity) as { type?: unknown; id?: unknown };
  return typeof type === 'string' && typeof id === 'string' ? uidOf({ type, id }) : null;
}
