import type { Bundle, BundlePolicy } from './bundle.ts';
import { type PolicyHead, uidOf } from './policy-head.ts';
import type { PolicyRequest } from './request.ts';

/** The policies of a bundle that a request can meet, under a name that depends on the bundle alone. */
export interface PolicySlice {
  readonly name: string;
  readonly policies: readonly BundlePolicy[];
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
