/**
 * What this room asks of the platform. Each file of `#platform` gives all of it, synchronously, and every two of them give
 * the same answers: callers (`platform.ts`, `encoding.ts`) hand over only keys and signatures of the one accepted form.
 */
export type HashName = 'sha1' | 'sha256' | 'sha384' | 'sha512';

/** How a timestamp authority signs. */
export type SignatureAlgorithm =
  | { readonly kind: 'ecdsa' | 'rsa-pkcs1'; readonly hash: HashName }
  | { readonly kind: 'rsa-pss'; readonly hash: HashName; readonly saltBytes: number };

export interface Primitives {
  readonly sha256: (...parts: readonly Uint8Array[]) => Uint8Array;
  readonly sha512: (bytes: Uint8Array) => Uint8Array;
  /** SHA-1 is for naming a certificate that something else vouches for, never for what is signed. */
  readonly hash: (name: HashName, bytes: Uint8Array) => Uint8Array;
  readonly hmacSha256: (key: Uint8Array, ...parts: readonly Uint8Array[]) => Uint8Array;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly toHex: (bytes: Uint8Array) => string;
  readonly toBase64: (bytes: Uint8Array) => string;
  /** Without padding. */
  readonly toBase64Url: (bytes: Uint8Array) => string;
  /** Of these three: any bytes, or undefined, for text in another form. The caller looks at it, or at what they encode to. */
  readonly fromHex: (text: string) => Uint8Array | undefined;
  readonly fromBase64: (text: string) => Uint8Array | undefined;
  readonly fromBase64Url: (text: string) => Uint8Array | undefined;
  /** ECDSA P-256 over SHA-256 of the message: SPKI of 91 bytes, signature in strict DER. False or an error if it fails. */
  readonly verifyP256: (spki: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
  /** Ed25519 without cofactor: SPKI of 44 bytes, signature of 64; key and R are canonical and not of small order. */
  readonly verifyEd25519: (spki: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
  /** ML-DSA-44 with an empty context: SPKI of 1334 bytes, signature of 2420. */
  readonly verifyMlDsa44: (spki: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
  /**
   * ECDSA (P-256, P-384; signature in DER) or RSA (from 2048 bits) over the hash of the message. False for a key that does not
   * fit; `unsupported` where this platform cannot tell, which is never success.
   */
  readonly verifySignature: (
    algorithm: SignatureAlgorithm,
    spki: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
  ) => boolean | 'unsupported';
}
