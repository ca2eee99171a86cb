import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { proves } from '../../../tests/promises.ts';
import { fromUtf8, utf8 } from '../src/encoding.ts';
import { newId } from '../src/ids.ts';
import { type PredicateName, predicates } from '../src/predicates.ts';
import { encodeReceipt } from '../src/receipt.ts';
import { signerRole } from '../src/signers.ts';
import { parseStatement } from '../src/statement.ts';
import { predicateType, statementType } from '../src/statement-form.ts';
import { verifyLogProof } from '../src/verify/log-proof.ts';
import { verifyReceipt } from '../src/verify/receipt.ts';
import { actors } from './support/actors.ts';
import { makeCase } from './support/case-maker.ts';
import { tellFindingChanged } from './support/contracts.ts';
import { tellEnded } from './support/delegation.ts';
import { tellErased, tellExported, tellHold } from './support/erasure.ts';
import { first, tellChange } from './support/people.ts';
import { tellConfirmed } from './support/prompts.ts';
import { start } from './support/props.ts';
import { receiptOf } from './support/receipt-maker.ts';
import { parts, type Story } from './support/story.ts';

const folder = join(import.meta.dirname, '../../../docs/formats');
const read = (name: string) => readFileSync(join(folder, name), 'utf8');
const names = Object.keys(predicates) as PredicateName[];

