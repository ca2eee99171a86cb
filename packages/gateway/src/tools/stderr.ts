import { LineSplitter } from '../mcp/lines.ts';

/** Longest line that is shown, in bytes. */
const maxShownBytes = 64 * 1024;
/** A value as short as this is in too many words to hide anything by going. */
const minHiddenLength = 8;
/** What stands in half of all that programs say, and tells nothing. */
const harmless: readonly string[] = ['HOME', 'PATH'];

/**
 * Takes what a tool writes to its stderr and shows it line by line, without the values of its variables: there stands the variable's
 * name. The agent's side reads it, and credentials are the tool's alone. A tool that wants to tell can write them in another way.
 */
export function stderrLines(
  variables: Readonly<Record<string, string>>,
  show: (line: Uint8Array) => void,
): (chunk: Uint8Array) => void {
  const hidden = Object.entries(variables)
    .filter(([name, value]) => value.length >= minHiddenLength && !harmless.includes(name))
    .flatMap(([name, value]) => [value, encodeURIComponent(value)].map((form) => ({ name, bytes: latin(form) })))
    .sort((a, b) => b.bytes.length - a.bytes.length); // one may stand within another
  const splitter = new LineSplitter(
    maxShownBytes,
    (line) => {
      const text = Buffer.from(line).toString('latin1'); // whatever its encoding is
      const clean = hidden.reduce((said, { name, bytes }) => said.replaceAll(bytes, () => `[${name}]`), text);
      show(clean === text ? line : Buffer.from(clean, 'latin1'));
    },
    () => show(Buffer.from(`deed: a line above ${maxShownBytes} bytes was left out`)),
  );
  return (chunk) => splitter.push(chunk);
}

/** The UTF-8 bytes of a text, one character each. */
function latin(text: string): string {
  return Buffer.from(text).toString('latin1');
}
