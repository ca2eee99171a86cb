import { randomBytes, sha256, toBase64Url, toHex, utf8 } from '@deed/evidence';
import type { Database } from '@deed/store';
import type { ToolRegistry } from './registry.ts';

/** What an operator gave a client by which it may reach one tool server, as nobody in particular. */
export interface EndpointKey {
  /** The first 16 hex digits of its digest: what it is called once it was shown. */
  readonly id: string;
  readonly server: string;
  readonly created: string;
}

const form = /^dek_[A-Za-z0-9_-]{43}$/;

interface Kept {
  readonly digest: string;
  readonly created: string;
}

/** The keys to tool servers that are reached through the network: each is a part of the registration, which keeps its digest. */
export class EndpointKeys {
  private readonly db: Database;
  private readonly tools: Pick<ToolRegistry, 'version'>;
  /** What the table says, as of this version of the registrations. */
  private known = { version: -1, keys: new Map<string, readonly Kept[]>() };

  constructor(db: Database, tools: Pick<ToolRegistry, 'version'>) {
    this.db = db;
    this.tools = tools;
  }

  /** Makes a key. It is told this once. */
  make(server: string, created: Date): EndpointKey & { readonly key: string } {
    const key = `dek_${toBase64Url(randomBytes(32))}`;
    const made = { digest: digestOf(key), created: created.toISOString() };
    this.write(server, [...this.of(server), made]);
    return { id: idOf(made), server, created: made.created, key };
  }

  list(): readonly EndpointKey[] {
    const servers = this.db.all<{ name: string }>('SELECT name FROM tool ORDER BY name');
    return servers.flatMap(({ name: server }) =>
      this.of(server).map((kept) => ({ id: idOf(kept), server, created: kept.created })),
    );
  }

  /** The id of a key that opens this server; null for any other text. */
  opens(key: string, server: string): string | null {
    if (!form.test(key)) return null;
    const digest = digestOf(key);
    const found = this.of(server).find((kept) => kept.digest === digest);
    return found ? idOf(found) : null;
  }

  /** False if there was none. */
  remove(id: string): boolean {
    const server = this.list().find((key) => key.id === id)?.server;
    if (server === undefined) return false;
    this.write(
      server,
      this.of(server).filter((kept) => idOf(kept) !== id),
    );
    return true;
  }

  private of(server: string): readonly Kept[] {
    const { version } = this.tools;
    if (this.known.version !== version) this.known = { version, keys: new Map() };
    const known = this.known.keys.get(server);
    if (known) return known;
    const row = this.db.get<{ keys: string }>('SELECT keys FROM tool WHERE name = ?', server);
    const keys = row ? (JSON.parse(row.keys) as Kept[]) : [];
    if (row) this.known.keys.set(server, keys);
    return keys;
  }

  private write(server: string, keys: readonly Kept[]): void {
    this.db.transaction((tx) => tx.run('UPDATE tool SET keys = ? WHERE name = ?', JSON.stringify(keys), server));
    this.known.keys.set(server, keys);
  }
}

function idOf({ digest }: Kept): string {
  return digest.slice(0, 16);
}

function digestOf(key: string): string {
  return toHex(sha256(utf8(`deed-endpoint-key-v1\0${key}`)));
}
