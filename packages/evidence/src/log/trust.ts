import { equalBytes } from '../encoding.ts';
import { DeedError, EvidenceError } from '../errors.ts';
import type { KeySpan } from '../role-keys.ts';
import { parseDecimal } from './checkpoint.ts';
import { formatVkey, type NoteKey, type NoteKeyType, parseVkey } from './note.ts';

export interface TrustedLog {
  readonly key: NoteKey;
  readonly url?: string;
  /** It signs checkpoints of more than `from` and of at most `until` entries. Without a span: all. */
  readonly span?: KeySpan;
}

/** A key that is not to be believed from a log index on, whatever a case says of it. */
export interface CompromisedKey {
  /** Hex SHA-256 of the SPKI. */
  readonly keyid: string;
  readonly from: number;
}

export interface TrustedWitness {
  /** Its name in this file. `local` by convention means: run by the log's own operator. */
  readonly name: string;
  readonly key: NoteKey;
  readonly url?: string;
}

export interface WitnessGroup {
  readonly name: string;
  /** How many members must have witnessed. */
  readonly threshold: number;
  readonly members: readonly string[];
}

/** Which cosignatures are enough. */
export interface QuorumRule {
  readonly groups: readonly WitnessGroup[];
  /** A witness, a group, or `none`. */
  readonly quorum: string;
}

/** Whom a verifier believes: a C2SP tlog-policy, then our own lines. */
export interface Trust extends QuorumRule {
  readonly logs: readonly TrustedLog[];
  readonly witnesses: readonly TrustedWitness[];
  /** Hex SHA-256 of the offline root's SPKI. */
  readonly root?: string;
  /** Hex SHA-256 of accepted time-stamping certificates. */
  readonly tsas: readonly string[];
  readonly compromised: readonly CompromisedKey[];
  /** Oldest accepted head. */
  readonly maxAgeSeconds?: number;
}

const maxTrustCharacters = 1024 * 1024;
const logTypes: readonly NoteKeyType[] = [1, 6];
const witnessTypes: readonly NoteKeyType[] = [4, 6];
const controlCharacter = /[^\t\n\x20-\x7e\u0080-\u{10ffff}]/u;

/** Reads a trust file. @throws EvidenceError trust (with the line number), limit */
export function parseTrust(text: string): Trust {
  if (text.length > maxTrustCharacters) throw new EvidenceError('limit', 'trust file is too large');
  const draft = new Draft();
  text.split('\n').forEach((line, index) => {
    try {
      if (controlCharacter.test(line)) throw new EvidenceError('trust', 'control character');
      const words = line.split(/[ \t]+/).filter((word) => word !== '');
      const [keyword = '', ...rest] = words;
      if (keyword !== '' && !keyword.startsWith('#')) draft.line(keyword, rest);
    } catch (cause) {
      if (!(cause instanceof DeedError)) throw cause;
      throw new EvidenceError('trust', `trust file line ${index + 1}: ${cause.message}`, { cause });
    }
  });
  return draft.finish();
}

/** Collects the lines of one trust file; each name must be defined before it is used. */
class Draft {
  private readonly logs: TrustedLog[] = [];
  private readonly witnesses: TrustedWitness[] = [];
  private readonly groups: WitnessGroup[] = [];
  private readonly members = new Set<string>();
  private readonly tsas: string[] = [];
  private readonly compromised: CompromisedKey[] = [];
  private readonly spans = new Map<string, KeySpan>();
  private quorum: string | undefined;
  private root: string | undefined;
  private maxAgeSeconds: number | undefined;

  line(keyword: string, words: readonly string[]): void {
    if (keyword === 'log') this.log(words);
    else if (keyword === 'witness') this.witness(words);
    else if (keyword === 'group') this.group(words);
    else if (keyword === 'quorum') this.quorum = this.once(keyword, this.quorum, this.quorumName(words));
    else if (keyword === 'root') this.root = this.once(keyword, this.root, digest(words));
    else if (keyword === 'tsa') this.tsa(words);
    else if (keyword === 'span') this.span(words);
    else if (keyword === 'compromised') this.compromise(words);
    else if (keyword === 'max-age') this.maxAgeSeconds = this.once(keyword, this.maxAgeSeconds, seconds(words));
    else throw bad(`unknown keyword ${JSON.stringify(keyword)}`);
  }

  finish(): Trust {
    if (this.quorum === undefined) throw bad('trust file without a quorum line (write "quorum none" for no witnesses)');
    return {
      logs: this.logs.map((log) => {
        const span = this.spans.get(label(log.key));
        return span ? { ...log, span } : log;
      }),
      witnesses: this.witnesses,
      groups: this.groups,
      quorum: this.quorum,
      tsas: this.tsas,
      compromised: this.compromised,
      ...(this.root === undefined ? {} : { root: this.root }),
      ...(this.maxAgeSeconds === undefined ? {} : { maxAgeSeconds: this.maxAgeSeconds }),
    };
  }

  private log(words: readonly string[]): void {
    const [vkey = '', url] = between(words, 1, 2);
    const key = this.newKey(vkey, logTypes);
    this.logs.push(url === undefined ? { key } : { key, url });
  }

  private witness(words: readonly string[]): void {
    const [name = '', vkey = '', url] = between(words, 2, 3);
    this.newName(name);
    const key = this.newKey(vkey, witnessTypes);
    this.witnesses.push(url === undefined ? { name, key } : { name, key, url });
  }

