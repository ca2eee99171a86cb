/**
 * What the product promises, each with the place it comes from and the milestone from which it must be shown.
 * A test cites a promise with `proves('id')`; `tests/promises.test.ts` demands a citation for every reached milestone
 * and prints the rest, which docs/known-gaps.md lists.
 */
export const milestones = ['main-job', 'ledger', 'authority', 'capture', 'reconcile', 'gate'] as const;
export type Milestone = (typeof milestones)[number];
/** Milestones whose promises must all be cited by a test. */
export const reached: readonly Milestone[] = ['main-job', 'ledger'];

export interface ProductPromise {
  readonly sentence: string;
  readonly from: string;
  readonly since: Milestone;
}

export const promises = {
  'invariant-1': {
    sentence: 'No action without an intent: above observe nothing is dispatched before its intent is durable.',
    from: 'invariant 1',
    since: 'main-job',
  },
  'invariant-2': {
    sentence: 'State and evidence commit together, in one transaction.',
    from: 'invariant 2',
    since: 'main-job',
  },
  'invariant-3': {
    sentence: 'Bytes, not meaning, are signed: nothing is re-serialised before hashing.',
    from: 'invariant 3',
    since: 'main-job',
  },
  'invariant-4': {
    sentence: 'Who signs is not who acts: one role a key, and only the roles that docs/formats/signers.md allows.',
    from: 'invariant 4',
    since: 'main-job',
  },
  'invariant-5': {
    sentence: 'Closed means dead: after a task is closed none of its tokens authorises anything.',
    from: 'invariant 5',
    since: 'main-job',
  },
  'invariant-6': {
    sentence: 'A delegate never exceeds its delegator, and nobody becomes an actor without having signed.',
    from: 'invariant 6',
    since: 'ledger',
  },
  'invariant-7': {
    sentence: 'What was approved is what runs; an approval is used once.',
    from: 'invariant 7',
    since: 'main-job',
  },
  'invariant-8': {
    sentence: 'Refusals are evidence too, and strangers cannot write into the chain of a task.',
    from: 'invariant 8',
    since: 'main-job',
  },
  'invariant-9': { sentence: 'The verifier never says more than it knows.', from: 'invariant 9', since: 'main-job' },
  'key-rotation': {
    sentence:
      'A key is exchanged under the root; a compromise takes what it signed from a size on, and nothing before.',
    from: 'docs/formats/signers.md',
    since: 'ledger',
  },
  'invariant-10': {
    sentence: 'The log holds no personal data, and proofs survive erasure.',
    from: 'invariant 10',
    since: 'ledger',
  },
  'invariant-11': { sentence: 'Every statement says who observed it.', from: 'invariant 11', since: 'main-job' },
  'invariant-12': {
    sentence: 'A missing log is a finding: no "nothing hidden" without stated coverage.',
    from: 'invariant 12',
    since: 'reconcile',
  },
  'formats-true': {
    sentence: 'docs/formats describes what the code writes: every worked example is accepted by the code.',
    from: 'docs/formats',
    since: 'main-job',
  },
  'case-tamper': {
    sentence: 'No changed byte and no removed, added, swapped or reordered member of a case is ever VERIFIED.',
    from: 'verification',
    since: 'main-job',
  },
  'verify-offline': {
    sentence: 'A case is verified by anyone, offline, with the trust file alone.',
    from: 'verification',
    since: 'main-job',
  },
  'crash-safe': {
    sentence: 'kill -9 at any moment loses no acknowledged entry.',
    from: 'the ledger',
    since: 'main-job',
  },
  'one-writer': { sentence: 'Two servers never write one data folder.', from: 'the ledger', since: 'main-job' },
  'no-newer-data': {
    sentence: 'A data folder from a newer version is refused, not guessed at.',
    from: 'the ledger',
    since: 'main-job',
  },
  'witness-atomic': {
    sentence: 'The witness persists before it answers and never signs a smaller or a forked tree.',
    from: 'the witness',
    since: 'main-job',
  },
  'proof-once': {
    sentence: 'Of any number of concurrent sends of one proof, exactly one passes.',
    from: 'tokens',
    since: 'main-job',
  },
  'policy-fail-closed': {
    sentence: 'A policy that fails validation is not activated; one that errors at run time denies.',
    from: 'policy',
    since: 'main-job',
  },
  'tool-pinned': {
    sentence: 'A tool whose definition changed is refused until it is accepted.',
    from: 'the gateway',
    since: 'main-job',
  },
  'strict-input': {
    sentence: 'Client messages are parsed strictly before relay and end in a clear coded error.',
    from: 'the gateway',
    since: 'main-job',
  },
  'byte-relay': {
    sentence: 'What the protocol does not ask us to judge passes byte for byte.',
    from: 'the gateway',
    since: 'main-job',
  },
  'unknown-outcome': {
    sentence: 'A server that dies during a call leaves the outcome unknown, and it is recorded as such.',
    from: 'the gateway',
    since: 'main-job',
  },
  'credential-hidden': {
    sentence: 'A tool never sees the brokered credential it acts with.',
    from: 'the git relay',
    since: 'main-job',
  },
  'hidden-found': {
    sentence: 'A push behind the back of the gateway is found and named, and only that one.',
    from: 'reconcile',
    since: 'main-job',
  },
  'task-receipt': {
    sentence: 'A task receipt proves that the log closed this task with these outputs, and no more.',
    from: 'docs/formats/receipt.md',
    since: 'ledger',
  },
  'log-continues': {
    sentence: 'Whoever kept an older checkpoint learns whether the log went on from it.',
    from: 'docs/formats/leaf.md',
    since: 'ledger',
  },
  'foreign-verifiers': {
    sentence: 'A verifier that is not ours accepts a statement with our trusted root, and refuses it changed.',
    from: 'docs/formats/interop.md',
    since: 'ledger',
  },
  'one-verifier': {
    sentence: 'The verifier gives the same verdict and reasons in Node and in a browser.',
    from: 'docs/formats/verification.md',
    since: 'ledger',
  },
  'reading-copy': {
    sentence: 'A reading copy never shows more than UNANCHORED and asks nobody for anything.',
    from: 'docs/formats/reading-copy.md',
    since: 'ledger',
  },
  'restore-never-forks': {
    sentence: 'An older copy of the data never forks the log.',
    from: 'docs/restore.md',
    since: 'ledger',
  },
  'nothing-lost': {
    sentence: 'What was acknowledged survives every failing write and every kill.',
    from: 'docs/reliability.md',
    since: 'ledger',
  },
  'witness-quorum': {
    sentence: 'A checkpoint is witnessed when the rule of the trust file holds, and never before.',
    from: 'docs/formats/trust.md',
    since: 'ledger',
  },
  'idle-log': {
    sentence: 'An idle log shows that it is idle and not stale.',
    from: 'docs/formats/trust.md',
    since: 'ledger',
  },
  'log-is-static': {
    sentence: 'Any static host serves the log.',
    from: 'docs/guides/publish-the-log.md',
    since: 'ledger',
  },
  timestamps: {
    sentence: 'Time is bounded by an authority that the trust file names, and by no certificate that came along.',
    from: 'docs/formats/timestamps.md',
    since: 'ledger',
  },
  'every-file': {
    sentence: 'A changed bit in a file of the data folder is named, or means nothing.',
    from: 'docs/guides/fsck.md',
    since: 'ledger',
  },
  audit: {
    sentence: 'Each leaf of the log opens to exactly one place in one series.',
    from: 'docs/guides/audit.md',
    since: 'ledger',
  },
  'the-demo': {
    sentence: 'One command shows an agent act, a hidden side effect caught, and a file that proves it offline.',
    from: 'README',
    since: 'main-job',
  },
} as const satisfies Record<string, ProductPromise>;

export type PromiseId = keyof typeof promises;

/** Marks the test it is called in as the proof of a promise; the manifest's own test looks for the literal calls. */
export function proves(..._ids: readonly PromiseId[]): void {}
