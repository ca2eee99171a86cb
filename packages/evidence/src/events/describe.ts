import type { SourceEvent } from './source-event.ts';

const maxValues = 12;
const maxValue = 80;

/** What a system recorded, in a line: of a changed row only what changed, before and after. */
export function recordText(source: string, { operation, resource, fields }: SourceEvent): string {
  const parts: string[] = [];
  const names = new Set(Object.keys(fields).map((name) => name.replace(/^(before|after)\./, '')));
  for (const name of names) {
    const [before, after] = [fields[`before.${name}`], fields[`after.${name}`]];
    if (before === undefined && after === undefined) {
      const value = fields[name];
      if (value !== null && value !== undefined) parts.push(`${name} ${cut(value)}`);
    } else if (before === undefined || after === undefined) {
      parts.push(`${name} ${cut(before ?? after ?? null)}`);
    } else if (before !== after) parts.push(`${name} ${cut(before)} -> ${cut(after)}`);
  }
  const told = parts.slice(0, maxValues).join(', ');
  const rest = parts.length > maxValues ? `, and ${parts.length - maxValues} more` : '';
  return `${source}: ${operation}${resource ? ` ${resource.uid}` : ''}${told ? ` (${told}${rest})` : ''}`;
}

function cut(value: string | number | boolean | null): string {
  const text = value === null ? 'null' : String(value);
  return text.length > maxValue ? `${text.slice(0, maxValue).toWellFormed()}…` : text;
}
