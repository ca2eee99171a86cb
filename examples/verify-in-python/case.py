"""Statements, and the checks that cases, receipts and tlog-proofs share: docs/formats/{statement,series,leaf}.md."""

import base64, re
from math import inf
from typing import Any
from formats import FORMS, TABLE, demand, fit, form, from_base64, read_as, read_json, sha256, to_json, to_ms
from signatures import Checkpoint, Trust, Vkey, algorithm, party_key, root_of_proof, signed, witnessed

MINUTE_MS, DAY_MS = 60_000, 86_400_000
PREDICATES = {kind: row.replace("\n", " ").split(maxsplit=4) for kind, row in TABLE["predicates"].items()}

class Unusable(Exception):
    """Not a case."""

class Unjudged(Exception):
    """A rule of the formats that is not written here would have to tell."""

class Stop(Exception):
    """What the checks that follow rest on is missing."""

class Statement:
    """A statement at its place in the log. `s["field"]` is a field of its predicate; None where it has none such."""
    def __init__(self, data: bytes, index: int) -> None:
        envelope = read_as("envelope", data)
        payload = from_base64(envelope["payload"])
        document = read_json(payload)
        fit(document, "statement")
        self.kind, self.index, self.p = document["predicateType"].split("/")[-2], index, document["predicate"]
        series, self.signer, self.names, self.told, fields = PREDICATES[self.kind]
        place = next(one for one in ("seq", "after", "n") if one in self.p)
        self.parts = fit(self.p, FORMS["header"] | FORMS[place] | form(fields))
        self.pae = f"DSSEv1 28 application/vnd.in-toto+json {len(payload)} ".encode() + payload
        self.digest, self.n, self.ms, self.spki = sha256(self.pae), self.p[place], to_ms(self.p["time"]), b""
        [self.subject], [self.signature] = document["subject"], envelope["signatures"]
        own = {name: value for name, value in self.p.items() if name not in FORMS["header"] | FORMS[place]}
        self.fields = {**self.p, "digest": self.digest, "own": own}
        self.series = self["series"] or self["task"] + ("/after" if place == "after" else "")
        stands = (self.series if place == "n" else place) in series.format(**self.p).split("|")
        self.demand(stands and (self.kind == "task-opened") == (place == "seq" and self.n == 0), "not in this series")

    def __getitem__(self, name: str) -> Any:
        return self.fields.get(name)

    def demand(self, holds: Any, text: str) -> None:
        demand(holds, f"{self}: {text}")

    def __str__(self) -> str:
        return f"{self.kind} ({self['series'] or self['task']} {self.p.get('after', '')}, log index {self.index})"

def field(source: Any, path: str, named: dict[str, Statement]) -> Any:
    """The field with this path. From a digest or id the path goes on in the statement that is named so."""
    for name in path.split("."):
        source = named.get(source) if isinstance(source, str) else source
        source = dict(zip("0", source)) if isinstance(source, list) else getattr(source, "fields", source)
        source = source.get(name) if source else None
    return source

class Case:
    """The file on the verifier's table: a case, or a paper as small as a receipt or a tlog-proof."""
    def __init__(self, file: bytes, trust: Trust, now_ms: float, beside: dict[str, bytes]) -> None:
        self.file, self.trust, self.now_ms, self.beside = file, trust, now_ms, beside
        self.members: dict[str, bytes] = {}
        self.statements: list[Statement] = []  # in the order of the log
        self.named: dict[str, Statement] = {}  # by digest; the task-opened and the enrolments also by id
        self.keys: dict[str, dict[str, Any]] = {}
        self.folk: list[tuple[int, dict]] = []  # the people from each log index on
        self.anchors: dict[str, Checkpoint] = {}  # by the digest of the intent
        self.note: Checkpoint | None = None  # under which the statements are proven
        self.erased: set[str] = set()
        self.missing: list[str] = []
        self.unanchored: list[str] = []

    def all(self, *kinds: str) -> list[Statement]:
        return [s for s in self.statements if s.kind in kinds]

    def before(self, s: Statement, kind: str) -> list[Statement]:
        return [one for one in self.all(kind) if one.index < s.index]

    def find(self, digest: str | None, kind: str) -> Statement | None:
        s = self.named.get(digest)
        return s if s and kind in (s.kind, "any") else None

    def miss(self, here: Any, text: str) -> Any:
        """What is here, or a reason for INCOMPLETE."""
        if not here:
            self.missing.append(text)
        return here

    def payload(self, pointer: dict[str, Any] | None) -> bytes | None:
        found = self.members.get(f"payloads/{pointer['sha256']}") if pointer else None
        return found and found[16:]

    def object(self, name: str, digest: str) -> None:
        """A member that should be here, with this digest."""
        demand(not self.miss(name in self.members, name) or sha256(self.members[name]) == digest, f"{name} is another")

    def told(self, s: Statement, path: str) -> str | None:
        """The digest of a subject: what the path leads to, or the SHA-256 of it in the form that stands before it."""
        kind, _, path = path.rpartition(":")
        value = field(s, path, self.named)
        made = {"b64": from_base64, "json": to_json, "text": str}.get(kind)
        return sha256(made(value)) if made and value is not None else value

    def equal(self, s: Statement, rule: str, other: Any) -> None:
        """What the rule of this name in shapes.txt says is equal."""
        for pair in TABLE["equal"][rule].split():
            theirs, mine = (pair.rstrip("?").split(":") * 2)[:2]
            value = field(s, mine, self.named)
            skip = pair.endswith("?") and value is None
            s.demand(skip or field(other, theirs, {}) == value, f"{rule}: {theirs} is another")

