"""What cases, receipts and tlog-proofs are made of, and the checks that they share: docs/formats/checks.md."""

import base64
import re
from math import inf
from typing import Any

from formats import SHAPES, demand, fits, from_base64, read_as, read_json, sha256, shape, to_json, to_ms
from signatures import Checkpoint, Trust, Vkey, party_key, raw_key, root_of_proof, signed

GRACE_MS, DAY_MS = 60_000, 86_400_000
REGISTRAR = ("agent-enrolled", "person-enrolled")

class Unusable(Exception):
    """Not a case."""

class Stop(Exception):
    """What the checks that follow rest on is missing."""

class Statement:
    """A statement at its place in the log. `s["field"]` is a field of its predicate, or None where it has no such field."""
    def __init__(self, data: bytes, index: int) -> None:
        envelope = read_as("envelope", data)
        payload = from_base64(envelope["payload"])
        document = read_json(payload)
        demand(fits(document, shape(SHAPES["statement"])), f"log index {index}: not a statement")
        self.index, self.p, [self.subject] = index, document["predicate"], document["subject"]
        self.kind = document["predicateType"].removeprefix("https://w3id.org/deed/").removesuffix("/v1")
        self.pae = f"DSSEv1 28 application/vnd.in-toto+json {len(payload)} ".encode() + payload
        self.digest, [self.signature] = sha256(self.pae), envelope["signatures"]
        place = next((one for one in ("seq", "after", "n") if one in self.p), "n")
        self.fields = shape("{" + SHAPES[self.kind] + "}")
        form = shape("{" + f"{SHAPES['header']} {SHAPES[place]} {SHAPES[self.kind]}" + "}")
        known = document["predicateType"] == f"https://w3id.org/deed/{self.kind}/v1" and f"series:{self.kind}" in SHAPES
        demand(known and fits(self.p, form), f"log index {index}: not a {self.kind}")
        self.n, self.ms = self[place], to_ms(self["time"])
        self.series = self["series"] or self["task"] + ("/after" if place == "after" else "")
        stands = self.series if place == "n" else place
        demand(stands in SHAPES[f"series:{self.kind}"].format(**self.p).split("|"), f"{self}: not in this series")
        demand((self.kind == "task-opened") == (place == "seq" and self.n == 0), f"{self}: number 0 is task-opened")
        self.spki = b""

    def __getitem__(self, name: str) -> Any:
        return self.p.get(name)

    def __str__(self) -> str:
        return f"{self.kind} ({self.series} {self.n}, log index {self.index})"

class Case:
    """The file on the verifier's table: a case, or a paper as small as a receipt or a tlog-proof."""
    def __init__(self, file: bytes, trust: Trust, now_ms: float, beside: dict[str, bytes]) -> None:
        self.file, self.trust, self.now_ms, self.beside = file, trust, now_ms, beside
        self.members: dict[str, bytes] = {}
        self.opened: dict[str, Statement] = {}  # by the id of the task
        self.note: Checkpoint | None = None  # under which the statements are proven
        self.missing: list[str] = []
        self.unanchored: list[str] = []
        self.statements: list[Statement] = []  # in the order of the log
        self.by_digest: dict[str, Statement] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.anchors: dict[str, Checkpoint] = {}  # by the digest of the intent
        self.erased: set[str] = set()

    def all(self, *kinds: str) -> list[Statement]:
        return [s for s in self.statements if s.kind in kinds]

    def find(self, digest: str, kind: str) -> Statement | None:
        s = self.by_digest.get(digest)
        return s if s and s.kind == kind else None

    def miss(self, here: Any, text: str) -> Any:
        """What is here, or a reason for INCOMPLETE."""
        if not here:
            self.missing.append(text)
        return here

    def payload(self, pointer: dict[str, Any] | None) -> bytes | None:
        found = self.members.get(f"payloads/{pointer['sha256']}") if pointer else None
        return found and found[16:]

def lay(case: Case, origin: str, tasks: list[str]) -> None:
    """All statements of one log and of these tasks, in the order of the log; each about what it says it is about."""
    case.statements.sort(key=lambda s: s.index)
    case.by_digest = {s.digest: s for s in case.statements}
    demand(len(case.by_digest) == len(case.statements), "a statement twice")
    case.opened = {s["task"]: s for s in case.all("task-opened")}
    for s in case.statements:
        demand(s["origin"] == origin and s["task"] in (None, *tasks), f"{s} is of another log or task")
        name, digest = subject(case, s)
        demand(s.subject["name"] == name and digest in (None, s.subject["digest"]["sha256"]), f"{s}: its subject")
        elsewhere = s["observed"] == "downstream-confirmed"
        demand(not elsewhere or s.kind in ("confirmed", "finding", "reconciled"), f"{s}: another system did not observe it")

