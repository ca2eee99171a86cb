import {
  DeedError,
  decodeEnvelope,
  fromUtf8,
  members,
  openContainer,
  openPayload,
  type PayloadRef,
  parseStatement,
  type Report,
  type Statement,
  type StatementWith,
} from '@deed/evidence';

/** A statement as the case holds it. It was judged by verify(); here it is only read. */
export interface HeldStatement {
  /** Log index; null for the export's own, whose place only its proof tells. */
  readonly index: number | null;
  readonly member: string;
  /** Null where it cannot be read, and `problem` says why. */
  readonly statement: Statement | null;
  readonly problem: string | null;
}

export type PayloadState =
  | { readonly state: 'here'; readonly bytes: Uint8Array }
  | { readonly state: 'damaged' | 'absent' | 'digest only' }
  | { readonly state: 'withheld' | 'erased'; readonly reason: string };

/** What the members say, for showing. */
export interface HeldCase {
  /** In the order of the log, the export's own last. */
  readonly statements: readonly HeldStatement[];
  readonly payload: (ref: PayloadRef) => PayloadState;
  /** The readable statements of one kind. */
  readonly all: <Name extends Statement['predicate']>(predicate: Name) => readonly StatementWith<Name>[];
}

/** What a page shows: the file that it holds, and what the verifier said of it. */
export interface ShownCase {
  readonly report: Report;
  readonly held: HeldCase;
  readonly file: Uint8Array;
  readonly name: string;
}

const statementMember = /^statements\/(?:([0-9]{12})|case-exported)\.json$/;

/** Reads what can be read of an untrusted case; a file that is none gives an empty one. */
export function readCase(file: Uint8Array): HeldCase {
  const files = attempt(() => openContainer(file)) ?? new Map<string, Uint8Array>();
  const statements = [...files]
    .flatMap(([member, bytes]) => {
      const match = statementMember.exec(member);
      return match ? [heldStatement(member, match[1], bytes)] : [];
    })
    .sort((a, b) => (a.index ?? Number.POSITIVE_INFINITY) - (b.index ?? Number.POSITIVE_INFINITY));
  const all: HeldCase['all'] = (predicate) =>
    statements.flatMap(({ statement }) =>
      statement?.predicate === predicate ? [statement as StatementWith<typeof predicate>] : [],
    );
  const exported = all('case-exported').at(-1);
  const left = new Map(exported?.body.left.map((entry) => [entry.payload, entry]));
  return {
    statements,
    all,
    payload(ref) {
      const object = files.get(members.payload(ref.sha256));
      if (object) {
        const opened = attempt(() => openPayload(object, ref.sha256));
        return opened ? { state: 'here', bytes: opened.bytes } : { state: 'damaged' };
      }
      const named = left.get(ref.sha256);
      if (named) return { state: named.how, reason: named.reason };
      return { state: ref.kept ? 'absent' : 'digest only' };
    },
  };
}

function heldStatement(member: string, digits: string | undefined, bytes: Uint8Array): HeldStatement {
  const index = digits === undefined ? null : Number(digits);
  try {
    return { index, member, statement: parseStatement(decodeEnvelope(bytes).payload), problem: null };
  } catch (error) {
    if (!(error instanceof DeedError)) throw error;
    return { index, member, statement: null, problem: error.message };
  }
}

/** The text in some bytes, or undefined where they are none. */
export function textIn(bytes: Uint8Array): string | undefined {
  return attempt(() => fromUtf8(bytes));
}

/** What a reader of untrusted bytes makes of them, or undefined where they are not in form. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DeedError) return undefined;
    throw error;
  }
}
