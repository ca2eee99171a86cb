import { randomBytes } from './platform.ts';

/** What an id names. The prefix is part of the id, so that an id never passes for one of another kind. */
export type IdKind = 'task' | 'action' | 'agent' | 'person' | 'grant' | 'credential' | 'finding' | 'case' | 'hold';

const prefixes: Record<IdKind, string> = {
  task: 'tsk',
  action: 'act',
  agent: 'agt',
  person: 'per',
  grant: 'gra',
  credential: 'crd',
  finding: 'fnd',
  case: 'cas',
  hold: 'hld',
};

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A new id: the prefix of its kind, `_`, and a 26-character ULID (48-bit milliseconds, then 80 random bits). */
export function newId(kind: IdKind, nowMs: number): string {
  let value = BigInt(Math.floor(nowMs));
  for (const byte of randomBytes(10)) value = (value << 8n) | BigInt(byte);
  let text = '';
  for (let i = 0; i < 26; i++) {
    text = alphabet.charAt(Number(value & 31n)) + text;
    value >>= 5n;
  }
  return `${prefixes[kind]}_${text}`;
}

export function idPattern(kind: IdKind): RegExp {
  return new RegExp(`^${prefixes[kind]}_[0-7][0-9A-HJKMNP-TV-Z]{25}$`);
}
