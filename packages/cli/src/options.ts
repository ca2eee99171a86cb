import { resolve } from 'node:path';
import { defaultDataFolder } from '@deed/server';
import { Command } from 'commander';

export interface CommonOptions {
  readonly data: string;
  readonly json: boolean;
}

/** A command with the options that all have. */
export function command(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--data <dir>', 'the data folder', (value) => resolve(value), defaultDataFolder())
    .option('--json', 'print JSON', false);
}
