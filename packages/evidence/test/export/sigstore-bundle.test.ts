import { createPublicKey } from 'node:crypto';
import { bundleFromJSON } from '@sigstore/bundle';
import { HashAlgorithm, PublicKeyDetails, TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, type VerificationError, Verifier } from '@sigstore/verify';
import { describe, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { keyId } from '../../src/dsse.ts';
import { fromBase64, toBase64, utf8 } from '../../src/encoding.ts';
import { caseBundle } from '../../src/export/case-bundle.ts';
import { sigstoreTrustedRoot } from '../../src/export/sigstore-bundle.ts';
import { parseTrust } from '../../src/log/trust.ts';
import { actors, newNoteSigner, newSigner, origin } from '../support/actors.ts';
import { makeCase, trust } from '../support/case-maker.ts';

/** `@sigstore/verify` as npm installs it: our bundles and our trusted root, nothing of ours in between. */
const { file, story } = makeCase();
const { bundle, spki, index } = caseBundle(file);
const root = sigstoreTrustedRoot(trust);
/** The proofs of a case stand under the tree before its own export. */
const size = story.log.size - 1;

interface Given {
  readonly bundle?: object;
  readonly root?: object;
  readonly spki?: Uint8Array;
  /** Timestamps asked for; 0 accepts a managed key without one. */
  readonly timestamps?: number;
}

/** What the verifier says: `accepted`, or the code of its refusal. */
function foreign(given: Given = {}): string {
  const material = toTrustMaterial(TrustedRoot.fromJSON(given.root ?? root), () => ({
    publicKey: createPublicKey({ key: Buffer.from(given.spki ?? spki), format: 'der', type: 'spki' }),
    validFor: () => true,
  }));
  const verifier = new Verifier(material, { timestampThreshold: given.timestamps ?? 0 });
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(given.bundle ?? bundle)));
    return 'accepted';
  } catch (error) {
    return (error as VerificationError).code ?? (error as Error).name;
  }
}

/** A copy of the bundle with one value, named by its path, changed. */
// biome-ignore lint/suspicious/noExplicitAny: JSON whose form the verifier under test knows
function bent(change: (copy: any) => void): object {
  const copy = structuredClone(bundle);
  change(copy);
  return copy;
}

const flipped = (base64: string) => {
  const bytes = Uint8Array.from(fromBase64(base64));
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return toBase64(bytes);
};

describe('a Sigstore bundle of a statement, judged by @sigstore/verify', () => {
  test('is accepted with our trusted root, whichever role signed it', () => {
    proves('foreign-verifiers');
    expect(foreign()).toBe('accepted');
    expect(index).toBe(story.log.entries.find(({ step }) => step === 'closed')?.index);
    // By each of the three roles that sign: root, registrar, receipt.
    for (const step of ['key:receipt', 'agent', 'push:outcome']) {
      const made = caseBundle(file, story.said.get(step)?.index ?? -1);
      expect(foreign({ bundle: made.bundle, spki: made.spki }), step).toBe('accepted');
    }
  });

  test('is refused where a timestamp is asked for: it holds none', () => {
    expect(foreign({ timestamps: 1 })).toBe('TIMESTAMP_ERROR');
  });

  test('is refused with another payload or signature', () => {
    const payload = bent(({ dsseEnvelope }) => {
      dsseEnvelope.payload = toBase64(
        utf8(Buffer.from(dsseEnvelope.payload, 'base64').toString().replace('principal', 'operator')),
      );
    });
    expect(foreign({ bundle: payload })).toBe('TLOG_BODY_ERROR');
    const signature = bent(({ dsseEnvelope }) => {
      dsseEnvelope.signatures[0].sig = flipped(dsseEnvelope.signatures[0].sig);
    });
    expect(foreign({ bundle: signature })).toBe('TLOG_BODY_ERROR');
  });

  test('is refused with another leaf, proof or index', () => {
    const entry = (change: Parameters<typeof bent>[0]) =>
      bent((copy) => change(copy.verificationMaterial.tlogEntries[0]));
    const bundles = [
      entry((one) => {
        const leaf = Buffer.from(one.canonicalizedBody, 'base64').toString();
        one.canonicalizedBody = toBase64(utf8(leaf.replace('SHA2_256', 'SHA2_512')));
      }),
      entry(({ inclusionProof }) => {
        inclusionProof.hashes[0] = flipped(inclusionProof.hashes[0]);
      }),
      entry(({ inclusionProof }) => inclusionProof.hashes.pop()),
      entry(({ inclusionProof }) => {
        inclusionProof.logIndex = String(index - 1);
      }),
    ];
    for (const bundle of bundles) expect(foreign({ bundle })).toBe('TLOG_INCLUSION_PROOF_ERROR');
  });

  test('is refused with another checkpoint', () => {
    const under = (note: string) =>
      bent((copy) => {
        copy.verificationMaterial.tlogEntries[0].inclusionProof.checkpoint.envelope = note;
      });
    const { log } = story;
    const strangers = [newNoteSigner(origin, 1)];
    const notes = [
      log.checkpoint(size - 1).note,
      log.checkpoint(size, strangers).note,
      log.checkpoint(size, actors.logs.slice(1)).note,
    ];
    expect(foreign({ bundle: under(log.checkpoint(size).note) })).toBe('accepted');
    for (const note of notes) expect(foreign({ bundle: under(note) })).toBe('TLOG_INCLUSION_PROOF_ERROR');
  });

  test('is refused under another trusted root or another key', () => {
    const others = sigstoreTrustedRoot({ ...trust, logs: [{ key: newNoteSigner(origin, 1).key }] });
    expect(foreign({ root: others })).toBe('TLOG_INCLUSION_PROOF_ERROR');
    expect(foreign({ spki: newSigner().spki })).toBe('SIGNATURE_ERROR');
  });
});

test('the trusted root holds the Ed25519 keys of the log and nothing else', () => {
  const { tlogs, certificateAuthorities, ctlogs, timestampAuthorities } = TrustedRoot.fromJSON(root);
  expect([...certificateAuthorities, ...ctlogs, ...timestampAuthorities]).toEqual([]);
  expect(tlogs).toHaveLength(1);
  expect(tlogs[0]).toMatchObject({
    baseUrl: `https://${origin}`,
    hashAlgorithm: HashAlgorithm.SHA2_256,
    publicKey: { keyDetails: PublicKeyDetails.PKIX_ED25519, rawBytes: Buffer.from(actors.logs[0]?.spki ?? []) },
  });
  expect(tlogs[0]?.logId?.keyId.subarray(0, 4).toString('hex')).toBe(actors.logs[0]?.key.id);
  expect(() => sigstoreTrustedRoot(parseTrust('quorum none\n'))).toThrow('names no Ed25519 key');
  const compromised = actors.logs.map((log) => ({ keyid: keyId(log.spki), from: 5 }));
  expect(() => sigstoreTrustedRoot({ ...trust, compromised })).toThrow('names no Ed25519 key');
});

test('a bundle of what the case does not hold is refused', () => {
  expect(() => caseBundle(file, 9999)).toThrow('no statement with log index 9999');
  expect(() => caseBundle(utf8('PK'))).toThrow();
});
