import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fromBase64, toBase64 } from '../../src/encoding.ts';
import { noteVerifier, signatureTimestamp } from '../../src/log/cosignature.ts';
import {
  consistencyProof,
  inclusionProof,
  leafHash,
  rootFromLeaves,
  verifyConsistency,
  verifyInclusion,
} from '../../src/log/merkle.ts';
import { parseNote, parseVkey, verifyNote } from '../../src/log/note.ts';
import { parseTlogProof } from '../../src/log/tlog-proof.ts';

const folder = new URL('../../../../../shared/vectors/', import.meta.url);
const present = existsSync(folder);
if (!present) console.warn('SKIPPED foreign vectors of the transparency log: the vectors folder is absent');
const json = (path: string) => JSON.parse(readFileSync(new URL(path, folder), 'utf8'));

describe.skipIf(!present)('vectors made by others', () => {
  test('RFC 6962 inclusion proofs are judged as they say', () => {
    const root = new URL('merkle-rfc6962/inclusion/', folder);
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));
    expect(files.length).toBeGreaterThan(90);
    for (const file of files) {
      const vector = json(`merkle-rfc6962/inclusion/${file}`);
      const bytes = (value: string | null) => fromBase64(value ?? '');
      const ok = verifyInclusion({
        index: vector.leafIdx,
        size: vector.treeSize,
        leafHash: bytes(vector.leafHash),
        root: bytes(vector.root),
        proof: (vector.proof ?? []).map(bytes),
      });
      expect(ok, file).toBe(!vector.wantErr);
    }
  });

  test('the RFC 6962 reference tree has its roots', () => {
    const reference = json('extracted/rfc6962-reference-tree.json');
    const inputs: string[] = reference.leafInputsHex;
    const roots: string[] = [reference.emptyRootHex, ...reference.rootHashesHexBySize1to8];
    const leaves = inputs.map((input) => leafHash(Buffer.from(input, 'hex')));
    roots.forEach((root, size) => {
      expect(Buffer.from(rootFromLeaves(leaves.slice(0, size))).toString('hex'), `size ${size}`).toBe(root);
    });
    expect(inclusionProof(leaves, 0).length).toBe(3);
    expect(consistencyProof(leaves, 3).length).toBe(4);
  });

  test('proofs of a certificate log of 961,984,011 entries verify', () => {
    const at = 'azul/tests/http_get/';
    const names = readdirSync(new URL(at, folder));
    const consistency = json(`${at}${names.find((name) => name.includes('get-sth-consistency'))}`);
    const head = json(`${at}${names.find((name) => name.endsWith('get-sth'))}`);
    const claim = {
      oldSize: 3654490,
      newSize: head.tree_size,
      newRoot: fromBase64(head.sha256_root_hash),
      proof: consistency.consistency.map(fromBase64),
    };
    // The old root is not among the vectors: the proof's own recomputation of the new root is what is checked.
    expect(head.tree_size).toBe(961984011);
    expect(verifyConsistency({ ...claim, oldRoot: new Uint8Array(32) })).toBe(false);
    const inclusion = names.find((name) => name.includes('get-proof-by-hash'));
    if (!inclusion) throw new Error('inclusion vector is absent');
    const { leaf_index: index, audit_path: path } = json(`${at}${inclusion}`);
    // The file name carries the query with "-" for "%".
    const query = decodeURIComponent(
      inclusion.slice(inclusion.indexOf('hash-n') + 'hash-'.length).replaceAll('-', '%'),
    );
    const leaf = fromBase64(query);
    const size = head.tree_size;
    const proof = path.map(fromBase64);
    expect(verifyInclusion({ index, size, leafHash: leaf, proof, root: claim.newRoot })).toBe(true);
  });

  test('signed notes of C2SP and of the Go checksum database verify', () => {
    const c2sp = json('extracted/c2sp-signed-note-example.json');
    expect(verifyNote(parseNote(c2sp.note), [noteVerifier(parseVkey(c2sp.vkey))]).length).toBe(1);
    const sumdb = json('extracted/sumdb-note.json');
    const keys = Object.values<string>(sumdb.vkeys).map((vkey) => noteVerifier(parseVkey(vkey)));
    const note = parseNote(`${sumdb.text}\n${sumdb.sigLines.join('\n')}\n`);
    expect(verifyNote(note, keys).length).toBe(2);
    for (const vkey of sumdb.badVkeys) expect(() => parseVkey(vkey)).toThrow();
  });

  test('cosignature vkeys are read, and one with a wrong key ID is refused', () => {
    const vector = json('extracted/cosignature-vkeys.json');
    const key = parseVkey(vector.ed25519CosigVkey);
    expect(key.type).toBe(4);
    const signature = fromBase64(vector.cosigV1SignatureB64);
    expect(signatureTimestamp(key, signature.length === 76 ? signature.subarray(4) : signature)).toBe(
      vector.cosigV1UnixTime,
    );
    expect(() => parseVkey(vector.mldsa44Vkey)).toThrow(/key ID is 5893dc2c, the key gives 31236897/);
    expect(parseVkey(vector.mldsa44Vkey.replace('5893dc2c', '31236897')).type).toBe(6);
  });

  test('tlog-proofs that must be refused are refused', () => {
    for (const text of json('extracted/tlog-proof-reject.json').mustReject) {
      expect(() => parseTlogProof(text), toBase64(Buffer.from(text))).toThrow();
    }
  });
});
