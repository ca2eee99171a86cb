import { buildContainer, openContainer } from '@deed/evidence';

/** The case with one byte of one payload changed, in the same zip form. */
export function changeOneByte(file: Uint8Array): Uint8Array {
  const members = openContainer(file);
  const name = [...members.keys()].find((candidate) => candidate.startsWith('payloads/'));
  const bytes = name === undefined ? undefined : members.get(name);
  if (name === undefined || !bytes) throw new Error('the case has no payload');
  const changed = Uint8Array.from(bytes);
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  return buildContainer(new Map(members).set(name, changed));
}

/** The case without the statement of one finding and its proof. */
export function withoutFinding(file: Uint8Array, type: string): Uint8Array {
  const members = new Map(openContainer(file));
  for (const [name, bytes] of members) {
    const match = /^statements\/([0-9]{12})\.json$/.exec(name);
    if (!match) continue;
    const { payload } = JSON.parse(Buffer.from(bytes).toString()) as { payload: string };
    const statement = Buffer.from(payload, 'base64').toString();
    if (!statement.includes('/finding/v1"') || !statement.includes(`"type":"${type}"`)) continue;
    members.delete(name);
    members.delete(`proofs/${match[1]}.tlog-proof`);
    return buildContainer(members);
  }
  throw new Error(`the case has no finding of type ${type}`);
}
