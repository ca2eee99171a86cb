export type { TokenCaller } from './actions/admit.ts';
export type { Conclusion } from './actions/conclude.ts';
export type { Admitted, Caller, PromptCited, Proposal, Refusable, Verdict } from './actions/proposal.ts';
export type { RefusalExtra } from './actions/refusals.ts';
export { type Agent, enrolmentChallenge } from './agents.ts';
export type { Hold, HoldView, Settled } from './approvals/approvals.ts';
export { type Authority, type AuthorityOptions, openAuthority } from './authority.ts';
export { type AwsStsOptions, awsStsBroker } from './brokers/aws-sts.ts';
export type {
  BrokerCheck,
  BrokerKind,
  CredentialBroker,
  CredentialRequest,
  MintedCredential,
  Probe,
  Secret,
} from './brokers/broker.ts';
export { type GitForgeOptions, gitForgeBroker } from './brokers/git-forge.ts';
export { type GithubAppOptions, githubAppBroker } from './brokers/github-app.ts';
export { type HttpKeysOptions, httpKeysBroker } from './brokers/http-keys.ts';
export { type PostgresOptions, postgresBroker } from './brokers/postgres.ts';
export { openSealedFiles, type SealedFiles } from './brokers/sealed-files.ts';
export { openStaticSecrets, type StaticSecrets, secretsKeyOf, staticBroker } from './brokers/static.ts';
export { type Clock, systemClock } from './clock.ts';
export type { Credential } from './credentials.ts';
export { Delegation, type HopOffer, hopMethod } from './delegation/delegation.ts';
export { chainOfHops, type Hop, lineOf } from './delegation/hop.ts';
export {
  type HopSigner,
  type HopTerms,
  makeHop,
  makeHopAccepted,
  makeHopEnded,
} from './delegation/words.ts';
export * from './errors.ts';
export { authorityExamination } from './examination/examination.ts';
export { type Grant, judgeTier } from './grants.ts';
export { recordWith, trustDomainOf } from './ground.ts';
export type { Enrolled, Enrolment } from './identity/enrol.ts';
export { makeWorkloadProof } from './identity/proof.ts';
export type { Revocation, Tried } from './identity/revoke.ts';
export { checkedLookup, mayAsk } from './identity/safe-get.ts';
export { type IssuedWit, type KnownCaller, type WorkloadRequest, witHeader, wptHeader } from './identity/wit.ts';
export { type Initialized, type InitOptions, initDeployment, objectFolder, readDeployment } from './init.ts';
export { type FileSigner, keySigner, pemSigner, readPemKey } from './keys/file-signer.ts';
export {
  isSealed,
  type KeyReader,
  openKeys,
  type Sealing,
  type ServerKeyName,
  sealKeys,
  serverKeyNames,
  unsealKeys,
} from './keys/key-files.ts';
export { readServerKeys, type ServerKeys } from './keys/key-folder.ts';
export type { KeyOfEvent } from './keys/key-of-event.ts';
export { readLogKeys } from './keys/log-key-files.ts';
export { newP256, spkiOf } from './keys/p256.ts';
export { keyPersonSigner, type PersonSigner } from './keys/person-signer.ts';
export { roleKeysOf } from './keys/role-keys.ts';
export { prepareKey, type Rotation, recordRotation, settleKeys } from './keys/rotation.ts';
export { readSealedKey, sealedPublicKey, sealKey, unsealKey, writeSealedKey } from './keys/sealed-key.ts';
export { type SshIdentity, sshAgentIdentities, sshAgentSigner, sshPersonSigner } from './keys/ssh-agent.ts';
export type { Invitation, Passkey } from './people/invitations.ts';
export type { Change, Ordered, People, Person, WaitingOrder } from './people/people.ts';
export type { ActivePolicy } from './policy/activation.ts';
export { type Bundle, type BundleFile, bundleFile, checkBundle, readBundleFiles } from './policy/bundle.ts';
export { decisionIn, type RecordedDecision, recordedDecisions } from './policy/decisions.ts';
export { defaultPolicyFolder } from './policy/default.ts';
export { cedarEngine } from './policy/engine.ts';
export { type Evaluation, evaluate, replayDecision } from './policy/evaluate.ts';
export { type Archive, evaluateCandidate, type Replayable, type Replayed, replayAll } from './policy/replay.ts';
export { type Hints, parseInputs } from './policy/request.ts';
export { type Example, readTable, type Tried as TriedExample, tablesOf, tryExample } from './policy/tables.ts';
export { Custody } from './retention/custody.ts';
export type { Belongings, Erased, ErasureOrder, ErasurePlan } from './retention/erasures.ts';
export { openIn } from './retention/kept.ts';
export type { LegalHold } from './retention/legal-holds.ts';
export { defaultRetention, type RetentionRules, type RetentionRun } from './retention/retention.ts';
export { authorityMigrations } from './schema.ts';
export type { CloseReason, Principal, Task, TaskFields } from './tasks/task.ts';
export type { LiveToken } from './tokens/clients.ts';
export type { AgentSigner } from './tokens/jwt.ts';
export { makeAssertion, makeProof } from './tokens/proof.ts';
export { maxTokenSeconds } from './tokens/task-token.ts';
export type { IssuedToken } from './tokens/tokens.ts';
export { deploymentTask, readTaskKey, TaskKeys } from './vault/task-keys.ts';
export { contentOf, openVault, type Vault } from './vault/vault.ts';
