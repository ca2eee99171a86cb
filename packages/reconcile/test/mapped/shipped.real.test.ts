import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compileMapping, parseMapping } from '@deed/evidence';
import { describe, expect, it } from 'vitest';
import { shippedMapping } from '../../src/mapped/shipped.ts';

const folder = resolve(import.meta.dirname, '../../../../../shared/data/downstream');

/** How many of the real records are events, and why the others are not: most are tests of detection rules, cut down to what a rule reads. */
const sources: Readonly<Record<string, readonly [file: string, events: number, passedOver: number]>> = {
  'aws-cloudtrail': ['aws_cloudtrail', 2113, 11],
  'github-audit': ['github_audit', 17, 0],
  'stripe-events': ['stripe_fixtures', 1, 175],
  'gitlab-audit': ['gitlab', 0, 6],
  'kubernetes-audit': ['kubernetes_audit', 11, 3],
  'gcp-audit': ['gcp_audit', 92, 16],
  'azure-activity': ['azure', 244, 4],
  'okta-system': ['okta_system', 85, 2],
  'slack-audit': ['slack_audit', 24, 0],
  'openai-audit': ['openai_audit', 33, 0],
  'anthropic-activity': ['anthropic_activity', 38, 0],
  'postgres-pgaudit': ['postgres_pgaudit', 42, 34],
  'aws-bedrock-invocation': ['aws_bedrock_invocation', 8, 0],
};
const isHere = existsSync(folder);
if (!isHere) console.warn('SKIPPED: real records of other systems are not on this machine');

describe.skipIf(!isHere)('real records of', () => {
  it.each(Object.entries(sources))('%s are events, but for those that were cut down', (name, [file, events, none]) => {
    const read = compileMapping(parseMapping(shippedMapping(name)));
    const lines = readFileSync(join(folder, `${file}.jsonl`), 'utf8')
      .trim()
      .split('\n');
    const records = lines.map((line) => JSON.parse(line) as { kind: string; event: never });
    const found = records.map(({ kind, event }) => ({ kind, said: read(event) }));
    expect(found.filter(({ said }) => said !== null && typeof said === 'object')).toHaveLength(events);
    expect(found.filter(({ said }) => said === null)).toHaveLength(none);
    const failed = found.flatMap(({ kind, said }) => (typeof said === 'string' ? [`${kind}: ${said}`] : []));
    const expected = /^(rule-test|scenario|testdata): it (has no (id|time)|does not say what was done)$/;
    expect(failed.filter((each) => !expected.test(each))).toEqual([]);
  });

  it('GitHub’s webhooks are all events, whatever they tell', () => {
    const read = compileMapping(parseMapping(shippedMapping('github-webhook')));
    const lines = readFileSync(join(folder, 'github_webhook.jsonl'), 'utf8').trim().split('\n');
    const events = lines.map((line, i) => {
      const body = (JSON.parse(line) as { event: Record<string, never> }).event;
      const kind = ['pull_request', 'issue', 'release', 'deployment', 'check_run'].find((name) => name in body);
      const headers = {
        'x-github-delivery': `d-${i}`,
        'x-github-event': 'commits' in body ? 'push' : (kind ?? 'other'),
      };
      return read({ received: '2026-11-22T12:00:00.000Z', headers, body });
    });
    expect(events.filter((event) => typeof event === 'object' && event !== null)).toHaveLength(405);
    const named = events.filter((event) => typeof event === 'object' && event?.principal);
    expect(named.length).toBeGreaterThan(300);
  });
});
