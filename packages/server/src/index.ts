export {
  type AgentSigner,
  type Archive,
  type BundleFile,
  bundleFile,
  checkBundle,
  decisionIn,
  type Evaluation,
  enrolmentChallenge,
  evaluateCandidate,
  type FileSigner,
  type HopTerms,
  type IssuedToken,
  isSealed,
  keyPersonSigner,
  keySigner,
  makeAssertion,
  makeHop,
  makeHopAccepted,
  makeHopEnded,
  makeProof,
  makeWorkloadProof,
  newP256,
  type PersonSigner,
  parseInputs,
  type RecordedDecision,
  type Replayable,
  type Replayed,
  type Revocation,
  readBundleFiles,
  readPemKey,
  readSealedKey,
  readTable,
  replayAll,
  type ServerKeyName,
  serverKeyNames,
  spkiOf,
  sshAgentIdentities,
  sshAgentSigner,
  sshPersonSigner,
  systemClock,
  tablesOf,
  tryExample,
  writeSealedKey,
} from '@deed/authority';
export {
  claudeCodeMessage,
  hookServer,
  LineSplitter,
  maxLineBytes,
  type Operation,
  operation,
  placeholderOf,
  toolKinds,
} from '@deed/gateway';
export {
  initWitness,
  type LogFolderReport,
  startWitness,
  trustLog,
  verifyLogFolder,
  type WitnessedLog,
  type WitnessHealth,
  type WitnessKeyKind,
  witnessedLogs,
} from '@deed/ledger';
export { shippedMapping, shippedMappings, stampStatements, tryMapping } from '@deed/reconcile';
export { audit } from './audit.ts';
export { type BackupReport, backup } from './backup/backup.ts';
export { restore, verifyBackup } from './backup/restore.ts';
export { callbackTopics } from './callbacks/event.ts';
export { readConfig } from './config.ts';
export * from './errors.ts';
export { examineFolder, examineOnAllCores } from './examination.ts';
export { mcpProtocol } from './http/listen.ts';
export { type InitializedServer, initServer } from './init.ts';
export { type KeyCeremony, type KeyView, listKeys, type Rotated, rotateKey, setSealed } from './key-ceremony.ts';
export { stderrMark } from './mcp-attach.ts';
export { defaultDataFolder, defaultWitnessFolder, socketPath } from './paths.ts';
export type { ConsistencyView, ProofView, Under } from './proofs.ts';
export { defaultScrub, type Health, type ScrubOptions } from './scrub.ts';
export { type Serving, serve } from './serve.ts';
export type { TimestampsView } from './timestamps.ts';
export { version } from './version.ts';
export { changeStopped, quorumInWords, type WitnessChange } from './witness-config.ts';
export type { Wrap, Wrapped, WrapServer } from './wraps.ts';
