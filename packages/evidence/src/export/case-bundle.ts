import { openContainer } from '../case/container.ts';
import { indexOfStatement, members } from '../case/members.ts';
import { decodeEnvelope, type Envelope } from '../dsse.ts';
import { fromBase64, fromUtf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { parseNote, parseVkey } from '../log/note.ts';
import { parseTlogProof } from '../log/tlog-proof.ts';
import { parseStatement, type Statement } from '../statement.ts';
import { type BundleParts, sigstoreBundle } from './sigstore-bundle.ts';

interface Held {
  readonly index: number;
  readonly envelope: Envelope;
  readonly statement: Statement;
}

/**
 * The Sigstore bundle of one statement of a case, and the key that signed it. The case is read and not verified: verify it first.
 * @param which the statement's log index; by default the task's closing
 * @throws EvidenceError container, case (no such statement), key
 */
export function caseBundle(
  file: Uint8Array,
  which: number | 'task-closed' = 'task-closed',
): { readonly index: number; readonly spki: Uint8Array; readonly bundle: object } {
  const files = openContainer(file);
  const held = [...files].flatMap(([name, bytes]): Held[] => {
    const index = indexOfStatement(name);
    if (index === undefined) return [];
    const envelope = decodeEnvelope(bytes);
    return [{ index, envelope, statement: parseStatement(envelope.payload) }];
  });
  const chosen = held.find(({ index, statement }) =>
    which === 'task-closed' ? statement.predicate === which : index === which,
  );
  const proof = chosen && files.get(members.proof(chosen.index));
  if (!chosen || !proof) {
    const what = which === 'task-closed' ? 'no task-closed' : `no statement with log index ${which}`;
    throw new EvidenceError(
      'case',
      `the case has ${what} and proof of it; the names of its statements are their indexes`,
    );
  }
  const parts = { envelope: chosen.envelope, proof: parseTlogProof(fromUtf8(proof), { refuseExtra: true }) };
  const keys = keysOf(held, parts);
  return { index: chosen.index, spki: keys.spki, bundle: sigstoreBundle({ ...parts, ...keys }) };
}

/** The signer's key and the Ed25519 log key of the checkpoint, from the case's own key-events. */
function keysOf(
  held: readonly Held[],
  { envelope, proof }: Pick<BundleParts, 'envelope' | 'proof'>,
): Pick<BundleParts, 'spki' | 'logKey'> {
  const keys = held.flatMap(({ statement }) => (statement.predicate === 'key-event' ? [statement.body.key] : []));
  const signer = keys.find(({ keyid }) => keyid === envelope.keyid);
  const { signatures } = parseNote(proof.checkpoint);
  const logKey = keys
    .flatMap(({ vkey }) => (vkey === null ? [] : [parseVkey(vkey)]))
    .find(({ type, name, id }) => type === 1 && signatures.some((line) => line.name === name && line.id === id));
  if (!signer || !logKey)
    throw new EvidenceError('key', 'the case does not hold the keys of the signer and of the log');
  return { spki: fromBase64(signer.spki), logKey };
}