def lay(case: Case, origin: str, tasks: list[str]) -> None:
    """All of one log and of these tasks, about what they say they are about; what they cite is here, and before."""
    case.statements.sort(key=lambda s: s.index)
    ids = {"task-opened": "task", "agent-enrolled": "agent", "person-enrolled": "person"}
    case.named = {s[ids[s.kind]]: s for s in reversed(case.all(*ids))} | {s.digest: s for s in case.statements}
    demand(len({s.digest for s in case.statements}) == len(case.statements), "a statement twice")
    for s in case.statements:
        demand(s["origin"] == origin and s["task"] in (None, *tasks), f"{s} is of another log or task")
        elsewhere = s["observed"] == "downstream-confirmed"
        s.demand(not elsewhere or s.kind in ("confirmed", "finding", "reconciled"), "another system did not observe it")
        last = s["what"] == "name" if s["what"] else bool(s["series"])
        name, paths = s.names.split("|")[-last].format(**s.p), s.told.split("|")
        paths = paths[last:last + 1] if s["what"] else paths
        told = next((digest for path in paths if (digest := case.told(s, path))), None)
        s.demand(s.subject["name"] == name and told in (None, s.subject["digest"]["sha256"]), "its subject")
        for kind, digest in s.parts:
            if kind.startswith("@"):
                cited = case.find(digest, kind[1:])
                order = not case.miss(cited, f"{s}: a cited {kind}") or cited.index < s.index
                s.demand(order or kind in ("@grant-decision", "@events-ingested"), f"cites a later {kind}")

def keys(case: Case) -> None:
    """Each key gets its one role and its span of log indexes, and belongs to one party."""
    chain, held = sorted(case.all("key-event"), key=lambda s: s.n), set()
    if not case.miss(chain and chain[0].n == 0, "the key-event of the root"):
        raise Stop
    more = [s for s in case.all("person-changed") if s["change"]["kind"] == "key-added"]
    for s in [*chain, *case.all("person-enrolled", "agent-enrolled"), *more]:
        key, event = s["key"] or s["change"]["key"], s["event"]
        known = case.keys.get(key.get("keyid"))
        spki = from_base64(key.get("spki") or key["public"])
        if event in ("end", "compromised"):
            s.demand(known and known["role"] == key["role"] != "root", "no such key, or the root")
            known["until"] = min(known["until"], max(s["from"], s.index) if event == "end" else s["from"])
            continue
        spki = party_key(key["kind"], spki) if "kind" in key else spki
        s.demand(algorithm(spki) == key.get("alg", algorithm(spki)) and spki not in held, "one key for two, or its alg")
        held.add(spki)
        if event:
            role, vkey = key["role"], Vkey(key["vkey"]) if key["role"] == "log" else None
            s.demand((role == "root") == (s is chain[0]) and sha256(spki) == key["keyid"], "a second root, or the id")
            s.demand((key["alg"] == "ES256") == (role != "log") and bool(vkey) == bool(key["vkey"]), "alg or vkey")
            s.demand(not vkey or (vkey.spki, vkey.name, vkey.type != 4) == (spki, s["origin"], True), "vkey")
            until = case.trust.compromised.get(key["keyid"], inf)
            case.keys[key["keyid"]] = key | {"spki": spki, "log": vkey, "from": max(s["from"], s.index), "until": until}

