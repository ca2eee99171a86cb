import { type Separation, sha256, toHex, utf8 } from '@deed/evidence';
import type { Ledger } from '@deed/ledger';
import type { Database } from '@deed/store';
import { GatewayError } from '../errors.ts';
import type { Tool } from './registry.ts';

/** One tool as its server described it: the digest is over the exact bytes of the definition. */
export interface Definition {
  readonly name: string;
  readonly digest: string;
  readonly hints: { readonly readOnly?: boolean; readonly destructive?: boolean };
}

/** The server that offers a tool, and the program that it is. */
type PinnedTool = Pick<Tool, 'name' | 'executable'>;

interface Pin {
  readonly definition: string;
  readonly executable: string;
  readonly seen: string;
}

export function definitionOf(name: string, raw: string, annotations: unknown): Definition {
  const hints = typeof annotations === 'object' && annotations !== null ? (annotations as Record<string, unknown>) : {};
  const { readOnlyHint, destructiveHint } = hints;
  return {
    name,
    digest: toHex(sha256(utf8(raw))),
    hints: {
      ...(typeof readOnlyHint === 'boolean' ? { readOnly: readOnlyHint } : {}),
      ...(typeof destructiveHint === 'boolean' ? { destructive: destructiveHint } : {}),
    },
  };
}

/** Tool definitions are pinned at first sight; a changed one is refused until an operator accepts it. */
export class Pins {
  private readonly db: Database;
  private readonly ledger: Ledger;
  private readonly separation: Separation;

  constructor(db: Database, ledger: Ledger, separation: Separation) {
    this.db = db;
    this.ledger = ledger;
    this.separation = separation;
  }

  /** Pins a definition that was never seen. True if it is the pinned one; a changed one is noted and waits for an operator. */
  see(tool: PinnedTool, definition: Definition): boolean {
    const pin = this.pin(tool.name, definition.name);
    if (pin?.definition === definition.digest && pin.executable === tool.executable) return true;
    // Never seen, or the operator registered the program anew and it describes the tool as before.
    if (!pin || pin.definition === definition.digest) {
      return this.record(tool.name, definition.name, definition.digest, tool.executable, pin?.definition ?? null);
    }
    if (pin.seen !== definition.digest) {
      this.db.transaction((tx) => {
        tx.run('UPDATE pin SET seen = ? WHERE server = ? AND tool = ?', definition.digest, tool.name, definition.name);
      });
    }
    return false;
  }

  /** @throws GatewayError tool-changed */
  check(tool: PinnedTool, definition: Definition): void {
    if (this.see(tool, definition)) return;
    throw new GatewayError(
      'tool-changed',
      `the definition of ${tool.name}/${definition.name} is not the one that was pinned; an operator can look at it and type: deed tool accept ${tool.name} ${definition.name}`,
    );
  }

  /** Pins the definition that was seen last. @throws GatewayError tool-unknown */
  accept(tool: Tool, name: string): string {
    const pin = this.pin(tool.name, name);
    if (!pin) throw new GatewayError('tool-unknown', `${tool.name}/${name} was never seen`);
    this.record(tool.name, name, pin.seen, tool.executable, pin.definition);
    return pin.seen;
  }

  list(): { readonly server: string; readonly tool: string; readonly definition: string; readonly changed: boolean }[] {
    return this.db
      .all<Pin & { server: string; tool: string }>('SELECT * FROM pin ORDER BY server, tool')
      .map(({ server, tool, definition, seen }) => ({ server, tool, definition, changed: seen !== definition }));
  }

  private pin(server: string, tool: string): Pin | undefined {
    return this.db.get<Pin>('SELECT definition, executable, seen FROM pin WHERE server = ? AND tool = ?', server, tool);
  }

  private readonly writing = new Map<string, string>();

  private record(
    server: string,
    tool: string,
    definition: string,
    executable: string,
    previous: string | null,
  ): boolean {
    const key = `${server}\n${tool}`;
    const value = `${definition} ${executable}`;
    const underWay = this.writing.get(key);
    // Entries commit in order, so the pin stands before any intent that follows.
    if (underWay !== undefined) return underWay === value;
    this.writing.set(key, value);
    const { durable } = this.ledger.record({
      predicate: 'tool-pinned',
      place: { series: 'tools' },
      subject: { name: `tool:${server}/${tool}`, sha256: definition },
      observed: 'gateway-observed',
      separation: this.separation,
      body: { server, tool, definition, executable, how: previous === null ? 'first-sight' : 'accepted', previous },
      apply: (tx) => {
        tx.run(
          `INSERT INTO pin (server, tool, definition, executable, seen) VALUES (?1, ?2, ?3, ?4, ?3)
           ON CONFLICT (server, tool) DO UPDATE SET definition = ?3, executable = ?4, seen = ?3`,
          server,
          tool,
          definition,
          executable,
        );
      },
    });
    const done = () => void (this.writing.get(key) === value && this.writing.delete(key));
    durable.then(done, done);
    return true;
  }
}
