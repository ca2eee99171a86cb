"""The checks of a case, in the order and by the names of docs/formats/checks.md."""

import base64
import hashlib
import json
import re
from collections import Counter, defaultdict
from math import inf

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from case import DAY_MS, MINUTE_MS, Case, Statement, Stop, Unusable, lay, linked, prove, read_proof
from formats import TABLE, demand, from_base64, read_as, read_json, read_zip, sha256, to_json
from signatures import signed, tree_root, word_holds
from timestamps import read_stamp

TIERS = ["observe", "record", "attest", "approve"]
SAYS = {
    "approve": "I approve executing exactly this action, once.", "reject": "I reject this action.",
    "placed": "I protect what is kept of this task from erasure.", "released": "I end this protection.",
    None: "I put this policy into force.",
}
SKEW = 5  # seconds between two clocks

def container(case: Case) -> None:
    case.members = read_zip(case.file)
    case.about = read_as("case", case.members["case.json"])

def manifest(case: Case) -> None:
    own = ("statements/case-exported.json", "proofs/case-exported.tlog-proof")
    if not case.miss(all(name in case.members for name in own), "the statement of the export, or its proof"):
        raise Stop
    index, _, case.head = read_proof(case.members[own[1]])
    case.export = Statement(case.members[own[0]], index)
    demand(case.export.kind == "case-exported", "the export is another statement")
    listed = {one["name"]: one["sha256"] for one in case.export["members"]}
    if case.members.keys() - listed.keys() - set(own):
        raise Unusable("a member that is not listed")
    demand(len(listed) == len(case.export["members"]) and not listed.keys() & set(own), "a member is listed twice")
    for name, digest in listed.items():
        demand(not case.miss(name in case.members, name) or sha256(case.members[name]) == digest, f"{name} is another")
    case.equal(case.export, "case-exported", case.about)
    case.left = {one["payload"]: one["how"] for one in case.export["left"]}

def statements(case: Case) -> None:
    numbers = {name: re.fullmatch(r"statements/(\d{12})\.json", name) for name in case.members}
    case.statements = [Statement(case.members[name], int(match[1])) for name, match in numbers.items() if match]
    case.statements.append(case.export)
    lay(case, case.about["origin"], case.about["tasks"])

def series(case: Case) -> None:
    heads, chains = {head["series"]: head for head in case.export["heads"]}, defaultdict(list)
    for s in sorted(case.statements, key=lambda s: s.n):
        chains[s.series].append(s)
    for name, chain in chains.items():
        linked(case, name, chain)
        if name == case.export.series:
            demand(chain[-1] is case.export, "the export is not the newest of its series")
        elif case.miss(chain[-1].n >= heads[name]["n"], f"the head of {name}"):
            demand(chain[-1].digest == heads[name]["digest"], f"{name} has another head")
    case.miss(heads.keys() <= chains.keys(), "a series that has a head")

def proofs(case: Case) -> None:
    demand(prove(case, case.export, "proofs/case-exported.tlog-proof").size >= case.export["size"], "the export's tree")
    for s in case.statements:
        name = f"proofs/{s.index:012}.tlog-proof"
        if s is not case.export and case.miss(name in case.members, name):
            head = prove(case, s, name)
            case.note = case.note or head
            demand(head.note == case.note.note and head.size == case.export["size"], f"{name}: another checkpoint")

def enrolled(case: Case, s: Statement, person: str, role: str) -> Statement:
    found = case.named.get(person)
    demand(found and found.index < s.index and role in found["roles"], f"{s}: {person} is not enrolled as {role}")
    return found

