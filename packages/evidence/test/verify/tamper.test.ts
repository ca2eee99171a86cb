import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { members } from '../../src/case/members.ts';
import { fromUtf8, utf8 } from '../../src/encoding.ts';
import { actors } from '../support/actors.ts';
import { examine, makeCase, pack } from '../support/case-maker.ts';

if (process.env.SLOW === '1') vi.setConfig({ testTimeout: 1_800_000 });

const slow = process.env.SLOW === '1';
const honest = makeCase();
const names = [...honest.members.keys()].sort();
const bytesOf = (name: string): Uint8Array => honest.members.get(name) ?? new Uint8Array();
const runs = (cheap: number, deep: number) => ({ numRuns: slow ? deep : cheap });
const anyName = fc.constantFrom(...names);
const anyFlip = fc.integer({ min: 1, max: 255 });

/** Not VERIFIED, whatever else it is. */
function expectRefused(file: Uint8Array, what: unknown): void {
  const { verdict, code } = examine(file);
  expect({ what, verdict, code }).not.toMatchObject({ verdict: 'VERIFIED' });
  expect(code).toBeGreaterThan(1);
}

function flipped(bytes: Uint8Array, at: number, by: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ by;
  return copy;
}

/** Names of all keys that the trust file or the key-events name, as they begin a signature line. */
const known = [...actors.logs, actors.witness].map(({ key }) => key);

/**
 * A changed byte may stay VERIFIED only where it turned the checkpoint of the export into the same checkpoint with the same
 * signatures of the same known keys: a line of a key that nobody named says nothing.
 */
function onlyUnknownLinesDiffer(changed: Uint8Array): boolean {
  const lines = (bytes: Uint8Array) => {
    try {
      return fromUtf8(bytes)
        .split('\n')
        .filter((line) => known.some((key) => line.startsWith(`— ${key.name} `)));
    } catch {
      return [];
    }
  };
  return lines(changed).join() === lines(bytesOf(members.exportedProof)).join();
}

