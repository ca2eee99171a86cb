import {
  fromBase64,
  fromBase64Url,
  makePasskeyWord,
  openWord,
  type Word,
  type WordDomain,
  wordChallenge,
} from '@deed/evidence';

/** A passkey of the one who is signed in: its id in browsers, and its key. */
export interface OwnPasskey {
  readonly credential: string;
  readonly public: string;
}

/** Has one of these passkeys sign exactly these bytes, with its user verified. @throws Error (none did) */
export async function signWord(domain: WordDomain, bytes: Uint8Array, own: readonly OwnPasskey[]): Promise<Word> {
  const made = (await navigator.credentials.get({
    publicKey: {
      challenge: new Uint8Array(wordChallenge(domain, bytes)),
      rpId: location.hostname,
      userVerification: 'required',
      allowCredentials: own.map(({ credential }) => ({
        type: 'public-key',
        id: new Uint8Array(fromBase64Url(credential)),
      })),
    },
  })) as PublicKeyCredential | null;
  const passkey = own.find(({ credential }) => credential === made?.id);
  if (!made || !passkey) throw new Error('No passkey of yours signed it.');
  const { signature, authenticatorData, clientDataJSON } = made.response as AuthenticatorAssertionResponse;
  const word = makePasskeyWord(bytes, fromBase64(passkey.public), {
    sig: new Uint8Array(signature),
    authenticatorData: new Uint8Array(authenticatorData),
    clientDataJSON: new Uint8Array(clientDataJSON),
  });
  openWord(domain, word); // what the verifier will ask of it
  return word;
}