def erasures(case: Case) -> None:
    holds, exports = {}, defaultdict(list)  # by task: its holds with what was done last, and its exports
    closings = {s["task"]: s for s in case.all("task-closed")}
    for s in case.all("hold", "erased", "case-exported"):
        mine, closed = holds.setdefault(s["task"], {}), closings.get(s["task"])
        if s.kind == "case-exported":
            exports[s["task"]].append(s)
        elif s.kind == "hold":
            demand(mine.get(s["hold"]) == {"released": "placed"}.get(s["act"]), f"{s}: out of order")
            mine[s["hold"]] = s["act"]
        elif s["task"]:
            gone, by = set(s["payloads"]), s["by"]
            demand(closed and closed.index < s.index and "placed" not in mine.values(), f"{s}: too early, or under a hold")
            listing = [(e["case"], {one["name"].split("/")[-1] for one in e["members"]}) for e in exports[s["task"]]]
            demand(s["copies"] == [name for name, names in listing if names & gone], f"{s}: copies")
            demand(s["payloads"] == sorted(gone), f"{s}: not sorted")
            if by["kind"] == "person":
                enrolled(case, s, by["person"], "operator")
            else:
                tiers = [i["tier"] for i in case.all("intent") if i["task"] == s["task"]]
                demand(by["tier"] == max(tiers, key=TIERS.index, default="observe"), f"{s}: not the rule")
                demand(s.ms >= closed.ms + by["days"] * DAY_MS, f"{s}: before its time")
            case.erased |= gone
    here = {name.split("/")[-1] for name in case.members}
    demand(not here & case.erased, "something that was erased is here all the same")
    for name, how in case.left.items():
        demand(f"payloads/{name}" not in case.members and (how == "erased" or name not in case.erased), f"{name}: {how}")

def payloads(case: Case) -> None:
    for name, data in case.members.items():
        demand(not name.startswith("payloads/") or len(data) >= 16 and sha256(data) == name[9:], f"{name} has another digest")
    strong = {i["action"] for i in case.all("intent") if i["tier"] in ("attest", "approve")}
    for s, pointer in [(s, value) for s in case.statements for form, value in s.parts if form == "payload"]:
        data, how = case.payload(pointer), case.left.get(pointer["sha256"])
        if data is not None:
            demand(len(data) == pointer["size"], f"{s}: a payload of another size")
        elif how == "erased":
            case.miss(pointer["sha256"] in case.erased, f"{s}: the erasure of {pointer['sha256']}")
        else:
            case.miss(s["action"] not in strong and (how or not pointer["kept"]), f"{s}: the payload {pointer['sha256']}")

def people(case: Case) -> None:
    """Each word is signed by the key of its person, who has the role, and says what its statement says."""
    for s in case.all("refusal"):
        demand((s["reason"] == "rejected") == bool(s["rejection"]), f"{s}: rejected by nobody, or for another reason")
    for s in [s for s in case.all(*TABLE["words"]) if s.kind != "refusal" or s["rejection"]]:
        field, domain, role = TABLE["words"][s.kind].split()
        said, content = s[field], read_as(domain, from_base64(s[field]["bytes"]), one_form=False)
        person = enrolled(case, s, content["person"], role)
        demand(word_holds(said, domain), f"{s}: the person's signature does not hold")
        demand(person["key"] == {"kind": said["signature"]["kind"], "public": said["signature"]["key"]}, f"{s}: not the key")
        demand(content["says"] == SAYS[content.get("decision", content.get("act"))], f"{s}: says")
        demand(content.get("decision") == {"approval": "approve", "refusal": "reject"}.get(s.kind), f"{s}: the decision")
        case.equal(s, s.kind, content)
        if s.kind == "approval":
            demand(s["person"]["enrolled"] == person.digest, f"{s}: the enrolment of another person")
            demand(content["notBefore"] <= s["time"] <= content["expires"], f"{s}: outside the time of the word")
    for s in case.all("policy-activated"):
        files = [{"path": one["path"], "sha256": one["sha256"]} for one in sorted(s["files"], key=lambda one: one["path"])]
        data, folder = to_json(files).encode(), f"policy/{s['bundle']}/"
        demand(s["version"] == s.n + 1 and s["bundle"] == sha256(data), f"{s}: its version or bundle")
        if folder + "manifest.json" in case.members:
            demand(case.members[folder + "manifest.json"] == data, f"{s}: another manifest")
            for name, digest in [(folder + one["path"], one["sha256"]) for one in files]:
                demand(not case.miss(name in case.members, name) or sha256(case.members[name]) == digest, f"{s}: {name}")

def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")

def hash64(text: str) -> str:
    return base64url(hashlib.sha256(text.encode()).digest())

