/**
 * One record of another system in a common envelope, with the names of OCSF 1.x where it has them. It is derived from the raw
 * bytes by a rule that anybody can apply again; the raw bytes, and not the envelope, are what was ingested and proven.
 */
export interface SourceEvent {
  /** The source's own id of the event: the same event always has the same one. With the id of the source it is told apart. */
  readonly id: string;
  /** When it happened, by the source's clock: ISO 8601, UTC, milliseconds. */
  readonly time: string;
  /** OCSF class: 6003 API Activity, 6005 Datastore Activity, 3001 Account Change, 3002 Authentication, 3004 Entity Management,
   * 3005 User Access Management, 1001 File System Activity, 4002 HTTP Activity, 0 for what fits none. */
  readonly class_uid: number;
  readonly activity: Activity;
  /** The source's own name of what was done: `RunInstances`, `push`, `UPDATE`. */
  readonly operation: string;
  readonly status: 'success' | 'failure' | 'unknown';
  /** What the source authenticated, never what the client merely claimed. Null: the record names none. */
  readonly credential: { readonly kind: string; readonly uid: string } | null;
  readonly principal: { readonly uid: string; readonly type: string | null } | null;
  /** The source's own session or connection. */
  readonly session: string | null;
  /** Ids that can pair the event with a receipt. Those a client sets pair and never attribute. */
  readonly correlation: Correlation;
  readonly resource: { readonly type: string; readonly uid: string; readonly parent: string | null } | null;
  /** Further comparable values, by the names that the source's page in docs/sources gives. */
  readonly fields: { readonly [name: string]: Comparable };
  readonly network: { readonly ip: string | null; readonly agent: string | null } | null;
}

/** OCSF activities, and `other`. What only looks is `read`; all else changes something. */
export type Activity = 'create' | 'read' | 'update' | 'delete' | 'other';

/** Numbers that JSON cannot hold exactly, and amounts of money, are texts. */
export type Comparable = string | number | boolean | null;

export interface Correlation {
  /** The server's own id of the request, which it also tells the caller. */
  readonly request?: string;
  /** The key by which the client makes a request idempotent. */
  readonly idempotency?: string;
  /** W3C trace id. */
  readonly trace?: string;
  /** The source's transaction: an xid, an LSN, a shared event id. */
  readonly transaction?: string;
  /** A task id that the client wrote into a text field. */
  readonly task?: string;
}
