import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { blindCredential, blindSize } from '../src/credential.ts';
import { concat, toHex, utf8 } from '../src/encoding.ts';
import { EvidenceError } from '../src/errors.ts';
import { idPattern, newId } from '../src/ids.ts';
import { makePayload, openPayload, saltSize } from '../src/payload.ts';
import { randomBytes, sha256 } from '../src/platform.ts';

describe('a payload object', () => {
  it('is found again under its name, and no changed byte is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), (bytes, at) => {
        const { name, salt } = makePayload(bytes);
        const object = concat(salt, bytes);
        expect(openPayload(object, name).bytes).toEqual(bytes);
        const changed = Uint8Array.from(object);
        const where = at % changed.length;
        changed[where] = (changed[where] ?? 0) ^ 1;
        expect(() => openPayload(changed, name)).toThrow(EvidenceError);
      }),
    );
  });

  it('of the same bytes has the same name inside a task and nowhere else', () => {
    proves('invariant-10');
    const bytes = utf8('the same');
    const [one, other] = [randomBytes(32), randomBytes(32)];
    expect(makePayload(bytes, one).name).toBe(makePayload(bytes, one).name);
    expect(makePayload(bytes, one).name).not.toBe(makePayload(bytes, other).name);
    expect(makePayload(bytes).name).not.toBe(makePayload(bytes).name);
    expect(makePayload(bytes, one).salt).toHaveLength(saltSize);
  });

  it('that is shorter than its salt is refused', () => {
    const short = utf8('short');
    expect(() => openPayload(short, toHex(sha256(short)))).toThrow(EvidenceError);
  });
});

describe('a blinded credential', () => {
  it('is told by blind and id together, and by neither alone', () => {
    proves('invariant-10');
    const blind = randomBytes(blindSize);
    expect(blindCredential(blind, 'crd')).toBe(toHex(sha256(utf8('deed-credential-v1\0'), blind, utf8('crd'))));
    expect(blindCredential(blind, 'crd')).not.toBe(blindCredential(randomBytes(blindSize), 'crd'));
    expect(blindCredential(blind, 'crd')).not.toBe(blindCredential(blind, 'cre'));
  });
});

describe('an id', () => {
  it('never passes for one of another kind', () => {
    for (const kind of ['task', 'action', 'agent', 'person', 'grant', 'credential', 'finding', 'case'] as const) {
      const id = newId(kind, 1_800_000_000_000);
      expect(id).toMatch(idPattern(kind));
      expect(id).not.toMatch(idPattern(kind === 'task' ? 'case' : 'task'));
    }
    expect(newId('task', 1) < newId('task', 2)).toBe(true);
  });
});
