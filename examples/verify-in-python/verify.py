"""Verifies Deed's case files, from docs/formats alone: python verify.py CASE --trust TRUST [--now TIME]."""

import argparse
import base64
import gzip
import hashlib
import json
import re
import sys
import time
from collections import Counter, defaultdict
from math import inf
from pathlib import Path
from typing import Any

from formats import SHAPES, Bad, demand, fits, from_base64, read_as, read_json, read_zip, sha256, shape, to_json, to_ms
from signatures import Checkpoint, Trust, Vkey, party_key, raw_key, root_of_proof, signed, tree_root, word_holds
from timestamps import read_stamp

BESIDE = ("artifact", "leaf", "statement")
EXIT_CODES = {"VERIFIED": 0, "unusable": 2, "UNANCHORED": 3, "INCOMPLETE": 4, "FORGED": 5}
TIERS = ["observe", "record", "attest", "approve"]
SEQ = ("task-opened", "approval", "intent", "outcome", "refusal", "task-closed")
AFTER = ("outcome", "refusal", "finding", "confirmed", "reconciled", "case-exported", "observe-gap", "erased", "hold")
SERIES = {
    "key-event": "keys", "person-enrolled": "people", "agent-enrolled": "agents", "revoked": "agents", "policy-activated": "policy",
    "tool-pinned": "tools", "grant-decision": "grants", "rejects-counted": "deployment", "erased": "deployment",
    "finding": "deployment",
}
SAYS = {
    "approve": "I approve executing exactly this action, once.", "reject": "I reject this action.",
    "placed": "I protect what is kept of this task from erasure.", "released": "I end this protection.",
    None: "I put this policy into force.",
}
REGISTRAR = ("agent-enrolled", "person-enrolled")
GRACE_MS, DAY_MS, SKEW = 60_000, 86_400_000, 5

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
        known = document["predicateType"] == f"https://w3id.org/deed/{self.kind}/v1" and self.kind in {*SEQ, *AFTER, *SERIES, "events-ingested"}
        demand(known and fits(self.p, form), f"log index {index}: not a {self.kind}")
        self.n, self.ms = self[place], to_ms(self["time"])
        self.series = self["series"] or self["task"] + ("/after" if place == "after" else "")
        stands = {"seq": self.kind in SEQ and (self.kind == "task-opened") == (self.n == 0), "after": self.kind in AFTER,
                  "n": self.series == SERIES.get(self.kind, f"source:{self['source']}")}
        demand(stands[place], f"{self}: not in this series")
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
        self.opened: Statement | None = None
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

def verify(file: bytes, trust: Trust, now_ms: float, **beside: bytes) -> tuple[str, list[str]]:
    """The verdict with its reasons: the first contradiction, or all that is missing. The first byte tells what the file is."""
    case = Case(file, trust, now_ms, beside)
    form, *checks = {b"{": RECEIPT, b"c": TLOG_PROOF}.get(file[:1], CASE)
    try:
        for check in (form, *checks):
            check(case)
    except Unusable as reason:
        return "unusable", [str(reason)]
    except Stop:
        pass
    except (Bad, ValueError, LookupError, TypeError, AttributeError, RecursionError) as reason:
        # Whatever cannot be read does not hold; if it is the file itself, nothing was said yet.
        return "unusable" if check is form else "FORGED", [f"{check.__name__}: {reason!r}"]
    if case.missing:
        return "INCOMPLETE", case.missing
    return ("UNANCHORED", case.unanchored) if case.unanchored else ("VERIFIED", [])

def container(case: Case) -> None:
    case.members = read_zip(case.file)
    case.about = read_as("case", case.members["case.json"])

def manifest(case: Case) -> None:
    own = ("statements/case-exported.json", "proofs/case-exported.tlog-proof")
    if not case.miss(all(name in case.members for name in own), "the statement of the export, or its proof"):
        raise Stop
    index, _, case.head = read_proof(case.members[own[1]])
    case.export = export = Statement(case.members[own[0]], index)
    demand(export.kind == "case-exported", f"{export} is not the export")
    listed = {one["name"]: one["sha256"] for one in export["members"]}
    for name in case.members:
        if name not in listed and name not in own:
            raise Unusable(f"unlisted member {name}")
    demand(len(listed) == len(export["members"]) and not listed.keys() & set(own), "a member is listed twice")
    for name, digest in listed.items():
        if case.miss(name in case.members, name):
            demand(sha256(case.members[name]) == digest, f"{name} is not what was exported")
    demand(all(case.about[key] == export[key] for key in ("case", "origin", "tasks")), "case.json names something else")
    case.left = {one["payload"]: one["how"] for one in export["left"]}

def statements(case: Case) -> None:
    found = [Statement(data, int(name[11:23])) for name, data in case.members.items() if re.fullmatch(r"statements/\d{12}\.json", name)]
    case.statements = [*found, case.export]
    lay(case, case.about["origin"], case.about["tasks"])

