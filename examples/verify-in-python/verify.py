"""Verifies Deed's files, written from docs/formats alone: python verify.py FILE --trust TRUST [--now TIME]."""

import argparse, base64, gzip, json, sys, time, zipfile
from pathlib import Path
import checks, people
from case import (Case, Statement, Stop, Unjudged, Unusable, entry_of, keys, lay, linked, prove, read_proof, signatures,
                  trusted)
from formats import Bad, demand, from_base64, read_as, read_json, sha256, to_json, to_ms
from signatures import Trust, root_of_proof, signed

EXIT_CODES = {"VERIFIED": 0, "cannot judge": 1, "unusable": 2, "UNANCHORED": 3, "INCOMPLETE": 4, "FORGED": 5}
BESIDE = {"artifact": "a delivered file, to compare with the outputs of a receipt",
          "leaf": "the log entry that a tlog-proof is about", "statement": "the envelope that the entry is of"}

def receipt(case: Case) -> None:
    case.about = read_as("receipt", case.file)
    demand(len(case.file) <= 8 * 2**20 and len(case.about["keys"]) <= 1000, "too large")

def receipt_statements(case: Case) -> None:
    """The closing and the key-events, each with its tlog-proof as a case would have it."""
    for entry in (case.about["closed"], *case.about["keys"]):
        lines = ["c2sp.org/tlog-proof@v1", f"index {entry['index']}", *entry["proof"], "", case.about["checkpoint"]]
        case.members[f"proofs/{entry['index']:012}.tlog-proof"] = "\n".join(lines).encode()
        case.statements.append(Statement(to_json(entry["envelope"]).encode(), entry["index"]))
    case.closed, *chain = case.statements
    lay(case, case.closed["origin"], [case.about["task"]])
    demand({s.kind for s in chain} == {"key-event"} and case.closed.series == case.about["task"], "others' statements")
    demand(case.closed.kind == "task-closed" and case.closed["count"] == case.closed.n + 1, "no closing, or its count")
    linked(case, "keys", sorted(chain, key=lambda s: s.n))

def receipt_proofs(case: Case) -> None:
    for s in case.statements:
        case.head = prove(case, s, f"proofs/{s.index:012}.tlog-proof")
    if "artifact" in case.beside:
        digests = [output["digest"]["sha256"] for output in case.closed["outputs"] if "sha256" in output["digest"]]
        case.miss(digests, "an output with a sha256 digest")
        demand(not digests or sha256(case.beside["artifact"]) in digests, "no output is this file")

def tlog_proof(case: Case) -> None:
    case.index, case.hashes, case.head = read_proof(case.file)

def leaf(case: Case) -> None:
    entry = case.beside.get("leaf")
    if case.miss(entry is not None, "the entry: nothing is shown to be in the log"):
        demand(root_of_proof(case.index, case.head.size, entry, case.hashes) == case.head.root, "not in the tree")
        if "statement" in case.beside:
            s = Statement(case.beside["statement"], case.index)
            verifier = read_json(entry)["spec"]["hashedRekordV002"]["signature"]["verifier"]
            s.spki = from_base64(verifier["publicKey"]["rawBytes"])
            demand(entry_of(s) == entry, "the entry of another statement")
            demand(signed(s.spki, from_base64(s.signature["sig"]), s.pae), "its signature does not hold")

CASE = (checks.container, checks.manifest, checks.statements, keys, signatures, checks.series, checks.proofs,
        checks.judged, checks.erasures, checks.payloads, people.people, checks.authority, checks.actions,
        checks.closing, checks.events, checks.timestamps, trusted)
RECEIPT = (receipt, receipt_statements, keys, signatures, receipt_proofs, trusted)
TLOG_PROOF = (tlog_proof, leaf, trusted)
UNREADABLE = (Bad, ValueError, LookupError, TypeError, AttributeError, RecursionError, zipfile.BadZipFile)

def verify(file: bytes, trust: Trust, now_ms: float, **beside: bytes) -> tuple[str, list[str]]:
    """The verdict with its reasons: the first contradiction, or all that is missing."""
    case = Case(file, trust, now_ms, beside)
    form, *others = {b"{": RECEIPT, b"c": TLOG_PROOF}.get(file[:1], CASE)
    try:
        for check in (form, *others):
            check(case)
    except Unusable as reason:
        return "unusable", [str(reason)]
    except Stop:
        pass
    except Unjudged as what:
        return "cannot judge", [str(what)]
    except UNREADABLE as reason:  # what cannot be read does not hold; if it is the file itself, nothing was said yet
        return "unusable" if check is form else "FORGED", [f"{check.__name__}: {reason!r}"]
    found = {"INCOMPLETE": case.missing, "UNANCHORED": case.unanchored, "VERIFIED": ["all checks hold"]}
    return next((verdict, reasons) for verdict, reasons in found.items() if reasons)

def run_vectors(folder: Path) -> int:
    files, wrong, unjudged = sorted(folder.rglob("*.json")), 0, 0
    for path in files:
        vector = json.loads(path.read_text("utf-8"))
        beside = {name: base64.b64decode(vector[name]) for name in BESIDE if name in vector}
        file, trust = gzip.decompress(base64.b64decode(vector["file"])), Trust(vector["trust"] or "")
        verdict, reasons = verify(file, trust, vector["nowMs"], **beside)
        expected = vector["expected"]
        unjudged += verdict == "cannot judge"
        if verdict != "cannot judge" and (verdict, EXIT_CODES[verdict]) != (expected["verdict"], expected["code"]):
            wrong += 1
            print(f"{path.relative_to(folder)}: {verdict}, not {expected['verdict']}: {reasons[:3]}")
    print(f"{len(files)} vectors, {wrong} disagreements, {unjudged} not judged")
    return 1 if wrong or not files else 0

def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="a case, a receipt or a tlog-proof")
    parser.add_argument("--trust", type=Path, help="the trust file; without one nothing is better than UNANCHORED")
    parser.add_argument("--now", help="the verifier's clock, for instance 2026-11-22T18:30:00.000Z")
    parser.add_argument("--vectors", type=Path, help="a folder of vectors: says where this verifier disagrees")
    for name, text in BESIDE.items():
        parser.add_argument(f"--{name}", type=Path, help=text)
    args = parser.parse_args()
    if args.vectors:
        return run_vectors(args.vectors)
    beside = {name: path.read_bytes() for name in BESIDE if (path := getattr(args, name))}
    trust = Trust(args.trust.read_text("utf-8") if args.trust else "")
    now_ms = to_ms(args.now) if args.now else time.time() * 1000
    verdict, reasons = verify(args.file.read_bytes(), trust, now_ms, **beside)
    print(verdict, *reasons, sep="\n  ")
    return EXIT_CODES[verdict]

if __name__ == "__main__":
    sys.exit(main())
