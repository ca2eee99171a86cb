/** One header as it stood on the wire. */
export interface Header {
  readonly name: string;
  readonly value: string;
}

/** About one connection, not about the message (RFC 9110 section 7.6.1). */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** A list of what may rest, since nobody can list every name a credential may have. */
const recorded: ReadonlySet<string> = new Set([
  'accept',
  'anthropic-beta',
  'anthropic-version',
  'content-encoding',
  'content-length',
  'content-type',
  'openai-version',
  'request-id',
  'x-request-id',
]);

/** Gemini takes its key in the query as well, so a query is recorded by a list too. */
const recordedQuery: ReadonlySet<string> = new Set(['alt', 'beta']);

/** Node's `rawHeaders`: names and values in turn. */
export function headersOf(raw: readonly string[]): Header[] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [{ name, value: raw[at + 1] ?? '' }] : []));
}

/** The headers that go on to the other side, in their order and their case. */
export function endToEnd(headers: readonly Header[]): Header[] {
  const named = headers
    .filter(({ name }) => name.toLowerCase() === 'connection')
    .flatMap(({ value }) => value.split(',').map((token) => token.trim().toLowerCase()));
  const dropped = new Set([...hopByHop, ...named]);
  return headers.filter(({ name }) => !dropped.has(name.toLowerCase()));
}

/** The headers that may be stored: none that can hold a credential. */
export function recordable(headers: readonly Header[]): Header[] {
  return headers
    .map(({ name, value }) => ({ name: name.toLowerCase(), value }))
    .filter(({ name }) => recorded.has(name));
}

/** The path with those parts of its query that may be stored. */
export function recordableTarget(target: string): string {
  const at = target.indexOf('?');
  if (at < 0) return target;
  const query = [...new URLSearchParams(target.slice(at + 1))].filter(([name]) => recordedQuery.has(name));
  const path = target.slice(0, at);
  return query.length > 0 ? `${path}?${new URLSearchParams(query)}` : path;
}