def lay(case: Case, origin: str, tasks: list[str]) -> None:
    """All statements of one log and of these tasks, in the order of the log; each about what it says it is about."""
    case.statements.sort(key=lambda s: s.index)
    case.by_digest = {s.digest: s for s in case.statements}
    demand(len(case.by_digest) == len(case.statements), "a statement twice")
    case.opened = next(iter(case.all("task-opened")), None)
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
    fields = sha256(to_json({key: s[key] for key in s.p if key in s.fields}))
    task, opened = f"task:{s['task']}", case.opened
    match s.kind:
        case "key-event":
            return f"key:{s['key']['keyid']}", s["key"]["keyid"]
        case "person-enrolled":
            return f"person:{s['person']}", sha256(from_base64(s["key"]["public"]))
        case "agent-enrolled":
            return f"agent:{s['agent']}", sha256(from_base64(s["key"]["spki"]))
        case "revoked":
            enrolled = [a.subject["digest"]["sha256"] for a in case.all("agent-enrolled") if a["agent"] == s["id"]]
            return f"agent:{s['id']}", enrolled[0] if enrolled else None
        case "policy-activated":
            return f"policy:{s['version']}", s["bundle"]
        case "tool-pinned":
            return f"tool:{s['server']}/{s['tool']}", s["definition"]
        case "grant-decision":
            return f"grant:{s['grant']}", fields
        case "task-opened" | "task-closed" | "observe-gap":
            return task, opened and opened["objective"]["sha256"]
        case "approval" | "intent" | "outcome" | "refusal":
            return f"action:{s['action']}", pointer["sha256"] if pointer else sha256(s["action"]) if s.kind == "refusal" else None
        case "confirmed":
            return f"action:{s['action']}", s["outcome"]
        case "reconciled":
            return task, opened and opened.digest
        case "events-ingested":
            return f"source:{s['source']}", s["batch"]["root"]
        case "finding":
            return f"finding:{s['finding']}", ([one["event"] for one in s["events"]] + s["statements"] + [None])[0]
        case "case-exported":
            return f"case:{s['case']}", sha256(to_json(s["members"]))
        case "erased":
            return task if s["task"] else f"deployment:{s['origin']}", sha256(to_json(s["payloads"]))
        case "hold":
            return f"hold:{s['hold']}", sha256(from_base64(s["word"]["bytes"]))
    return f"deployment:{s['origin']}", fields

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

def series(case: Case) -> None:
    heads = {head["series"]: head for head in case.export["heads"]}
    chains = defaultdict(list)
    for s in sorted(case.statements, key=lambda s: s.n):
        chains[s.series].append(s)
    for name, chain in chains.items():
        last = chain[-1]
        linked(case, name, chain)
        if name == case.export.series:
            demand(last is case.export, "the export is not the newest of its series")
            continue
        demand(name in heads, f"the export states no head of {name}")
        if case.miss(last.n >= heads[name]["n"], f"the head of {name}"):
            demand(last.digest == heads[name]["digest"], f"{name} has another head")
    case.miss(heads.keys() <= chains.keys(), "a series that has a head")

def linked(case: Case, name: str, chain: list[Statement]) -> None:
    """Numbers without a gap, each bound to the one before, and log indexes that rise."""
    first = chain[0]
    case.miss(first.n == 0 or not (name == "keys" or first["task"]), f"the beginning of {name}")
    if first.n == 0 and case.miss(case.opened or not name.endswith("/after"), f"the task-opened of {name}"):
        demand(first["prev"] == (case.opened.digest if name.endswith("/after") else "0" * 64), f"{first}: prev")
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

def proofs(case: Case) -> None:
    demand(prove(case, case.export, "proofs/case-exported.tlog-proof").size >= case.export["size"], "the export's tree")
    for s in case.statements:
        name = f"proofs/{s.index:012}.tlog-proof"
        if s is not case.export and case.miss(name in case.members, name):
            head = prove(case, s, name)
            case.note = case.note or head
            demand(head.note == case.note.note and head.size == case.export["size"], f"{name}: another checkpoint")

def enrolled(case: Case, s: Statement, person: str, role: str) -> Statement:
    found = next((p for p in case.all("person-enrolled") if p["person"] == person), None)
    demand(found and found.index < s.index and role in found["roles"], f"{s}: {person} is not enrolled as {role}")
    return found

def word(case: Case, s: Statement, said: dict, domain: str, role: str) -> tuple[dict, Statement]:
    """What a person with this role signed for this statement, and the person's enrolment."""
    content = read_as(domain, from_base64(said["bytes"]), one_form=False)
    person = enrolled(case, s, content["person"], role)
    demand(word_holds(said, domain), f"{s}: the person's signature does not hold")
    demand(person["key"] == {"kind": said["signature"]["kind"], "public": said["signature"]["key"]}, f"{s}: not the person's key")
    demand(content["says"] == SAYS[content.get("decision", content.get("act"))], f"{s}: says")
    demand((content["origin"], content.get("task")) == (s["origin"], s["task"]), f"{s}: a word for something else")
    return content, person

