import { expect, test } from 'vitest';
import { fillIn, placeholderOf } from '../../src/tools/placeholders.ts';

const key = placeholderOf('KEY');

test('a placeholder is filled in by the credential, which then stands in no variable', () => {
  const given = { KEY: 'a$&b', OTHER: 'c' };
  expect(fillIn(['run', `--key=${key}`, `${key}@${key}`], given)).toEqual({
    argv: ['run', '--key=a$&b', 'a$&b@a$&b'],
    env: { OTHER: 'c' },
  });
});

test('what is not given stays as it is written, and what is given is filled in once', () => {
  expect(fillIn([key, placeholderOf('toString')], {})).toEqual({ argv: [key, placeholderOf('toString')], env: {} });
  expect(fillIn([key], { KEY: placeholderOf('OTHER'), OTHER: 'x' }).argv).toEqual([placeholderOf('OTHER')]);
});
