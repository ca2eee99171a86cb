// Verifies a log, its checkpoints and its proofs with golang.org/x/mod/sumdb/{note,tlog}: nothing of Deed's own code takes part.
// Prints one line for each thing that held; the first that does not ends it with status 1.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// What there is to check; paths of files.
type claims struct {
	Vkey        string   // of the log's Ed25519 key
	Log         string   // folder with checkpoint and tiles
	Old         string   // an older checkpoint
	Checkpoint  string   // the one that the consistency proof leads to
	Consistency []string // hashes in base64
	TlogProof   string
	Leaf        string
}

func main() {
	var c claims
	must("claims", json.Unmarshal(read(os.Args[1]), &c))
	verifier, err := note.NewVerifier(c.Vkey)
	must("vkey", err)
	known := note.VerifierList(verifier)

	tree := open("checkpoint", read(filepath.Join(c.Log, "checkpoint")), known)
	reader := tlog.TileHashReader(tree, tiles(c.Log))
	root, err := tlog.TreeHash(tree.N, reader)
	must("tiles", err)
	same("tiles", root, tree.Hash)

	entries := readEntries(c.Log, tree.N)
	rebuilt := rebuild(entries)
	root, err = tlog.TreeHash(tree.N, rebuilt)
	must("entries", err)
	same("entries", root, tree.Hash)
	leaves := make([]int64, tree.N)
	for n := range leaves {
		leaves[n] = tlog.StoredHashIndex(0, int64(n))
	}
	hashed, err := reader.ReadHashes(leaves) // each tile is checked against the one above it
	must("tiles", err)
	for n, entry := range entries {
		same("tiles", hashed[n], tlog.RecordHash(entry))
		proof, err := tlog.ProveRecord(tree.N, int64(n), reader)
		must("inclusion", err)
		must("inclusion", tlog.CheckRecord(proof, tree.N, tree.Hash, int64(n), tlog.RecordHash(entry)))
	}
	fmt.Printf("tree of %d entries\n", tree.N)

	old := open("old checkpoint", read(c.Old), known)
	present := open("present checkpoint", read(c.Checkpoint), known)
	var hashes tlog.TreeProof
	for _, text := range c.Consistency {
		hashes = append(hashes, hash("consistency", text))
	}
	must("consistency", tlog.CheckTree(hashes, present.N, present.Hash, old.N, old.Hash))
	fmt.Printf("consistency from %d to %d\n", old.N, present.N)

	index := checkProof(string(read(c.TlogProof)), read(c.Leaf), known)
	fmt.Printf("tlog-proof of entry %d\n", index)
}

// A checkpoint (c2sp.org/tlog-checkpoint) whose signature by a known key holds.
func open(what string, signed []byte, known note.Verifiers) tlog.Tree {
	opened, err := note.Open(signed, known)
	must(what, err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != opened.Sigs[0].Name {
		fail(what, "not three lines by the log that signed")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(what, err)
	return tlog.Tree{N: size, Hash: hash(what, lines[2])}
}

// A tlog-proof file (c2sp.org/tlog-proof).
func checkProof(text string, leaf []byte, known note.Verifiers) int64 {
	head, checkpoint, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		fail("tlog-proof", "not in form")
	}
	index, err := strconv.ParseInt(lines[1][len("index "):], 10, 64)
	must("tlog-proof", err)
	var hashes tlog.RecordProof
	for _, line := range lines[2:] {
		hashes = append(hashes, hash("tlog-proof", line))
	}
	tree := open("tlog-proof", []byte(checkpoint), known)
	must("tlog-proof", tlog.CheckRecord(hashes, tree.N, tree.Hash, index, tlog.RecordHash(leaf)))
	return index
}

// The entries from their bundles (c2sp.org/tlog-tiles): each behind its length in two bytes.
func readEntries(folder string, size int64) [][]byte {
	var entries [][]byte
	for at := int64(0); at < size; at += 1 << height {
		width := min(size-at, 1<<height)
		tile := tlog.Tile{H: height, L: -1, N: at >> height, W: int(width)}
		path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
		bundle := read(filepath.Join(folder, path))
		for range width {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				fail("entries", path+" is cut")
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			entries = append(entries, bundle[2:end])
			bundle = bundle[end:]
		}
		if len(bundle) > 0 {
			fail("entries", path+" is too long")
		}
	}
	return entries
}

// All hashes of the tree, made from the entries alone.
func rebuild(entries [][]byte) tlog.HashReader {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for n, entry := range entries {
		hashes, err := tlog.StoredHashes(int64(n), entry, reader)
		must("entries", err)
		stored = append(stored, hashes...)
	}
	return reader
}

// Reads tiles from a folder. Paths of tlog-tiles have no height in them.
type tiles string

func (folder tiles) Height() int { return height }

func (folder tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range wanted {
		bytes, err := os.ReadFile(filepath.Join(string(folder), strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

func (folder tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	must("reading", err)
	return data
}

func hash(what, text string) tlog.Hash {
	decoded, err := base64.StdEncoding.Strict().DecodeString(text)
	must(what, err)
	if len(decoded) != tlog.HashSize {
		fail(what, "not a hash: "+text)
	}
	return tlog.Hash(decoded)
}

func same(what string, a, b tlog.Hash) {
	if !bytes.Equal(a[:], b[:]) {
		fail(what, "another root than the checkpoint's")
	}
}

func must(what string, err error) {
	if err != nil {
		fail(what, err.Error())
	}
}

func fail(what, why string) {
	fmt.Printf("%s: %s\n", what, why)
	os.Exit(1)
}
