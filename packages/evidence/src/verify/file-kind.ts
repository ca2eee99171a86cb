import { equalBytes, utf8 } from '../encoding.ts';

export type FileKind = 'case' | 'receipt' | 'tlog-proof';

/** What a file claims to be, by how it begins. What is none of ours is left to the verifier of cases to refuse. */
export function fileKind(file: Uint8Array): FileKind {
  const begins = (text: string) => equalBytes(file.subarray(0, text.length), utf8(text));
  if (begins('{')) return 'receipt';
  return begins('c2sp.org/tlog-proof') ? 'tlog-proof' : 'case';
}
