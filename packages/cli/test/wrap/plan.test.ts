import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import { dialectOf } from '../../src/wrap/config-file.ts';
import { isSecret, secretIn } from '../../src/wrap/plain-secrets.ts';
import { planWrap } from '../../src/wrap/plan.ts';

const home = realpathSync(mkdtempSync(join(tmpdir(), 'deed-plan-')));
afterAll(() => rmSync(home, { recursive: true, force: true }));
mkdirSync(join(home, 'project', '.vscode'), { recursive: true });
const program = join(home, 'server');
writeFileSync(program, '');

/** `${NAME}`, as a client fills it in. */
const ref = (inside: string) => ['$', '{', inside, '}'].join('');
const env = { HOME: home, PATH: home, GITHUB_TOKEN: 'ghp_0123456789abcdef', REGION: 'eu' };

function plan(servers: object, over: Partial<Parameters<typeof planWrap>[0]> = {}) {
  const dialect = dialectOf('.mcp.json');
  const entries = dialect.entries(JSON.stringify({ mcpServers: servers }));
  const path = join(home, 'project', '.mcp.json');
  return planWrap({ dialect, entries, path, env, secret: [], notSecret: [], open: [], ...over });
}

describe('a server of a configuration', () => {
  it('is registered with its whole command, where it starts, and what the client would give it', () => {
    const { servers, left } = plan({ 'My Server!': { command: 'server', args: ['-v'], env: { LOG: 'debug' } } });
    expect(left).toEqual([]);
    expect(servers).toEqual([
      {
        at: ['mcpServers', 'My Server!'],
        name: 'my-server-',
        argv: [program, '-v'],
        env: { HOME: home, PATH: home, LOG: 'debug' },
        cwd: join(home, 'project'),
        secrets: [],
      },
    ]);
  });

  it('starts in the folder of the project, whatever folder the file lies in, or in the one that it names', () => {
    const cwd = (path: string, over: object = {}) =>
      plan({ a: { command: 'server', ...over } }, { path: join(home, path) }).servers[0]?.cwd;
    expect(cwd('project/.vscode/mcp.json')).toBe(join(home, 'project'));
    expect(cwd('.cursor/mcp.json')).toBe(home);
    expect(cwd('project/.mcp.json', { cwd: 'sub' })).toBe(join(home, 'project', 'sub'));
  });

  it('has the variables filled in that somebody besides the client knows', () => {
    const values = {
      A: ref('REGION'),
      B: ref('NONE:-else'),
      C: `${ref('env:REGION')}/${ref('workspaceFolder')}`,
      D: ref('userHome'),
    };
    const { servers } = plan({ a: { command: 'server', env: values } });
    expect(servers[0]?.env).toMatchObject({ A: 'eu', B: 'else', C: `eu/${join(home, 'project')}`, D: home });
    const { left, servers: none } = plan({ a: { command: 'server', args: [ref('input:key')] } });
    expect(none).toEqual([]);
    expect(left).toMatchObject([{ what: expect.stringContaining(ref('input:key')) }]);
  });

  it('of Codex gets the variables that Codex would hand on, and no others are filled in', () => {
    const dialect = dialectOf('config.toml');
    const entries = dialect.entries(
      `[mcp_servers.a]\ncommand = "server"\nargs = ["${ref('REGION')}"]\nenv_vars = ["REGION", "GITHUB_TOKEN"]`,
    );
    const [server] = plan({}, { dialect, entries }).servers;
    expect(server).toMatchObject({
      argv: [program, ref('REGION')],
      env: { REGION: 'eu' },
      secrets: [{ variable: 'GITHUB_TOKEN', value: env.GITHUB_TOKEN }],
    });
  });

  it('that has an address is registered by it, and what it is shown stands in its headers as a placeholder', () => {
    const headers = { Authorization: 'Bearer abcdef123', 'X-Api-Key': 'zzzyyy111', 'X-Region': ref('REGION') };
    const { servers, left, moved } = plan({ a: { type: 'http', url: 'https://example.com/mcp', headers } });
    expect(left).toEqual([]);
    expect(servers).toMatchObject([
      {
        ...{ name: 'a', argv: [], env: {}, cwd: null, url: 'https://example.com/mcp' },
        headers: {
          Authorization: `Bearer ${ref('deed:HEADER_AUTHORIZATION')}`,
          'X-Api-Key': ref('deed:HEADER_X_API_KEY'),
          'X-Region': 'eu',
        },
        secrets: [
          { variable: 'HEADER_AUTHORIZATION', value: 'abcdef123' },
          { variable: 'HEADER_X_API_KEY', value: 'zzzyyy111' },
        ],
      },
    ]);
    expect(moved.map(({ what }) => what)).toEqual(['header Authorization', 'header X-Api-Key']);
  });

  it('of Codex that has an address is shown what stands in the environment, as long as it is known here', () => {
    const dialect = dialectOf('config.toml');
    const of = (members: string) => {
      const entries = dialect.entries(`[mcp_servers.a]\nurl = "https://example.com/${ref('REGION')}"\n${members}`);
      return plan({}, { dialect, entries });
    };
    const { servers, moved } = of(
      'bearer_token_env_var = "GITHUB_TOKEN"\nhttp_headers = { X-Org = "one" }\nenv_http_headers = { X-Place = "REGION" }',
    );
    expect(servers).toMatchObject([
      {
        url: `https://example.com/${ref('REGION')}`,
        headers: {
          'X-Org': 'one',
          'X-Place': ref('deed:HEADER_X_PLACE'),
          Authorization: `Bearer ${ref('deed:HEADER_AUTHORIZATION')}`,
        },
        secrets: [
          { variable: 'HEADER_X_PLACE', value: 'eu' },
          { variable: 'HEADER_AUTHORIZATION', value: env.GITHUB_TOKEN },
        ],
      },
    ]);
    expect(moved.map(({ what }) => what)).toEqual(['REGION of the environment', 'GITHUB_TOKEN of the environment']);
    expect(of('bearer_token_env_var = "NOBODY_SET_IT"').left).toMatchObject([
      { what: 'only the client knows what NOBODY_SET_IT is: set it here as well' },
    ]);
    expect(of('').left).toMatchObject([{ what: expect.stringContaining('else --open a') }]);
  });

  it('that has an address and no headers is registered where its user says that nobody signs in there', () => {
    const entries = { a: { type: 'http', url: 'https://example.com/mcp' }, b: { url: 'https://example.com/b' } };
    const { servers, left } = plan(entries, { open: ['a'] });
    expect(servers).toMatchObject([{ name: 'a', url: 'https://example.com/mcp', headers: {}, secrets: [] }]);
    expect(left.map(({ at }) => at[1])).toEqual(['b']);
  });

  it('is left alone, with the reason, when it is an address, takes a file, has no program, or is behind Deed', () => {
    const { servers, left } = plan({
      http: { type: 'http', url: 'https://example.com' },
      sse: { type: 'sse', url: 'https://example.com', headers: { 'X-Org': 'a' } },
      file: { command: 'server', envFile: '.env' },
      gone: { command: 'nothing-there' },
      deed: { command: 'deed', args: ['mcp', 'run', '--', 'server'] },
    });
    expect(servers).toEqual([]);
    expect(left.map(({ at, what }) => [at[1], what])).toEqual([
      ['http', expect.stringContaining('without headers')],
      ['sse', expect.stringContaining('SSE')],
      ['file', expect.stringContaining('envFile')],
      ['gone', 'there is no program nothing-there'],
      ['deed', 'behind Deed already'],
    ]);
  });
});

