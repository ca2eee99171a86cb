import { AuthorityError } from '../errors.ts';

const maxDepth = 16;
const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const token = /<(\/?)([A-Za-z][A-Za-z0-9]*)(?: xmlns="([^"<&]*)")?\s*(\/?)>|([^<]+)/y;

/**
 * The little of XML that a service's answer is made of: elements and text. No attribute but the namespace, no comment, no DTD, no
 * CDATA, no entity but the five: what else there is, is refused.
 * @returns `only(path)`: the text of the one element at a path such as `Response/Error/Code`
 * @throws AuthorityError broker
 */
export function parseXml(text: string, namespace: string): { readonly only: (path: string) => string } {
  const found = new Map<string, string[]>();
  const open: string[] = [];
  const refuse = (why: string): never => {
    throw new AuthorityError('broker', `an answer that is not in form: ${why}`);
  };
  let roots = 0;
  let content = '';
  token.lastIndex = /^(?:<\?xml version="1\.0"[^?<>]*\?>)?\s*/.exec(text)?.[0].length ?? 0;
  while (token.lastIndex < text.length) {
    const [, closes, name = '', xmlns, empty, chars] = token.exec(text) ?? refuse('no plain XML');
    if (chars !== undefined) {
      if (open.length === 0 && chars.trim() !== '') refuse('text outside of its element');
      content += chars;
    } else if (closes) {
      if (xmlns !== undefined || empty || open.at(-1) !== name) refuse(`</${name}> closes nothing`);
      note(found, open.join('/'), content, refuse);
      open.pop();
      content = '';
    } else {
      if (open.length === 0 && (roots++ > 0 || xmlns !== namespace)) refuse('another document than was asked for');
      if (open.length > 0 && xmlns !== undefined) refuse('a namespace in the middle');
      if (open.length >= maxDepth) refuse('too deep');
      open.push(name);
      content = '';
      if (empty) note(found, open.join('/'), '', refuse);
      if (empty) open.pop();
    }
  }
  if (open.length > 0 || roots === 0) refuse('it ends inside of an element');
  return {
    only(path) {
      const [first, ...more] = found.get(path) ?? [];
      return first === undefined || more.length > 0 ? refuse(`not one ${path}`) : first;
    },
  };
}

function note(found: Map<string, string[]>, path: string, raw: string, refuse: (why: string) => never): void {
  const text = raw.replace(/&([^;&]*);?/g, (_, name: string) => entities[name] ?? refuse(`&${name}`));
  found.set(path, [...(found.get(path) ?? []), text.trim()]);
}
