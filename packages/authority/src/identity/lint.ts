import { isIP } from 'node:net';
import {
  DeedError,
  defaultTokenAgeSeconds,
  parseTrustRules,
  segmentsOf,
  type TrustRule,
  trustRulesFile,
  type WorkloadPlatform,
} from '@deed/evidence';
import { AuthorityError } from '../errors.ts';

/** Why a trust rule is refused before anybody enrols by it. Closed: docs/formats/identities.md lists them. */
export type TrustRefusal =
  | 'name' // it looks like an id
  | 'issuer' // not https, or no host of its own
  | 'keys' // keys that are pinned and fetched, or fetched from a place that is not safe
  | 'platform' // an issuer of another platform, or one that many tenants share
  | 'audience' // not one audience that is this deployment's
  | 'wildcard' // a wildcard that is not the one last segment of a pattern
  | 'owner' // it does not pin who owns the workload
  | 'context' // it admits runs that strangers, or everybody who can push, can start
  | 'age'; // it takes old tokens of a platform that makes fresh ones

export interface TrustProblem {
  readonly rule: string;
  readonly refusal: TrustRefusal;
  readonly why: string;
}

/** Reads the trust rules of a bundle and refuses those that could admit strangers. @throws AuthorityError policy-invalid */
export function checkTrustRules(bytes: Uint8Array): readonly TrustRule[] {
  let rules: readonly TrustRule[];
  try {
    rules = parseTrustRules(bytes);
  } catch (cause) {
    if (!(cause instanceof DeedError)) throw cause;
    throw new AuthorityError('policy-invalid', cause.message, { cause });
  }
  const problems = rules.flatMap(lintTrustRule);
  if (problems.length === 0) return rules;
  const lines = problems.map(({ rule, refusal, why }) => `rule ${rule}: ${why} (${refusal})`);
  throw new AuthorityError('policy-invalid', `${trustRulesFile}: ${lines.join('; ')}`);
}

export function lintTrustRule(rule: TrustRule): readonly TrustProblem[] {
  const problems: TrustProblem[] = [];
  const refuse: Refuse = (refusal, why) => problems.push({ rule: rule.name, refusal, why });
  if (rule.name.startsWith('agt_')) refuse('name', 'a name does not begin as ids do');
  lintPlaces(rule, refuse);
  lintAudience(rule, refuse);
  lintWildcards(rule, refuse);
  ofPlatform[rule.platform](rule, refuse);
  const { maxAgeSeconds = defaultTokenAgeSeconds, platform } = rule;
  if (maxAgeSeconds > defaultTokenAgeSeconds && platform !== 'gcp' && platform !== 'azure') {
    refuse('age', `tokens of this platform are fresh: at most ${defaultTokenAgeSeconds} s`);
  }
  return problems;
}

type Refuse = (refusal: TrustRefusal, why: string) => void;

const loopbackHosts: readonly string[] = ['127.0.0.1', '[::1]', 'localhost'];

function lintPlaces(rule: TrustRule, refuse: Refuse): void {
  const { issuer, jwks, keys } = rule;
  const loopback = rule.loopback === true;
  const issuerUrl = placeOf(issuer, loopback);
  if (!issuerUrl)
    refuse('issuer', `issuer ${issuer}: ${loopback ? 'a loopback address' : 'an https URL of a named host'}`);
  if (jwks !== undefined && !placeOf(jwks, loopback)) refuse('keys', `jwks ${jwks} is no https URL of a named host`);
  if (jwks !== undefined && keys !== undefined) refuse('keys', 'keys are either pinned or fetched from jwks');
  if (!issuerUrl || loopback) return;
  const owner = platformOf(issuerUrl);
  if (owner !== null && owner !== rule.platform) refuse('platform', `${issuerUrl.host} is an issuer of ${owner}`);
}

/** A URL without anything that could hide where it leads; its host a name, or with `loopback` this machine. */
function placeOf(text: string, onThisMachine: boolean): URL | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.username !== '' || url.password !== '' || /[?#@\\\s]/.test(text)) return null;
  if (onThisMachine) return /^https?:$/.test(url.protocol) && loopbackHosts.includes(url.hostname) ? url : null;
  const isName = url.hostname.includes('.') && isIP(url.hostname) === 0 && !url.hostname.endsWith('.');
  return url.protocol === 'https:' && isName && text.startsWith('https://') ? url : null;
}

const azureHosts: readonly string[] = ['login.microsoftonline.com', 'sts.windows.net', 'login.microsoftonline.us'];

/** Whose issuer it is, for those that have one host for all. */
function platformOf({ hostname, pathname }: URL): WorkloadPlatform | null {
  if (hostname === 'token.actions.githubusercontent.com' || pathname.startsWith('/_services/token'))
    return 'github-actions';
  if (hostname === 'accounts.google.com') return 'gcp';
  if (hostname.endsWith('.api.aws')) return 'aws';
  return azureHosts.includes(hostname) ? 'azure' : null;
}

/** Audiences that tokens for others have: who gets such a token may pass it on to us. */
const foreignAudiences = [
  /^sts\.amazonaws\.com/,
  /^(https?:\/\/)?([^/]+\.)?github\.com(\/|$)/,
  /^(https:\/\/)?kubernetes\.default/,
  /^(https:\/\/)?([^/]+\.)?(googleapis|google|azure|windows|microsoft)\.(com|net)(\/|$)/,
  /^api:\/\/AzureADTokenExchange/i,
  /^sigstore$/,
];

