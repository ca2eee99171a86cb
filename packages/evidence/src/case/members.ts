/** The names of a case's members, made and read in one place. */
export const members = {
  caseJson: 'case.json',
  exported: 'statements/case-exported.json',
  exportedProof: 'proofs/case-exported.tlog-proof',
  claimedTrust: 'trust/claimed.txt',
  statement: (index: number) => `statements/${digits(index)}.json`,
  proof: (index: number) => `proofs/${digits(index)}.tlog-proof`,
  anchorProof: (index: number) => `proofs/${digits(index)}-anchor.tlog-proof`,
  /** `digest`: hex SHA-256 of the text of the checkpoint that is stamped. */
  timestamp: (digest: string) => `timestamps/${digest}.tsr`,
  payload: (name: string) => `payloads/${name}`,
  batch: (batch: string) => `events/${batch}/batch.json`,
  event: (batch: string, name: string) => `events/${batch}/${name}`,
  manifest: (bundle: string) => `policy/${bundle}/manifest.json`,
  policyFile: (bundle: string, path: string) => `policy/${bundle}/${path}`,
} as const;

function digits(index: number): string {
  return String(index).padStart(12, '0');
}

const hex = '[0-9a-f]{64}';
const known = new RegExp(
  `^(case\\.json|trust/claimed\\.txt|(statements|proofs)/case-exported\\.(json|tlog-proof)|statements/[0-9]{12}\\.json|` +
    `proofs/[0-9]{12}(-anchor)?\\.tlog-proof|payloads/${hex}|events/${hex}/(batch\\.json|${hex})|policy/${hex}/[A-Za-z0-9._/-]+|timestamps/${hex}\\.tsr)$`,
);

export function isKnownMember(name: string): boolean {
  return known.test(name);
}

/** The log index in the name of a statement's member, or undefined. */
export function indexOfStatement(name: string): number | undefined {
  const match = /^statements\/([0-9]{12})\.json$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

/** The imprint in the name of a timestamp's member, or undefined. */
export function imprintOfTimestamp(name: string): string | undefined {
  return /^timestamps\/([0-9a-f]{64})\.tsr$/.exec(name)?.[1];
}

/** The payload object or event that a member holds, by its name, or undefined. */
export function payloadOfMember(name: string): string | undefined {
  return /^(?:payloads|events\/[0-9a-f]{64})\/([0-9a-f]{64})$/.exec(name)?.[1];
}
