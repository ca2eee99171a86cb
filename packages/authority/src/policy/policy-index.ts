import type { Bundle, BundlePolicy } from './bundle.ts';
import type { PolicyRequest } from './request.ts';

/** What a policy's head says of the requests that it can apply to. Null: anything. */
export interface PolicyHead {
  /** The one action that it names. */
  readonly action: string | null;
  /** The one resource that it names, as {@link uidOf} writes it. */
  readonly resource: string | null;
}

/** The policies of a bundle that a request can meet, under a name that depends on the bundle alone. */
export interface PolicySlice {
  readonly name: string;
  readonly policies: readonly BundlePolicy[];
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

const slices = new WeakMap<Bundle, Map<string, PolicySlice>>();

/**
 * Leaves out the policies whose head names another action or another resource: they cannot apply, nor fail, so that what is left
 * gives the same answer. There are as many slices as the bundle names actions and resources, whatever is asked.
 */
export function sliceFor(bundle: Bundle, { action, resource }: PolicyRequest): PolicySlice {
  const known = slices.get(bundle) ?? new Map<string, PolicySlice>();
  slices.set(bundle, known);
  const policies = [...bundle.policies.values()];
  const named = (value: string, key: keyof PolicyHead) => (bundle.named[key].has(value) ? value : null);
  const [act, thing] = [named(uidOf(action), 'action'), named(uidOf(resource), 'resource')];
  const key = JSON.stringify([act, thing]);
  const there = known.get(key);
  if (there) return there;
  const meets = ({ head }: BundlePolicy) =>
    (head.action === null || head.action === act) && (head.resource === null || head.resource === thing);
  const made: PolicySlice = { name: `${bundle.digest} ${key}`, policies: policies.filter(meets) };
  known.set(key, made);
  return made;
}
