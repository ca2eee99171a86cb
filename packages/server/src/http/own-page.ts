import { fromBase64, fromUtf8, type Word } from '@deed/evidence';
import { ServerError } from '../errors.ts';

/** A word that comes from a page was signed on a page of this server, not on one of another port of its host. @throws ServerError passkey */
export function requireOwnPage({ signature }: Word, url: string): void {
  const { origin } = new URL(url);
  const isOwn = signature.kind === 'webauthn' && clientOrigin(fromBase64(signature.clientDataJSON)) === origin;
  if (!isOwn) throw new ServerError('passkey', `a passkey's answer on a page of ${origin} is wanted`);
}

function clientOrigin(bytes: Uint8Array): unknown {
  try {
    return (JSON.parse(fromUtf8(bytes)) as { readonly origin?: unknown } | null)?.origin;
  } catch {
    return undefined;
  }
}
