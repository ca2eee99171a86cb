import { DeedError } from '@deed/evidence';

/** Why authority said no. Closed: tests and callers assert these codes. */
export type AuthorityErrorCode =
  // keys and folders
  | 'passphrase' // wrong passphrase, or the sealed file was changed
  | 'key' // a key of a kind that is not accepted, or missing
  | 'ssh-agent' // no agent, or it does not hold the key
  | 'folder' // a data folder that is not fresh, or not one of ours
  | 'vault' // a payload that is not there, or whose task key is gone
  // people, agents, grants
  | 'name' // a name that is not accepted
  | 'code' // a one-time code that is unknown, used or too old
  | 'proof-of-key' // the new key did not sign the challenge
  | 'person' // a deployment has people already
  | 'login' // a login that is another person's
  | 'unknown-person'
  | 'unknown-agent'
  | 'agent-revoked'
  | 'grant-expired'
  // workload identity
  | 'workload-token' // not a token of a workload, or one whose signature or times do not hold
  | 'workload-token-used' // it enrolled a key before
  | 'no-rule' // no trust rule of the policy in force admits it
  | 'definition' // not a definition, or not one that the rule admits
  | 'issuer' // the issuer of a rule cannot be asked, or what it serves does not do
  | 'issuer-replaced' // noted, not refused: none of the keys that an issuer had is left
  | 'wit-invalid'
  | 'wit-expired'
  | 'inactive' // a token that opens nothing any more
  // policy
  | 'policy-invalid'
  | 'activation' // the word that activates does not fit, or the version does not rise
  | 'policy-downgrade' // the database names another policy than the log activated last
  | 'replay' // the recorded inputs do not fit this bundle
  | 'engine' // an engine that is not known, not archived, or changed
  // tokens and proofs: the rejects of strangers
  | 'token-invalid'
  | 'token-expired'
  | 'token-epoch'
  | 'assertion-invalid'
  | 'client-invalid' // who asks the token endpoint did not show who he is
  | 'proof-invalid'
  | 'proof-expired'
  | 'proof-body'
  | 'proof-replayed'
  // tasks and actions
  | 'task' // fields of a task that are not accepted
  | 'unknown-task'
  | 'task-closed'
  | 'broker' // a credential could not be minted
  | 'proposal' // a proposal that does not fit its task, action or verdict
  | 'denied'
  | 'outside-grant'
  | 'stale-proof' // tier approve, and no nonce of the server in the proof
  | 'operands-changed'
  | 'hop' // a hop that does not fit, or not any more
  | 'hop-ended' // what was passed on was taken back, or has ended
  | 'unknown-hop'
  | 'unknown-intent'
  | 'outcome' // the intent has its one outcome already
  // erasure, retention, holds
  | 'unknown-payload' // nothing that is kept for this task has that name
  | 'task-open' // only a closed task is erased
  | 'task-busy' // actions of the task are still under way
  | 'held' // a hold protects the task
  | 'erased' // nothing is left
  | 'why' // a reason that is empty or too long
  | 'legal-hold' // a word that does not fit, or a hold that is not in force
  // approvals
  | 'rendering' // a rendering that hides characters
  | 'unknown-hold' // no such hold, or it ended
  | 'not-approver'
  | 'word' // a word that does not fit what is held
  | 'word-expired'
  | 'approval'; // missing, used, or for another record

export class AuthorityError extends DeedError<AuthorityErrorCode> {
  override readonly name = 'AuthorityError';
}
