import { randomBytes, sha256, toBase64Url, toHex, utf8 } from '@deed/evidence';
import type { Database } from '@deed/store';

/** What an operator gave an agent's client by which it reaches models through here. */
export interface ModelKey {
  /** The first 16 hex digits of its digest: what it is called once it was shown. */
  readonly id: string;
  /** The task whose prompts pass; null: those of nobody in particular. */
  readonly task: string | null;
  readonly created: string;
}

interface Row {
  readonly digest: string;
  readonly task: string | null;
  readonly created: string;
}

const form = /^dmk_[A-Za-z0-9_-]{43}$/;

/** The keys to the model relay. Only their digests are kept. */
export class ModelKeys {
  private readonly db: Database;
  private readonly known: Map<string, Row>;

  constructor(db: Database) {
    this.db = db;
    const rows = db.all<Row>('SELECT digest, task, created FROM model_key ORDER BY created');
    this.known = new Map(rows.map((row) => [row.digest, row]));
  }

  /** Makes a key. It is told this once. */
  make(task: string | null, created: Date): ModelKey & { readonly key: string } {
    const key = `dmk_${toBase64Url(randomBytes(32))}`;
    const row = { digest: digestOf(key), task, created: created.toISOString() };
    this.db.transaction((tx) =>
      tx.run('INSERT INTO model_key (digest, task, created) VALUES (?, ?, ?)', row.digest, task, row.created),
    );
    this.known.set(row.digest, row);
    return { ...keyOf(row), key };
  }

  list(): readonly ModelKey[] {
    return [...this.known.values()].map(keyOf);
  }

  /** What a key is; undefined for any other text. */
  find(key: string): ModelKey | undefined {
    const row = form.test(key) ? this.known.get(digestOf(key)) : undefined;
    return row && keyOf(row);
  }

  /** False if there was none. */
  remove(id: string): boolean {
    return this.drop([...this.known.values()].filter((row) => keyOf(row).id === id));
  }

  /** The task is closed: its keys open nothing any more, and need not be known. */
  forget(task: string): void {
    this.drop([...this.known.values()].filter((row) => row.task === task));
  }

  private drop(rows: readonly Row[]): boolean {
    if (rows.length === 0) return false;
    this.db.transaction((tx) => {
      for (const { digest } of rows) tx.run('DELETE FROM model_key WHERE digest = ?', digest);
    });
    for (const { digest } of rows) this.known.delete(digest);
    return true;
  }
}

function keyOf({ digest, task, created }: Row): ModelKey {
  return { id: digest.slice(0, 16), task, created };
}

function digestOf(key: string): string {
  return toHex(sha256(utf8(`deed-model-key-v1\0${key}`)));
}
