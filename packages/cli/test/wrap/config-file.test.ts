import { describe, expect, it, test } from 'vitest';
import { addressOf, behindDeed, dialectOf, stdioOf } from '../../src/wrap/config-file.ts';
import type { Entry } from '../../src/wrap/dialect.ts';

const json = dialectOf('.mcp.json');
const toml = dialectOf('config.toml');
const wrapped = { command: '/bin/deed', args: ['mcp', 'run', '--server', 'a "b"'], env: null };

/** Files as people write them; each holds one server, `a`, with its members spread in another way. */
const files = {
  'Claude Code': [json, '{"mcpServers":{"a":{"command":"node","args":["x"],"env":{"K":"v"}}}}\n'],
  'Claude Code, its own file': [
    json,
    '{\n  "n": 1,\n  "projects": {"/p.q": {"mcpServers": {"a": {"type": "stdio", "command": "node", "args": ["x"], "env": {"K": "v"}}}}}\n}',
  ],
  'VS Code, with comments, tabs and commas at the end': [
    json,
    '// top\n{\n\t"inputs": [], // none\n\t"servers": {\n\t\t/* a */ "a": {\n\t\t\t"type": "stdio",\n\t\t\t"command": "node", // here\n\t\t\t"args": ["x"],\n\t\t\t"env": { "K": "v", },\n\t\t},\n\t},\n}\n',
  ],
  "VS Code's settings, with CRLF": [
    json,
    '{\r\n    "mcp": {\r\n        "servers": {\r\n            "a": {\r\n                "command": "node",\r\n                "args": [\r\n                    "x"\r\n                ],\r\n                "env": {\r\n                    "K": "v"\r\n                }\r\n            }\r\n        }\r\n    }\r\n}\r\n',
  ],
  'Codex, a table with an inline env': [
    toml,
    '# top\nmodel = "m" # kept\n\n[mcp_servers.a]\ncommand = "node" # here\nargs = [\n  "x", # first\n]\nenv = { "K" = "v" }\nstartup_timeout_sec = 20\n\n[tools]\nweb = true\n',
  ],
  'Codex, a table of its own for env': [
    toml,
    '[mcp_servers.a]\ncommand = \'node\'\nargs = ["x"]\n\n  [mcp_servers.a.env] # variables\n  K = """v""" # why\n\n[mcp_servers.b.env]\nK = "other"\n[mcp_servers.b]\nurl = "https://example.com"\n',
  ],
  'Codex, dotted keys': [
    toml,
    '[mcp_servers]\na.command = "node"\na.args = ["x"]\na.env.K = "v" # of a\nb = { url = "https://example.com" }',
  ],
  'Codex, one inline table': [toml, 'mcp_servers = { a = { command = "node", args = ["x"], env.K = "v" } }\r\n'],
} as const;

function entryOf(text: string, dialect: typeof json): Entry {
  const found = dialect.entries(text).find(({ at }) => at.at(-1) === 'a');
  if (!found) throw new Error('there is no entry a');
  return found;
}

