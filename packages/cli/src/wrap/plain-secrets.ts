/** A name that says of its value that it is secret. */
const secretName =
  /(^|[_-])(token|secret|secrets|password|passwd|passphrase|pass|pwd|pat|key|apikey|auth|authorization|bearer|credential|credentials|dsn|cookie|jwt|webhook)$|connection[_-]?string$|(token|secret|password|apikey|api[_-]key)s?$/i;

/** Values that say it of themselves: tokens of well-known services, private keys, a URL with a password. */
const secretValue =
  /\b(gh[pousr]_|github_pat_|glpat-|sk-|sk_live_|sk_test_|rk_live_|xox[abeprs]-|AKIA[0-9A-Z]|ASIA[0-9A-Z]|AIza|ya29\.|npm_|hf_|dop_v1_|lin_api_|ntn_|shpat_|SG\.|eyJ[A-Za-z0-9_-]+\.eyJ)[A-Za-z0-9_.-]{6,}|-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const urlPassword = /^([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*:)([^\s@/]+)(@)/i;
const headerValue =
  /^((?:authorization|proxy-authorization|x-api-key|api-key|cookie)\s*:\s*(?:(?:bearer|basic|token)\s+)?)(\S.*)$/i;

/** Whether a variable of the environment, or a header, holds a secret. */
export function isSecret(name: string, value: string): boolean {
  if (value === '' || /^(true|false|[0-9]{1,6})$/i.test(value)) return false;
  // A path to a secret is none, whatever its name says.
  const isPath = /^(\/|~\/|\.\.?\/)/.test(value);
  return (secretName.test(name) && !isPath) || secretValue.test(value) || urlPassword.test(value);
}

/** A word of a command, cut where a secret stands in it. */
export interface CutWord {
  readonly before: string;
  readonly secret: string;
  readonly after: string;
  /** What it is called, as far as the words tell. */
  readonly name: string;
}

/** The secret in one word of a command, if there is one. @param previous the word before it */
export function secretIn(word: string, previous: string | undefined): CutWord | null {
  const option = /^--?([A-Za-z][\w-]*)$/.exec(previous ?? '')?.[1];
  if (option !== undefined && secretName.test(option) && !word.startsWith('-') && isSecret(option, word)) {
    return { before: '', secret: word, after: '', name: option };
  }
  const url = urlPassword.exec(word);
  if (url) return cut(url, 'password', word);
  const assigned = /^(-{0,2}([A-Za-z][\w-]*)=)(.+)$/s.exec(word);
  if (assigned) {
    const [, before = '', name = '', value = ''] = assigned;
    const inner = urlPassword.exec(value);
    if (inner) {
      const { before: start, ...rest } = cut(inner, name, value);
      return { ...rest, before: before + start };
    }
    if (isSecret(name, value)) return { before, secret: value, after: '', name };
  }
  const header = headerValue.exec(word);
  if (header) return { before: header[1] ?? '', secret: header[2] ?? '', after: '', name: 'authorization' };
  const token = secretValue.exec(word);
  if (!token) return null;
  const before = word.slice(0, token.index);
  return { before, secret: token[0], after: word.slice(before.length + token[0].length), name: 'token' };
}

function cut([, before = '', secret = '']: RegExpExecArray, name: string, word: string): CutWord {
  return { before, secret, after: word.slice(before.length + secret.length), name };
}
