import { realpathSync } from 'node:fs';
import { type Initialized, type InitOptions, initDeployment } from '@deed/authority';
import { initWitness, type Ledger, trustLog } from '@deed/ledger';
import { writeConfig } from './config.ts';
import { stateConfiguration } from './configuration.ts';
import { defaultWitnessFolder } from './paths.ts';
import { trustFileOf } from './trust-file.ts';

export interface InitServerOptions extends InitOptions {
  /** State folder of the local witness, outside the data folder. Default: below the user's state folder (XDG). */
  readonly witnessFolder?: string;
}

export interface InitializedServer extends Initialized {
  readonly witnessFolder: string;
  /** The trust file to hand out; its root is to be compared by another channel. */
  readonly trustFile: string;
}

/**
 * Makes a deployment: what `initDeployment` makes, a local witness that knows its log, and the configuration.
 * @throws AuthorityError folder, passphrase; LedgerError witness
 */
export async function initServer(options: InitServerOptions): Promise<InitializedServer> {
  const configure = async (ledger: Ledger) => {
    const dir = realpathSync(options.dir);
    const { origin, vkeys } = ledger;
    const witnessFolder = options.witnessFolder ?? defaultWitnessFolder(dir);
    const [vkey = ''] = initWitness(witnessFolder, { name: `${origin}/witness` });
    trustLog(witnessFolder, { origin, vkeys });
    const witness = { name: 'local', state: realpathSync(witnessFolder), vkey } as const;
    const written = writeConfig(dir, { v: 1, origin, witness, forges: [] });
    await stateConfiguration(dir, ledger);
    return written;
  };
  const made = await initDeployment(options, configure);
  const { witness } = made.configured;
  return { ...made, witnessFolder: witness.state, trustFile: trustFileOf(made.keys, made.configured) };
}