def erasures(case: Case) -> None:
    holds: dict[str, str] = {}
    exports: list[Statement] = []
    closed = next(iter(case.all("task-closed")), None)
    for s in [s for s in case.all("hold", "erased", "case-exported") if s["task"]]:
        if s.kind == "case-exported":
            exports.append(s)
        elif s.kind == "hold":
            content, _ = word(case, s, s["word"], "deed-hold-v1", "operator")
            demand(all(content[key] == s[key] for key in ("hold", "act", "person", "reason")), f"{s}: not the word")
            demand(holds.get(s["hold"]) == (None if s["act"] == "placed" else "placed"), f"{s}: out of order")
            holds[s["hold"]] = s["act"]
        else:
            gone, by = set(s["payloads"]), s["by"]
            demand(closed and closed.index < s.index and "placed" not in holds.values(), f"{s}: of an open task, or under a hold")
            demand(s["payloads"] == sorted(gone) and s is not case.export, f"{s}: not sorted")
            copies = [e["case"] for e in exports if any(one["name"].rpartition("/")[2] in gone for one in e["members"])]
            demand(s["copies"] == copies, f"{s}: copies")
            if by["kind"] == "person":
                enrolled(case, s, by["person"], "operator")
            else:
                highest = max([TIERS.index(i["tier"]) for i in case.all("intent")], default=0)
                demand(by["tier"] == TIERS[highest] and s.ms >= closed.ms + by["days"] * DAY_MS, f"{s}: not the rule, or before its time")
            case.erased |= gone
    here = {name.rpartition("/")[2] for name in case.members}
    demand(not here & case.erased, "something that was erased is here all the same")
    for name, how in case.left.items():
        demand(f"payloads/{name}" not in case.members and (how == "erased" or name not in case.erased), f"{name} is not {how}")

def pointers(value: Any) -> list[dict]:
    """All payload pointers in it."""
    if isinstance(value, dict) and value.keys() == {"sha256", "size", "type", "kept"}:
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [pointer for one in inner for pointer in pointers(one)]

def payloads(case: Case) -> None:
    for name, data in case.members.items():
        demand(not name.startswith("payloads/") or len(data) >= 16 and sha256(data) == name[9:], f"{name} has another digest")
    tiers = {i["action"]: i["tier"] for i in case.all("intent")}
    for s in case.statements:
        for pointer in pointers(s.p):
            data, how = case.payload(pointer), case.left.get(pointer["sha256"])
            if data is not None:
                demand(len(data) == pointer["size"], f"{s}: a payload of another size")
            elif how == "erased":
                case.miss(pointer["sha256"] in case.erased, f"the erasure of {pointer['sha256']}")
            else:
                demanded = tiers.get(s["action"]) in ("attest", "approve")
                case.miss(not demanded and (how or not pointer["kept"]), f"{s}: the payload {pointer['sha256']}")

def people(case: Case) -> None:
    for s in case.all("approval"):
        content, person = word(case, s, s["approval"], "deed-approval-v1", "approver")
        mine = ("approve", s["action"], s["record"]["sha256"], s["rendering"]["sha256"], s["person"])
        word_says = [content[key] for key in ("decision", "action", "record", "rendering")]
        demand((*word_says, {"id": content["person"], "enrolled": person.digest}) == mine, f"{s}: not the word")
        demand(content["notBefore"] <= s["time"] <= content["expires"], f"{s}: outside the time of the word")
    for s in case.all("refusal"):
        demand((s["reason"] == "rejected") == bool(s["rejection"]), f"{s}: rejected by nobody, or for another reason")
        if s["rejection"]:
            content, _ = word(case, s, s["rejection"], "deed-approval-v1", "approver")
            record = s["record"]["sha256"] if s["record"] else content["record"]
            demand((content["decision"], content["action"], content["record"]) == ("reject", s["action"], record), f"{s}: not the word")
    for s in case.all("policy-activated"):
        content, _ = word(case, s, s["activation"], "deed-activation-v1", "operator")
        demand(all(content[key] == s[key] for key in ("bundle", "version", "person")), f"{s}: not the word")
        files = to_json(sorted(({"path": one["path"], "sha256": one["sha256"]} for one in s["files"]), key=lambda one: one["path"])).encode()
        demand(s["version"] == s.n + 1 and s["bundle"] == sha256(files), f"{s}: its version or bundle")
        folder = f"policy/{s['bundle']}/"
        if folder + "manifest.json" in case.members:
            demand(case.members[folder + "manifest.json"] == files, f"{s}: another manifest")
            for one in s["files"]:
                data = case.members.get(folder + one["path"])
                demand(not case.miss(data is not None, folder + one["path"]) or sha256(data) == one["sha256"], f"{s}: {one['path']}")

def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")

