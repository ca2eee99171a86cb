import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { utf8 } from '@deed/evidence';
import { afterAll, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { bundleFile, bundleOf, checkBundle, readBundleFiles } from '../../src/policy/bundle.ts';
import { DecisionThread, type ThreadOptions } from '../../src/policy/decision-thread.ts';
import { defaultPolicyFolder } from '../../src/policy/default.ts';
import { evaluate } from '../../src/policy/evaluate.ts';
import { policyRequests } from '../../src/policy/request.ts';

const bundle = checkBundle(defaultPolicyFolder);
const requests = policyRequests({
  agent: null,
  task: { implicit: true, ceiling: 'record', objective: '' },
  grant: { grade: 'E0', verdict: 'WAIVED', ceiling: 'record', unearned: true },
  method: 'tools/call',
  server: 'files',
  tool: 'write_file',
  hints: {},
  facets: [],
});
const threads: DecisionThread[] = [];
const thread = (options: ThreadOptions = {}) => {
  const made = new DecisionThread(options);
  threads.push(made);
  return made;
};
afterAll(() => {
  for (const each of threads) each.end();
});

/** A thread that does this with its nth question, and answers honestly before. */
function doing(what: string, answered = 0): URL {
  const file = join(mkdtempSync(join(tmpdir(), 'deed-thread-')), 'thread.mjs');
  writeFileSync(
    file,
    `import { workerData } from 'node:worker_threads';
    const { raised, port } = workerData;
    const word = new Int32Array(raised);
    const evaluation = { outcome: 'allow', tier: 'record', quorum: null, reasons: ['p'], errors: [] };
    const say = (answer, id) => { port.postMessage(answer); Atomics.store(word, 0, id); Atomics.notify(word, 0); };
    let n = 0;
    port.on('message', ({ id }) => { if (n++ < ${answered}) return say({ id, evaluation }, id); ${what} });`,
  );
  return pathToFileURL(file);
}

test('the thread says what the engine says in this one, for every bundle that it is asked for', () => {
  const apart = thread();
  expect(apart.evaluate(bundle, requests)).toEqual(evaluate(bundle, requests));
  expect(apart.evaluate(bundle, requests)).toMatchObject({ outcome: 'allow', errors: [] });
  for (let i = 0; i < 6; i++) {
    const more = `@id("z${i}") forbid (principal, action == Deed::Action::"call", resource) when { resource.name == "t${i}" };`;
    const other = bundleOf([...readBundleFiles(defaultPolicyFolder), bundleFile('z.cedar', utf8(more))]);
    expect(apart.evaluate(other, requests)).toEqual(evaluate(other, requests));
  }
  expect(apart.evaluate(bundle, requests)).toMatchObject({ outcome: 'allow' });
});

test('an engine that hangs, dies, talks nonsense or answers something else denies, and is replaced', () => {
  proves('policy-fail-closed');
  const wrongs = {
    'not evaluated within 300 ms': 'for (;;);',
    'within 300 ms': 'process.exit(1);',
    'gave no answer to this': 'say({ id: id + 1, evaluation }, id);',
    'gave no answer': 'say("yes", id);',
    'could not be evaluated: too bad': 'say({ id, failed: "too bad" }, id);',
  };
  for (const [says, what] of Object.entries(wrongs)) {
    const apart = thread({ module: doing(what, 1), answerMs: 300 });
    expect(apart.evaluate(bundle, requests)).toMatchObject({ outcome: 'allow' });
    const { outcome, reasons, errors } = apart.evaluate(bundle, requests);
    expect([outcome, reasons, errors]).toEqual(['deny', [], [expect.stringContaining(says)]]);
    expect(apart.evaluate(bundle, requests)).toMatchObject({ outcome: 'allow' }); // another thread
  }
});

test('a thread that never starts denies', () => {
  proves('policy-fail-closed');
  const apart = thread({ module: pathToFileURL('/nonexistent/thread.mjs'), startMs: 300 });
  expect(apart.evaluate(bundle, requests)).toMatchObject({
    outcome: 'deny',
    errors: [expect.stringContaining('300 ms')],
  });
});
