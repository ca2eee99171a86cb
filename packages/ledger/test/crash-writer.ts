/** A writer that is killed: appends as fast as it can and prints `<index> <digest>` for every entry it was promised. */
import { readFileSync } from 'node:fs';
import { initWitness, loadLogKeys, openLedger, pemSigner, startWitness, trustLog } from '../src/index.ts';

const [configFile = ''] = process.argv.slice(2);
const config = JSON.parse(readFileSync(configFile, 'utf8'));
const logKeys = loadLogKeys(config.origin, config.pems);
const [vkey = ''] = initWitness(config.stateFolder, { name: 'witness.example/local' });
trustLog(config.stateFolder, { origin: config.origin, vkeys: logKeys.vkeys });
const witness = await startWitness({ stateFolder: config.stateFolder });
const ledger = await openLedger({
  folder: config.folder,
  logKeys,
  signer: pemSigner(config.signerPem),
  publishIntervalMs: 5,
  check: () => undefined,
  witnesses: [{ name: 'local', vkey, url: witness.url }],
});
await ledger.ready;
const write = async (writer: number): Promise<never> => {
  for (let count = 0; ; count++) {
    const recorded = ledger.record({
      predicate: 'rejects-counted',
      place: { series: `source:w${writer}` },
      subject: { name: 'deployment:crash', sha256: 'a'.repeat(64) },
      observed: 'gateway-observed',
      separation: { agent: 'none', tool: 'none' },
      body: { count },
    });
    const { index } = await recorded.durable;
    process.stdout.write(`${index} ${recorded.digest}\n`);
  }
};
for (let writer = 0; writer < 40; writer++) void write(writer);
