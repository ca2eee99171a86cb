/** Why untrusted bytes were refused, or why a statement could not be made. Closed: tests assert these codes. */
export type EvidenceErrorCode =
  | 'encoding' // hex, base64 or UTF-8 that is not in its one accepted form
  | 'json' // not one strict JSON value
  | 'statement' // not a Deed statement of a known predicate
  | 'allow' // allowed actions that are not in form
  | 'envelope' // not a DSSE envelope in the one accepted form
  | 'signature' // a signature that does not verify
  | 'note' // not a signed note or not a checkpoint
  | 'key' // a key in a form or of an algorithm that is not accepted
  | 'proof' // a Merkle proof or tlog-proof that does not hold
  | 'timestamp' // not an RFC 3161 timestamp of these bytes, or one that does not hold
  | 'trust' // a trust file that cannot be read
  | 'container' // not a case file in its one form
  | 'mapping' // a mapping of a source, or a contract of effects, that is not in form
  | 'people' // a change among the people that nobody may order, or that those who did may not
  | 'case' // a case whose parts do not fit
  | 'limit'; // larger than the stated limit

/** Base of every error Deed throws on purpose: a closed code, and a message that names the cause and the mend. */
export class DeedError<Code extends string = string> extends Error {
  override readonly name: string = 'DeedError';
  readonly code: Code;
  constructor(code: Code, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

export class EvidenceError extends DeedError<EvidenceErrorCode> {
  override readonly name = 'EvidenceError';
}