def in_force(case: Case, s: Statement) -> Statement | None:
    """The newest grant-decision about the task's agent, or if there is none about it the newest about each."""
    agent = case.opened and case.opened["agent"] and case.opened["agent"]["id"]
    grants = [g for g in case.all("grant-decision") if g.index < s.index]
    return next((g for holder in (agent, "*") for g in reversed(grants) if g["agent"] == holder), None)

def authority(case: Case) -> None:
    opened, first_use = case.opened, {}
    for s in [s for s in (opened, *case.all("intent", "refusal")) if s]:
        agent = opened and opened["agent"]
        cited = s["grant"] if s is opened else s["authority"] and s["authority"]["grant"]
        grant = cited and case.miss(case.find(cited, "grant-decision"), f"{s}: its grant")
        if grant and s.kind != "refusal":
            demand(grant is in_force(case, s) and grant["verdict"] not in ("DENIED", "REVOKED"), f"{s}: not the grant in force")
            demand(s["time"] <= grant["expires"], f"{s}: its grant had expired")
            demand(not agent or all(r["id"] != agent["id"] or r.index > s.index for r in case.all("revoked")), f"{s}: a revoked agent")
        if grant and s.kind == "intent":
            above = TIERS.index(s["tier"]) > TIERS.index(grant["ceiling"])
            demand(s["authority"]["unearned"] == above and (not above or grant["verdict"] == "WAIVED"), f"{s}: above its grant")
        if s["decision"]:
            decided(case, s, s["decision"])
        if s["authority"]:
            demand(opened, f"{s}: its task-opened is not here")
            possession(case, s, agent, first_use)
    if not opened:
        return
    agent, policy = opened["agent"], case.miss(case.find(opened["policy"], "policy-activated"), "the policy of the task")
    demand((agent is None) == opened["implicit"] and (not policy or policy.index < opened.index), f"{opened}: agent or policy")
    s = agent and case.miss(case.find(agent["enrolled"], "agent-enrolled"), "the enrolment of the agent")
    if s:
        x, y = (base64url(from_base64(s["key"]["spki"])[at : at + 32]) for at in (27, 59))
        jkt = base64url(hashlib.sha256(to_json({"crv": "P-256", "kty": "EC", "x": x, "y": y}).encode()).digest())
        named = [s["agent"], s["spiffe"], s["definition"], jkt, s["key"]["jkt"], s.index < opened.index]
        demand(named == [agent["id"], agent["spiffe"], agent["definition"], agent["jkt"], jkt, True], f"{opened}: another agent")

def decided(case: Case, s: Statement, decision: dict) -> None:
    """By a policy that was in force, or that another had replaced at most 60 seconds before."""
    policies = case.all("policy-activated")
    mine = [p for p in policies if p["bundle"] == decision["bundle"]]
    if case.miss(mine, f"{s}: the policy that decided"):
        before = [p for p in mine if p.index < s.index]
        demand(before and before[-1]["engine"]["sha256"] == decision["engine"]["sha256"], f"{s}: decided by a later policy, or another engine")
        case.miss(f"policy/{decision['bundle']}/manifest.json" in case.members, f"the bundle {decision['bundle']}")
        settled = [p for p in policies if p.index < s.index and p.ms <= s.ms - GRACE_MS]
        demand(s.kind == "refusal" or not settled or settled[-1].index <= before[-1].index, f"{s}: not by the policy in force")
    demand(s.kind == "refusal" or decision["outcome"] == "allow" and not decision["errors"], f"{s}: it was not allowed")

def jwt(text: str, kind: str) -> tuple[dict, bytes, bytes]:
    """Claims, signature (as DER) and signed bytes."""
    parts = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split(".")]
    demand(len(text) <= 16384 and ".".join(map(base64url, parts)) == text and len(parts) == 3 and len(parts[2]) == 64, "not a compact JWT")
    header = read_json(parts[0])
    demand((header["alg"], header["typ"]) == ("ES256", kind) and not header.keys() & {"crit", "b64"}, f"not a {kind}")
    numbers = [half.lstrip(b"\0") for half in (parts[2][:32], parts[2][32:])]
    integers = b"".join(bytes([2, len(one)]) + one for one in (b"\0" * (not one or one[0] > 127) + one for one in numbers))
    return read_json(parts[1]), bytes([0x30, len(integers)]) + integers, text.rpartition(".")[0].encode()

