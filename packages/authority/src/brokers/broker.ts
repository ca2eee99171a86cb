import type { Allow } from '@deed/evidence';

export const brokerKinds = ['git-forge', 'postgres', 'static', 'aws-sts', 'github-app', 'http-keys'] as const;
export type BrokerKind = (typeof brokerKinds)[number];

/** The parts of a credential by name, for instance `user` and `password`. */
export type Secret = Readonly<Record<string, string>>;

/** What a broker needs to know of a task to mint its credential. */
export interface CredentialRequest {
  readonly task: string;
  /** The id to give to the credential: known to Deed before the broker is asked, so that none is lost. */
  readonly id: string;
  /** What {@link CredentialBroker.targets} said of this task: not empty. */
  readonly targets: readonly string[];
  /** When the task ends at the latest, in milliseconds of Unix time. */
  readonly deadlineMs: number;
}

export interface MintedCredential {
  /** The name by which the target's own log knows it. */
  readonly id: string;
  readonly secret: Secret;
  /** When it ends by itself, where the target ends it. */
  readonly expiresMs?: number;
}

/** What the target said when a credential was tried. */
export interface Probe {
  readonly refused: boolean;
  readonly detail: string;
}

/** One thing that a broker needs, and whether it is there. */
export interface BrokerCheck {
  readonly what: string;
  readonly ok: boolean;
  /** What was found; where it is not well, how to mend it. */
  readonly detail: string;
}

/** Makes and revokes short-lived credentials at one target: one a task. */
export interface CredentialBroker {
  readonly name: string;
  readonly kind: BrokerKind;
  /** `static`: each task is handed the same secret, which its end does not revoke (OWASP NHI7:2025). */
  readonly debt: 'none' | 'static';
  /**
   * The longest life of a credential, in milliseconds, where a target ends it by itself and it cannot always be taken back: it counts as
   * revoked then.
   */
  readonly expiresMs?: number;
  /** Which variable of a tool's environment holds which part of the secret, where the tool's registration says nothing else. */
  readonly env: Readonly<Record<string, string>>;
  /** What of the allowed actions concerns this broker; nothing: the task needs no credential of it. */
  targets(allow: Allow): readonly string[];
  /** @throws AuthorityError broker */
  mint(request: CredentialRequest): Promise<MintedCredential>;
  /**
   * Resolves when the target refuses it. Must succeed for a credential that is gone already, and for the id of a request that a crash
   * cut short; `secret` is null then.
   * @throws AuthorityError broker (it may still be accepted: to be tried again)
   */
  revoke(id: string, secret: Secret | null): Promise<void>;
  /** Uses it at the target, to see whether it is refused. @throws AuthorityError broker (the target did not say) */
  probe(id: string, secret: Secret): Promise<Probe>;
  /** Looks whether all that it needs is there, with a credential made and revoked for that where it can. */
  check?(): Promise<readonly BrokerCheck[]>;
  /** Ids of the credentials of this deployment that the target itself knows: one that Deed does not know is a stray. */
  held?(): Promise<readonly string[]>;
}

/** Which servers a broker's credential is handed to: those that the allowed actions name among `servers`. */
export function serversNamed(allow: Allow, servers: readonly string[]): readonly string[] {
  return [...new Set(allow.map(({ server }) => server))].filter((server) => servers.includes(server));
}
