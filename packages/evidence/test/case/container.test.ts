import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { buildContainer, maxMembers, memberName, openContainer } from '../../src/case/container.ts';
import { isKnownMember, members } from '../../src/case/members.ts';
import { DeedError } from '../../src/errors.ts';
import { zip } from '../support/zip.ts';

if (process.env.SLOW === '1') vi.setConfig({ testTimeout: 1_800_000 });

const name = fc.stringMatching(/^[a-z0-9][A-Za-z0-9._-]{0,8}(\/[A-Za-z0-9][A-Za-z0-9._-]{0,8}){0,2}$/);
const contents = fc.dictionary(name, fc.uint8Array({ maxLength: 40 }), { maxKeys: 8, noNullPrototype: true });

describe('a container', () => {
  it('gives back the members it was built of', () => {
    fc.assert(
      fc.property(contents, (parts) => {
        const given = new Map(Object.entries(parts));
        const opened = openContainer(buildContainer(given));
        expect([...opened.keys()]).toEqual([...given.keys()].sort());
        for (const [member, data] of given) expect(Buffer.from(opened.get(member) ?? [])).toEqual(Buffer.from(data));
      }),
    );
  });

  it('is one file for one set of members, in whatever order they came', () => {
    fc.assert(
      fc.property(contents, (parts) => {
        const there = buildContainer(new Map(Object.entries(parts)));
        const back = buildContainer(new Map(Object.entries(parts).reverse()));
        expect(Buffer.compare(there, back)).toBe(0);
        const foreign = zip(
          Object.keys(parts)
            .sort()
            .map((member) => ({ name: member, data: parts[member] ?? new Uint8Array() })),
        );
        expect(Buffer.compare(there, foreign)).toBe(0);
      }),
    );
  });

  it('opens in no other form: no changed byte gives the same members', () => {
    fc.assert(
      fc.property(contents, fc.nat(), fc.integer({ min: 1, max: 255 }), (parts, where, by) => {
        const file = buildContainer(new Map(Object.entries(parts)));
        const at = where % file.length;
        file[at] = (file[at] ?? 0) ^ by;
        expect(() => openContainer(file)).toThrow(DeedError);
      }),
      { numRuns: process.env.SLOW === '1' ? 20_000 : 300 },
    );
  });

  it('has no names that lead elsewhere', () => {
    for (const bad of ['../a', 'a/../b', '/a', 'a//b', 'a/', '.a', 'a/.b', 'a\\b', 'C:a', 'ä', 'a b', '', 'A', 'a\n']) {
      expect(() => buildContainer(new Map([[bad, new Uint8Array()]]))).toThrow(DeedError);
      expect(memberName.test(bad)).toBe(false);
    }
  });

  it('has at most 60,000 members', () => {
    const many = new Map(Array.from({ length: maxMembers + 1 }, (_, i) => [`m${i}`, new Uint8Array()] as const));
    expect(() => buildContainer(many)).toThrow(DeedError);
    expect(() => openContainer(zip([...many].map(([member, data]) => ({ name: member, data }))))).toThrow(DeedError);
  });
});

describe('the names of members', () => {
  it('are known exactly as they are made', () => {
    const hex = 'a'.repeat(64);
    const made = [
      members.caseJson,
      members.exported,
      members.exportedProof,
      members.claimedTrust,
      members.statement(0),
      members.proof(999_999_999_999),
      members.anchorProof(7),
      members.payload(hex),
      members.batch(hex),
      members.event(hex, hex),
      members.manifest(hex),
      members.policyFile(hex, 'git.cedar'),
    ];
    for (const member of made)
      expect([member, isKnownMember(member) && memberName.test(member)]).toEqual([member, true]);
    for (const other of [
      'statements/1.json',
      'payloads/x',
      'case.json.bak',
      'events/a/b',
      `payloads/${hex}/x`,
      'readme',
    ]) {
      expect([other, isKnownMember(other)]).toEqual([other, false]);
    }
  });
});