def possession(case: Case, s: Statement, agent: dict | None, first_use: dict[str, Statement]) -> None:
    """Token and proof belong to this task, agent and message; a proof is used once."""
    pop, evidence = s["authority"]["pop"], s["authority"]["evidence"]
    demand((pop != "none") == bool(agent) and (not agent or evidence), f"{s}: proof of possession")
    data = case.payload(evidence)
    if not agent or data is None:
        return
    shown = read_json(data)
    token, signature, text = jwt(shown["token"], "deed-task+jwt")
    issuers = [key for key in case.keys.values() if key["role"] == "token" and key["from"] <= s.index < key["until"]]
    demand(any(signed("ES256", key["raw"], signature, text) for key in issuers), f"{s}: a token that is not of this deployment")
    claims = [token["iss"], token["aud"], token["task"], token["obj"], token["cnf"]["jkt"], token["act"]["sub"]]
    objective = case.opened["objective"]["sha256"]
    demand(claims == [s["origin"], s["origin"], s["task"], objective, agent["jkt"], agent["spiffe"]], f"{s}: a token for something else")
    proof, signature, text = jwt(shown["proof"], "wpt+jwt")
    holder = case.find(agent["enrolled"], "agent-enrolled")
    demand(holder and signed("ES256", raw_key("ES256", from_base64(holder["key"]["spki"])), signature, text), f"{s}: not the agent's proof")
    digests = [base64url(hashlib.sha256(shown[one].encode()).digest()) for one in ("token", "message")]
    demand([proof["ath"], proof["deed_bdh"], proof["aud"]] == [*digests, s["origin"]], f"{s}: a proof for something else")
    demand(token["exp"] - token["iat"] <= 300 and proof["exp"] - proof["iat"] <= 60, f"{s}: token or proof lives too long")
    demand(max(token["iat"], proof["iat"]) <= s.ms / 1000 + SKEW, f"{s}: token or proof was made later")
    demand(token["iat"] - SKEW < proof["exp"] and proof["iat"] < token["exp"] + SKEW, f"{s}: a proof outside its token's life")
    first = first_use.setdefault(proof["jti"], s)
    demand(first is s or s.kind == "refusal" and s["cites"] == first.digest, f"{s}: a proof that was used before")
    message, call = read_json(shown["message"], one_case=True), s["method"] == "tools/call"
    demand(message["method"] == s["method"] or s.kind == "refusal" and not s["record"] and not s["tool"], f"{s}: another method was signed")
    demand(not call or not s["tool"] or message["params"]["name"] == s["tool"]["name"], f"{s}: another tool was signed")
    record = case.payload(s["record"])
    arguments = source(shown["message"], ["params", "arguments"] if call else ["params"])
    demand(record is None or read_as("record", record)["arguments"] == arguments, f"{s}: other arguments were signed")

def source(text: str, path: list[str]) -> str:
    """The exact source of a member of a JSON object; `{}` where there is none."""
    for match in re.finditer(r'[{,][ \t\n\r]*("(?:[^"\\]|\\.)*")[ \t\n\r]*:[ \t\n\r]*', text):
        depth = 0
        for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', text[: match.start() + 1]):
            depth += (token[0] in "{[") - (token[0] in "}]")
        if depth == 1 and json.loads(match[1]) == path[0]:
            inner = text[match.end() : json.JSONDecoder().raw_decode(text, match.end())[1]]
            return source(inner, path[1:]) if path[1:] else inner
    return "{}"

def actions(case: Case) -> None:
    outcomes, refusals, used = defaultdict(list), defaultdict(list), {}
    for s in case.all("outcome", "refusal"):
        cited = s["intent"] or s["cites"]
        target = cited and case.miss(case.by_digest.get(cited), f"{s}: what it cites")
        ends = s.kind == "outcome" or s["reason"] != "proof-replayed"
        demand(not target or target.index < s.index and (not ends or (target.kind, target["action"]) == ("intent", s["action"])), f"{s}: cites")
        (outcomes if s.kind == "outcome" else refusals)[cited if ends else None].append(s)
    intents = case.all("intent")
    demand(len({i["action"] for i in intents}) == len(intents), "an action was begun twice")
    for number, s in enumerate(intents, 1):
        recorded(case, s)
        demand(all(r["action"] != s["action"] or r.index > s.index for r in case.all("refusal")), f"{s}: it was refused before")
        strong, opened = s["tier"] in ("attest", "approve"), case.opened
        demand(not strong or s["observed"] not in ("self-reported", "hook"), f"{s}: {s['observed']} and above tier record")
        if opened:
            demand(TIERS.index(s["tier"]) <= TIERS.index(opened["ceiling"]), f"{s}: above the ceiling of its task")
            demand(s["time"] <= opened["deadline"] and number <= opened["budget"]["actions"], f"{s}: after the deadline, or over the budget")
        demand(s["approval"] or s["tier"] != "approve", f"{s}: without an approval")
        approval = s["approval"] and case.miss(case.find(s["approval"], "approval"), f"{s}: its approval")
        if approval:
            same = (approval["action"], approval["record"]["sha256"]) == (s["action"], s["record"]["sha256"])
            demand(same and approval.index < s.index and s["approval"] not in used, f"{s}: not its approval, or used before")
        used[s["approval"]] = s.digest
        ended(case, s, outcomes[s.digest], refusals[s.digest], strong)
    for s in case.all("refusal"):
        record = case.payload(s["record"])
        demand(record is None or read_as("record", record)["action"] == s["action"], f"{s}: the record of another action")
        demand(not s["approval"] or used.get(s["approval"], s["cites"]) == s["cites"], f"{s}: its approval was used")