def authority(case: Case) -> None:
    first_use: dict[tuple[str, str], Statement] = {}
    for s in case.all("task-opened", "intent", "refusal"):
        opened = case.named.get(s["task"])
        agent = opened and opened["agent"]
        grants = case.before(s, "grant-decision")
        newest = next((g for who in (agent and agent["id"], "*") for g in reversed(grants) if g["agent"] == who), None)
        grant = case.find(s["authority"]["grant"] if s["authority"] else s["grant"], "grant-decision")
        if grant and s.kind != "refusal":
            demand(grant is newest and grant["verdict"] not in ("DENIED", "REVOKED"), f"{s}: not the grant in force")
            demand(s["time"] <= grant["expires"], f"{s}: its grant had expired")
            revoked = [one["id"] for one in case.before(s, "revoked")]
            demand(not agent or agent["id"] not in revoked, f"{s}: a revoked agent")
        if grant and s.kind == "intent":
            above = TIERS.index(s["tier"]) > TIERS.index(grant["ceiling"])
            demand(s["authority"]["unearned"] == above and (not above or grant["verdict"] == "WAIVED"), f"{s}: above its grant")
        if s["decision"]:
            decided(case, s, s["decision"])
        if s["authority"]:
            demand(opened, f"{s}: its task-opened is not here")
            possession(case, s, agent, first_use)
        holder = case.find(agent and agent["enrolled"], "agent-enrolled")
        demand(s is not opened or (agent is None) == s["implicit"], f"{s}: implicit")
        if s is opened and holder:
            spki = from_base64(holder["key"]["spki"])
            jwk = {"crv": "P-256", "kty": "EC", "x": base64url(spki[27:59]), "y": base64url(spki[59:])}
            demand(hash64(to_json(jwk)) == agent["jkt"], f"{s}: the thumbprint of another key")
            case.equal(s, "enrolment", holder)

def decided(case: Case, s: Statement, decision: dict) -> None:
    """By a policy that was in force, or that another had replaced at most 60 seconds before."""
    before = case.before(s, "policy-activated")
    if case.miss(any(p["bundle"] == decision["bundle"] for p in case.all("policy-activated")), f"{s}: its policy"):
        mine = [p for p in before if p["bundle"] == decision["bundle"]]
        demand(mine and mine[-1]["engine"]["sha256"] == decision["engine"]["sha256"], f"{s}: a later policy, another engine")
        case.miss(f"policy/{decision['bundle']}/manifest.json" in case.members, f"the bundle {decision['bundle']}")
        settled = [p.index for p in before if p.ms <= s.ms - MINUTE_MS]
        demand(s.kind == "refusal" or max(settled, default=-1) <= mine[-1].index, f"{s}: not by the policy in force")
    demand(s.kind == "refusal" or decision["outcome"] == "allow" and not decision["errors"], f"{s}: it was not allowed")

def jwt(text: str, kind: str, keys: list[bytes]) -> dict:
    """The claims of a compact JWT of this kind that one of the keys signed."""
    header, claims, raw = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split("."))
    demand(len(text) <= 16384 and ".".join(map(base64url, (header, claims, raw))) == text and len(raw) == 64, "not a JWT")
    found = read_json(header)
    demand((found["alg"], found["typ"]) == ("ES256", kind) and not found.keys() & {"crit", "b64"}, f"not a {kind}")
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    demand(any(signed(key, signature, text.rpartition(".")[0].encode()) for key in keys), f"the signature of a {kind}")
    return read_json(claims)

