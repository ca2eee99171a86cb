/** Where a call stands in somebody's trace: a claim of who called, a key to join by, never proof. */
export interface Trace {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits: the span of the caller. */
  readonly spanId: string;
  /** Two hex digits. */
  readonly flags: string;
  /** As the caller wrote it; null if there was none, or none that is well formed. */
  readonly tracestate: string | null;
}

/** Trace context as it came: unchecked members of an MCP request's `_meta`, or of HTTP headers. */
export interface TraceFields {
  readonly traceparent?: unknown;
  readonly tracestate?: unknown;
}

const parent = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const nothing = /^0+$/;
const memberKey = /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})$/;
/** Printable ASCII without comma and equals sign; a space only inside. */
const memberValue = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const maxMembers = 32;
const maxParent = 256;
const maxState = 8192;

/**
 * The trace of a call (W3C Trace Context, level 1): what its `_meta` says, else what its HTTP headers say, else nothing: a
 * trace that nobody began is not begun here. What is not well formed is dropped, as if it were not there; parts of one source are
 * never put to those of the other.
 */
export function traceOf(meta: TraceFields | null | undefined, header: TraceFields | null | undefined): Trace | null {
  return claimed(meta) ?? claimed(header) ?? null;
}

/** The headers by which it goes on. */
export function traceHeaders(trace: Trace | null): Readonly<Record<string, string>> {
  if (!trace) return {};
  const { tracestate } = trace;
  return { traceparent: traceparentOf(trace), ...(tracestate === null ? {} : { tracestate }) };
}

/** `traceparent` for what is called on behalf of this call. */
export function traceparentOf({ traceId, spanId, flags }: Trace): string {
  return `00-${traceId}-${spanId}-${flags}`;
}

function claimed(fields: TraceFields | null | undefined): Trace | undefined {
  const text = fields?.traceparent;
  if (typeof text !== 'string' || text.length > maxParent) return undefined;
  const [, version, traceId, spanId, flags, more] = parent.exec(text) ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  // Later versions may say more after a dash (section 3.2.4); ff is no version, and 00 says no more.
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (nothing.test(traceId) || nothing.test(spanId)) return undefined;
  // Of the flags of a later version only the one that this version knows is passed on.
  const known = version === '00' ? flags : (Number.parseInt(flags, 16) & 1).toString(16).padStart(2, '0');
  return { traceId, spanId, flags: known, tracestate: stateOf(fields?.tracestate) };
}

/** A list that breaks one rule is dropped whole (section 3.3.1). */
function stateOf(text: unknown): string | null {
  if (typeof text !== 'string' || text.length > maxState) return null;
  const members = text
    .split(',')
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((member) => member !== '');
  if (members.length === 0 || members.length > maxMembers) return null;
  const keys = new Set<string>();
  for (const member of members) {
    const at = member.indexOf('=');
    const key = member.slice(0, Math.max(at, 0));
    if (!memberKey.test(key) || !memberValue.test(member.slice(at + 1)) || keys.has(key)) return null;
    keys.add(key);
  }
  return text;
}

/** What a statement says of it. */
export function claimedTrace(trace: Trace | null | undefined): { readonly trace?: Pick<Trace, 'traceId' | 'spanId'> } {
  return trace ? { trace: { traceId: trace.traceId, spanId: trace.spanId } } : {};
}
