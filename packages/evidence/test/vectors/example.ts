import type { Verdict } from '../../src/verify/report.ts';
import { actors } from '../support/actors.ts';
import type { BentCases, Expected } from '../support/bends.ts';
import { makeCase, nowMs, trustTextOf } from '../support/case-maker.ts';
import { type Bend, type Part, parts } from '../support/story.ts';
import { type Given, judge } from '../support/vector.ts';
import { fewKeys } from './trust-files.ts';

/** What becomes one vector: a sentence of what it is, how it is made, and what it must be. */
export interface Example {
  /** In words; in kebab-case the name of the file. */
  readonly name: string;
  readonly what: string;
  readonly given: Given;
  readonly verdict: Verdict;
  /** A check that must give a reason. None where nothing is wrong. */
  readonly check?: string;
}

/** A bend, and what the verifier is given beside the case, where it is other than the story's trust file and clock. */
export interface Bent {
  readonly bend?: Bend;
  readonly trust?: string | null;
  readonly nowMs?: number;
}

/** Cases that are honest, by what is special about them. */
export type HonestCases = Readonly<Record<string, Bent>>;

/** A case, an hour after its story began. */
export function bentCase({ bend = {}, trust, nowMs: at = nowMs }: Bent): Given {
  const logs = bend.logs ?? fewKeys;
  const { file } = makeCase({ ...bend, logs });
  return { kind: 'case', file, trust: trust === null ? undefined : (trust ?? trustTextOf(logs)), nowMs: at };
}

export function honest(table: HonestCases): Example[] {
  return Object.entries(table).map(([name, bent]) => ({
    name,
    what: `An honest case: ${name}.`,
    given: bentCase(bent),
    verdict: 'VERIFIED',
  }));
}

/** The cases of a table that the tests hold too. */
export function bent(verdict: Verdict, begins: string, table: BentCases): Example[] {
  return Object.entries(table).map(([name, expected]) => ({
    name,
    what: `${begins} ${name}.`,
    given: smallest(verdict, expected),
    verdict,
    check: expected.check,
  }));
}

/** Parts of the story that may be enough, the smallest first. */
const enough: readonly (readonly Part[])[] = [
  ['write'],
  ['push'],
  ['read', 'write'],
  ['push', 'reconciled'],
  ['delegated'],
  parts,
];

/** The case of the shortest story in which the verdict falls for the reason that the tests expect. */
function smallest(verdict: Verdict, { bend, check, says }: Expected): Given {
  // Where a bend says which keys of the log sign, it chooses among both.
  const logs = bend.logKeys ? actors.logs : fewKeys;
  for (const told of enough) {
    const given = whereTold({ ...bend, logs, parts: told });
    const { reasons = [], ...said } = given ? judge(given) : {};
    const why = reasons.filter((reason) => reason.check === check && reason.verdict === verdict);
    if (given && 'verdict' in said && said.verdict === verdict && why.some(({ message }) => says.test(message)))
      return given;
  }
  throw new Error(`no case is ${verdict} by ${check} with a reason like ${says}`);
}

/** A bend may speak of what a shorter story does not tell. */
function whereTold(bend: Bend): Given | undefined {
  try {
    return bentCase({ bend });
  } catch {
    return undefined;
  }
}
