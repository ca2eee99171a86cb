/** Inputs made from valid ones: bytes flipped, lines and tokens moved, doubled or replaced by what parsers get wrong. */

const tokens = [
  ...['0', '00', '-0', '-1', '+1', '1e3', '0x10', '1.0', '255', '256', '65536', '4294967296', '9007199254740991'],
  ...[
    '9007199254740992',
    '9007199254740993',
    '18446744073709551616',
    '١',
    'NaN',
    'null',
    'true',
    '{}',
    '[]',
    '""',
    '"',
  ],
  ...['', ' ', '\t', '\r', '\n', '\r\n', '\n\n', '\u0000', '\u0085', '\u00a0', '\u2028', '\ufeff', '\ud800', '\\u0000'],
  ...[
    '—',
    '–',
    '-',
    '+',
    '/',
    '_',
    '=',
    '==',
    'A',
    'a',
    '%2e',
    '..',
    '../',
    './',
    '//',
    '.p',
    '.p/',
    'x001',
    'x999/',
    '000',
  ],
  ...[
    'none',
    'quorum',
    'log',
    'witness',
    'group',
    'index',
    'extra',
    '__proto__',
    'constructor',
    'length',
    ',',
    ':',
    '}',
    ']',
  ],
];

const window = 4096;

export type Mutator = (seeds: readonly Uint8Array[]) => Uint8Array;

/** One to four changes to one of the seeds, some of them with a piece of another. */
export function mutatorOf(random: () => number): Mutator {
  const below = (limit: number) => Math.floor(random() * limit);
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const span = (length: number): readonly [number, number] => {
    const [a, b] = [below(length + 1), below(length + 1)];
    return a < b ? [a, b] : [b, a];
  };

  const inBytes = (bytes: Buffer, others: readonly Uint8Array[]): Buffer => {
    const at = below(bytes.length + 1);
    const [from, to] = span(bytes.length);
    switch (below(8)) {
      case 0: {
        const changed = Buffer.from(bytes);
        if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ (1 << below(8));
        return changed;
      }
      case 1: {
        const changed = Buffer.from(bytes);
        if (at < changed.length) changed[at] = one([0, 1, 0x0a, 0x20, 0x2d, 0x30, 0x3d, 0x7f, 0x80, 0xc0, 0xff]);
        return changed;
      }
      case 2:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(4))]);
      case 3:
        return Buffer.concat([bytes.subarray(0, at), Buffer.from(one(tokens)), bytes.subarray(at)]);
      case 4:
        return bytes.subarray(0, at);
      case 5:
        return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
      case 6: {
        const other = Buffer.from(one(others));
        return Buffer.concat([bytes.subarray(0, at), other.subarray(...span(other.length)), bytes.subarray(at)]);
      }
      default: {
        // A little-endian number, as a zip is full of them.
        const changed = Buffer.from(bytes);
        const width = one([1, 2, 4]);
        if (at + width <= changed.length) {
          const largest = 2 ** (8 * width) - 1;
          changed.writeUIntLE(one([0, 1, largest, (largest + 1) / 2, below(largest)]), at, width);
        }
        return changed;
      }
    }
  };

  const inPieces = (bytes: Buffer, others: readonly Uint8Array[], by: RegExp): Buffer => {
    const pieces = bytes.toString('utf8').split(by);
    const at = below(pieces.length);
    switch (below(6)) {
      case 0:
        pieces.splice(at, 1);
        break;
      case 1:
        pieces.splice(at, 0, pieces[below(pieces.length)] ?? '');
        break;
      case 2: {
        const to = below(pieces.length);
        [pieces[at], pieces[to]] = [pieces[to] ?? '', pieces[at] ?? ''];
        break;
      }
      case 3:
        pieces[at] = one(tokens);
        break;
      case 4:
        pieces[at] = one(Buffer.from(one(others)).subarray(0, window).toString('utf8').split(by));
        break;
      default:
        pieces[at] = respelt(pieces[at] ?? '', random);
    }
    return Buffer.from(pieces.join(''));
  };

  return (seeds) => {
    let bytes: Buffer = Buffer.from(one(seeds));
    for (let changes = 1 + below(4); changes > 0; changes--) {
      const how = below(3);
      if (how === 0) {
        bytes = inBytes(bytes, seeds);
        continue;
      }
      // Lines with their ends; or words, numbers and what lies between them. A part of the input is enough.
      const from = below(Math.max(1, bytes.length - window / 2));
      const part = bytes.subarray(from, from + window);
      const by = how === 1 ? /(?<=\n)/ : /(?<=[^A-Za-z0-9+/=_-])|(?=[^A-Za-z0-9+/=_-])/;
      bytes = Buffer.concat([bytes.subarray(0, from), inPieces(part, seeds, by), bytes.subarray(from + window)]);
    }
    return bytes;
  };
}

/** The same thing in another spelling: what a strict reader must not take for the first. */
function respelt(piece: string, random: () => number): string {
  const spellings = [
    piece.toUpperCase(),
    piece.toLowerCase(),
    `0${piece}`,
    `${piece} `,
    ` ${piece}`,
    piece.replace(/=+(?=\n?$)/, ''),
    piece.replace(/(?=\n?$)/, '='),
    piece.replace(/\n$/, '\r\n'),
    // The unused bits of base64's last digit.
    piece.replace(/[A-Za-z0-9+/](?==+\n?$)/, (digit) => String.fromCharCode(digit.charCodeAt(0) + 1)),
    piece.replaceAll('+', '-').replaceAll('/', '_'),
    piece.normalize('NFD'),
  ];
  return spellings[Math.floor(random() * spellings.length)] ?? piece;
}
