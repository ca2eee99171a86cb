import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type * as CedarTypes from '@cedar-policy/cedar-wasm/nodejs';
import {
  type ApprovalGrade,
  type ApprovalQuorum,
  approvalGrades,
  encodePolicyManifest,
  fromUtf8,
  maxApprovers,
  sha256,
  type Tier,
  tiers,
  toHex,
  trustRulesFile,
} from '@deed/evidence';
import { AuthorityError } from '../errors.ts';
import { checkTrustRules } from '../identity/lint.ts';
import { type Cedar, ownEngine } from './engine.ts';
import { type FactRule, factsFile, factsSchema, parseFacts } from './facts.ts';
import { headOf, type PolicyHead } from './policy-head.ts';

const schemaFile = 'schema.cedarschema';
/** Example tables may lie beside a bundle; they are no part of it. */
export const testFolder = 'tests';
const fileName = /^[a-z0-9][a-z0-9._-]{0,99}\.cedar$/;
const maxFileBytes = 256 * 1024;
const maxPolicies = 500;

export interface BundleFile {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: Uint8Array;
}

export interface BundlePolicy {
  /** From its `@id`. */
  readonly id: string;
  readonly text: string;
  /** From its `@tier`; null if it names none. */
  readonly tier: Tier | null;
  /** From its `@approvers` and `@grade`: what approval it asks for, at tier approve. */
  readonly quorum: ApprovalQuorum;
  readonly effect: 'permit' | 'forbid';
  readonly head: PolicyHead;
}

/** A checked policy bundle. */
export interface Bundle {
  /** Hex SHA-256 of the manifest in its one byte form. */
  readonly digest: string;
  readonly files: readonly BundleFile[];
  /** With the type of the facts. */
  readonly schema: string;
  readonly facts: readonly FactRule[];
  readonly policies: ReadonlyMap<string, BundlePolicy>;
  /** The actions and resources that heads of its policies name. */
  readonly named: Readonly<Record<keyof PolicyHead, ReadonlySet<string>>>;
}

/**
 * Reads and checks a bundle: a folder with `schema.cedarschema` and `*.cedar`, maybe `identities.json` (who may enrol, see
 * {@link checkTrustRules}) and `*.facts.json` (see {@link parseFacts}), nothing else but a folder `tests`. Every policy needs an `@id`
 * of its own, may name a `@tier` (at `approve` also how many `@approvers` it takes, of which `@grade`), and must pass Cedar's strict validation without an error or a warning (a policy
 * that can never apply is a mistake, and one that can fail at run time would be skipped).
 * @throws AuthorityError policy-invalid (with Cedar's own text, file, line and column)
 */
export function checkBundle(folder: string): Bundle {
  return bundleOf(readBundleFiles(folder));
}

/** The same of files that lie elsewhere, or for another engine. @throws AuthorityError policy-invalid */
export function bundleOf(files: readonly BundleFile[], cedar: Cedar = ownEngine): Bundle {
  const facts = files.flatMap(({ path, bytes }) => (factsFile.test(path) ? parseFacts(path, bytes) : []));
  const own = text(files, schemaFile);
  if (facts.length > 0 && !own.includes('Facts::Declared')) {
    const mend = 'add `"facts"?: Facts::Declared` to the context of its actions';
    throw new AuthorityError('policy-invalid', `${schemaFile} does not know the facts of this bundle: ${mend}`);
  }
  const schema = own + factsSchema(facts);
  const parsed = cedar.checkParseSchema(schema);
  if (parsed.type === 'failure') throw located(schemaFile, schema, 0, parsed.errors);
  const policies = new Map<string, BundlePolicy>();
  const places = new Map<string, Place>();
  for (const file of files) {
    if (file.path === schemaFile || factsFile.test(file.path)) continue;
    if (file.path === trustRulesFile) {
      checkTrustRules(file.bytes);
      continue;
    }
    for (const { policy, place } of policiesOf(cedar, file.path, fromUtf8(file.bytes))) {
      if (policies.has(policy.id)) throw invalid(place, 0, `there are two policies with @id("${policy.id}")`);
      policies.set(policy.id, policy);
      places.set(policy.id, place);
    }
  }
  if (policies.size === 0)
    throw new AuthorityError('policy-invalid', 'the bundle has no policy: nothing could be done');
  if (policies.size > maxPolicies) throw new AuthorityError('policy-invalid', `more than ${maxPolicies} policies`);
  validate(cedar, schema, policies, places);
  return {
    digest: toHex(sha256(encodePolicyManifest([...files]))),
    files,
    schema,
    facts,
    policies,
    named: namedIn(policies),
  };
}

function namedIn(policies: ReadonlyMap<string, BundlePolicy>): Bundle['named'] {
  const all = (key: keyof PolicyHead) =>
    new Set([...policies.values()].flatMap(({ head }) => (head[key] === null ? [] : [head[key]])));
  return { action: all('action'), resource: all('resource') };
}

interface Place {
  readonly path: string;
  readonly source: string;
  /** UTF-16 offset of the policy in its file. */
  readonly start: number;
}

