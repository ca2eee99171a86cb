import {
  type Checkpoint,
  DeedError,
  equalBytes,
  type NoteKey,
  type NoteSignature,
  noteVerifier,
  parseCheckpoint,
  parseDecimal,
  parseNote,
  parseSignatureLine,
  parseVkey,
  sha256,
  signatureTimestamp,
  toBase64,
  toHex,
  utf8,
  verifyNote,
} from '@deed/evidence';
import { LedgerError } from '../errors.ts';

/** A witness we ask for cosignatures. */
export interface WitnessEndpoint {
  /** Our name for it. */
  readonly name: string;
  readonly vkey: string;
  /** Prefix of its HTTP interface; a function is asked before each call, undefined means not known now. */
  readonly url: string | (() => string | undefined);
}

/** What the client needs to know of the tree that is to be witnessed. */
export interface TreeView {
  /** Entries committed so far. */
  readonly size: number;
  rootAt(size: number): Uint8Array;
  consistencyProof(oldSize: number, newSize: number): readonly Uint8Array[];
}

export interface WitnessClientOptions {
  readonly endpoint: WitnessEndpoint;
  readonly origin: string;
  /** Keys with which a checkpoint counts as ours. */
  readonly logKeys: readonly NoteKey[];
  readonly timeoutMs: number;
  readonly clock: () => number;
}

/** How a witness does, as its log sees it. */
export interface WitnessHealth {
  readonly name: string;
  /** Whether its last answer was of use; null if it was not asked yet. */
  readonly answers: boolean | null;
  /** The last checkpoint it cosigned for us, with the time by its own clock. */
  readonly cosigned: { readonly size: number; readonly time: string } | null;
  /** The last time it failed, by our clock, also when it does well now. */
  readonly failed: { readonly time: string; readonly why: string } | null;
}

const maxAnswerBytes = 64 * 1024;
/** How far a cosignature's time may be from ours. Beyond, it is an old answer sent again, or a clock is wrong. */
const skewSeconds = 60;

/** Speaks tlog-witness with one witness and remembers what it knows of our log. Nothing it says is believed unsigned. */
export class WitnessClient {
  readonly name: string;
  readonly key: NoteKey;
  private readonly options: WitnessClientOptions;
  private knownSize = 0;
  private seen: Omit<WitnessHealth, 'name'> = { answers: null, cosigned: null, failed: null };

  constructor(options: WitnessClientOptions) {
    this.options = options;
    this.name = options.endpoint.name;
    this.key = parseVkey(options.endpoint.vkey);
  }

  health(): WitnessHealth {
    return { name: this.name, ...this.seen };
  }

  /** Notes a cosignature of this witness that we hold. */
  remember(size: number, signature: NoteSignature): void {
    const seconds = signatureTimestamp(this.key, signature.signature) ?? 0;
    this.seen = { ...this.seen, cosigned: { size, time: new Date(seconds * 1000).toISOString() } };
  }

  /**
   * Asks for a cosignature on a checkpoint of ours.
   * @throws LedgerError witness (no usable answer: try again later), forked (it holds a signed checkpoint of ours that this
   * tree does not continue)
   */
  cosign(note: string, checkpoint: Checkpoint, tree: TreeView): Promise<NoteSignature> {
    return this.noted(async () => {
      const signature = await this.askToSign(note, checkpoint, tree);
      this.remember(checkpoint.size, signature);
      return signature;
    });
  }

  private async askToSign(note: string, checkpoint: Checkpoint, tree: TreeView): Promise<NoteSignature> {
    for (let attempt = 0; attempt < 3; attempt++) {
      const old = Math.min(this.knownSize, checkpoint.size);
      const proof = tree.consistencyProof(old, checkpoint.size);
      const body = `old ${old}\n${proof.map((hash) => `${toBase64(hash)}\n`).join('')}\n${note}`;
      const answer = await this.call('add-checkpoint', body);
      if (answer.status === 200) {
        const signature = this.cosignature(answer.text, note);
        this.knownSize = checkpoint.size;
        return signature;
      }
      if (answer.status === 409) {
        const size = parseDecimal(answer.text.trimEnd());
        if (size !== undefined && size <= checkpoint.size && size !== this.knownSize) {
          this.knownSize = size;
          continue;
        }
      }
      await this.askWhatItKnows(tree);
      throw this.refused(`answered ${answer.status}: ${answer.text.slice(0, 200).trim()}`);
    }
    throw this.refused('keeps naming other sizes');
  }

