/** One server in a client's configuration. */
export interface Entry {
  /** The keys that lead to it. */
  readonly at: readonly string[];
  /** What stands there, as plain values. */
  readonly value: Readonly<Record<string, unknown>>;
}

/** What an entry is to start. Every other member of it stays. */
export interface Start {
  readonly command: string;
  /** Null: the entry has no such member. */
  readonly args: readonly string[] | null;
  /** Null: whatever stands there is emptied, and nothing is added. */
  readonly env: Readonly<Record<string, string>> | null;
}

/** Where an entry is reached, as its members say it. */
export interface Address {
  readonly url: string;
  /** Undefined: the entry has no such member. */
  readonly type: string | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
}

/** How a client writes its configuration. */
export interface Dialect {
  /** @throws ServerError request, with line and column */
  entries(text: string): readonly Entry[];
  /** The text with one entry changed, and nothing else. */
  withStart(text: string, at: readonly string[], start: Start): string;
  /** The text with an entry that is started made one that is reached by its address; null where that is not known how. */
  readonly withAddress: ((text: string, at: readonly string[], address: Address) => string) | null;
  /** Whether `${NAME}` in a value stands for something else. */
  readonly hasVariables: boolean;
}