describe('whoever holds a case and can zip it again never gets VERIFIED for', () => {
  it('any changed byte of any member', () => {
    proves('case-tamper', 'invariant-3');
    fc.assert(
      fc.property(anyName, fc.nat(), anyFlip, (name, where, by) => {
        const changed = flipped(bytesOf(name), where % bytesOf(name).length, by);
        expectRefused(pack(new Map(honest.members).set(name, changed)), name);
      }),
      runs(40, 20_000),
    );
  });

  it('any changed byte of the two members that the export does not list', () => {
    proves('case-tamper');
    for (const name of [members.exported, members.exportedProof]) {
      const bytes = bytesOf(name);
      const step = slow ? 1 : Math.ceil(bytes.length / 20);
      for (let at = 0; at < bytes.length; at += step) {
        const changed = flipped(bytes, at, 1 + (at % 255));
        if (name === members.exportedProof && onlyUnknownLinesDiffer(changed)) {
          // The text before the signatures must still be as it was.
          if (fromUtf8(changed).split('\n— ')[0] === fromUtf8(bytes).split('\n— ')[0]) continue;
        }
        expectRefused(pack(new Map(honest.members).set(name, changed)), `${name} ${at}`);
      }
    }
  });

  it('a truncated or lengthened member', () => {
    proves('case-tamper');
    fc.assert(
      fc.property(anyName, fc.nat(), fc.boolean(), (name, where, longer) => {
        const bytes = bytesOf(name);
        const changed = longer ? new Uint8Array([...bytes, where & 0xff]) : bytes.subarray(0, where % bytes.length);
        expectRefused(pack(new Map(honest.members).set(name, changed)), name);
      }),
      runs(20, 3000),
    );
  });

  it('any removed member', () => {
    proves('case-tamper');
    for (const name of slow ? names : names.filter((_, i) => i % 12 === 0)) {
      expectRefused(pack(new Map([...honest.members].filter(([other]) => other !== name))), name);
    }
    expectRefused(pack(new Map()), 'all of them');
  });

  it('any removed set of members', () => {
    proves('case-tamper');
    fc.assert(
      fc.property(fc.subarray(names, { minLength: 1 }), (removed) => {
        const gone = new Set(removed);
        expectRefused(pack(new Map([...honest.members].filter(([name]) => !gone.has(name)))), removed);
      }),
      runs(15, 2000),
    );
  });

  it('any added member', () => {
    proves('case-tamper');
    const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
    const added = fc.oneof(
      hex.map(members.payload),
      hex.map(members.manifest),
      hex.map(members.batch),
      fc.nat(10_000).map(members.statement),
      fc.nat(10_000).map(members.proof),
      fc.nat(10_000).map(members.anchorProof),
    );
    fc.assert(
      fc.property(added, anyName, (name, of) => {
        fc.pre(!honest.members.has(name));
        expectRefused(pack(new Map(honest.members).set(name, bytesOf(of))), name);
      }),
      runs(20, 3000),
    );
  });

  it('the contents or the names of two members swapped', () => {
    proves('case-tamper');
    fc.assert(
      fc.property(anyName, anyName, (a, b) => {
        fc.pre(Buffer.compare(bytesOf(a), bytesOf(b)) !== 0);
        expectRefused(pack(new Map(honest.members).set(a, bytesOf(b)).set(b, bytesOf(a))), [a, b]);
      }),
      runs(30, 5000),
    );
  });

  it('the export of another case, or its members under another export', () => {
    proves('case-tamper');
    const other = makeCase();
    const seal = [members.exported, members.exportedProof];
    for (const taken of [seal, seal.slice(0, 1), seal.slice(1), ['case.json'], [members.statement(14)]]) {
      const mixed = new Map(honest.members);
      for (const name of taken) mixed.set(name, other.members.get(name) ?? utf8(''));
      expectRefused(pack(mixed), taken);
    }
  });

  it('the signature of the export in its other valid spelling', () => {
    proves('case-tamper');
    const envelope = JSON.parse(fromUtf8(bytesOf(members.exported)));
    const malleated = Buffer.from(otherS(Buffer.from(envelope.signatures[0].sig, 'base64'))).toString('base64');
    envelope.signatures[0].sig = malleated;
    expectRefused(pack(new Map(honest.members).set(members.exported, utf8(JSON.stringify(envelope)))), 'n - s');
  });
});

describe('the file itself is never VERIFIED with', () => {
  it('any changed byte', () => {
    proves('case-tamper');
    fc.assert(
      fc.property(fc.nat(honest.file.length - 1), anyFlip, (at, by) => {
        expectRefused(flipped(honest.file, at, by), at);
      }),
      runs(150, 20_000),
    );
  });

  it('any changed byte of its directory or its headers', () => {
    proves('case-tamper');
    const start = honest.file.length - 22 - names.reduce((sum, name) => sum + 46 + name.length, 0);
    const step = slow ? 1 : 80;
    for (let at = start; at < honest.file.length; at += step) expectRefused(flipped(honest.file, at, 0x41), at);
    for (let at = 0; at < 39; at++) expectRefused(flipped(honest.file, at, 0x41), at);
  });

  it('any truncation', () => {
    proves('case-tamper');
    const step = slow ? 97 : 2999;
    for (let length = 0; length < honest.file.length; length += step) {
      expectRefused(honest.file.subarray(0, length), length);
    }
    expectRefused(honest.file.subarray(0, -1), -1);
  });
});

/** ECDSA allows (r, n - s) wherever it allows (r, s). */
function otherS(der: Buffer): Uint8Array {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const rEnd = 4 + (der[3] ?? 0);
  const s = BigInt(`0x${der.subarray(rEnd + 2).toString('hex')}`);
  let hex = (n - s).toString(16);
  if (hex.length % 2) hex = `0${hex}`;
  if (Number.parseInt(hex.slice(0, 2), 16) >= 0x80) hex = `00${hex}`;
  const body = Buffer.concat([der.subarray(2, rEnd), Buffer.from([2, hex.length / 2]), Buffer.from(hex, 'hex')]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}