function lintAudience({ audience, loopback }: TrustRule, refuse: Refuse): void {
  const asUrl = audience.replace(/^api:\/\//, 'https://');
  const text = /^https?:\/\//.test(asUrl) ? asUrl : `https://${asUrl}`;
  const named = placeOf(text, false) ?? (loopback ? placeOf(text, true) : null);
  if (!named || /[*,]/.test(audience) || foreignAudiences.some((foreign) => foreign.test(audience))) {
    refuse('audience', `audience ${audience}: the URL or the origin of this deployment, and nothing else`);
  }
}

function lintWildcards({ subject, claims = {} }: TrustRule, refuse: Refuse): void {
  if (JSON.stringify(claims).includes('*')) refuse('wildcard', 'claims are exact: no * in them');
  if (typeof subject === 'string') {
    if (subject.includes('*')) refuse('wildcard', `subject ${subject} is exact: write {"pattern": …} for a pattern`);
    return;
  }
  const segments = segmentsOf(subject.pattern);
  const isLast = segments.at(-1) === '*' && segments.length > 1;
  const others = segments.slice(0, -1).some((segment) => segment.includes('*'));
  if (!isLast || others) refuse('wildcard', `pattern ${subject.pattern}: one *, and it is the whole last segment`);
}

const textOf = (subject: TrustRule['subject']) => (typeof subject === 'string' ? subject : subject.pattern);
const claimOf = (rule: TrustRule, name: string) => rule.claims?.[name];
const isDigits = (value: unknown) => typeof value === 'string' && /^[0-9]+$/.test(value);
const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const ofPlatform: Readonly<Record<WorkloadPlatform, (rule: TrustRule, refuse: Refuse) => void>> = {
  'github-actions'(rule, refuse) {
    for (const name of ['repository_id', 'repository_owner_id']) {
      if (!isDigits(claimOf(rule, name)))
        refuse('owner', `claims.${name} is to be pinned: a name can be given up and taken by somebody else`);
    }
    const subject = textOf(rule.subject);
    const contexts = ['environment', 'ref', 'job_workflow_ref'].some((name) => typeof claimOf(rule, name) === 'string');
    const inSubject = /:environment:[^:*]+$|:ref:refs\/(heads|tags)\/.+$|job_workflow_ref:.+$/.test(subject);
    if (/:pull_request$/.test(subject) || /^pull_request/.test(String(claimOf(rule, 'event_name') ?? ''))) {
      refuse('context', 'runs for pull requests are started by strangers');
    } else if (!contexts && !inSubject)
      refuse('context', 'neither the subject nor a claim binds an environment or a ref');
    if (typeof rule.subject === 'string') return;
    const ref = /^repo:[^:/*]+\/[^:/*]+:ref:refs\/(heads\/([^:/*]+\/)+|tags\/([^:/*]+\/)*)\*$/;
    if (!ref.test(subject))
      refuse('context', `pattern ${subject}: only tags, and branches below a name, have patterns`);
  },
  kubernetes(rule, refuse) {
    const form =
      typeof rule.subject === 'string' ? /^system:serviceaccount:[^:/]+:[^:/]+$/ : /^system:serviceaccount:[^:/*]+:\*$/;
    if (!form.test(textOf(rule.subject)))
      refuse('owner', 'the subject is system:serviceaccount:NAMESPACE:NAME, its namespace exact');
  },
  aws(rule, refuse) {
    const form = /^arn:aws(?:-cn|-us-gov)?:iam::([0-9]{12}):role\/(.+)$/.exec(textOf(rule.subject));
    const sts = claimOf(rule, 'https://sts.amazonaws.com/');
    const account = typeof sts === 'object' ? sts.aws_account : undefined;
    if (!form || account !== form[1]) {
      refuse(
        'owner',
        'the subject is the ARN of a role, and claims["https://sts.amazonaws.com/"].aws_account is its account',
      );
    }
    if (form?.[2] === '*') refuse('owner', 'a pattern admits the roles below a path, not each of the account');
    if (!rule.loopback && !/^https:\/\/[^/]+\.tokens\.sts\.global\.api\.aws$/.test(rule.issuer))
      refuse('platform', 'the issuer is the one of your account: https://….tokens.sts.global.api.aws');
  },
  gcp(rule, refuse) {
    const email = claimOf(rule, 'email');
    const isPinned = typeof email === 'string' && email.endsWith('.gserviceaccount.com');
    if (typeof rule.subject !== 'string' || !isDigits(rule.subject) || !isPinned) {
      refuse('owner', 'the subject is the number of a service account, and claims.email its address in your project');
    }
    if (!rule.loopback && rule.issuer !== 'https://accounts.google.com')
      refuse('platform', 'the issuer is https://accounts.google.com');
  },
  azure(rule, refuse) {
    const tenant = claimOf(rule, 'tid');
    if (typeof tenant !== 'string' || !guid.test(tenant)) refuse('owner', 'claims.tid is to be pinned to your tenant');
    else if (
      !rule.loopback &&
      !new RegExp(`^https://(${azureHosts.join('|').replaceAll('.', '\\.')})/${tenant}(/|/v2\\.0)?$`).test(rule.issuer)
    )
      refuse('platform', 'the issuer is the one of your tenant, not one that tenants share');
    if (typeof rule.subject !== 'string' || !guid.test(rule.subject))
      refuse('owner', 'the subject is the object id of an identity');
  },
  oidc(rule, refuse) {
    if (typeof rule.subject !== 'string')
      refuse('owner', 'only an exact subject: what a segment means is not known here');
  },
};
