import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../src/encoding.ts';
import { EvidenceError } from '../src/errors.ts';
import { parseStatement } from '../src/statement.ts';
import { seriesOf } from '../src/statement-form.ts';

const folder = join(import.meta.dirname, '../../../docs/formats/examples');
const example = (name: string) => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
const parse = (value: unknown) => parseStatement(utf8(JSON.stringify(value)));

function bent(name: string, change: (statement: ReturnType<typeof example>) => void): unknown {
  const statement = example(name);
  change(statement);
  return statement;
}

describe('parseStatement', () => {
  it('refuses any missing and any unknown field of any predicate', () => {
    for (const file of readdirSync(folder)) {
      const name = file.replace('.json', '');
      for (const key of Object.keys(example(name).predicate)) {
        const without = bent(name, ({ predicate }) => delete predicate[key]);
        expect(() => parse(without), `${name} without ${key}`).toThrow(EvidenceError);
      }
      const more = bent(name, ({ predicate }) => {
        predicate.comment = 'trust me';
      });
      expect(() => parse(more), `${name} with more`).toThrow(EvidenceError);
    }
  });

  it('refuses more or other outside of the predicate', () => {
    const changes: ((statement: ReturnType<typeof example>) => void)[] = [
      (statement) => statement.subject.push(statement.subject[0]),
      (statement) => statement.subject.pop(),
      ({ subject }) => Object.assign(subject[0], { name: 'nothing' }),
      ({ subject }) => Object.assign(subject[0].digest, { sha1: 'a'.repeat(40) }),
      ({ subject }) => Object.assign(subject[0].digest, { sha256: 'A'.repeat(64) }),
      (statement) => Object.assign(statement, { _type: 'https://in-toto.io/Statement/v0.1' }),
      (statement) => Object.assign(statement, { predicateType: 'https://w3id.org/deed/intent/v2' }),
      (statement) => Object.assign(statement, { predicateType: 'https://example.org/intent/v1' }),
      (statement) => Object.assign(statement, { more: 1 }),
    ];
    for (const change of changes) expect(() => parse(bent('intent', change))).toThrow(EvidenceError);
  });

  it('refuses headers that are not in form', () => {
    const fields: Readonly<Record<string, unknown>> = {
      v: 2,
      origin: '',
      task: 'tsk_1',
      seq: -1,
      prev: 'abc',
      time: '2026-02-30T10:00:00.000Z',
      observed: 'witnessed',
      separation: { agent: 'far', tool: 'none' },
      nonce: '00',
    };
    for (const [field, value] of Object.entries(fields)) {
      const other = bent('intent', ({ predicate }) => Object.assign(predicate, { [field]: value }));
      expect(() => parse(other), field).toThrow(EvidenceError);
    }
    for (const time of ['2026-11-22T10:00:00Z', '2026-11-22T10:00:00.000+00:00', '2026-11-22 10:00:00.000Z']) {
      expect(() => parse(bent('intent', ({ predicate }) => Object.assign(predicate, { time })))).toThrow(EvidenceError);
    }
  });

  it('gives a statement one place and no second one', () => {
    const two = bent('intent', ({ predicate }) => Object.assign(predicate, { after: 1 }));
    const both = bent('intent', ({ predicate }) => Object.assign(predicate, { series: 'keys', n: 1 }));
    for (const other of [two, both]) expect(() => parse(other)).toThrow(EvidenceError);
    const { position, series } = parse(example('intent'));
    expect(series).toBe(seriesOf(position));
  });

  it('lets only task-opened stand first in a task, and only there', () => {
    const late = bent('task-opened', ({ predicate }) => Object.assign(predicate, { seq: 1 }));
    const early = bent('intent', ({ predicate }) => Object.assign(predicate, { seq: 0 }));
    for (const other of [late, early]) expect(() => parse(other)).toThrow(/may not stand/);
  });
});
