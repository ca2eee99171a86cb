import { type Envelope, encodeEnvelope, pae, statementDigest } from '../../src/dsse.ts';
import { toHex, utf8 } from '../../src/encoding.ts';
import { formatCheckpoint } from '../../src/log/checkpoint.ts';
import { encodeLeaf } from '../../src/log/leaf.ts';
import { inclusionProof, leafHash, rootFromLeaves } from '../../src/log/merkle.ts';
import { formatTlogProof } from '../../src/log/tlog-proof.ts';
import { makePayload } from '../../src/payload.ts';
import { randomBytes, sha256 } from '../../src/platform.ts';
import type { Observed, PayloadRef, PredicateName, Separation } from '../../src/predicates.ts';
import { noPredecessor, predicateType, statementType } from '../../src/statement-form.ts';
import { actors, type NoteSigner, origin, type Signer, signedNote } from './actors.ts';

/** A statement before it is signed. Tests bend any of it. */
export interface Draft {
  /** Which statement of the story this is. */
  readonly step: string;
  predicate: PredicateName;
  subject: { name: string; sha256: string };
  place: { task: string; chain: 'seq' | 'after' } | { series: string };
  observed: Observed;
  separation: Separation;
  body: Record<string, unknown>;
  /** Header fields that are to be other than they would be. */
  header: Record<string, unknown>;
  signer: Signer;
  /** Leave it out. */
  skip: boolean;
}

export interface Recorded {
  readonly step: string;
  readonly index: number;
  readonly digest: string;
  readonly series: string;
  readonly n: number;
  readonly envelope: Envelope;
}

export type Files = Map<string, Uint8Array>;

/** A log in memory: makes, signs and appends statements, and proves them under signed checkpoints. */
export class LogMaker {
  readonly entries: Recorded[] = [];
  readonly files: Files = new Map();
  private readonly leaves: Uint8Array[] = [];
  private readonly heads = new Map<string, Recorded>();
  private readonly objectives = new Map<string, string>();
  private readonly bend: (draft: Draft) => void;
  nowMs: number;

  private readonly logs: readonly NoteSigner[];

  constructor(startMs: number, bend: (draft: Draft) => void = () => {}, logs: readonly NoteSigner[] = actors.logs) {
    this.nowMs = startMs;
    this.bend = bend;
    this.logs = logs;
  }

  get size(): number {
    return this.entries.length;
  }

  head(series: string): Recorded | undefined {
    return this.heads.get(series);
  }

  /** Makes, signs and appends one statement; a skipped one is made (so that others can cite it) and not appended. */
  record(fields: Pick<Draft, 'step' | 'predicate' | 'subject' | 'place' | 'body'> & Partial<Draft>): Recorded {
    this.nowMs += 1000;
    const draft: Draft = {
      observed: 'gateway-executed',
      separation: { agent: 'none', tool: 'none' },
      header: {},
      signer: actors.receipt,
      skip: false,
      ...fields,
    };
    const named = draft.subject.sha256;
    this.bend(draft);
    if (draft.subject.sha256 === named) draft.subject.sha256 = this.subjectOf(draft) ?? named;
    const { place } = draft;
    const series = 'series' in place ? place.series : place.chain === 'seq' ? place.task : `${place.task}/after`;
    const before = this.heads.get(series);
    const n = before ? before.n + 1 : 0;
    const first =
      'task' in place && place.chain === 'after' ? this.heads.get(`${place.task}#opened`)?.digest : undefined;
    const header = {
      v: 1,
      origin,
      ...('series' in place ? { series: place.series, n } : { task: place.task, [place.chain]: n }),
      prev: before?.digest ?? first ?? noPredecessor,
      time: new Date(this.nowMs).toISOString(),
      observed: draft.observed,
      separation: draft.separation,
      nonce: toHex(randomBytes(16)),
      ...draft.header,
    };
    const payload = utf8(
      JSON.stringify({
        _type: statementType,
        subject: [{ name: draft.subject.name, digest: { sha256: draft.subject.sha256 } }],
        predicateType: predicateType(draft.predicate),
        predicate: { ...header, ...draft.body },
      }),
    );
    const envelope = { payload, keyid: draft.signer.keyid, signature: draft.signer.sign(pae(payload)) };
    const digest = statementDigest(payload);
    const recorded = { step: draft.step, index: this.size, digest: toHex(digest), series, n, envelope };
    if (draft.predicate === 'task-opened' && 'task' in place) {
      this.heads.set(`${place.task}#opened`, recorded);
      this.objectives.set(place.task, draft.subject.sha256);
    }
    if (draft.skip) return recorded;
    this.entries.push(recorded);
    this.heads.set(series, recorded);
    this.leaves.push(leafHash(encodeLeaf({ digest, signature: envelope.signature, spki: draft.signer.spki })));
    return recorded;
  }

  /** The subject's digest where a bend of something else changes it (docs/formats/predicates.md). */
  private subjectOf({ predicate, place, body }: Draft): string | undefined {
    if (predicate === 'grant-decision' || predicate === 'rejects-counted') {
      return toHex(sha256(utf8(JSON.stringify(body))));
    }
    return predicate === 'task-closed' && 'task' in place ? this.objectives.get(place.task) : undefined;
  }

  /** Keeps a payload object and returns what statements say of it; `kept: false` forgets it. */
  payload(bytes: Uint8Array | string, type: string, kept = true): PayloadRef {
    const raw = typeof bytes === 'string' ? utf8(bytes) : bytes;
    const { name, salt } = makePayload(raw);
    if (kept) this.files.set(`payloads/${name}`, new Uint8Array([...salt, ...raw]));
    return { sha256: name, size: raw.length, type, kept };
  }

  /** A checkpoint over the first `size` entries, signed by the log and the given witnesses at the log's present time. */
  checkpoint(size = this.size, signers: readonly NoteSigner[] = [...this.logs, actors.witness]) {
    const root = rootFromLeaves(this.leaves.slice(0, size));
    const note = signedNote(formatCheckpoint({ origin, size, root }), signers, Math.floor(this.nowMs / 1000));
    return { size, root: toHex(root), note };
  }

  proof(index: number, { size, note }: { readonly size: number; readonly note: string }): Uint8Array {
    const proof = inclusionProof(this.leaves.slice(0, size), index);
    return utf8(formatTlogProof({ index, proof, checkpoint: note }));
  }

  envelope({ envelope }: Recorded): Uint8Array {
    return encodeEnvelope(envelope);
  }
}