def recorded(case: Case, s: Statement) -> None:
    """The intent is that of its record, and its tool as it was pinned."""
    data, tool = case.payload(s["record"]), s["tool"]
    record = read_as("record", data) if data is not None else None
    mine = [s["task"], s["action"], s["method"], tool["server"], tool["name"], tool["definition"], tool["executable"]]
    fields = ("task", "action", "method", "server", "tool", "definition", "executable")
    demand(not record or [record[key] for key in fields] == mine, f"{s}: another record")
    demand(tool["definition"] or s["method"] != "tools/call", f"{s}: a tool without a definition")
    pins = [p for p in case.all("tool-pinned") if p.index < s.index and [p["server"], p["tool"]] == [tool["server"], tool["name"]]]
    if tool["definition"] and case.miss(pins, f"{s}: the pinned definition of its tool"):
        demand([pins[-1]["definition"], pins[-1]["executable"]] == [tool["definition"], tool["executable"]], f"{s}: not as it was pinned")

def ended(case: Case, s: Statement, outcomes: list[Statement], refusals: list[Statement], strong: bool) -> None:
    case.miss(outcomes or refusals, f"{s}: its end")
    demand(len(outcomes[:1]) + len(refusals) <= 1 and len(outcomes) <= 2, f"{s}: ended twice")
    for first, second in zip(outcomes, outcomes[1:]):
        demand(first["status"] == "unknown" and second["supersedes"] == first.digest, f"{second}: a second outcome")
    if not outcomes:
        return
    case.miss(not strong or outcomes[-1]["status"] != "unknown", f"{s}: what came of it")
    named = [o for o in outcomes if o["anchor"]]
    if s["tier"] == "approve" and not named:
        case.unanchored.append(f"{s}: no cosigned checkpoint")
    name = f"proofs/{s.index:012}-anchor.tlog-proof"
    for o in named:
        if case.miss(name in case.members, name):
            head = prove(case, s, name)
            demand(o["anchor"] == {"size": head.size, "root": head.root.hex(), "note": sha256(head.note)}, f"{o}: another anchor")
            demand(s.index < head.size <= outcomes[0].index, f"{o}: its anchor does not stand between intent and outcome")
            case.anchors[s.digest] = head

def closing(case: Case) -> None:
    for task in case.about["tasks"]:
        seq = sorted((s for s in case.statements if s.series == task), key=lambda s: s.n)
        demand(all(s.kind != "task-closed" for s in seq[:-1]), "the task goes on after its closing")
        if not case.miss(seq and seq[-1].kind == "task-closed", f"the closing of {task}"):
            continue
        s = seq[-1]
        over = {one["intent"] or one["cites"] for one in seq if one["reason"] != "proof-replayed"}
        demand(sorted(s["open"]) == sorted(i.digest for i in seq if i.kind == "intent" and i.digest not in over), f"{s}: open")
        demand(s["count"] == s.n + 1, f"{s}: count")
        effects = [case.payload(one["effects"]) for one in seq if one["effects"]]
        if None not in effects:
            done = [one for data in effects for one in read_as("effects", data, one_form=False)["effects"] if one["status"] == "ok"]
            refs = {f"git:{one['repository']}:{one['ref']}": {"gitCommit": one["new"]} for one in done if one["new"].strip("0")}
            demand({one["name"]: one["digest"] for one in s["outputs"] if one["name"].startswith("git:")} == refs, f"{s}: outputs")

def events(case: Case) -> None:
    own = {one["blinded"] for one in case.opened["credentials"]} if case.opened else set()
    shown: dict[tuple[str, str], str] = {}  # batch and event of the task's credentials, to the id of the credential
    batches = case.all("events-ingested")
    for s in batches:
        name = f"events/{s.digest}/batch.json"
        if case.miss(name in case.members, name):
            shown |= batch(case, s, read_as("batch", case.members[name]), own)
    explained = Counter((one["batch"], one["event"]) for s in case.all("confirmed") for one in s["events"])
    demand(all(count == 1 for count in explained.values()), "an event is confirmed twice")
    for s in case.all("confirmed"):
        confirmed(case, s, shown)
    explained.update((one["batch"], one["event"]) for s in case.all("finding") for one in s["events"])
    held = {s["finding"] for s in case.all("finding")}
    reconciled = case.all("reconciled")
    for s in reconciled:
        heads = [one["head"] for one in s["sources"] if one["head"]]
        case.miss(all(case.find(head, "events-ingested") for head in heads), f"{s}: a batch")
        case.miss(all(f["finding"] in held or f["type"] == "unknown_credential" for f in s["findings"]), f"{s}: a finding")
    for chain in {s.series: s for s in reversed(batches)}.values():
        case.miss(chain.n == 0 or not case.opened or chain.index < case.opened.index, f"batches of {chain.series} since the task opened")
    for digest, event in shown:
        looked = any(r.index > case.by_digest[digest].index for r in reconciled)
        case.miss(not looked or (digest, event) in explained, f"what explains the event {event}")

