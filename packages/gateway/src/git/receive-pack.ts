import { concat } from '@deed/evidence';
import { GitError } from './errors.ts';
import { PktLineReader, pktText } from './pkt-line.ts';

/** One ref of a push: full object ids as lower-case hex; all zeros stand for "does not exist". */
export interface RefUpdate {
  readonly ref: string;
  readonly old: string;
  readonly new: string;
}

/** What a push asks for, read from the start of its request; the pack follows and is never held. */
export interface ReceivePackHead {
  readonly updates: readonly RefUpdate[];
  readonly capabilities: readonly string[];
  readonly pushOptions: readonly string[];
}

const maxHeadBytes = 1_048_576;
const maxUpdates = 1_000;
const commandPattern = /^([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) (refs\/[^\0-\x20\x7f~^:?*[\\]+)$/;

/**
 * Reads the command list of a receive-pack request (gitprotocol-pack, "Reference Update Request") and gives back every
 * byte it read, so that exactly those can be sent on. No updates means git's probe, the four bytes `0000` and nothing
 * else. Push options are read only when the client announced them. Shallow lines and push certificates are refused:
 * they change more than the refs that were shown for approval.
 * @throws GitError pkt-line, limit
 */
export async function readReceivePackHead(
  body: AsyncIterator<Uint8Array>,
): Promise<{ readonly head: ReceivePackHead; readonly read: Uint8Array }> {
  const reader = new PktLineReader();
  const chunks: Uint8Array[] = [];

  async function more(): Promise<boolean> {
    const { done, value } = await body.next();
    if (done) return false;
    chunks.push(value);
    reader.push(value);
    return true;
  }
  async function section(): Promise<readonly Uint8Array[]> {
    const lines: Uint8Array[] = [];
    let bytes = 0;
    for (;;) {
      const line = reader.next();
      if (line === null) return lines;
      if (line !== undefined) {
        lines.push(line);
        bytes += line.length;
        if (bytes > maxHeadBytes || lines.length > maxUpdates)
          throw new GitError('limit', 'a push with too many commands');
      } else if (!(await more())) throw new GitError('pkt-line', 'a push that ends inside its command list');
    }
  }

  const { updates, capabilities } = parseCommands(await section());
  if (updates.length === 0) {
    while (reader.rest.length === 0 && (await more()));
    if (reader.rest.length > 0)
      throw new GitError('pkt-line', 'a push without commands must end after its flush packet');
  }
  const pushOptions = capabilities.includes('push-options') ? (await section()).map(pktText) : [];
  return { head: { updates, capabilities, pushOptions }, read: concat(...chunks) };
}

function parseCommands(lines: readonly Uint8Array[]): Pick<ReceivePackHead, 'updates' | 'capabilities'> {
  let capabilities: readonly string[] = [];
  const updates: RefUpdate[] = [];
  for (const [index, line] of lines.entries()) {
    const nul = line.indexOf(0);
    if (nul >= 0 && index > 0) throw new GitError('pkt-line', 'capabilities stand after the first command only');
    if (nul >= 0) {
      capabilities = pktText(line.subarray(nul + 1))
        .split(' ')
        .filter((word) => word !== '');
    }
    const match = commandPattern.exec(pktText(nul < 0 ? line : line.subarray(0, nul)));
    const [, from, to, ref] = match ?? [];
    if (from === undefined || to === undefined || ref === undefined || from.length !== to.length) {
      throw new GitError('pkt-line', `line ${index + 1} of the push is not "old new ref"`);
    }
    if (updates.some((update) => update.ref === ref)) throw new GitError('pkt-line', `the push names ${ref} twice`);
    updates.push({ ref, old: from, new: to });
  }
  return { updates, capabilities };
}

export interface ReportedRef {
  readonly ref: string;
  readonly ok: boolean;
  /** The receiver's own words for a rejection. */
  readonly message?: string;
  /** Lines of report-status-v2 such as `new-oid <id>`: how the receiver changed what it was asked for. */
  readonly options: readonly string[];
}

export interface ReportStatus {
  readonly unpack: string;
  readonly refs: readonly ReportedRef[];
}

/** Reads report-status and report-status-v2 (gitprotocol-pack) from a response as it streams by. */
export class ReportReader {
  readonly #outer = new PktLineReader();
  readonly #inner: PktLineReader;
  readonly #sideBand: boolean;
  #bytes = 0;
  #ended = false;
  readonly #lines: string[] = [];

  constructor(capabilities: readonly string[]) {
    this.#sideBand = capabilities.some((word) => word === 'side-band-64k' || word === 'side-band');
    this.#inner = this.#sideBand ? new PktLineReader() : this.#outer;
  }

  /** @throws GitError pkt-line, limit (more than 1 MiB of report; progress text does not count) */
  push(chunk: Uint8Array): void {
    this.#outer.push(chunk);
    for (let line = this.#sideBand ? this.#outer.next() : undefined; line !== undefined; line = this.#outer.next()) {
      if (line?.[0] === 1) this.#inner.push(line.subarray(1));
      if (line?.[0] === 3) throw new GitError('pkt-line', 'the forge ended the push with an error');
    }
    for (let line = this.#inner.next(); line !== undefined; line = this.#inner.next()) {
      if (line === null) this.#ended = true;
      else if (this.#ended) throw new GitError('pkt-line', 'a report that goes on after its end');
      else {
        this.#bytes += line.length;
        if (this.#bytes > maxHeadBytes) throw new GitError('limit', 'a report larger than 1 MiB');
        this.#lines.push(Buffer.from(line).toString().trimEnd());
      }
    }
  }

  /** The report, or undefined when the response held none or ended inside it. */
  end(): ReportStatus | undefined {
    const unpack = /^unpack (.+)$/.exec(this.#lines[0] ?? '')?.[1];
    if (!this.#ended || unpack === undefined) return undefined;
    const refs: ReportedRef[] = [];
    for (const line of this.#lines.slice(1)) {
      const [, word, rest = ''] = /^(ok|ng|option) (.+)$/.exec(line) ?? [];
      const last = refs.at(-1);
      if (word === 'ok') refs.push({ ref: rest, ok: true, options: [] });
      else if (word === 'ng') {
        const [, ref = rest, message = ''] = /^(\S+) (.*)$/.exec(rest) ?? [];
        refs.push({ ref, ok: false, message, options: [] });
      } else if (word === 'option' && last !== undefined) {
        refs[refs.length - 1] = { ...last, options: [...last.options, rest] };
      } else return undefined;
    }
    return { unpack, refs };
  }
}
