import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { decodeEnvelope, fromBase64, members, openContainer, openPayload, parseStatement } from '@deed/evidence';
import {
  type Archive,
  type BundleFile,
  bundleFile,
  decisionIn,
  type RecordedDecision,
  readBundleFiles,
  ServerError,
} from '@deed/server';
import type { Client } from './client.ts';

export interface WhichDecisions {
  readonly task?: string | undefined;
  readonly statement?: string | undefined;
  readonly last: number;
}

type Told = Omit<RecordedDecision, 'inputs'> & { readonly inputs: string | null };

/** The newest decisions of a deployment, the oldest of them first. */
export async function decisionsOf(client: Client, which: WhichDecisions): Promise<readonly RecordedDecision[]> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(which)) if (value !== undefined) query.set(name, String(value));
  const { decisions } = await client.get<{ decisions: readonly Told[] }>(`/v1/policy/decisions?${query}`);
  return decisions.map(({ inputs, ...rest }) => ({ ...rest, inputs: inputs === null ? null : fromBase64(inputs) }));
}

/** The bundles and engines of a data folder. */
export function archiveOf(dir: string): Archive {
  return { dir, bundle: (digest) => readBundleFiles(join(dir, 'policy', digest)) };
}

/** The decisions of a case and its bundles; a case holds no engine. @throws EvidenceError container, statement, payload */
export function decisionsOfCase(file: string, dir: string) {
  const files = openContainer(readFileSync(file));
  const decisions = [...files].flatMap(([name, bytes]): RecordedDecision[] => {
    if (!/^statements\/[0-9]{12}\.json$/.test(name)) return [];
    const held = decisionIn(parseStatement(decodeEnvelope(bytes).payload));
    if (!held) return [];
    const payload = held.decision.inputs.sha256;
    const object = files.get(members.payload(payload));
    return [{ ...held, inputs: object ? openPayload(object, payload).bytes : null, call: null }];
  });
  const bundle = (digest: string): readonly BundleFile[] => {
    const folder = members.policyFile(digest, '');
    const found = [...files].filter(([name]) => name.startsWith(folder) && name !== members.manifest(digest));
    if (found.length === 0) throw new ServerError('request', `bundle ${digest} is not in ${basename(file)}`);
    return found.map(([name, bytes]) => bundleFile(name.slice(folder.length), bytes));
  };
  const archive: Archive = { dir: existsSync(dir) ? dir : null, bundle };
  return { decisions, archive };
}