def batch(case: Case, s: Statement, tree: dict, own: set[str]) -> dict[tuple[str, str], str]:
    leaves = {leaf["credential"]: leaf for leaf in tree["leaves"]}
    nodes = [bytes.fromhex(leaf["credential"] + leaf["root"]) + leaf["events"].to_bytes(8, "big") for leaf in tree["leaves"]]
    counts = {"root": tree_root(nodes).hex(), "credentials": len(nodes), "events": sum(leaf["events"] for leaf in tree["leaves"])}
    demand(counts == s["batch"] and list(leaves) == sorted(leaves) and len(leaves) == len(nodes), f"{s}: another tree")
    for one in tree["disclosed"]:
        leaf, names = leaves.get(one["credential"]), one["events"]
        root = tree_root([bytes.fromhex(name) for name in names]).hex()
        demand(leaf and (leaf["root"], leaf["events"]) == (root, len(names)), f"{s}: another sub-tree")
        blinded = sha256(b"deed-credential-v1\0" + bytes.fromhex(one["blind"]) + one["id"].encode())
        demand(blinded == one["credential"], f"{s}: a credential that does not open")
        for name in names:
            data, gone = case.members.get(f"events/{s.digest}/{name}"), name in case.erased and case.left.get(name) == "erased"
            demand(not case.miss(data is not None or gone, f"the event {name}") or gone or sha256(data) == name, f"the event {name}")
    disclosed = {one["credential"]: one for one in tree["disclosed"]}
    case.miss(own & leaves.keys() <= disclosed.keys(), f"{s}: the events of a credential of the task")
    return {(s.digest, name): disclosed[one]["id"] for one in own & disclosed.keys() for name in disclosed[one]["events"]}

def confirmed(case: Case, s: Statement, shown: dict[tuple[str, str], str]) -> None:
    """Matched again: the records are those of the effects that the outcome claims, one for each."""
    outcome = case.find(s["outcome"], "outcome")
    demand(outcome and outcome["action"] == s["action"] and outcome.index < s.index, f"{s}: no outcome of its action")
    data = case.payload(outcome["effects"])
    gone = any(one["event"] in case.erased and case.left.get(one["event"]) == "erased" for one in s["events"])
    if data is None or gone:
        return
    keys_equal = ("repository", "ref", "old", "new")
    done = [e for e in read_as("effects", data, one_form=False)["effects"] if e["status"] == "ok"]
    claimed = sorted([e[key] for key in keys_equal] for e in done)
    records = []
    for one in s["events"]:
        event = read_json(case.members[f"events/{one['batch']}/{one['event']}"][16:])
        demand(shown.get((one["batch"], one["event"])) == event["user"] is not None, f"{s}: an event of another credential")
        records.append([event[key] for key in keys_equal])
    demand(sorted(records) == claimed, f"{s}: the events are not what the outcome says")

def timestamps(case: Case) -> None:
    heads = {sha256(head.text): head for head in (*case.anchors.values(), case.note) if head}
    stamps = {}
    for name in [name for name in case.members if name.startswith("timestamps/")]:
        digest = name[11:75]
        if not case.miss(digest in heads, f"the checkpoint of {name}"):
            continue
        stamp = read_stamp(case.members[name])
        demand(stamp.imprint == digest, f"{name} stamps something else")
        if stamp.certificate in case.trust.tsa and stamp.accuracy_ms <= GRACE_MS and stamp.time_ms <= case.now_ms + GRACE_MS:
            early, late = stamp.time_ms - stamp.accuracy_ms - GRACE_MS, stamp.time_ms + stamp.accuracy_ms + GRACE_MS
            demand(all(s.ms <= late for s in case.statements if s.index < heads[digest].size), f"{name}: a statement says it is younger")
            demand(early <= case.export.ms, f"{name} is younger than the export")
            stamps[digest] = late
    for s in case.all("intent") if case.trust.tsa else []:
        head = case.anchors.get(s.digest)
        if s["tier"] == "approve" and any(o["intent"] == s.digest for o in case.all("outcome")):
            if stamps.get(head and sha256(head.text), inf) > s.ms + DAY_MS + 2 * GRACE_MS:
                case.unanchored.append(f"{s}: no timestamp that counts on its checkpoint")

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
        times = [head.times(member) for member in trust.members.values() if isinstance(member, Vkey)]  # each line must hold
        when = trust.witnessed(head, trust.quorum)
        successors = any(trust.root and ended.get(log.keyid, inf) < end for log, _, end in spans)
        if not logs and not successors or when == inf:
            case.unanchored.append("a checkpoint without a log key of the trust file, or without its witness quorum")
        elif head.note == case.head.note:
            last = max((s.ms for s in case.statements), default=-inf)
            if when * 1000 + GRACE_MS < last or case.now_ms > (when + trust.max_age) * 1000:
                case.unanchored.append("the head was witnessed before the last statement was written, or too long ago")

