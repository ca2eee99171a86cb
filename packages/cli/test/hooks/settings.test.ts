import { spawnSync } from 'node:child_process';
import { describe, expect, it, test } from 'vitest';
import { hookGroups, hooksIn, withHooks, withoutHooks } from '../../src/hooks/settings.ts';

const groups = hookGroups(['/opt/a folder/node', 'main.ts', 'hook', 'claude-code', '--data', "/it's"]);
const events = ['PreToolUse', 'PostToolUse', 'PostToolUseFailure', 'Stop', 'SessionEnd'];

/** Settings as people have them, some with hooks of their own. */
const files = {
  'nothing yet': '{}\n',
  'other settings and comments':
    '{\n  // mine\n  "model": "x", /* kept */\n  "permissions": { "allow": ["Bash(ls)"] }\n}\n',
  'a hook of their own': `{\n  "hooks": {\n    "PreToolUse": [\n      { "matcher": "Bash", "hooks": [{ "type": "command", "command": "./check.sh" }] } // mine\n    ],\n    "Notification": [{ "hooks": [{ "type": "command", "command": "beep" }] }]\n  }\n}\n`,
  'tabs and no end of line': '{\n\t"hooks": {}\n}',
};

describe.each(Object.entries(files))('into settings with %s', (_name, text) => {
  const now = withHooks(text, groups);

  it('the pack is written, and what stood there stays', () => {
    expect([...hooksIn(now)].sort()).toEqual([...events].sort());
    for (const word of ['// mine', '/* kept */', './check.sh', 'beep', 'Bash(ls)']) {
      expect(now.includes(word), word).toBe(text.includes(word));
    }
  });

  it('it is written once, however often it is installed, and taken out again', () => {
    expect(withHooks(withoutHooks(now), groups)).toBe(now);
    const back = withoutHooks(now);
    expect(hooksIn(back)).toEqual([]);
    const plain = (file: string) => JSON.parse(file.replaceAll(/\/\/.*|\/\*.*\*\//g, ''));
    const { hooks = {}, ...rest } = plain(text);
    expect(plain(back)).toEqual(Object.keys(hooks).length > 0 ? { hooks, ...rest } : rest);
  });
});

test('settings of another form are refused', () => {
  for (const text of ['{"hooks": []}', '{"hooks": {"PreToolUse": {}}}', '{"hooks": {"Stop": [{}]}}', '{']) {
    expect(() => withoutHooks(text), text).toThrow(expect.objectContaining({ code: 'request' }));
  }
});

test('a call is asked for in words that a shell takes as they are, and any failure but 0 blocks it', () => {
  const [asked, told] = ['PreToolUse', 'PostToolUse'].map(
    (event) => groups.find((group) => group.event === event)?.hooks[0],
  );
  expect(asked).toMatchObject({ type: 'command', onFailure: 'block', timeout: expect.any(Number) });
  const words = (command = '') => command.replace(/^\S+ (?:folder\/node' )?/, '');
  expect(spawnSync('sh', ['-c', `printf '%s|' ${words(told?.command)}`]).stdout.toString()).toBe(
    "main.ts|hook|claude-code|--data|/it's|",
  );
  // The program does not exist, which a shell says by 127; a hook that is killed leaves 137 or more.
  expect(spawnSync('sh', ['-c', asked?.command ?? '']).status).toBe(2);
  const killed = asked?.command.replace(/^.*(?= \|\| )/, "sh -c 'kill -9 $$'");
  expect(spawnSync('sh', ['-c', killed ?? '']).status).toBe(2);
  expect(spawnSync('sh', ['-c', asked?.command.replace(/^.*(?= \|\| )/, 'true') ?? '']).status).toBe(0);
});
