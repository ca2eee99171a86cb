import { Hono } from 'hono';
import type { Waiting } from '../deployment.ts';
import { witnessView } from '../witness-config.ts';
import { logApi } from './log-api.ts';
import { problem, withProblems } from './problem.ts';

/** Clients try again after so many seconds. */
const retrySeconds = 2;

/**
 * What is served while the witnesses have not yet confirmed that this is the newest state: the log, and why nothing else. What
 * would tell of tasks or change anything has to wait: after a crash both begin with statements, and none is admitted yet.
 */
export function waitingApi({ dir, config, ledger, trustFile }: Waiting, version: string): Hono {
  const app = new Hono();
  app.get('/v1/status', (c) =>
    c.json({
      version,
      dir,
      origin: ledger.origin,
      size: ledger.size,
      ready: false,
      openTasks: null,
      waiting: null,
      publishedSize: ledger.latestPublished()?.size ?? 0,
      witnessedSize: ledger.latestWitnessed()?.size ?? 0,
      witnesses: ledger.witnessHealth(),
      timestamps: null,
      health: null,
    }),
  );
  app.get('/v1/witnesses', (c) => c.json(witnessView({ config, started: config, ledger })));
  app.get('/v1/trust', (c) => c.text(trustFile()));
  app.route('/', logApi(ledger));
  app.all('*', async (c) => {
    await c.req.arrayBuffer(); // who is still writing would see a broken pipe and not the answer
    const away = ledger.witnessHealth().filter(({ answers }) => !answers);
    const names = away.map(({ name }) => name).join(', ');
    return problem(
      503,
      'not-ready',
      `the server waits until enough witnesses confirm that this is the newest state; not yet: ${names}`,
      {
        'retry-after': String(retrySeconds),
      },
    );
  });
  return withProblems(app);
}