CASE = (container, manifest, statements, keys, signatures, series, proofs, erasures, payloads, people, authority, actions, closing,
        events, timestamps, trusted)

def receipt(case: Case) -> None:
    demand(len(case.file) <= 8 * 2**20, "too large")
    case.about = read_as("receipt", case.file)
    demand(len(case.about["keys"]) <= 1000, "too many key-events")

def receipt_statements(case: Case) -> None:
    """The closing and the key-events, each with its tlog-proof as a case would have it."""
    for entry in (case.about["closed"], *case.about["keys"]):
        lines = ["c2sp.org/tlog-proof@v1", f"index {entry['index']}", *entry["proof"], "", case.about["checkpoint"]]
        case.members[f"proofs/{entry['index']:012}.tlog-proof"] = "\n".join(lines).encode()
        case.statements.append(Statement(to_json(entry["envelope"]).encode(), entry["index"]))
    case.closed, *chain = case.statements
    lay(case, case.closed["origin"], [case.about["task"]])
    demand(case.closed.series == case.about["task"] and {s.kind for s in chain} == {"key-event"}, "statements that do not belong here")
    demand(case.closed.kind == "task-closed" and case.closed["count"] == case.closed.n + 1, "not a closing, or its count")
    linked(case, "keys", sorted(chain, key=lambda s: s.n))

def receipt_proofs(case: Case) -> None:
    for s in case.statements:
        case.head = prove(case, s, f"proofs/{s.index:012}.tlog-proof")

def artifact(case: Case) -> None:
    if "artifact" in case.beside:
        digests = [output["digest"]["sha256"] for output in case.closed["outputs"] if "sha256" in output["digest"]]
        case.miss(digests, "an output with a sha256 digest")
        demand(not digests or sha256(case.beside["artifact"]) in digests, "no output is this file")

RECEIPT = (receipt, receipt_statements, keys, signatures, receipt_proofs, trusted, artifact)

def tlog_proof(case: Case) -> None:
    case.index, case.hashes, case.head = read_proof(case.file)

def leaf(case: Case) -> None:
    entry = case.beside.get("leaf")
    if case.miss(entry is not None, "the entry: nothing is shown to be in the log"):
        demand(root_of_proof(case.index, case.head.size, entry, case.hashes) == case.head.root, "the entry is not in the tree")
        if "statement" in case.beside:
            s = Statement(case.beside["statement"], case.index)
            verifier = read_json(entry)["spec"]["hashedRekordV002"]["signature"]["verifier"]
            s.spki = from_base64(verifier["publicKey"]["rawBytes"])
            demand(entry_of(s) == entry, "the entry of another statement")
            demand(signed("ES256", raw_key("ES256", s.spki), from_base64(s.signature["sig"]), s.pae), "its signature does not hold")

TLOG_PROOF = (tlog_proof, leaf, believed)

def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="a case, a receipt or a tlog-proof")
    parser.add_argument("--trust", type=Path, help="the trust file; without one nothing is better than UNANCHORED")
    parser.add_argument("--now", help="the verifier's clock, for instance 2026-11-22T18:30:00.000Z")
    parser.add_argument("--artifact", type=Path, help="a delivered file, to compare with the outputs of a receipt")
    parser.add_argument("--leaf", type=Path, help="the log entry that a tlog-proof is about")
    parser.add_argument("--statement", type=Path, help="the envelope that the entry is of")
    parser.add_argument("--vectors", type=Path, help="a folder of vectors: says where this verifier disagrees")
    args = parser.parse_args()
    if args.vectors:
        return run_vectors(args.vectors)
    beside = {name: path.read_bytes() for name in BESIDE if (path := getattr(args, name))}
    trust = Trust(args.trust.read_text("utf-8") if args.trust else "")
    verdict, reasons = verify(args.file.read_bytes(), trust, to_ms(args.now) if args.now else time.time() * 1000, **beside)
    print(verdict, *reasons, sep="\n  ")
    return EXIT_CODES[verdict]

def run_vectors(folder: Path) -> int:
    files, wrong = sorted(folder.rglob("*.json")), 0
    for path in files:
        vector = json.loads(path.read_text("utf-8"))
        file, beside = gzip.decompress(base64.b64decode(vector["file"])), {key: base64.b64decode(vector[key]) for key in BESIDE if key in vector}
        verdict, reasons = verify(file, Trust(vector["trust"] or ""), vector["nowMs"], **beside)
        expected = vector["expected"]
        if (verdict, EXIT_CODES[verdict]) != (expected["verdict"], expected["code"]):
            wrong += 1
            print(f"{path.relative_to(folder)}: {verdict}, not {expected['verdict']}: {reasons[:3]}")
    print(f"{len(files)} vectors, {wrong} disagreements")
    return 1 if wrong or not files else 0

if __name__ == "__main__":
    sys.exit(main())
