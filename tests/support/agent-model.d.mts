export interface Passing {
  readonly port: number;
  stop(): void;
}
export function passOn(
  from: readonly [string] | readonly [number, string],
  to: { readonly host: string; readonly port: number } | { readonly path: string },
): Promise<Passing>;
