import type { QuorumRule } from '@deed/evidence';
import type { Ledger } from '@deed/ledger';
import { lockFolder } from '@deed/store';
import { z } from 'zod';
import { type Config, readConfig, witness, writeConfig } from './config.ts';
import { ServerError } from './errors.ts';

/** What an operator may change about the witnesses of a deployment. It is in force from the next start. */
export const witnessChange = z.discriminatedUnion('change', [
  z.strictObject({ change: z.literal('add'), witness }),
  z.strictObject({ change: z.literal('remove'), name: z.string() }),
  /** `all`, `any`, a number, a witness's name, or one of the first three, `of`, and names. */
  z.strictObject({ change: z.literal('quorum'), rule: z.array(z.string()).min(1) }),
  z.strictObject({ change: z.literal('attest'), attest: z.enum(['open', 'closed']) }),
]);
export type WitnessChange = z.infer<typeof witnessChange>;

/** Words of the quorum rule. */
const reserved = ['all', 'any', 'of', 'none', 'local', 'quorum'];

/** @throws ServerError config, with what to type instead */
export function withChange(config: Config, change: WitnessChange): Config {
  if (change.change === 'attest') return { ...config, attest: change.attest };
  if (change.change === 'quorum') return { ...config, ...parseRule(config, change.rule) };
  if (change.change === 'remove') return withoutWitness(config, change.name);
  const { name } = change.witness;
  if (reserved.includes(name)) throw new ServerError('config', `${name} means something else here; take another name`);
  if (namesOf(config).includes(name)) throw new ServerError('config', `there is a witness ${name} already`);
  return { ...config, witnesses: [...config.witnesses, change.witness] };
}

/** Changes the configuration of a deployment that nobody serves. @throws StoreError locked; ServerError folder, config */
export function changeStopped(dataFolder: string, change: WitnessChange): Config {
  const config = readConfig(dataFolder);
  const lock = lockFolder(dataFolder);
  try {
    return writeConfig(dataFolder, withChange(config, change));
  } finally {
    lock.release();
  }
}

/** The rule in words: `2 of local, acme, (any of a, b)`. */
export function quorumInWords({ groups, quorum }: QuorumRule): string {
  const words = (name: string, isInner: boolean): string => {
    const group = groups.find((known) => known.name === name);
    if (!group) return name;
    const { threshold, members } = group;
    const count = threshold === members.length ? 'all' : threshold === 1 ? 'any' : String(threshold);
    const text = `${count} of ${members.map((member) => words(member, true)).join(', ')}`;
    return isInner ? `(${text})` : text;
  };
  return words(quorum, false);
}

function withoutWitness(config: Config, name: string): Config {
  const { witnesses, groups, quorum } = config;
  if (!witnesses.some((known) => known.name === name)) {
    throw new ServerError('config', name === 'local' ? 'the local witness stays' : `there is no witness ${name}`);
  }
  if (quorum === name || groups.some(({ members }) => members.includes(name))) {
    throw new ServerError(
      'config',
      `the quorum needs ${name} (${quorumInWords(config)}); say first who is enough without it, for instance: deed log witness quorum local`,
    );
  }
  return { ...config, witnesses: witnesses.filter((known) => known.name !== name) };
}

function parseRule(config: Config, rule: readonly string[]): Pick<Config, 'groups' | 'quorum'> {
  const all = namesOf(config);
  const [count = '', of, ...named] = rule;
  if (rule.length === 1 && all.includes(count)) return { groups: [], quorum: count };
  const members = of === undefined ? all : named;
  const threshold = count === 'all' ? members.length : count === 'any' ? 1 : Number(count);
  const isRule = (of === undefined || of === 'of') && Number.isInteger(threshold);
  if (!isRule || threshold < 1 || threshold > members.length) {
    throw new ServerError(
      'config',
      `"${rule.join(' ')}" is no rule for ${all.join(', ')}; say a name, all, any, a number up to ${all.length}, or for instance: 2 of ${all.slice(0, 3).join(' ')}`,
    );
  }
  const unknown = members.find((name) => !all.includes(name));
  if (unknown !== undefined) {
    throw new ServerError(
      'config',
      `there is no witness ${unknown}; add it first: deed log witness add ${unknown} VKEY URL`,
    );
  }
  return { groups: [{ name: 'quorum', threshold, members: [...members] }], quorum: 'quorum' };
}

function namesOf({ witness: local, witnesses }: Config): string[] {
  return [local.name, ...witnesses.map(({ name }) => name)];
}

interface Configured {
  readonly config: Config;
  readonly started: Config;
  readonly ledger: Pick<Ledger, 'witnessHealth'>;
}

/** What is configured, which may differ from what is in force until the next start, and how each witness does. */
export function witnessView({ config, started, ledger }: Configured) {
  const health = ledger.witnessHealth();
  const local = { name: config.witness.name, vkey: config.witness.vkey, url: null };
  return {
    witnesses: [local, ...config.witnesses].map((one) => ({
      ...one,
      health: health.find(({ name }) => name === one.name) ?? null,
    })),
    quorum: quorumInWords(config),
    attest: config.attest,
    inForce: { quorum: quorumInWords(started), attest: started.attest },
  };
}