def possession(case: Case, s: Statement, agent: dict | None, first_use: dict[tuple[str, str], Statement]) -> None:
    """Token and proof belong to this task, agent and message; a proof is used once."""
    evidence = s["authority"]["evidence"]
    demand((s["authority"]["pop"] != "none") == bool(agent) and (not agent or evidence), f"{s}: proof of possession")
    if not agent or case.payload(evidence) is None:
        return
    shown, holder = read_json(case.payload(evidence)), case.find(agent["enrolled"], "agent-enrolled")
    keys = [key["spki"] for key in case.keys.values() if key["role"] == "token" and key["from"] <= s.index < key["until"]]
    token = jwt(shown["token"], "deed-task+jwt", keys)
    proof = jwt(shown["proof"], "wpt+jwt", [from_base64(holder["key"]["spki"])])
    case.equal(s, "token", token)
    case.equal(s, "proof", proof)
    demand([proof["ath"], proof["deed_bdh"]] == [hash64(shown["token"]), hash64(shown["message"])], f"{s}: another message")
    demand(token["exp"] - token["iat"] <= 300 and proof["exp"] - proof["iat"] <= 60, f"{s}: token or proof lives too long")
    demand(max(token["iat"], proof["iat"]) <= s.ms / 1000 + SKEW, f"{s}: token or proof was made later")
    demand(token["iat"] - SKEW < proof["exp"] and proof["iat"] < token["exp"] + SKEW, f"{s}: a proof outside its token's life")
    first = first_use.setdefault((agent["jkt"], proof["jti"]), s)
    demand(first is s or s.kind == "refusal" and s["cites"] == first.digest, f"{s}: a proof that was used before")
    message, call, bare = read_json(shown["message"], one_case=True), s["method"] == "tools/call", not (s["record"] or s["tool"])
    demand(message["method"] == s["method"] or s.kind == "refusal" and bare, f"{s}: another method was signed")
    demand(not call or not s["tool"] or message["params"]["name"] == s["tool"]["name"], f"{s}: another tool was signed")
    record, arguments = case.payload(s["record"]), source(shown["message"], "params")
    arguments = source(arguments, "arguments") if call else arguments
    demand(record is None or read_as("record", record)["arguments"] == arguments, f"{s}: other arguments were signed")

def source(text: str, name: str) -> str:
    """The exact source of a member of a JSON object; `{}` where there is none."""
    decoder, at = json.JSONDecoder(), 0
    while match := re.compile(r'[\s{,]*(?=")').match(text, at):
        key, at = decoder.raw_decode(text, match.end())
        start = re.compile(r"\s*:\s*").match(text, at).end()
        at = decoder.raw_decode(text, start)[1]
        if key == name:
            return text[start:at]
    return "{}"

def actions(case: Case) -> None:
    ends, used, intents = defaultdict(list), {}, case.all("intent")
    for s in case.all("outcome", "refusal"):
        target = case.named.get(s["intent"] or s["cites"])
        if s["reason"] != "proof-replayed":
            demand(not target or (target.kind, target["action"]) == ("intent", s["action"]), f"{s}: cites")
            ends[s["intent"] or s["cites"]].append(s)
    demand(len({i["action"] for i in intents}) == len(intents), "an action was begun twice")
    for before, s in enumerate(intents):
        tool, opened = s["tool"], case.named.get(s["task"])
        if case.payload(s["record"]) is not None:
            case.equal(s, "record", read_as("record", case.payload(s["record"])))
        demand(tool["definition"] or s["method"] != "tools/call", f"{s}: a tool without a definition")
        pins = [p for p in case.before(s, "tool-pinned") if (p["server"], p["tool"]) == (tool["server"], tool["name"])]
        if tool["definition"] and case.miss(pins, f"{s}: the pinned definition of its tool"):
            case.equal(s, "pinned", pins[-1])
        demand(all(r["action"] != s["action"] for r in case.before(s, "refusal")), f"{s}: it was refused before")
        weak = s["observed"] in ("self-reported", "hook")
        demand(not weak or s["tier"] in ("observe", "record"), f"{s}: {s['observed']} and above tier record")
        if opened:
            number = sum(i.series == s.series for i in intents[: before + 1])
            demand(TIERS.index(s["tier"]) <= TIERS.index(opened["ceiling"]), f"{s}: above the ceiling of its task")
            demand(s["time"] <= opened["deadline"] and number <= opened["budget"]["actions"], f"{s}: deadline or budget")
        demand(s["approval"] or s["tier"] != "approve", f"{s}: without an approval")
        if approval := case.find(s["approval"], "approval"):
            case.equal(s, "approved", approval)
        demand(not s["approval"] or s["approval"] not in used, f"{s}: its approval was used before")
        used[s["approval"]] = s.digest
        ended(case, s, ends[s.digest])
    for s in case.all("refusal"):
        record = case.payload(s["record"])
        demand(record is None or read_as("record", record)["action"] == s["action"], f"{s}: the record of another action")
        demand(not s["approval"] or used.get(s["approval"], s["cites"]) == s["cites"], f"{s}: its approval was used")

