export * from './action-record.ts';
export * from './activation.ts';
export * from './allow/allow.ts';
export { type Argument, type Constraint, isNarrower, satisfies } from './allow/constraint.ts';
export { type Facet, facetsOf } from './allow/facets.ts';
export { isNarrowerAllow } from './allow/narrower.ts';
export * from './approval.ts';
export * from './case/batch-tree.ts';
export * from './case/case-json.ts';
export { buildContainer, openContainer } from './case/container.ts';
export { indexOfStatement, members, payloadOfMember } from './case/members.ts';
export * from './credential.ts';
export * from './dsse.ts';
export * from './encoding.ts';
export * from './errors.ts';
export {
  type ActionDocument,
  actionDocument,
  type Contract,
  compileContract,
  contractForm,
  type Expecting,
  parseContract,
} from './events/contract.ts';
export { differences, type ExpectedEffect, isSame, type Pair, valueIn } from './events/expected.ts';
export {
  compileMapping,
  compileSequence,
  type Mapping,
  mappingForm,
  parseMapping,
  type Reader,
} from './events/mapping.ts';
export { type PgMessage, readPgMessage } from './events/pgoutput.ts';
export { encodePostgresRecord, type PostgresRecord, readPostgresEvent, stampPrefix } from './events/postgres-event.ts';
export type * from './events/source-event.ts';
export { readTime } from './events/time.ts';
export * from './export/case-bundle.ts';
export * from './export/sigstore-bundle.ts';
export * from './finding-word.ts';
export * from './forge-record.ts';
export * from './hold.ts';
export * from './hop.ts';
export * from './identity/enrolment.ts';
export * from './identity/jwk-set.ts';
export * from './identity/trust-rules.ts';
export * from './identity/workload-token.ts';
export * from './ids.ts';
export * from './json.ts';
export * from './jwk.ts';
export * from './jwt.ts';
export * from './log/checkpoint.ts';
export * from './log/continuation.ts';
export * from './log/cosignature.ts';
export * from './log/judge-checkpoint.ts';
export * from './log/leaf.ts';
export * from './log/merkle.ts';
export * from './log/note.ts';
export * from './log/tlog-proof.ts';
export * from './log/trust.ts';
export { asksFor, meansTool } from './model/asks-for.ts';
export { cutRequest } from './model/cut.ts';
export * from './model/exchange.ts';
export { type ToldResult, tellsOf, toldResults } from './model/told-results.ts';
export * from './model/tool-calls.ts';
export * from './outputs.ts';
export * from './payload.ts';
export { heldRefs, payloadRefs } from './payload-refs.ts';
export * from './people.ts';
export * from './people-word.ts';
export * from './plain-text.ts';
export { ed25519Spki, hmacSha256, mlDsa44Spki, randomBytes, sha256, verifyP256, verifyPure } from './platform.ts';
export * from './predicates.ts';
export * from './receipt.ts';
export * from './role-keys.ts';
export { isSoundEd25519, isSoundMlDsa44, isSoundP256, isStrictDer } from './signature-rules.ts';
export * from './signers.ts';
export * from './ssh.ts';
export * from './statement.ts';
export {
  noPredecessor,
  type Position,
  predicateBase,
  predicateType,
  seriesOf,
  statementType,
} from './statement-form.ts';
export * from './statement-writer.ts';
export { readTimestampCertificate } from './time/certificate.ts';
export { encodeTimestampRequest, nonceBytes, timestampNonce } from './time/request.ts';
export {
  maxTimestampBytes,
  openTimestamp,
  type Timestamp,
  verifyTimestamp,
  worstAccuracyMs,
} from './time/timestamp.ts';
export { type AuditInput, type AuditReport, auditLog } from './verify/audit.ts';
export { type FileKind, fileKind } from './verify/file-kind.ts';
export { type CaseGraph, caseGraph, type GraphEdge, type GraphNode } from './verify/graph.ts';
export { type HeadReport, verifyHead } from './verify/head.ts';
export { logKeysOf } from './verify/log-keys.ts';
export { type LogProofOptions, type LogProofReport, verifyLogProof } from './verify/log-proof.ts';
export { callIdKeys } from './verify/prompts.ts';
export { type ReceiptOptions, type ReceiptReport, verifyReceipt } from './verify/receipt.ts';
export * from './verify/report.ts';
export { type CaseOptions, verify } from './verify/verify.ts';
export { type Asserted, type Assertion, openAssertion } from './webauthn.ts';
export * from './word.ts';
