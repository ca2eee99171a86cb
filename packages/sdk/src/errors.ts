/** What a client of Deed throws. */
export class DeedSdkError extends Error {
  override readonly name: string = 'DeedSdkError';
}

/** Deed said no: nothing was done. */
export class ActionRefused extends DeedSdkError {
  override readonly name = 'ActionRefused';
  /** As `outside-grant`, `denied`, `rejected`, `task-closed`: docs/formats/predicates.md#refusal and docs/formats/http-api.md. */
  readonly code: string;
  /** The HTTP status of the answer. */
  readonly status: number;
  /** The id of the refused action; null where the request did not get that far. */
  readonly action: string | null;

  constructor(refusal: {
    readonly code: string;
    readonly status: number;
    readonly action: string | null;
    readonly detail: string;
  }) {
    super(`${refusal.code}: ${refusal.detail}`);
    this.code = refusal.code;
    this.status = refusal.status;
    this.action = refusal.action;
  }
}

/** The server could not be reached, or did not answer as it should. Whether it did what was asked, it tells who asks again with the same key. */
export class ServerUnreachable extends DeedSdkError {
  override readonly name = 'ServerUnreachable';
}
