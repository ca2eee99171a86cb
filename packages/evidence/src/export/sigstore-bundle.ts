import { type Envelope, keyId, payloadType, statementDigest } from '../dsse.ts';
import { concat, toBase64, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { parseCheckpoint } from '../log/checkpoint.ts';
import { encodeLeaf } from '../log/leaf.ts';
import { type NoteKey, parseNote } from '../log/note.ts';
import type { TlogProof } from '../log/tlog-proof.ts';
import type { Trust } from '../log/trust.ts';
import { ed25519Spki, sha256 } from '../platform.ts';

/** What a bundle is made of: one statement, its proof, and the keys that a verifier will look up. */
export interface BundleParts {
  readonly envelope: Envelope;
  /** SPKI of the key that signed the statement. */
  readonly spki: Uint8Array;
  readonly proof: TlogProof;
  /** The log's Ed25519 key: Sigstore's verifiers know no ML-DSA. */
  readonly logKey: NoteKey;
}

/**
 * A Sigstore bundle v0.3 of one statement: a DSSE envelope by a managed key, with the leaf as a Rekor v2 entry and its inclusion
 * proof (sigstore/protobuf-specs, sigstore_bundle.proto). It holds no timestamp.
 * @throws EvidenceError key (the signer's or the log's key is not the one that signed), note
 */
export function sigstoreBundle({ envelope, spki, proof, logKey }: BundleParts): object {
  if (envelope.keyid !== keyId(spki)) throw new EvidenceError('key', 'the statement was signed by another key');
  const note = parseNote(proof.checkpoint);
  if (!note.signatures.some(({ name, id }) => name === logKey.name && id === logKey.id)) {
    throw new EvidenceError('key', `the checkpoint was not signed by ${logKey.name}+${logKey.id}`);
  }
  const { size, root } = parseCheckpoint(note.text);
  const leaf = encodeLeaf({ digest: statementDigest(envelope.payload), signature: envelope.signature, spki });
  const logIndex = String(proof.index);
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: {
      publicKey: { hint: envelope.keyid },
      tlogEntries: [
        {
          logIndex,
          logId: { keyId: toBase64(sigstoreLogId(logKey)) },
          kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
          inclusionProof: {
            logIndex,
            rootHash: toBase64(root),
            treeSize: String(size),
            hashes: proof.proof.map(toBase64),
            checkpoint: { envelope: proof.checkpoint },
          },
          canonicalizedBody: toBase64(leaf),
        },
      ],
    },
    dsseEnvelope: {
      payload: toBase64(envelope.payload),
      payloadType,
      // Without the keyid, which nobody signed: Sigstore's Go verifiers refuse one that they would have made another way.
      signatures: [{ sig: toBase64(envelope.signature) }],
    },
  };
}

/**
 * The `trusted_root.json` of a deployment: the log's Ed25519 keys of a trust file, without those that it calls compromised, and
 * nothing else. Spans, witnesses, the quorum and the root have no place in that form.
 * @throws EvidenceError trust, if it names no such key
 */
export function sigstoreTrustedRoot({ logs, compromised }: Trust): object {
  const lost = new Set(compromised.map(({ keyid }) => keyid));
  const keys = logs.filter(({ key }) => key.type === 1 && !lost.has(keyId(ed25519Spki(key.publicKey))));
  if (keys.length === 0) throw new EvidenceError('trust', 'the trust file names no Ed25519 key of a log');
  return {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: keys.map(({ key, url }) => ({
      // Verifiers look for the checkpoint's key name in it.
      baseUrl: url?.includes(key.name) ? url : `https://${key.name}`,
      hashAlgorithm: 'SHA2_256',
      publicKey: {
        rawBytes: toBase64(ed25519Spki(key.publicKey)),
        keyDetails: 'PKIX_ED25519',
        // From when on a key is the log's stands in the series keys, as a log index; the trust file has no time for it.
        validFor: { start: '1970-01-01T00:00:00Z' },
      },
      logId: { keyId: toBase64(sigstoreLogId(key)) },
    })),
    certificateAuthorities: [],
    ctlogs: [],
    timestampAuthorities: [],
  };
}

/** 32 bytes of which the first four are the note's key ID. */
function sigstoreLogId(key: NoteKey): Uint8Array {
  return sha256(utf8(`${key.name}\n`), concat(Uint8Array.of(key.type), key.publicKey));
}