/** The files of a bundle, unchecked. @throws AuthorityError policy-invalid */
export function readBundleFiles(folder: string): readonly BundleFile[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (cause) {
    throw new AuthorityError('policy-invalid', `there is no policy folder at ${folder}`, { cause });
  }
  if (!names.includes(schemaFile)) throw new AuthorityError('policy-invalid', `${schemaFile} is missing in ${folder}`);
  const own = names.filter((name) => name !== testFolder || !statSync(join(folder, name)).isDirectory());
  return own.map((name) => {
    const file = join(folder, name);
    if (name !== schemaFile && name !== trustRulesFile && !factsFile.test(name) && !fileName.test(name)) {
      const known = `${schemaFile}, ${trustRulesFile}, *.facts.json and *.cedar`;
      throw new AuthorityError('policy-invalid', `${file} does not belong in a bundle: only ${known}`);
    }
    const { size } = statSync(file);
    if (size > maxFileBytes) throw new AuthorityError('policy-invalid', `${file} is larger than ${maxFileBytes} bytes`);
    return bundleFile(name, readFileSync(file));
  });
}

export function bundleFile(path: string, bytes: Uint8Array): BundleFile {
  return { path, sha256: toHex(sha256(bytes)), bytes };
}

function text(files: readonly BundleFile[], path: string): string {
  const file = files.find((candidate) => candidate.path === path);
  if (!file) throw new AuthorityError('policy-invalid', `${path} is missing`);
  return fromUtf8(file.bytes);
}

function policiesOf(cedar: Cedar, path: string, source: string): readonly { policy: BundlePolicy; place: Place }[] {
  const parts = cedar.policySetTextToParts(source);
  if (parts.type === 'failure') throw located(path, source, 0, parts.errors);
  if (parts.policy_templates.length > 0) {
    throw invalid({ path, source, start: 0 }, 0, 'templates are not accepted: write the policy out');
  }
  return parts.policies.map((policyText) => {
    const place = { path, source, start: Math.max(0, source.indexOf(policyText)) };
    const json = cedar.policyToJson(policyText);
    if (json.type === 'failure') throw located(path, source, place.start, json.errors);
    const { id, tier = null, approvers = '1', grade = 'A0' } = json.json.annotations ?? {};
    if (!id) throw invalid(place, 0, 'this policy has no @id("…"): decisions cite policies by their id');
    if (!isTierOrNull(tier)) throw invalid(place, 0, `@tier("${tier}") is none of ${tiers.join(', ')}`);
    const people = /^[1-9]$/.test(approvers) ? Number(approvers) : 0;
    if (people === 0) throw invalid(place, 0, `@approvers("${approvers}") is not a number from 1 to ${maxApprovers}`);
    if (!isApprovalGrade(grade)) throw invalid(place, 0, `@grade("${grade}") is none of ${approvalGrades.join(', ')}`);
    if ((people > 1 || grade !== 'A0') && tier !== 'approve')
      throw invalid(place, 0, '@approvers and @grade belong to a policy with @tier("approve")');
    return {
      policy: {
        id,
        text: policyText,
        tier,
        quorum: { people, grade },
        effect: json.json.effect,
        head: headOf(json.json),
      },
      place,
    };
  });
}

function isApprovalGrade(value: string): value is ApprovalGrade {
  return (approvalGrades as readonly string[]).includes(value);
}

function isTierOrNull(value: string | null): value is Tier | null {
  return value === null || (tiers as readonly string[]).includes(value);
}

function validate(
  cedar: Cedar,
  schema: string,
  policies: ReadonlyMap<string, BundlePolicy>,
  places: ReadonlyMap<string, Place>,
): void {
  const staticPolicies = Object.fromEntries([...policies.values()].map(({ id, text }) => [id, text]));
  const answer = cedar.validate({ schema, policies: { staticPolicies }, validationSettings: { mode: 'strict' } });
  if (answer.type === 'failure') throw located('the bundle', '', 0, answer.errors);
  const problem = [...answer.validationErrors, ...answer.validationWarnings][0];
  const place = problem && places.get(problem.policyId);
  if (place) throw located(place.path, place.source, place.start, [problem.error]);
  const other = answer.otherWarnings[0];
  if (problem ?? other)
    throw located(
      'the bundle',
      '',
      0,
      [problem?.error ?? other].filter((error) => !!error),
    );
}

function located(
  path: string,
  source: string,
  start: number,
  errors: readonly CedarTypes.DetailedError[],
): AuthorityError {
  const [first] = errors;
  const location = first?.sourceLocations?.[0];
  const said = [first?.message ?? 'not accepted', location?.label, first?.help].filter((part) => !!part).join('; ');
  return invalid({ path, source, start }, location?.start ?? 0, said);
}

/** `offsetBytes` counts UTF-8 bytes from the start of the place, as Cedar does. */
function invalid(place: Place, offsetBytes: number, said: string): AuthorityError {
  const rest = Buffer.from(place.source.slice(place.start)).subarray(0, offsetBytes).toString();
  const before = place.source.slice(0, place.start) + rest;
  const line = before.split('\n').length;
  const column = before.length - before.lastIndexOf('\n');
  return new AuthorityError('policy-invalid', `${place.path}:${line}:${column}: ${said}`);
}
