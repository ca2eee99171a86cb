/** What a broker needs to know of a task to mint its credential. */
export interface CredentialRequest {
  readonly task: string;
  /** The id to give to the credential: known to Deed before the broker is asked, so that none is lost. */
  readonly id: string;
  /** The repositories that the task's allowed actions name. */
  readonly repositories: readonly string[];
}

export interface MintedCredential {
  /** The name by which the target's own log knows it. */
  readonly id: string;
  readonly secret: string;
}

/** Makes and revokes short-lived credentials at one target: one a task. */
export interface CredentialBroker {
  readonly name: string;
  /** Null when the task needs no credential of this kind. */
  mint(request: CredentialRequest): Promise<MintedCredential | null>;
  /** Must succeed for a credential that is gone already. */
  revoke(id: string): Promise<void>;
}