describe.each(Object.entries(files))('%s', (_name, [dialect, text]) => {
  const before = entryOf(text, dialect);
  const now = dialect.withStart(text, before.at, wrapped);

  it('has what a server starts with', () => {
    expect(stdioOf(before)).toMatchObject({ command: 'node', args: ['x'], env: { K: 'v' } });
  });

  it('is changed in what is started, and in nothing else', () => {
    const { command, args, env = {}, ...rest } = entryOf(now, dialect).value;
    const { command: _c, args: _a, env: _e, ...others } = before.value;
    expect({ command, args, rest }).toEqual({ command: '/bin/deed', args: wrapped.args, rest: others });
    expect(env).toEqual({});
    const lines = (file: string) =>
      file.split(/\r?\n/).filter((line) => !/node|"x"|args|"?K"?\W|"env"|^\s*\],?$/.test(line));
    const kept = now.split(/\r?\n/).map((line) => line.trim());
    for (const line of lines(text)) expect(kept).toContain(line.trim());
    for (const comment of text.match(/(\/\/|\/\*|#) ?(?!first)\w+/g) ?? []) expect(now).toContain(comment);
    expect(now.includes('\r\n')).toBe(text.includes('\r\n'));
  });

  it('gets its servers back, in a file that changed in other places', () => {
    const { command, args = null, env = null } = stdioOf(before);
    const back = dialect.withStart(now, before.at, { command, args, env });
    expect(dialect.entries(back)).toEqual(dialect.entries(text));
  });
});

test('a server without arguments and environment gets what it needs, and loses it again', () => {
  const bare = [
    [json, '{"mcpServers": {"a": {"command": "node"}}}'],
    [toml, '[mcp_servers.a]\ncommand = "node"'],
    [toml, '  [mcp_servers.a]\n  command = "node" # here\n  enabled = true\n'],
    [toml, '[mcp_servers]\na = { command = "node" }\n'],
    [toml, 'mcp_servers.a.command = "node"\n'],
  ] as const;
  for (const [dialect, text] of bare) {
    const { at } = entryOf(text, dialect);
    const now = dialect.withStart(text, at, wrapped);
    expect(entryOf(now, dialect).value, now).toMatchObject({ command: '/bin/deed', args: wrapped.args });
    const back = dialect.withStart(now, at, { command: 'node', args: null, env: null });
    expect(dialect.entries(back), back).toEqual(dialect.entries(text));
  }
});

test.each([
  ['JSON that breaks off', json, '{\n  "mcpServers": {', 'line 2'],
  ['a member that stands twice', json, '{"mcpServers": {\n"a": {}, "a": {}}}', 'line 2, column 10: "a" stands twice'],
  ['TOML that breaks off', toml, 'x = 1\n[mcp_servers.a]\ncommand = ', 'line 3'],
  ['a TOML key that stands twice', toml, '[mcp_servers.a]\ncommand = "a"\ncommand = "b"', 'line 3'],
])('%s is refused, with the place', (_what, dialect, text, place) => {
  expect(() => dialect.entries(text)).toThrow(
    expect.objectContaining({ code: 'request', message: expect.stringContaining(place) }),
  );
});

test('a file without servers has none, and a server of another form is refused', () => {
  expect(json.entries('{}')).toEqual([]);
  expect(json.entries('{"mcpServers": []}')).toEqual([]);
  expect(toml.entries('mcp_servers = 1')).toEqual([]);
  expect(() => stdioOf({ at: ['a'], value: { command: 'x', args: [1] } })).toThrow(
    expect.objectContaining({ code: 'request' }),
  );
});

test('an entry behind Deed is known by what it starts', () => {
  const entry = (command: string, ...args: string[]) => behindDeed({ at: ['a'], value: { command, args } });
  expect(entry('node', '/x/bin/deed.mjs', 'mcp', 'run', '--server', 'files')).toBe('files');
  expect(entry('node', '/x/packages/cli/src/main.ts', 'mcp', 'run', '--', 'cat')).toBeNull();
  expect(entry('deed', 'mcp', 'run', '--', 'cat')).toBeNull();
  expect(entry('node', 'other.mjs', 'mcp', 'run')).toBeUndefined();
  expect(entry('deed', 'verify')).toBeUndefined();
});

test('an entry with an address becomes one that is started, and one with an address again', () => {
  const text =
    '{\n  // ours\n  "mcpServers": {\n    "a": { "type": "http", "url": "https://example.com/mcp", "headers": { "A": "b" } }\n  }\n}\n';
  const [entry] = json.entries(text);
  if (!entry) throw new Error('there is no server');
  const started = json.withStart(text, entry.at, { command: 'deed', args: ['mcp', 'run'], env: null });
  const [now] = json.entries(started);
  expect(now?.value).toEqual({ type: 'stdio', command: 'deed', args: ['mcp', 'run'] });
  expect(started).toContain('// ours');
  const back = json.withAddress(started, entry.at, entry.value);
  expect(json.entries(back)[0]?.value).toEqual(entry.value);
  expect(addressOf({ at: [], value: { url: 'https://example.com', type: 'sse' } })).toBe(null);
});

const tomlAddresses = {
  'a table':
    '# mine\n[mcp_servers.a]\nurl = "https://example.com/mcp" # there\nbearer_token_env_var = "TOKEN"\nstartup_timeout_sec = 20\n\n# shown\n[mcp_servers.a.http_headers]\nX-Org = "one" # ours\n"X-B" = "two"\n\n[mcp_servers.a.env_http_headers]\nX-Key = "KEY"\n\n[mcp_servers.b]\ncommand = "node"\n',
  'dotted keys':
    '[mcp_servers]\na.url = "https://example.com/mcp"\na.http_headers.X-Org = "one"\na.startup_timeout_sec = 20\na.env_http_headers = { X-Key = "KEY" }\nb.command = "node"\n',
  'inline tables':
    'mcp_servers = { a = { url = "https://example.com/mcp", http_headers = { X-Org = "one" }, startup_timeout_sec = 20 }, b = { command = "node" } }\r\n',
  'the address alone': '[mcp_servers.a]\nurl = "https://example.com/mcp"',
};

test.each(Object.entries(tomlAddresses))(
  'an entry of Codex with an address, written as %s, becomes one that is started, and one with an address again',
  (_name, text) => {
    const [entry, ...others] = toml.entries(text);
    if (!entry) throw new Error('there is no server');
    const started = toml.withStart(text, entry.at, { command: 'deed', args: ['mcp', 'run'], env: null });
    const [now, ...after] = toml.entries(started);
    const { startup_timeout_sec: seconds } = entry.value;
    const kept = seconds === undefined ? {} : { startup_timeout_sec: seconds };
    expect(now?.value, started).toEqual({ command: 'deed', args: ['mcp', 'run'], ...kept });
    expect(after).toEqual(others);
    for (const comment of text.match(/# \w+/g) ?? []) expect(started).toContain(comment);
    expect(started).not.toContain('http_headers');
    const back = toml.withAddress(started, entry.at, entry.value);
    expect(toml.entries(back), back).toEqual(toml.entries(text));
  },
);