describe('docs/formats describes what the code writes', () => {
  it('has exactly one worked example for each predicate', () => {
    proves('formats-true');
    if (process.env.UPDATE_EXAMPLES === '1') writeExamples();
    expect(readdirSync(join(folder, 'examples')).sort()).toEqual(names.map((name) => `${name}.json`).sort());
  });

  for (const name of names) {
    it(`its example of ${name} is a statement that the code accepts`, () => {
      proves('formats-true');
      const text = read(`examples/${name}.json`);
      const statement = parseStatement(utf8(JSON.stringify(JSON.parse(text))));
      expect(statement.predicate).toBe(name);
    });

    it(`predicates.md has a section on ${name} that names each field`, () => {
      proves('formats-true');
      const section =
        read('predicates.md')
          .split(/^## /m)
          .find((part) => part.startsWith(`${name}\n`)) ?? '';
      expect(section).toMatch(/Subject `[a-z]+:</);
      const table = section.split('\n').filter((line) => line.startsWith('| `'));
      const named = table.flatMap((line) =>
        [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, field]) => field),
      );
      expect(named.sort()).toEqual(Object.keys(predicates[name].shape).sort());
    });
  }

  it('has no section on what is no predicate', () => {
    const sections = [...read('predicates.md').matchAll(/^## (.+)$/gm)].map(([, name]) => name);
    expect(sections).toEqual(names.toSorted((a, b) => sections.indexOf(a) - sections.indexOf(b)));
  });

  it('names each value that a field may have', () => {
    const text = read('predicates.md');
    for (const name of names) {
      for (const value of enumValues(predicates[name]))
        expect([name, text.includes(`\`${value}\``)]).toEqual([name, true]);
    }
  });

  it('gives only whole statements that parse', () => {
    proves('formats-true');
    for (const page of readdirSync(folder).filter((file) => file.endsWith('.md'))) {
      for (const [, block = ''] of read(page).matchAll(/```json\n([\s\S]*?)```/g)) {
        const value: unknown = JSON.parse(block);
        const type = (value as { _type?: unknown })._type;
        const isWhole = type === statementType && !block.includes('...') && !block.includes('<hex>');
        if (isWhole) expect(() => parseStatement(utf8(JSON.stringify(value)))).not.toThrow();
      }
    }
  });

  it('signers.md says which role signs which predicate as signerRole does', () => {
    proves('formats-true', 'invariant-4');
    const rows = new Map(tableOf(read('signers.md'), 'role').map(([role = '', , signs = '']) => [plain(role), signs]));
    for (const name of names) {
      const role = signerRole(name);
      const signs = rows.get(role) ?? '';
      expect([name, signs]).toEqual([name, expect.stringMatching(role === 'receipt' ? /^every other/ : `\`${name}\``)]);
      for (const [other, text] of rows) if (other !== role) expect(text).not.toContain(`\`${name}\``);
    }
  });

  it('series.md says where each predicate stands as parseStatement lets it', () => {
    proves('formats-true');
    const rows = tableOf(read('series.md'), 'series').map(([series = '', , holds = '']) => ({
      series: plain(series),
      holds,
    }));
    for (const name of names) {
      const text = read(`examples/${name}.json`);
      for (const { series, holds } of rows) {
        const isNamed =
          holds.includes(`\`${name}\``) || (name === 'finding' && holds.includes('findings about no task'));
        const late = ['outcome', 'refusal'].includes(name) && holds.includes('outcomes and refusals later');
        const stands = placed(text, series).map(accepts);
        expect([name, series, stands.includes(true)]).toEqual([name, series, isNamed || late]);
      }
    }
  });

  it('receipt.md and leaf.md name the checks that are made, in their order', () => {
    proves('formats-true');
    const named = (page: string) => tableOf(read(page), 'check').map(([check = '']) => plain(check));
    const nothing = utf8('{}');
    const receipt = verifyReceipt(nothing, { artifact: nothing });
    expect(named('receipt.md')).toEqual(receipt.checks.map(({ check }) => check));
    const proof = verifyLogProof(nothing, { statement: nothing });
    expect(named('leaf.md')).toEqual(proof.checks.map(({ check }) => check));
  });

  it('receipt.md shows the members of a receipt in their order', () => {
    proves('formats-true');
    const [whole = '', entry = ''] = [...read('receipt.md').matchAll(/```\n(.*)\n```/g)].map(([, form]) => form);
    const value = JSON.parse(fromUtf8(encodeReceipt(receiptOf(makeCase().story))));
    const keysOf = (form: string) => [...form.matchAll(/"(\w+)":/g)].map(([, key]) => key);
    expect(keysOf(whole)).toEqual(Object.keys(value));
    expect(keysOf(entry)).toEqual(keysOf(JSON.stringify(value.closed)));
  });
});

function accepts(payload: Uint8Array): boolean {
  try {
    parseStatement(payload);
    return true;
  } catch {
    return false;
  }
}

/** The example moved to a series, as number 0 and as number 1. */
function placed(text: string, series: string): Uint8Array[] {
  return [0, 1].map((n) => {
    const statement = JSON.parse(text);
    const { task: _task, seq: _seq, after: _after, series: _series, n: _n, ...rest } = statement.predicate;
    const task = 'tsk_01M81B5H8011XEGGPTM5DD17Q6';
    const place =
      series === '<task>'
        ? { task, seq: n }
        : series === '<task>/after'
          ? { task, after: n }
          : { series: series.replace('<id>', 'forge'), n };
    return utf8(JSON.stringify({ ...statement, predicate: { ...rest, ...place } }));
  });
}

/** The rows of the first table whose head begins with this word. */
function tableOf(text: string, first: string): string[][] {
  const lines = text.split('\n');
  const head = lines.findIndex((line) => line.startsWith(`| ${first} |`));
  const end = lines.findIndex((line, i) => i > head && !line.startsWith('|'));
  return lines.slice(head + 2, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function plain(cell: string): string {
  return cell.replaceAll('`', '');
}

/** Every value of every enum and literal in a schema. */
function enumValues(schema: z.ZodType): string[] {
  const json = JSON.stringify(z.toJSONSchema(schema, { unrepresentable: 'any' }));
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { enum: values, const: one } = value as { enum?: unknown; const?: unknown };
    for (const item of [...(Array.isArray(values) ? values : []), one]) if (typeof item === 'string') found.add(item);
    for (const innerValue of Object.values(value)) visit(innerValue);
  };
  visit(JSON.parse(json));
  return [...found];
}

function pretty(payload: Uint8Array): string {
  return `${JSON.stringify(JSON.parse(fromUtf8(payload)), null, 2)}\n`;
}

/** Takes the examples from an honest story, to which the rarer kinds are added. */
function writeExamples(): void {
  const { story } = makeCase({
    parts: [...parts, 'delegated'],
    after: (recorded, told) => (recorded.step === 'reconciled' ? addRareKinds(told) : undefined),
  });
  const target = join(folder, 'examples');
  if (!existsSync(target)) mkdirSync(target);
  const preferred = ['key:receipt', 'write:intent', 'push:outcome', 'denied:refusal', 'pin:write_file', 'exported'];
  for (const name of names) {
    const found = story.log.entries.filter(
      ({ envelope }) => JSON.parse(fromUtf8(envelope.payload)).predicateType === predicateType(name),
    );
    const entry = found.find(({ step }) => preferred.includes(step)) ?? found[0];
    if (entry) writeFileSync(join(target, `${name}.json`), pretty(entry.envelope.payload));
  }
}

function addRareKinds(story: Story): void {
  const contract = story.log.payload(
    '{"deed":"effect-contract/v1","server":"git","version":"1","effects":[]}',
    'application/vnd.deed.contract+json',
    true,
  );
  story.record({
    step: 'effects',
    predicate: 'effects-declared',
    place: { series: 'tools' },
    subject: { name: 'server:git', sha256: contract.sha256 },
    body: { server: 'git', contract },
  });
  tellEnded(story, 'worker', story.own);
  const hold = newId('hold', start);
  tellHold(story, 'placed', hold);
  tellHold(story, 'released', hold);
  tellErased(story, [story.records.get('write')?.sha256 ?? ''], { body: { copies: [tellExported(story)] } });
  tellConfirmed(story, { call: 'toolu_1', told: ['toolu_1', 'written'], beganMs: 0, body: {} });
  tellFindingChanged(story);
  story.record({
    step: 'gap',
    predicate: 'observe-gap',
    place: { task: story.task, chain: 'after' },
    subject: { name: `task:${story.task}`, sha256: story.objective?.sha256 ?? '' },
    body: {
      since: '2026-11-22T10:00:00.000Z',
      detail: 'the server did not end in order: what was only observed since then may be missing',
    },
  });
  story.record({
    step: 'revoked',
    predicate: 'revoked',
    place: { series: 'agents' },
    subject: { name: `agent:${story.agent}`, sha256: actors.agent.keyid },
    body: { what: 'agent', id: story.agent, reason: 'its work is done' },
  });
  tellChange(story, story.person, { kind: 'roles', roles: ['operator'] }, { by: [first(story)] });
  const request = story.log.payload('{"name":"coder"}', 'application/json', false);
  story.record({
    step: 'administered',
    predicate: 'administered',
    place: { series: 'deployment' },
    subject: { name: 'deployment:deed.local/3f9a12c4', sha256: request.sha256 },
    body: { act: 'POST /v1/agents/invite', target: null, by: 'socket', request },
  });
  const config = story.log.payload('{"v":1,"origin":"deed.local/3f9a12c4"}', 'application/json', false);
  story.record({
    step: 'configuration',
    predicate: 'configuration-stated',
    place: { series: 'deployment' },
    subject: { name: 'deployment:deed.local/3f9a12c4', sha256: config.sha256 },
    body: { config, tools: [], sources: [] },
  });
  story.record({
    step: 'rejects',
    predicate: 'rejects-counted',
    place: { series: 'deployment' },
    subject: { name: 'deployment:deed.local/3f9a12c4', sha256: story.bundle },
    body: {
      since: '2026-11-22T10:00:00.000Z',
      until: '2026-11-22T10:01:00.000Z',
      counts: [{ code: 'token-expired', count: 3 }],
    },
  });
}
