import type { Json } from '@deed/evidence';
import { GatewayError } from '../errors.ts';
import { type Definition, definitionOf } from '../tools/pins.ts';
import { type MirroredParameters, mirroredParameters } from './http/mirrored.ts';
import type { Message } from './message.ts';

/** Most pages of `tools/list` that are asked for: a server that never ends its list offers nothing. */
const maxPages = 100;
/** Most tools of one server: each is a statement when it is first seen. */
const maxTools = 2_000;
const toolName = /^[\x21-\x7e]{1,256}$/;

/**
 * What one tool process offers, as its own `tools/list` says. The client's requests fill it on the way; if it was never asked,
 * or changed, it asks itself.
 */
export class Catalogue {
  private definitions = new Map<string, Definition>();
  /** Those that are not the pinned ones: each counts until the list is asked for anew, whatever else has its name. */
  private changed = new Map<string, Definition>();
  private mirrors = new Map<string, MirroredParameters>();
  private listing: Promise<void> | undefined;
  private readonly request: (method: string, params: Json) => Promise<Message>;
  private readonly isPinned: (definition: Definition) => boolean;

  /** `request` sends a request of the gateway's own to the tool and gives its answer; `isPinned` is asked of each definition. */
  constructor(
    request: (method: string, params: Json) => Promise<Message>,
    isPinned: (definition: Definition) => boolean,
  ) {
    this.request = request;
    this.isPinned = isPinned;
  }

  /** The server said that its list changed: ask again before the next call. */
  invalidate(): void {
    this.listing = undefined;
  }

  /** Reads a page of the list that went by; what it says counts from now on. */
  read(answer: Message): string | undefined {
    const { value, raw } = answer.json;
    const { tools, nextCursor } = resultOf(value);
    if (!Array.isArray(tools)) return undefined;
    for (const [position, tool] of tools.entries()) {
      const source = raw('result', 'tools', position);
      const { name, annotations } = (tool ?? {}) as Record<string, unknown>;
      if (typeof name !== 'string' || !toolName.test(name) || source === undefined) continue;
      if (this.definitions.size >= maxTools && !this.definitions.has(name)) continue;
      const definition = definitionOf(name, source, annotations);
      this.definitions.set(name, definition);
      this.mirrors.set(name, mirroredParameters((tool as { readonly inputSchema?: Json }).inputSchema));
      if (!this.isPinned(definition)) this.changed.set(name, definition);
    }
    return typeof nextCursor === 'string' ? nextCursor : undefined;
  }

  /** @throws GatewayError tool-unknown, tool-died */
  async find(name: string): Promise<Definition> {
    this.listing ??= this.list();
    await this.listing.catch((error: unknown) => {
      this.listing = undefined;
      throw error;
    });
    const changed = this.changed.get(name);
    if (changed) {
      this.listing = undefined; // asked for anew at the next call: an operator may have accepted it
      return changed;
    }
    const found = this.definitions.get(name);
    if (!found) throw new GatewayError('tool-unknown', `the server offers no tool ${JSON.stringify(name)}`);
    return found;
  }

  /** The parameters of a tool that its schema wants repeated in headers. */
  mirrored(name: string): MirroredParameters {
    return this.mirrors.get(name) ?? new Map();
  }

  private async list(): Promise<void> {
    this.definitions = new Map();
    this.changed = new Map();
    let cursor: string | undefined;
    for (let page = 0; page < maxPages; page++) {
      cursor = this.read(await this.request('tools/list', cursor === undefined ? {} : { cursor }));
      if (cursor === undefined) return;
    }
  }
}

function resultOf(value: Json): { readonly tools?: unknown; readonly nextCursor?: unknown } {
  const result = typeof value === 'object' && value !== null && 'result' in value ? value.result : null;
  return typeof result === 'object' && result !== null ? (result as { readonly tools?: unknown }) : {};
}
