import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { encodeActivation, fromUtf8, openWord, parseActivation, parseStatement, type Word } from '@deed/evidence';
import { createNew, makeFolder } from '@deed/store';
import { AuthorityError } from '../errors.ts';
import { type Ground, serverAct } from '../ground.ts';
import type { People } from '../people/people.ts';
import { type Bundle, checkBundle } from './bundle.ts';
import { decisionThread } from './decision-thread.ts';
import { archiveEngine, cedarEngine } from './engine.ts';

import { policyRequests } from './request.ts';

/** A policy in force. */
export interface ActivePolicy {
  readonly bundle: Bundle;
  readonly version: number;
  /** Digest of the policy-activated statement. */
  readonly activated: string;
}

/** The policy in force, and how another comes into force: by the word of an operator, with a version that rises. */
export class Policy {
  private readonly ground: Ground;
  private readonly people: People;
  private active: ActivePolicy | undefined;
  private activating = false;

  constructor(ground: Ground, people: People) {
    this.ground = ground;
    this.people = people;
    const row = ground.db.get<{ digest: string; version: number; bundle: string }>(
      'SELECT digest, version, bundle FROM policies ORDER BY version DESC LIMIT 1',
    );
    requireNewest(ground, row);
    if (!row) return;
    const bundle = checkBundle(this.folderOf(row.bundle));
    if (bundle.digest !== row.bundle) throw new AuthorityError('policy-invalid', `bundle ${row.bundle} was changed`);
    this.active = { bundle, version: row.version, activated: row.digest };
    // After an upgrade decisions are made by an engine that no activation brought.
    archiveEngine(ground.dir);
    warm(bundle);
  }

  /** @throws AuthorityError policy-invalid (none was ever activated) */
  current(): ActivePolicy {
    if (!this.active) throw new AuthorityError('policy-invalid', 'no policy is in force: activate one');
    return this.active;
  }

  /** The version that the next activation needs. */
  nextVersion(): number {
    return (this.active?.version ?? 0) + 1;
  }

  /** Where the files of a bundle are archived. */
  folderOf(bundle: string): string {
    return join(this.ground.dir, 'policy', bundle);
  }

  /** The bytes that an operator signs (domain deed-activation-v1) to put a bundle into force. */
  wordBytes(bundle: string, person: string, version = this.nextVersion()): Uint8Array {
    const time = new Date(this.ground.clock.now()).toISOString();
    return encodeActivation({ origin: this.ground.origin, bundle, version, person, time });
  }

  /**
   * Checks and archives the bundle in `folder` and puts it into force by an operator's word.
   * @throws AuthorityError policy-invalid, activation (the word does not fit, or the version is not the next one),
   *   unknown-person, not-approver, word
   */
  async activate(folder: string, word: Word): Promise<ActivePolicy> {
    const bundle = checkBundle(folder);
    const said = parseActivation(openWord('deed-activation-v1', word));
    this.people.require(said.person, 'operator', word);
    if (fromUtf8(openWord('deed-activation-v1', word)) !== fromUtf8(encodeActivation(said))) {
      throw new AuthorityError('activation', 'the signed activation is not in its one byte form');
    }
    if (said.origin !== this.ground.origin || said.bundle !== bundle.digest) {
      throw new AuthorityError('activation', 'the signed activation is for another bundle or another deployment');
    }
    this.archive(bundle);
    warm(bundle, 1);
    if (this.activating || said.version !== this.nextVersion()) {
      throw new AuthorityError('activation', `the next version is ${this.nextVersion()}, signed was ${said.version}`);
    }
    const recorded = this.ground.record({
      ...serverAct,
      predicate: 'policy-activated',
      place: { series: 'policy' },
      subject: { name: `policy:${said.version}`, sha256: bundle.digest },
      body: {
        bundle: bundle.digest,
        files: bundle.files.map(({ path, sha256 }) => ({ path, sha256 })),
        version: said.version,
        engine: cedarEngine(),
        person: said.person,
        activation: word,
      },
      apply: (tx, { digest }) => {
        const row = [digest, said.version, bundle.digest];
        tx.run('INSERT INTO policies (digest, version, bundle) VALUES (?, ?, ?)', ...row);
      },
    });
    this.activating = true;
    await recorded.durable;
    this.activating = false;
    this.active = { bundle, version: said.version, activated: recorded.digest };
    return this.active;
  }

  /** Kept for as long as a decision refers to it: DIR/policy/<digest>/, never changed. */
  private archive(bundle: Bundle): void {
    archiveEngine(this.ground.dir);
    const folder = this.folderOf(bundle.digest);
    makeFolder(folder);
    for (const { path, bytes } of bundle.files) {
      if (!existsSync(join(folder, path))) createNew(join(folder, path), bytes);
    }
  }
}

/**
 * The table must name what the log activated last: a database of another time, or one that was changed, would put an older policy into
 * force without a word. The log itself is held against what witnesses have seen when the ledger opens.
 * @throws AuthorityError policy-downgrade
 */
function requireNewest(
  { ledger }: Ground,
  row: { readonly digest: string; readonly version: number; readonly bundle: string } | undefined,
): void {
  let newest: { digest: string; version: number; bundle: string } | undefined;
  let floor = 0;
  for (const { envelope } of ledger.series('policy')) {
    const statement = parseStatement(envelope.payload);
    if (statement.predicate !== 'policy-activated') continue;
    const { version, bundle } = statement.body;
    if (version <= floor)
      throw new AuthorityError('policy-downgrade', `the log activates version ${version} after ${floor}`);
    floor = version;
    newest = { digest: statement.digest, version, bundle };
  }
  const isSame = row?.digest === newest?.digest && row?.version === newest?.version && row?.bundle === newest?.bundle;
  if (isSame) return;
  const said = `the log says version ${newest?.version ?? 'none'}, the database ${row?.version ?? 'none'}`;
  throw new AuthorityError(
    'policy-downgrade',
    `${said}: restore both from one backup (docs/restore.md), then deed log fsck`,
  );
}

/** The first evaluations of a process are ten times slower (the engine is still being compiled): make them now. */
function warm(bundle: Bundle, times = 50): void {
  const requests = policyRequests({
    agent: null,
    task: { implicit: true, ceiling: 'record', objective: '' },
    grant: { grade: 'E0', verdict: 'WAIVED', ceiling: 'record', unearned: true },
    method: 'tools/call',
    server: 'warm',
    tool: 'warm',
    hints: {},
    facets: [],
  });
  for (let i = 0; i < times; i++) decisionThread.evaluate(bundle, requests);
}
