import { readFileSync } from 'node:fs';
import { type FileKind, fileKind, verify, verifyLogProof, verifyReceipt } from '@deed/evidence';
import { ServerError } from '@deed/server';
import { Command } from 'commander';
import { print } from '../output.ts';
import { logProofText, receiptText } from '../receipt-text.ts';
import { reportText } from '../report-text.ts';
import { visible } from '../visible.ts';

interface VerifyFlags {
  readonly trust?: string;
  readonly artifact?: string;
  readonly leaf?: string;
  readonly statement?: string;
  readonly checks: boolean;
  readonly json: boolean;
}

export function verifyCommand(): Command {
  return new Command('verify')
    .description(
      'verify a case, a receipt or a tlog-proof, offline: exit code 0 VERIFIED, 3 UNANCHORED, 4 INCOMPLETE, 5 FORGED, 2 unusable',
    )
    .argument('<file>', 'a case (.deed), the receipt of a task, or a .tlog-proof; its bytes say which')
    .option('--trust <file>', 'whom to believe; without it nothing is better than UNANCHORED')
    .option('--artifact <file>', 'receipt: a delivered file that should be one of the outputs')
    .option('--leaf <file>', "tlog-proof: the log's entry")
    .option('--statement <file>', 'tlog-proof: the envelope of the statement that the entry is of')
    .option('--no-checks', 'leave out the list of checks')
    .option('--json', 'print the whole report as JSON', false)
    .action((name: string, flags: VerifyFlags) => {
      const file = readFileSync(name);
      const kind = fileKind(file);
      refuseMisfits(kind, flags);
      const trust = flags.trust === undefined ? undefined : readFileSync(flags.trust, 'utf8');
      process.exitCode = examine[kind](file, trust, flags);
    });
}

/** Verifies and prints one kind of file, and gives the exit code. */
type Examine = (file: Uint8Array, trust: string | undefined, flags: VerifyFlags) => number;

const examine: Readonly<Record<FileKind, Examine>> = {
  case(file, trust, flags) {
    const report = verify(file, { trust });
    print(report, flags.json, () => reportText(visible(report), flags));
    return report.code;
  },
  receipt(file, trust, flags) {
    const report = verifyReceipt(file, { trust, artifact: read(flags.artifact) });
    print(report, flags.json, () => receiptText(visible(report), flags));
    return report.code;
  },
  'tlog-proof'(file, trust, flags) {
    const report = verifyLogProof(file, { trust, leaf: read(flags.leaf), statement: read(flags.statement) });
    print(report, flags.json, () => logProofText(visible(report), flags));
    return report.code;
  },
};

const read = (name: string | undefined) => (name === undefined ? undefined : readFileSync(name));

/** An option that would be passed over in silence is refused. @throws ServerError request */
function refuseMisfits(kind: FileKind, { artifact, leaf, statement }: VerifyFlags): void {
  if (artifact !== undefined && kind !== 'receipt') throw new ServerError('request', '--artifact goes with a receipt');
  if ((leaf ?? statement) !== undefined && kind !== 'tlog-proof') {
    throw new ServerError('request', '--leaf and --statement go with a tlog-proof');
  }
}
