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
  /** What is shown there; undefined: the entry says nothing of that. */
  readonly headers: readonly Header[] | undefined;
}

export interface Header {
  readonly name: string;
  readonly value: string;
  /** Of a value that stands in the client's environment: the variable, whose value comes after `value`. */
  readonly variable: string | null;
}

/** How a client writes its configuration. */
export interface Dialect {
  /** @throws ServerError request, with line and column */
  entries(text: string): readonly Entry[];
  /** The text with one entry changed, and nothing else. */
  withStart(text: string, at: readonly string[], start: Start): string;
  /** The members that say where an entry is reached. */
  readonly addressMembers: readonly string[];
  /** The text with an entry that is started made one that is reached by its address: what each of those members is, or undefined. */
  withAddress(text: string, at: readonly string[], members: Readonly<Record<string, unknown>>): string;
  /** Whether `${NAME}` in a value stands for something else. */
  readonly hasVariables: boolean;
}
