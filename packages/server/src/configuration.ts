import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deploymentTask, readTaskKey } from '@deed/authority';
import { hmacSha256, makePayload, type PayloadRef, type PredicateBody, parseStatement, utf8 } from '@deed/evidence';
import type { Ledger } from '@deed/ledger';
import type { Reading } from '@deed/store';

export type Configuration = PredicateBody<'configuration-stated'>;

/**
 * What an operator has set, as a statement says it: digests of config.json, of each registered tool and of each source. Their salts
 * are made with the deployment's key, so that nobody without the data folder can guess a value.
 */
export function configurationOf(dir: string, database: Reading): Configuration {
  const secret = hmacSha256(readTaskKey(dir, deploymentTask), utf8('configuration'));
  const ref = (bytes: Uint8Array): PayloadRef => {
    const { name } = makePayload(bytes, secret);
    return { sha256: name, size: bytes.length, type: 'application/json', kept: false };
  };
  const rows = (table: string, columns = '*') => {
    // A folder that was made and never served has no table of the upper rooms.
    if (!database.get('SELECT 1 FROM sqlite_schema WHERE name = ?', table)) return [];
    const all = database.all<{ name: string }>(`SELECT ${columns} FROM ${table} ORDER BY name`);
    return all.map((row) => ({ name: row.name, registration: ref(utf8(JSON.stringify(row))) }));
  };
  return {
    config: ref(readFileSync(join(dir, 'config.json'))),
    tools: rows('tool'),
    sources: rows('source', 'id AS name, kind, config, since'),
  };
}

/** What is now not as it was stated, by file or row. */
export function differencesOf(stated: Configuration, now: Configuration): readonly string[] {
  const config = stated.config.sha256 === now.config.sha256 ? [] : ['config.json'];
  const rows = (table: 'tools' | 'sources', where: string) => {
    const before = new Map(stated[table].map(({ name, registration }) => [name, registration.sha256]));
    const after = new Map(now[table].map(({ name, registration }) => [name, registration.sha256]));
    const names = new Set([...before.keys(), ...after.keys()]);
    return [...names].filter((name) => before.get(name) !== after.get(name)).map((name) => `${where}, row ${name}`);
  };
  return [...config, ...rows('tools', 'table tool'), ...rows('sources', 'table source')];
}

const series = 'deployment';

/** Says in the log what an operator has set, if it is not as it was said last. Resolves when that is durable. @throws LedgerError */
export async function stateConfiguration(dir: string, ledger: Ledger): Promise<void> {
  const now = configurationOf(dir, ledger.database);
  const stated = newestStated(ledger);
  if (stated && differencesOf(stated, now).length === 0) return;
  await ledger.record({
    predicate: 'configuration-stated',
    place: { series },
    subject: { name: `deployment:${ledger.origin}`, sha256: now.config.sha256 },
    observed: 'gateway-executed',
    separation: { agent: 'none', tool: 'none' },
    body: now,
  }).durable;
}

function newestStated(ledger: Ledger): Configuration | undefined {
  for (let n = ledger.seriesHead(series)?.n ?? -1; n >= 0; n--) {
    const [entry] = ledger.series(series, n, n);
    const statement = entry && parseStatement(entry.envelope.payload);
    if (statement?.predicate === 'configuration-stated') return statement.body;
  }
  return undefined;
}