  private group(words: readonly string[]): void {
    const [name, count, ...members] = words;
    if (name === undefined || count === undefined || members.length === 0) {
      throw bad('expected: group <name> <k|any|all> <members...>');
    }
    this.newName(name);
    for (const member of members) {
      if (!this.defined(member)) throw bad(`${member} is not defined above`);
      if (this.members.has(member)) throw bad(`${member} is already a member of a group`);
      this.members.add(member);
    }
    const threshold = count === 'any' ? 1 : count === 'all' ? members.length : parseDecimal(count);
    if (threshold === undefined || threshold < 1 || threshold > members.length) {
      throw bad(`group ${name} needs k from 1 to ${members.length}, "any" or "all"`);
    }
    this.groups.push({ name, threshold, members });
  }

  private tsa(words: readonly string[]): void {
    const value = digest(words);
    if (this.tsas.includes(value)) throw bad('the same tsa twice');
    this.tsas.push(value);
  }

  private span(words: readonly string[]): void {
    const [name = '', first = '', last = ''] = between(words, 3, 3);
    const from = parseDecimal(first);
    const until = last === '-' ? Number.POSITIVE_INFINITY : parseDecimal(last);
    if (!this.logs.some(({ key }) => label(key) === name)) throw bad(`no log line above names the key ${name}`);
    if (this.spans.has(name)) throw bad(`a second span of ${name}`);
    if (from === undefined || until === undefined || from >= until) {
      throw bad('expected: span <name+id> <more than this size> <up to this size, or ->');
    }
    this.spans.set(name, { from, until });
  }

  private compromise(words: readonly string[]): void {
    const [word = '', first = ''] = between(words, 2, 2);
    const keyid = digest([word]);
    const from = parseDecimal(first);
    if (from === undefined) throw bad('expected: compromised <spki-sha256> <log index>');
    if (this.compromised.some((known) => known.keyid === keyid)) throw bad('the same key twice');
    this.compromised.push({ keyid, from });
  }

  private quorumName(words: readonly string[]): string {
    const [name = ''] = between(words, 1, 1);
    if (name !== 'none' && !this.defined(name)) throw bad(`quorum ${name} is not defined above`);
    return name;
  }

  private once<T>(keyword: string, before: T | undefined, value: T): T {
    if (before !== undefined) throw bad(`a second ${keyword} line`);
    return value;
  }

  private newName(name: string): void {
    if (name === 'none') throw bad('the name none is taken');
    if (this.defined(name)) throw bad(`the name ${name} is already defined`);
  }

  /** One key in two roles would let one party pass for two, so a public key is named once in the whole file. */
  private newKey(vkey: string, types: readonly NoteKeyType[]): NoteKey {
    const key = parseVkey(vkey);
    if (!types.includes(key.type)) throw bad(`a key of type ${key.type} does not fit here`);
    const others = [...this.logs, ...this.witnesses];
    if (others.some((other) => equalBytes(other.key.publicKey, key.publicKey))) throw bad('the same public key twice');
    return key;
  }

  private defined(name: string): boolean {
    return [...this.witnesses, ...this.groups].some((known) => known.name === name);
  }
}

/** Writes the file that {@link parseTrust} reads back to an equal value. */
export function formatTrust(trust: Trust): string {
  const url = (value: string | undefined) => (value === undefined ? '' : ` ${value}`);
  const lines = [
    ...trust.logs.map((log) => `log ${formatVkey(log.key)}${url(log.url)}`),
    ...trust.witnesses.map((witness) => `witness ${witness.name} ${formatVkey(witness.key)}${url(witness.url)}`),
    ...trust.groups.map((group) => `group ${group.name} ${group.threshold} ${group.members.join(' ')}`),
    `quorum ${trust.quorum}`,
    ...(trust.root === undefined ? [] : [`root ${trust.root}`]),
    ...trust.logs.flatMap(({ key, span }) => (span ? [formatSpan(key, span)] : [])),
    ...trust.compromised.map(({ keyid, from }) => `compromised ${keyid} ${from}`),
    ...trust.tsas.map((tsa) => `tsa ${tsa}`),
    ...(trust.maxAgeSeconds === undefined ? [] : [`max-age ${trust.maxAgeSeconds}`]),
  ];
  return `${lines.join('\n')}\n`;
}

function formatSpan(key: NoteKey, { from, until }: KeySpan): string {
  return `span ${label(key)} ${from} ${until === Number.POSITIVE_INFINITY ? '-' : until}`;
}

function label(key: NoteKey): string {
  return `${key.name}+${key.id}`;
}

/** True if these witnesses (names of the rule) meet the quorum. `none` is met by nobody at all. */
export function meetsQuorum({ groups, quorum }: QuorumRule, witnessed: ReadonlySet<string>): boolean {
  const met = (name: string): boolean => {
    const group = groups.find((known) => known.name === name);
    if (!group) return witnessed.has(name);
    return group.members.filter(met).length >= group.threshold;
  };
  return quorum === 'none' || met(quorum);
}

function between(words: readonly string[], least: number, most: number): readonly string[] {
  if (words.length < least || words.length > most) throw bad(`expected ${least} to ${most} words after the keyword`);
  return words;
}

function digest(words: readonly string[]): string {
  const [value = ''] = between(words, 1, 1);
  if (!/^[0-9a-f]{64}$/.test(value)) throw bad('expected a SHA-256 in lower-case hex');
  return value;
}

function seconds(words: readonly string[]): number {
  const value = parseDecimal(between(words, 1, 1)[0] ?? '');
  if (value === undefined || value === 0) throw bad('expected a number of seconds above 0');
  return value;
}

function bad(message: string): EvidenceError {
  return new EvidenceError('trust', message);
}
