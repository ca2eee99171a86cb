"""The checks of a case, but for those of its actions: docs/formats/checks.md."""

import re
from collections import Counter, defaultdict
from math import inf
from typing import Any

from formats import demand, from_base64, read_as, read_json, read_zip, sha256, to_json
from paper import DAY_MS, GRACE_MS, Case, Statement, Stop, Unusable, lay, linked, prove, read_proof
from signatures import tree_root, word_holds
from timestamps import read_stamp

TIERS = ["observe", "record", "attest", "approve"]

SAYS = {
    "approve": "I approve executing exactly this action, once.", "reject": "I reject this action.",
    "placed": "I protect what is kept of this task from erasure.", "released": "I end this protection.",
    None: "I put this policy into force.",
}

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
    holds: dict[tuple[str, str], str] = {}  # task and hold, to what was done last
    exports: list[Statement] = []
    closings = {s["task"]: s for s in case.all("task-closed")}
    for s in [s for s in case.all("hold", "erased", "case-exported") if s["task"]]:
        key, closed = (s["task"], s["hold"]), closings.get(s["task"])
        if s.kind == "case-exported":
            exports.append(s)
        elif s.kind == "hold":
            content, _ = word(case, s, s["word"], "deed-hold-v1", "operator")
            demand(all(content[key] == s[key] for key in ("hold", "act", "person", "reason")), f"{s}: not the word")
            demand(holds.get(key) == (None if s["act"] == "placed" else "placed"), f"{s}: out of order")
            holds[key] = s["act"]
        else:
            gone, by = set(s["payloads"]), s["by"]
            held = any(task == s["task"] and act == "placed" for (task, _), act in holds.items())
            demand(closed and closed.index < s.index and not held, f"{s}: of an open task, or under a hold")
            demand(s["payloads"] == sorted(gone) and s is not case.export, f"{s}: not sorted")
            copies = [e["case"] for e in exports if e["task"] == s["task"] and any(one["name"].rpartition("/")[2] in gone for one in e["members"])]
            demand(s["copies"] == copies, f"{s}: copies")
            if by["kind"] == "person":
                enrolled(case, s, by["person"], "operator")
            else:
                highest = max([TIERS.index(i["tier"]) for i in case.all("intent") if i["task"] == s["task"]], default=0)
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
    own = {one["blinded"] for opened in case.opened.values() for one in opened["credentials"]}
    began = min((opened.index for opened in case.opened.values()), default=inf)
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
    for first in {s.series: s for s in reversed(batches)}.values():
        case.miss(first.n == 0 or first.index < began, f"batches of {first.series} since the task opened")
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
