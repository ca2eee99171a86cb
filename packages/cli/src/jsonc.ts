import { ServerError } from '@deed/server';
import { type Node, type ParseError, parseTree, printParseErrorCode, visit } from 'jsonc-parser';

/**
 * JSON as editors write it, with comments and commas at the end. A member that stands twice is refused: readers differ about which
 * one counts. @throws ServerError request, with line and column
 */
export function parseJsonc(text: string): { readonly root: Node } {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error) throw broken(text, error.offset, printParseErrorCode(error.error));
  if (root?.type !== 'object') throw new ServerError('request', 'the file holds no JSON object');
  const open: Set<string>[] = [];
  visit(
    text,
    {
      onObjectBegin: () => void open.push(new Set()),
      onObjectEnd: () => void open.pop(),
      onObjectProperty: (name, offset) => {
        if (open.at(-1)?.has(name)) throw broken(text, offset, `${JSON.stringify(name)} stands twice`);
        open.at(-1)?.add(name);
      },
    },
    { allowTrailingComma: true },
  );
  return { root };
}

/** What cannot be read, and where. */
export function broken(text: string, offset: number, what: string): ServerError {
  const before = text.slice(0, offset).split('\n');
  return new ServerError('request', `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}: ${what}`);
}
