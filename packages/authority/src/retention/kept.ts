import {
  heldRefs,
  openPayload,
  type PayloadRef,
  parseStatement,
  payloadOfMember,
  type Statement,
  type Tier,
  tiers,
} from '@deed/evidence';
import type { Ledger } from '@deed/ledger';
import type { Vault } from '../vault/vault.ts';

/** The committed statements of a task, `seq` before `after`. */
export function statementsOf(ledger: Ledger, task: string): readonly Statement[] {
  return [...ledger.series(task), ...ledger.series(`${task}/after`)].map(({ envelope }) =>
    parseStatement(envelope.payload),
  );
}

/** The bytes of a payload that a vault still has. */
export function openIn({ get, has }: Pick<Vault, 'get' | 'has'>): (ref: PayloadRef) => Uint8Array | undefined {
  return ({ sha256: name }) => (has(name) ? openPayload(get(name), name).bytes : undefined);
}

/** Names of the payloads that statements say are kept, each once, sorted. */
export function keptBy(vault: Vault, statements: readonly Statement[]): string[] {
  const refs = statements.flatMap((statement) => heldRefs(statement, openIn(vault)));
  return [...new Set(refs.flatMap(({ sha256, kept }) => (kept ? [sha256] : [])))].sort();
}

/** Ids of the exported cases that hold any of these payloads or events, oldest first. */
export function copiesOf(statements: readonly Statement[], names: ReadonlySet<string>): string[] {
  return statements.flatMap((statement) => {
    if (statement.predicate !== 'case-exported') return [];
    const held = statement.body.members.some(({ name }) => names.has(payloadOfMember(name) ?? ''));
    return held ? [statement.body.case] : [];
  });
}

/** The highest tier among the intents of a task, `observe` if it has none. */
export function highestTier(statements: readonly Statement[]): Tier {
  const ranks = statements.flatMap((statement) =>
    statement.predicate === 'intent' ? [tiers.indexOf(statement.body.tier)] : [],
  );
  return tiers[Math.max(0, ...ranks)] ?? 'observe';
}