describe('a secret', () => {
  it('of the environment is told by its name or its value, or by who types', () => {
    const given = {
      API_KEY: 'a1b2c3d4',
      OTHER: 'sk-0123456789',
      DB: 'postgres://u:hunter2@h/d',
      MY_PASS: '/run/secret',
      X: 'y',
    };
    const of = (over: object) =>
      plan({ a: { command: 'server', env: given } }, over).servers[0]?.secrets.map(({ variable }) => variable);
    expect(of({})).toEqual(['API_KEY', 'OTHER', 'DB']);
    expect(of({ secret: ['X'], notSecret: ['OTHER'] })).toEqual(['API_KEY', 'DB', 'X']);
  });

  it('of the arguments leaves a placeholder, and never stands in what is registered', () => {
    const args = [
      '--token',
      'abcdef123',
      '--api-key=zzzyyy111',
      'postgres://joe:hunter22@h/d',
      '-e',
      'PASSWORD=opensesame',
    ];
    const { servers, moved } = plan({ a: { command: 'server', args } });
    expect(servers[0]?.argv).toEqual([
      ...[program, '--token', ref('deed:ARG_TOKEN'), `--api-key=${ref('deed:ARG_API_KEY')}`],
      ...[`postgres://joe:${ref('deed:ARG_PASSWORD')}@h/d`, '-e', `PASSWORD=${ref('deed:ARG_PASSWORD_2')}`],
    ]);
    expect(servers[0]?.secrets.map(({ value }) => value)).toEqual(['abcdef123', 'zzzyyy111', 'hunter22', 'opensesame']);
    expect(moved.map(({ what }) => what)).toEqual(['argument 2', 'argument 3', 'argument 4', 'argument 6']);
  });

  it('in an entry that stays is named, and a reference to one is none', () => {
    const { plain } = plan({
      a: { url: 'https://u:hunter2@example.com', headers: { Authorization: 'Bearer abcdef', 'X-Api-Key': ref('KEY') } },
      b: {
        url: 'https://example.com',
        headers: { Authorization: `Bearer ${ref('TOKEN')}` },
        bearer_token_env_var: 'TOKEN',
      },
    });
    expect(plain.map(({ at, what }) => [at[1], what])).toEqual([
      ['a', 'url'],
      ['a', 'headers.Authorization'],
    ]);
  });
});

test.each([
  ['GITHUB_TOKEN', 'abc', true],
  ['DB_PASSWORD', 'x y z', true],
  ['STRIPE_KEY', 'abc', true],
  ['NODE_ENV', 'production', false],
  ['TOKEN_LIMIT', '1000', false],
  ['MAX_TOKEN', '1000', false],
  ['SSH_KEY', '~/.ssh/id', false],
  ['MONKEY', 'abc', false],
  ['KEYBOARD', 'us', false],
  ['URL', 'https://example.com', false],
  ['CERT', '-----BEGIN RSA PRIVATE KEY-----\nx', true],
])('of variable %s with %s it is said that it is a secret: %s', (name, value, secret) => {
  expect(isSecret(name, value)).toBe(secret);
});

test.each([
  ['--verbose', undefined, null],
  ['https://example.com/a', '--url', null],
  ['/srv/key', '--key', null],
  ['Authorization: Bearer abc123', '--header', 'abc123'],
  ['ghp_0123456789abcdef', undefined, 'ghp_0123456789abcdef'],
])('in the word %s after %s the secret is %s', (word, previous, secret) => {
  expect(secretIn(word, previous)?.secret ?? null).toBe(secret);
});