def subject(case: Case, s: Statement) -> tuple[str, str | None]:
    """The subject of a statement as predicates.md says; no digest where the statement that tells it is not here."""
    intent = case.find(s["intent"], "intent") if s.kind == "outcome" else None
    pointer = s["record"] or intent and intent["record"] or s["authority"] and s["authority"]["evidence"]
    enrolled = [one.subject["digest"]["sha256"] for one in case.all("agent-enrolled") if one["agent"] == s["id"]]
    opened = case.opened.get(s["task"])
    rests_on = [one["event"] for one in s["events"] or []] + (s["statements"] or [])
    kind = "nothing" if s["series"] == "deployment" and s.kind == "erased" else s.kind
    name, told = SHAPES[f"subject:{kind}"].split()
    return name.format(**s.p), {
        "keyid": lambda: s["key"]["keyid"], "key": lambda: sha256(from_base64(s["key"].get("public") or s["key"]["spki"])),
        "bundle": lambda: s["bundle"], "definition": lambda: s["definition"], "outcome": lambda: s["outcome"],
        "enrolled": lambda: next(iter(enrolled), None), "root": lambda: s["batch"]["root"],
        "fields": lambda: sha256(to_json({key: s[key] for key in s.p if key in s.fields})),
        "objective": lambda: opened and opened["objective"]["sha256"], "opened": lambda: opened and opened.digest,
        "record": lambda: pointer["sha256"] if pointer else sha256(s["action"]) if s.kind == "refusal" else None,
        "first": lambda: next(iter(rests_on), None), "members": lambda: sha256(to_json(s["members"])),
        "payloads": lambda: sha256(to_json(s["payloads"])), "word": lambda: sha256(from_base64(s["word"]["bytes"])),
    }[told]()

def keys(case: Case) -> None:
    """Each key gets its one role and its span of log indexes."""
    chain = sorted(case.all("key-event"), key=lambda s: s.n)
    if not case.miss(chain and chain[0].n == 0, "the key-event of the root"):
        raise Stop
    root = chain[0]["key"]
    demand(root["role"] == "root" and chain[0]["event"] == "add", "the first key-event does not add the root")
    held: set[tuple[str, bytes]] = set()
    for s in chain:
        key, event, known = s["key"], s["event"], case.keys.get(s["key"]["keyid"])
        spki = from_base64(key["spki"])
        raw = (key["alg"], raw_key(key["alg"], spki))
        demand(sha256(spki) == key["keyid"], f"{s}: the key's id")
        demand(signed("ES256", raw_key("ES256", from_base64(root["spki"])), from_base64(s.signature["sig"]), s.pae), f"{s}: not by the root")
        if event == "add":
            demand((key["role"] == "root") == (s is chain[0]) and raw not in held, f"{s}: a second root, or a key with a role already")
            demand(key["alg"] in ("Ed25519", "ML-DSA-44") if key["role"] == "log" else key["alg"] == "ES256" and not key["vkey"], f"{s}: alg")
            vkey = Vkey(key["vkey"]) if key["role"] == "log" else None
            demand(not vkey or (vkey.keyid, vkey.name, vkey.type != 4) == (key["keyid"], s["origin"], True), f"{s}: vkey")
            until = case.trust.compromised.get(key["keyid"], inf)
            case.keys[key["keyid"]] = {**key, "raw": raw[1], "spki": spki, "vkey": vkey, "from": max(s["from"], s.index), "until": until}
            held.add(raw)
        else:
            demand(known and known["role"] == key["role"] != "root", f"{s}: no such key, or the root")
            known["until"] = min(known["until"], max(s["from"], s.index) if event == "end" else s["from"])
    for s in case.all(*REGISTRAR):
        raw = party_key(s["key"].get("kind", "es256"), from_base64(s["key"].get("public") or s["key"]["spki"]))
        demand(raw not in held, f"{s}: one key for two parties")
        held.add(raw)

