import { createHmac, randomBytes } from 'node:crypto';
import { readPgMessage } from '@deed/evidence';

/** What stands for a value that is not to be kept. Equal ones within one change stay equal; nothing else can be told of them. */
export const redactedPrefix = 'redacted:';
const [unchanged, absent] = ['u'.charCodeAt(0), 'n'.charCodeAt(0)];
const withTuples = new Set(['I', 'U', 'D'].map((kind) => kind.charCodeAt(0)));

/** The places of the columns of a Relation message that are not to be kept; `columns` as `schema.table.column`. */
export function hiddenColumns(relation: Uint8Array, columns: ReadonlySet<string>): ReadonlySet<number> {
  const message = readPgMessage(relation);
  if (message.kind !== 'relation') return new Set();
  const { schema, table } = message;
  return new Set(
    message.columns.flatMap(({ name }, place) => (columns.has(`${schema}.${table}.${name}`) ? [place] : [])),
  );
}

/**
 * An Insert, Update or Delete message of pgoutput (protocol version 1) in which the values of some columns are replaced by a keyed digest. The key is
 * thrown away: that a value was changed can be seen, and not even one of few possible values be guessed.
 */
export function redactChange(message: Buffer, hidden: ReadonlySet<number>): Buffer {
  if (hidden.size === 0 || !withTuples.has(message[0] ?? 0)) return message;
  const key = randomBytes(32);
  const parts: Buffer[] = [message.subarray(0, 5)];
  for (let at = 5; at < message.length; ) {
    const columns = message.readInt16BE(at + 1);
    parts.push(message.subarray(at, at + 3));
    at += 3;
    for (let place = 0; place < columns; place++) {
      const kind = message[at];
      if (kind === unchanged || kind === absent) {
        parts.push(message.subarray(at, at + 1));
        at += 1;
        continue;
      }
      const end = at + 5 + message.readInt32BE(at + 1);
      parts.push(hidden.has(place) ? redacted(message.subarray(at + 5, end), key) : message.subarray(at, end));
      at = end;
    }
  }
  return Buffer.concat(parts);
}

/** As a value in the form of text. */
function redacted(value: Uint8Array, key: Uint8Array): Buffer {
  const text = `${redactedPrefix}${createHmac('sha256', key).update(value).digest('hex').slice(0, 16)}`;
  const head = Buffer.alloc(5);
  head[0] = 't'.charCodeAt(0);
  head.writeInt32BE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text)]);
}