  /**
   * Compares the newest checkpoint the witness holds of our log with our tree.
   * @returns its size, 0 if it knows none
   * @throws LedgerError witness (no usable answer), forked
   */
  compare(tree: TreeView): Promise<number> {
    return this.noted(() => this.askWhatItKnows(tree));
  }

  private async noted<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      this.seen = { ...this.seen, answers: true };
      return result;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const failed = { time: new Date(this.options.clock()).toISOString(), why };
      this.seen = { ...this.seen, answers: false, failed };
      throw error;
    }
  }

  private async askWhatItKnows(tree: TreeView): Promise<number> {
    const answer = await this.call(`${toHex(sha256(utf8(this.options.origin)))}/checkpoint`);
    if (answer.status === 404) return 0;
    if (answer.status !== 200) throw this.refused(`answered ${answer.status}`);
    const seen = this.signedCheckpoint(answer.text);
    if (seen.size > tree.size) {
      throw new LedgerError(
        'forked',
        `witness ${this.name} has signed a checkpoint of ${seen.size} entries and this folder holds ${tree.size}: it is an old copy. ` +
          'Do not let this one grow: restore the newest copy, and where there is none go on as docs/restore.md says in step 3',
      );
    }
    if (!equalBytes(tree.rootAt(seen.size), seen.root)) {
      throw new LedgerError(
        'forked',
        `witness ${this.name} has signed another tree of ${seen.size} entries than this folder holds: do not let this one grow, and go on as docs/restore.md says in step 3`,
      );
    }
    this.knownSize = seen.size;
    return seen.size;
  }

  /** Only a note with our signature and the witness's own is evidence that we once were further. */
  private signedCheckpoint(text: string): Checkpoint {
    try {
      const note = parseNote(text);
      const verified = verifyNote(note, [...this.options.logKeys, this.key].map(noteVerifier));
      const checkpoint = parseCheckpoint(note.text);
      const byWitness = verified.some((line) => line.id === this.key.id && line.name === this.key.name);
      const byLog = verified.some((line) => this.options.logKeys.some((key) => key.id === line.id));
      if (!byWitness || !byLog || checkpoint.origin !== this.options.origin)
        throw this.refused('signatures are missing');
      return checkpoint;
    } catch (cause) {
      if (!(cause instanceof DeedError)) throw cause;
      throw this.refused(`holds no checkpoint that can be checked: ${cause.message}`, cause);
    }
  }

  private cosignature(answer: string, note: string): NoteSignature {
    try {
      const { text } = parseNote(note);
      const now = this.options.clock() / 1000;
      const lines = answer.split('\n').filter((line) => line !== '');
      const [signature] = verifyNote({ text, signatures: lines.map(parseSignatureLine) }, [noteVerifier(this.key)]);
      const seconds = signature && signatureTimestamp(this.key, signature.signature);
      if (!signature || !seconds) throw this.refused('sent no cosignature of its own');
      if (seconds > now + skewSeconds)
        throw this.refused('signs with a time in the future: its clock or ours is wrong');
      if (seconds < now - skewSeconds) {
        throw this.refused('signs with a time in the past: an old answer sent again, or its clock or ours is wrong');
      }
      return signature;
    } catch (cause) {
      if (!(cause instanceof DeedError)) throw cause;
      throw this.refused(`sent no usable cosignature: ${cause.message}`, cause);
    }
  }

  private async call(path: string, body?: string): Promise<{ readonly status: number; readonly text: string }> {
    const { url: prefix } = this.options.endpoint;
    const url = typeof prefix === 'string' ? prefix : prefix();
    if (url === undefined) throw this.refused('has no known address; is it running?');
    try {
      const response = await fetch(`${url.replace(/\/$/, '')}/${path}`, {
        ...(body === undefined ? {} : { method: 'POST', body }),
        redirect: 'error',
        signal: AbortSignal.timeout(this.options.timeoutMs),
      });
      const bytes: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of response.body ?? []) {
        size += chunk.length;
        if (size > maxAnswerBytes) throw new Error('the answer is too long');
        bytes.push(chunk);
      }
      return { status: response.status, text: Buffer.concat(bytes).toString('utf8') };
    } catch (cause) {
      throw this.refused(`gives no usable answer at ${url}: ${reasonOf(cause)}`, cause);
    }
  }

  /** What a witness said is shown to people: no control characters of its own. */
  private refused(what: string, cause?: unknown): LedgerError {
    return new LedgerError('witness', `witness ${this.name} ${what.replaceAll(/\p{C}/gu, ' ')}`, { cause });
  }
}

/** `fetch` hides what happened below it in its cause. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const below = cause.cause instanceof Error ? cause.cause : cause;
  return 'code' in below && typeof below.code === 'string' ? below.code : below.message;
}