def ended(case: Case, s: Statement, ends: list[Statement]) -> None:
    """By one refusal, or by one outcome, or by an outcome `unknown` and one that supersedes it."""
    if not case.miss(ends, f"{s}: its end"):
        return
    first, *second = ends
    settled = second and (first["status"], second[0]["supersedes"]) == ("unknown", first.digest)
    demand(not second or settled and len(second) == 1, f"{s}: ended twice")
    case.miss(s["tier"] in TIERS[:2] or ends[-1]["status"] != "unknown", f"{s}: what came of it")
    name, named = f"proofs/{s.index:012}-anchor.tlog-proof", [o for o in ends if o["anchor"]]
    if s["tier"] == "approve" and first.kind == "outcome" and not named:
        case.unanchored.append(f"{s}: no cosigned checkpoint")
    for o in named:
        if case.miss(name in case.members, name):
            head = case.anchors[s.digest] = prove(case, s, name)
            demand(o["anchor"] == {"size": head.size, "root": head.root.hex(), "note": sha256(head.note)}, f"{o}: its anchor")
            demand(s.index < head.size <= first.index, f"{o}: its anchor does not stand between intent and outcome")

def closing(case: Case) -> None:
    for task in case.about["tasks"]:
        seq = sorted((s for s in case.statements if s.series == task), key=lambda s: s.n)
        demand(all(s.kind != "task-closed" for s in seq[:-1]), "the task goes on after its closing")
        if not case.miss(seq and seq[-1].kind == "task-closed", f"the closing of {task}"):
            continue
        s = seq[-1]
        over = {one["intent"] or one["cites"] for one in seq if one["reason"] != "proof-replayed"}
        opened = sorted(i.digest for i in seq if i.kind == "intent" and i.digest not in over)
        demand(sorted(s["open"]) == opened and s["count"] == s.n + 1, f"{s}: open, or count")
        data = [case.payload(one["effects"]) for one in seq if one["effects"]]
        if None not in data:
            refs = {f"git:{one['repository']}:{one['ref']}": {"gitCommit": one["new"]} for one in done(data) if one["new"].strip("0")}
            demand({one["name"]: one["digest"] for one in s["outputs"] if one["name"].startswith("git:")} == refs, f"{s}: outputs")

def done(data: list[bytes]) -> list[dict]:
    """The effects that were taken."""
    found = [effect for one in data for effect in read_as("effects", one, one_form=False)["effects"]]
    return [effect for effect in found if effect["status"] == "ok"]

def events(case: Case) -> None:
    openings = case.all("task-opened")
    own, shown = {one["blinded"] for opened in openings for one in opened["credentials"]}, {}
    for s in case.all("events-ingested"):
        name = f"events/{s.digest}/batch.json"
        if case.miss(name in case.members, name):
            shown |= batch(case, s, read_as("batch", case.members[name]), own)
    explained = Counter((one["batch"], one["event"]) for s in case.all("confirmed") for one in s["events"])
    demand(all(count == 1 for count in explained.values()), "an event is confirmed twice")
    for s in case.all("confirmed"):
        confirmed(case, s, shown)
    explained.update((one["batch"], one["event"]) for s in case.all("finding") for one in s["events"])
    held, reconciled = {s["finding"] for s in case.all("finding")}, case.all("reconciled")
    for finding in [f for s in reconciled for f in s["findings"] if f["type"] != "unknown_credential"]:
        case.miss(finding["finding"] in held, f"the finding {finding['finding']}")
    began = min((opened.index for opened in openings), default=inf)
    for first in {s.series: s for s in reversed(case.all("events-ingested"))}.values():
        case.miss(first.n == 0 or first.index < began, f"batches of {first.series} since the task opened")
    for digest, event in shown.keys() - explained.keys():
        looked = any(r.index > case.named[digest].index for r in reconciled)
        case.miss(not looked, f"what explains the event {event}")

