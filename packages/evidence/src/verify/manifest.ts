import { parseCaseJson } from '../case/case-json.ts';
import { members } from '../case/members.ts';
import { decodeEnvelope, encodeEnvelope } from '../dsse.ts';
import { equalBytes, fromUtf8, toHex, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { formatTlogProof, parseTlogProof } from '../log/tlog-proof.ts';
import { sha256 } from '../platform.ts';
import { parseStatement, type StatementWith } from '../statement.ts';
import type { Examination } from './examination.ts';

/** The export's own statement lists every other member; the members must be those, byte for byte. */
export function checkManifest(exam: Examination): string | null {
  const caseBytes = exam.members.get(members.caseJson) ?? new Uint8Array();
  exam.json = exam.attempt('case.json', () => parseCaseJson(caseBytes), 'unusable') ?? null;
  const envelopeBytes = exam.members.get(members.exported);
  const proofBytes = exam.members.get(members.exportedProof);
  if (!envelopeBytes || !proofBytes) exam.incomplete('the statement of the export, or its proof, is absent');
  if (!exam.json || !envelopeBytes || !proofBytes) return null;
  const read = exam.attempt('the export', () => readExport(envelopeBytes, proofBytes));
  if (!read) return null;
  exam.exportedProof = read.proof;
  exam.exported = { index: read.proof.index, envelope: read.envelope, statement: read.statement };
  const { body, origin } = read.statement;
  if (body.case !== exam.json.case || origin !== exam.json.origin || body.tasks.join() !== exam.json.tasks.join()) {
    exam.forged('case.json names another case, origin or task than the statement of the export');
  }
  compareMembers(exam, body.members);
  return `${body.members.length} members as exported`;
}

function readExport(envelopeBytes: Uint8Array, proofBytes: Uint8Array) {
  const envelope = decodeEnvelope(envelopeBytes);
  if (!equalBytes(encodeEnvelope(envelope), envelopeBytes))
    throw new EvidenceError('envelope', 'not in its one byte form');
  const proof = parseTlogProof(fromUtf8(proofBytes), { refuseExtra: true });
  if (!equalBytes(utf8(formatTlogProof(proof)), proofBytes)) {
    throw new EvidenceError('proof', 'its tlog-proof is not in the one byte form');
  }
  const statement = parseStatement(envelope.payload);
  if (statement.predicate !== 'case-exported') throw new EvidenceError('statement', `it is a ${statement.predicate}`);
  return { envelope, proof, statement: statement as StatementWith<'case-exported'> };
}

function compareMembers(
  exam: Examination,
  listed: readonly { readonly name: string; readonly sha256: string }[],
): void {
  const expected = new Set<string>([members.exported, members.exportedProof]);
  for (const { name, sha256: digest } of listed) {
    if (expected.has(name)) exam.forged(`the export lists ${name} twice, or itself`);
    expected.add(name);
    const bytes = exam.members.get(name);
    if (!bytes) exam.incomplete(`${name} was exported but is not here`);
    else if (toHex(sha256(bytes)) !== digest) exam.forged(`${name} is not what was exported`);
  }
  for (const name of exam.members.keys()) if (!expected.has(name)) exam.unusable(`unlisted member ${name}`);
}