def signatures(case: Case) -> None:
    for s in case.statements:
        key = case.keys.get(s.signature["keyid"])
        s.demand(key and key["role"] == s.signer, f"not signed by a {s.signer} key")
        s.demand(s.signer == "root" or key["from"] <= s.index < key["until"], "signed by a key that is not in force")
        s.spki = key["spki"]
        s.demand(signed(s.spki, from_base64(s.signature["sig"]), s.pae), "the signature does not hold")

def linked(case: Case, name: str, chain: list[Statement]) -> None:
    """Numbers without a gap, each bound to the one before, and log indexes that rise."""
    first, opened = chain[0], case.named.get(chain[0]["task"])
    case.miss(first.n == 0 or not (name in ("keys", "people") or first["task"]), f"the beginning of {name}")
    if first.n == 0 and case.miss(opened or "after" not in first.p, f"the task-opened of {name}"):
        first.demand(first["prev"] == (opened.digest if "after" in first.p else "0" * 64), "prev")
    for before, s in zip(chain, chain[1:]):
        s.demand(before.n < s.n and before.index < s.index, "a number twice, or in the log before its predecessor")
        if case.miss(before.n + 1 == s.n, f"what stands between {before} and {s}"):
            s.demand(s["prev"] == before.digest, "prev")

def read_proof(data: bytes) -> tuple[int, list[bytes], Checkpoint]:
    """Index, hashes and checkpoint of a tlog-proof in its one form, without `extra`."""
    lines = r"c2sp\.org/tlog-proof@v1\nindex (0|[1-9]\d{0,15})\n((?:\S{44}\n){0,63})\n(\S.*)"
    match = re.fullmatch(lines, data.decode(), re.S)
    demand(match, "not a tlog-proof")
    return int(match[1]), [from_base64(line) for line in match[2].split()], Checkpoint(match[3])

def entry_of(s: Statement) -> bytes:
    """The log entry of a statement, as leaf.md says."""
    digest, spki = (base64.b64encode(data).decode() for data in (bytes.fromhex(s.digest), s.spki))
    verifier = {"keyDetails": "PKIX_ECDSA_P256_SHA_256", "publicKey": {"rawBytes": spki}}
    signature = {"content": s.signature["sig"], "verifier": verifier}
    spec = {"data": {"algorithm": "SHA2_256", "digest": digest}, "signature": signature}
    return to_json({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": spec}}).encode()

def prove(case: Case, s: Statement, name: str) -> Checkpoint:
    """The checkpoint, signed by the log's keys, under which a member proves the statement."""
    index, hashes, head = read_proof(case.members[name])
    demand(index == s.index and head.origin == s["origin"], f"{name} is about something else")
    demand(root_of_proof(index, head.size, entry_of(s), hashes) == head.root, f"{name} does not hold")
    logs = [key["log"] for key in case.keys.values() if key["log"] and key["from"] < head.size <= key["until"]]
    demand(logs and all(head.times(vkey) for vkey in logs), f"{name}: a key of the log did not sign")
    return head

def trusted(case: Case) -> None:
    """The root, the log's keys, the witness quorum and the age of each checkpoint against the trust file."""
    trust = case.trust
    root = next((key["keyid"] for key in case.keys.values() if key["role"] == "root"), trust.root)
    demand(trust.root in (None, root), "another root than the trust file's")
    case.unanchored += ["the trust file names no root"] if case.keys and trust.root is None else []
    ended = {key["keyid"]: key["until"] for key in case.keys.values() if trust.root}
    spans = [(log, *trust.spans.get(log.label, (0, inf))) for log in trust.logs]
    successors = any(ended.get(log.keyid, inf) < end for log, _, end in spans)
    for head in {head.note: head for head in (case.note, case.head, *case.anchors.values()) if head}.values():
        logs = [log for log, start, end in spans if start < head.size <= min(end, ended.get(log.keyid, inf))]
        demand(all(log.name == head.origin and head.times(log) for log in logs), "a log key did not sign")
        for vkey in trust.vkeys:
            head.times(vkey)  # refuses a line that does not hold
        when = witnessed(head, trust.quorum)
        last = max((s.ms for s in case.statements), default=-inf) if head.note == case.head.note else -inf
        fresh = head.note != case.head.note or case.now_ms <= (when + trust.max_age) * 1000
        if not (logs or successors) or when == inf or when * 1000 + MINUTE_MS < last or not fresh:
            case.unanchored.append("a checkpoint without log key or quorum, or witnessed too early or too long ago")
