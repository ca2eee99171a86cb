import { styleText } from 'node:util';

/** Prints one value as JSON, or what `human` makes of it. */
export function print(value: unknown, json: boolean, human: () => string): void {
  process.stdout.write(json ? `${JSON.stringify(value, null, 2)}\n` : `${human()}\n`);
}

export const bold = (text: string) => style('bold', text);
export const dim = (text: string) => style('dim', text);
export const red = (text: string) => style('red', text);
export const green = (text: string) => style('green', text);
export const yellow = (text: string) => style('yellow', text);

function style(format: Parameters<typeof styleText>[0], text: string): string {
  return styleText(format, text, { stream: process.stdout });
}

/** A number of things, in words. */
export function counted(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}

/** Rows under a header, columns as wide as their widest cell. Cells hold no escape sequences. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [bold(line(header)), ...rows.map(line)].join('\n');
}

/** A table whose cells are broken to the given widths, with a line between rows. */
export function wrappedTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  widths: readonly number[],
): string {
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  const body = rows.flatMap((row) => {
    const cells = row.map((cell, i) => wrap(cell, widths[i] ?? cell.length).split('\n'));
    const height = Math.max(...cells.map((lines) => lines.length));
    const lines = Array.from({ length: height }, (_, n) => line(cells.map((parts) => parts[n] ?? '')));
    return [dim('─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2))), ...lines];
  });
  return [bold(line(header)), ...body].join('\n');
}

/** Breaks a text into lines of at most `width` characters, at spaces. */
export function wrap(text: string, width: number, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  const words = text.split(' ').flatMap((word) => word.match(new RegExp(`.{1,${width}}`, 'gu')) ?? ['']);
  for (const word of words) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((one) => indent + one).join('\n');
}
