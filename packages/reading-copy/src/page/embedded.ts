import { fromBase64 } from '@deed/evidence';

export interface EmbeddedCase {
  readonly file: Uint8Array;
  /** The name under which it is handed out again. */
  readonly name: string;
}

/** The case that the page holds. @throws EvidenceError encoding (somebody changed the page) */
export function embeddedCase(document: Document): EmbeddedCase {
  const block = document.getElementById('case');
  const file = fromBase64((block?.textContent ?? '').replaceAll('\n', ''));
  return { file, name: block?.dataset.name ?? 'case.deed' };
}
