import { GatewayError } from '../errors.ts';

/** `${deed:NAME}` in a word of a registered command: there stands the credential's variable NAME when the tool is started. */
const placeholder = /\$\{deed:([A-Za-z_][A-Za-z0-9_]*)\}/g;

export function placeholderOf(variable: string): string {
  return `\${deed:${variable}}`;
}

/** The command with its placeholders filled in, and the variables that stand in none of them. What is not given stays as it is written. */
export function fillIn(
  argv: readonly string[],
  given: Readonly<Record<string, string>>,
): { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  const used = new Set<string>();
  const filled = argv.map((word) =>
    word.replaceAll(placeholder, (text, name: string) => {
      const value = Object.hasOwn(given, name) ? given[name] : undefined;
      if (value === undefined) return text;
      used.add(name);
      return value;
    }),
  );
  return { argv: filled, env: Object.fromEntries(Object.entries(given).filter(([name]) => !used.has(name))) };
}

/** The headers that requests to an address carry, with the variables of its credentials in their places. @throws GatewayError credential */
export function filledHeaders(
  tool: { readonly name: string; readonly headers: Readonly<Record<string, string>> },
  given: Readonly<Record<string, string>>,
): Record<string, string> {
  const { argv } = fillIn(Object.values(tool.headers), given);
  if (argv.some((value) => value.search(placeholder) >= 0))
    throw new GatewayError('credential', `a header of ${tool.name} wants a variable that its credentials do not have`);
  return Object.fromEntries(Object.keys(tool.headers).map((name, at) => [name.toLowerCase(), argv[at] ?? '']));
}
