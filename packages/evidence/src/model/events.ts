import type { Json } from '../json.ts';
import { itemsOf, readJson } from './json-value.ts';

/**
 * What an answer of a model says, in its parts: the data of each server-sent event that is JSON, the items of a list, or the one
 * object. Nothing for anything else.
 */
export function eventsOf(text: string): readonly Json[] {
  const start = text.trimStart();
  if (start.startsWith('{')) return [readJson(text) ?? []].flat();
  if (start.startsWith('[')) return itemsOf(readJson(text));
  return text
    .split(/\r\n\r\n|\n\n|\r\r/)
    .map(dataOf)
    .flatMap((data) => readJson(data) ?? []);
}

/** WHATWG HTML, section 9.2.6: the data lines of one event. */
function dataOf(event: string): string {
  return event
    .split(/\r\n|\n|\r/)
    .flatMap((line) => (line.startsWith('data:') ? [line.slice('data:'.length).replace(/^ /, '')] : []))
    .join('\n');
}