def signatures(case: Case) -> None:
    for s in case.statements:
        key, role = case.keys.get(s.signature["keyid"]), "registrar" if s.kind in REGISTRAR else "receipt"
        demand(key, f"{s}: signed by a key without a role")
        s.spki = key["spki"]
        if s.kind == "key-event":
            continue  # by the root, as the check before found
        demand(key["role"] == role and key["from"] <= s.index < key["until"], f"{s}: not by a {role} key in force")
        demand(signed("ES256", key["raw"], from_base64(s.signature["sig"]), s.pae), f"{s}: the signature does not hold")

def linked(case: Case, name: str, chain: list[Statement]) -> None:
    """Numbers without a gap, each bound to the one before, and log indexes that rise."""
    first = chain[0]
    case.miss(first.n == 0 or not (name == "keys" or first["task"]), f"the beginning of {name}")
    after, opened = name.endswith("/after"), case.opened.get(first["task"])
    if first.n == 0 and case.miss(opened or not after, f"the task-opened of {name}"):
        demand(first["prev"] == (opened.digest if after else "0" * 64), f"{first}: prev")
    for before, s in zip(chain, chain[1:]):
        demand(before.n < s.n and before.index < s.index, f"{s}: a number twice, or in the log before its predecessor")
        if case.miss(before.n + 1 == s.n, f"what stands between {before} and {s}"):
            demand(s["prev"] == before.digest, f"{s}: prev")

def read_proof(data: bytes) -> tuple[int, list[bytes], Checkpoint]:
    """Index, hashes and checkpoint of a tlog-proof in its one form, without `extra`."""
    match = re.fullmatch(r"c2sp\.org/tlog-proof@v1\nindex (0|[1-9]\d{0,15})\n((?:\S{44}\n){0,63})\n(\S.*)", data.decode(), re.S)
    demand(match, "not a tlog-proof")
    hashes = [from_base64(line) for line in match[2].split()]
    return int(match[1]), hashes, Checkpoint(match[3])

def entry_of(s: Statement) -> bytes:
    """The log entry of a statement, as leaf.md says."""
    digest, spki = (base64.b64encode(data).decode() for data in (bytes.fromhex(s.digest), s.spki))
    verifier = {"keyDetails": "PKIX_ECDSA_P256_SHA_256", "publicKey": {"rawBytes": spki}}
    spec = {"data": {"algorithm": "SHA2_256", "digest": digest}, "signature": {"content": s.signature["sig"], "verifier": verifier}}
    return to_json({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": spec}}).encode()

def prove(case: Case, s: Statement, name: str) -> Checkpoint:
    """The checkpoint, signed by the log's keys, under which a member proves the statement."""
    index, hashes, head = read_proof(case.members[name])
    demand(index == s.index and head.origin == s["origin"], f"{name} is about something else")
    demand(root_of_proof(index, head.size, entry_of(s), hashes) == head.root, f"{name} does not hold")
    logs = [key["vkey"] for key in case.keys.values() if key["role"] == "log" and key["from"] < head.size <= key["until"]]
    demand(logs and all(head.times(vkey) for vkey in logs), f"{name}: a key of the log did not sign")
    return head

def trusted(case: Case) -> None:
    root = next(key for key in case.keys.values() if key["role"] == "root")
    demand(case.trust.root in (None, root["keyid"]), "another root than the trust file's")
    if case.trust.root is None:
        case.unanchored.append("the trust file names no root")
    believed(case)

def believed(case: Case) -> None:
    """The log's keys, the witness quorum and the age of each checkpoint against the trust file."""
    trust = case.trust
    ended = {key["keyid"]: key["until"] for key in case.keys.values() if trust.root}
    for head in {head.note: head for head in (case.note, case.head, *case.anchors.values()) if head}.values():
        spans = [(log, *trust.spans.get(log.label, (0, inf))) for log in trust.logs]
        logs = [log for log, start, end in spans if start < head.size <= min(end, ended.get(log.keyid, inf))]
        demand(all(log.name == head.origin and head.times(log) for log in logs), "a log key of the trust file did not sign")
        for member in trust.members.values():
            if isinstance(member, Vkey):
                head.times(member)  # a line of a known key that does not hold refuses the note
        when = trust.witnessed(head, trust.quorum)
        successors = any(trust.root and ended.get(log.keyid, inf) < end for log, _, end in spans)
        if not logs and not successors or when == inf:
            case.unanchored.append("a checkpoint without a log key of the trust file, or without its witness quorum")
        elif head.note == case.head.note:
            last = max((s.ms for s in case.statements), default=-inf)
            if when * 1000 + GRACE_MS < last or case.now_ms > (when + trust.max_age) * 1000:
                case.unanchored.append("the head was witnessed before the last statement was written, or too long ago")