def batch(case: Case, s: Statement, tree: dict, own: set[str]) -> dict[tuple[str, str], str]:
    """Batch and event of the task's credentials, each with the id of the credential."""
    leaves, disclosed = ({one["credential"]: one for one in tree[part]} for part in ("leaves", "disclosed"))
    nodes = [bytes.fromhex(leaf["credential"] + leaf["root"]) + leaf["events"].to_bytes(8, "big") for leaf in tree["leaves"]]
    counts = {"root": tree_root(nodes).hex(), "credentials": len(nodes), "events": sum(one["events"] for one in tree["leaves"])}
    demand(counts == s["batch"] and list(leaves) == sorted(leaves) and len(leaves) == len(nodes), f"{s}: another tree")
    for one in tree["disclosed"]:
        leaf, root = leaves[one["credential"]], tree_root([bytes.fromhex(name) for name in one["events"]]).hex()
        demand((leaf["root"], leaf["events"]) == (root, len(one["events"])), f"{s}: another sub-tree")
        blinded = sha256(b"deed-credential-v1\0" + bytes.fromhex(one["blind"]) + one["id"].encode())
        demand(blinded == one["credential"], f"{s}: a credential that does not open")
        for name in [name for name in one["events"] if not was_erased(case, name)]:
            data = case.members.get(f"events/{s.digest}/{name}")
            demand(not case.miss(data is not None, f"the event {name}") or sha256(data) == name, f"the event {name}")
    case.miss(own & leaves.keys() <= disclosed.keys(), f"{s}: the events of a credential of the task")
    return {(s.digest, name): disclosed[one]["id"] for one in own & disclosed.keys() for name in disclosed[one]["events"]}

def was_erased(case: Case, event: str) -> bool:
    return event in case.erased and case.left.get(event) == "erased"

def confirmed(case: Case, s: Statement, shown: dict[tuple[str, str], str]) -> None:
    """Matched again: the records are those of the effects that the outcome claims, one for each."""
    outcome, records = case.find(s["outcome"], "outcome"), []
    demand(outcome and outcome["action"] == s["action"], f"{s}: no outcome of its action")
    data = case.payload(outcome["effects"])
    if data is None or any(was_erased(case, one["event"]) for one in s["events"]):
        return
    for one in s["events"]:
        event = read_json(case.members[f"events/{one['batch']}/{one['event']}"][16:])
        demand(shown.get((one["batch"], one["event"])) == event["user"] is not None, f"{s}: an event of another credential")
        records.append(event)
    claimed, found = (sorted([one[key] for key in ("repository", "ref", "old", "new")] for one in many) for many in (done([data]), records))
    demand(claimed == found, f"{s}: the events are not what the outcome says")

def timestamps(case: Case) -> None:
    heads, stamps = {sha256(head.text): head for head in (*case.anchors.values(), case.note) if head}, {}
    for name in [name for name in case.members if name.startswith("timestamps/")]:
        digest = name[11:75]
        if not case.miss(digest in heads, f"the checkpoint of {name}"):
            continue
        stamp = read_stamp(case.members[name])
        demand(stamp.imprint == digest, f"{name} stamps something else")
        if stamp.certificate in case.trust.tsa and stamp.accuracy_ms <= MINUTE_MS and stamp.time_ms <= case.now_ms + MINUTE_MS:
            early, late = stamp.time_ms - stamp.accuracy_ms - MINUTE_MS, stamp.time_ms + stamp.accuracy_ms + MINUTE_MS
            demand(all(s.ms <= late for s in case.statements if s.index < heads[digest].size), f"{name}: a younger statement")
            demand(early <= case.export.ms, f"{name} is younger than the export")
            stamps[digest] = late
    for s in [case.named.get(o["intent"]) for o in case.all("outcome") if case.trust.tsa]:
        if s and s["tier"] == "approve":
            head = case.anchors.get(s.digest)
            if stamps.get(head and sha256(head.text), inf) > s.ms + DAY_MS + 2 * MINUTE_MS:
                case.unanchored.append(f"{s}: no timestamp that counts on its checkpoint")
