"""The checks of a case, in the order and by the names of docs/formats/checks.md."""

import base64, hashlib, json, re
from collections import Counter, defaultdict
from math import inf
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from allow import admits, admitted, attempt, narrower_allow, read_allow
from case import DAY_MS, MINUTE_MS, Case, Statement, Stop, Unjudged, Unusable, lay, linked, prove, read_proof
from formats import TABLE, demand, from_base64, read_as, read_json, read_zip, same, sha256, to_json
from people import approvals, history, standing
from signatures import signed, tree_root
from timestamps import read_stamp

TIERS = ["observe", "record", "attest", "approve"]
SKEW = 5  # seconds between two clocks
OWN = ("statements/case-exported.json", "proofs/case-exported.tlog-proof")  # of the export

def container(case: Case) -> None:
    case.members = read_zip(case.file)
    case.about = read_as("case", case.members["case.json"])

def manifest(case: Case) -> None:
    if not case.miss(set(OWN) <= case.members.keys(), "the statement of the export, or its proof"):
        raise Stop
    index, _, case.head = read_proof(case.members[OWN[1]])
    case.export = Statement(case.members[OWN[0]], index)
    demand(case.export.kind == "case-exported", "the export is another statement")
    listed = {one["name"]: one["sha256"] for one in case.export["members"]}
    if case.members.keys() - listed.keys() - set(OWN):
        raise Unusable("a member that is not listed")
    demand(len(listed) == len(case.export["members"]) and not listed.keys() & set(OWN), "a member is listed twice")
    for name, digest in listed.items():
        case.object(name, digest)
    case.equal(case.export, "case-exported", case.about)
    case.left = {one["payload"]: one["how"] for one in case.export["left"]}

def statements(case: Case) -> None:
    names = [name for name in case.members if re.fullmatch(r"statements/\d{12}\.json", name)]
    case.statements = [*(Statement(case.members[name], int(name[11:23])) for name in names), case.export]
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
    demand(prove(case, case.export, OWN[1]).size >= case.export["size"], "the export's tree")
    for s, name in [(s, f"proofs/{s.index:012}.tlog-proof") for s in case.statements if s is not case.export]:
        if case.miss(name in case.members, name):
            head = prove(case, s, name)
            case.note = case.note or head
            demand(head.note == case.note.note and head.size == case.export["size"], f"{name}: another checkpoint")

def judged(case: Case) -> None:
    """What the checks below do not know, and must not pass over."""
    unknown = {"delegation": case.all("hop", "hop-accepted", "hop-ended"),
               "a prompt": [s for s in case.all("intent") if s["prompt"]],
               "a finding that was changed": case.all("finding-changed"),
               "a contract": [s for s in case.all("confirmed") if s["contract"]],
               "a workload token": [s for s in case.all("agent-enrolled") if s["how"] != "one-time-code"]}
    case.folk = history(case)
    for what, found in unknown.items():
        if found:
            raise Unjudged(what)

def erasures(case: Case) -> None:
    holds = defaultdict(dict)  # by task: what was last done with each
    for s in [s for s in case.all("hold", "erased") if s["task"]]:
        mine, gone = holds[s["task"]], set(s["payloads"] or [])
        if s.kind == "hold":
            s.demand(mine.get(s["hold"]) == {"released": "placed"}.get(s["act"]), "out of order")
            mine[s["hold"]] = s["act"]
            continue
        closed = next((one for one in case.before(s, "task-closed") if one["task"] == s["task"]), None)
        s.demand(closed and "placed" not in mine.values(), "of an open task, or under a hold")
        exports = [one for one in case.before(s, "case-exported") if one["task"] == s["task"]]
        copies = [e["case"] for e in exports if gone & {one["name"].split("/")[-1] for one in e["members"]}]
        s.demand(s["copies"] == copies and s["payloads"] == sorted(gone), "copies, or not sorted")
        if s["by"]["kind"] == "person":
            standing(case, s, s["by"]["person"], "operator")
        else:
            tiers = [i["tier"] for i in case.all("intent") if i["task"] == s["task"]]
            rule = (max(tiers, key=TIERS.index, default="observe"), s.ms >= closed.ms + s["by"]["days"] * DAY_MS)
            s.demand(rule == (s["by"]["tier"], True), "not the rule, or before its time")
        case.erased |= gone
    demand(not case.erased & {name.split("/")[-1] for name in case.members}, "what was erased is here all the same")
    for name, how in case.left.items():
        demand(f"payloads/{name}" not in case.members and (how == "erased" or name not in case.erased), how)

def payloads(case: Case) -> None:
    for name, data in case.members.items():
        demand(not name.startswith("payloads/") or len(data) >= 16 and sha256(data) == name[9:], f"{name}: its digest")
    strong = {i["action"] for i in case.all("intent") if i["tier"] in ("attest", "approve")}
    for s, pointer in [(s, value) for s in case.statements for form, value in s.parts if form == "payload"]:
        data, how = case.payload(pointer), case.left.get(pointer["sha256"])
        erased, let = pointer["sha256"] in case.erased, s["action"] not in strong and (how or not pointer["kept"])
        s.demand(data is None or len(data) == pointer["size"], "a payload of another size")
        case.miss(data is not None or (erased if how == "erased" else let), f"{s}: the payload {pointer['sha256']}")

def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")

def hash64(text: str) -> str:
    return base64url(hashlib.sha256(text.encode()).digest())

def allowed(case: Case) -> None:
    """Each intent is admitted by an entry of its task that those before it have not used up."""
    for opened in case.all("task-opened"):
        data = None if opened["implicit"] else case.payload(opened["allow"])
        allow = data and read_allow(read_json(data))
        counts = [0] * len(allow or [])
        for s in [s for s in case.all("intent") if allow is not None and s["task"] == opened["task"]]:
            if record := case.payload(s["record"]):
                entry = admitted(allow, attempt(read_as("record", record), source), counts)
                s.demand(entry is not None, "not among the allowed actions of its task")
                counts[entry] += 1

def authority(case: Case) -> None:
    allowed(case)
    used = {}  # key of the agent and id of the proof, to the statement
    for s in case.all("task-opened", "intent", "refusal"):
        opened, grants = case.named.get(s["task"]), case.before(s, "grant-decision")
        agent, done = opened and opened["agent"], s.kind != "refusal"
        newest = next((g for who in (agent and agent["id"], "*") for g in reversed(grants) if g["agent"] == who), None)
        grant = case.find(s["authority"]["grant"] if s["authority"] else s["grant"], "grant-decision")
        if grant and done:
            s.demand(grant is newest and grant["verdict"] not in ("DENIED", "REVOKED"), "not the grant in force")
            revoked = agent and agent["id"] in [one["id"] for one in case.before(s, "revoked")]
            s.demand(s["time"] <= grant["expires"] and not revoked, "an expired grant or a revoked agent")
        if grant and s.kind == "intent":
            above = TIERS.index(s["tier"]) > TIERS.index(grant["ceiling"])
            s.demand(not above or grant["verdict"] == "WAIVED", "above the ceiling of its grant")
            s.demand(s["authority"]["unearned"] == above, "unearned")
        if decision := s["decision"]:
            s.demand(not done or decision["outcome"] == "allow" and not decision["errors"], "it was not allowed")
            decided(case, s, decision["bundle"], decision["engine"]["sha256"])
        if s["authority"]:
            s.demand(opened, "its task-opened is not here")
            possession(case, s, agent, used)
        s.demand(s is not opened or (agent is None) == s["implicit"], "implicit")
        if s is opened and (holder := case.find(agent and agent["enrolled"], "agent-enrolled")):
            spki = from_base64(holder["key"]["spki"])
            jwk = {"crv": "P-256", "kty": "EC", "x": base64url(spki[27:59]), "y": base64url(spki[59:])}
            s.demand(hash64(to_json(jwk)) == agent["jkt"], "the thumbprint of another key")
            case.equal(s, "enrolment", holder)

def decided(case: Case, s: Statement, bundle: str, engine: str) -> None:
    """By a policy that was in force, or that another had replaced at most 60 seconds before."""
    if case.miss(bundle in [p["bundle"] for p in case.all("policy-activated")], f"{s}: the policy that decided"):
        before = case.before(s, "policy-activated")
        mine = [p for p in before if p["bundle"] == bundle]
        s.demand(mine and mine[-1]["engine"]["sha256"] == engine, "a later policy, or another engine")
        case.miss(f"policy/{bundle}/manifest.json" in case.members, f"the bundle {bundle}")
        settled = max((p.index for p in before if p.ms <= s.ms - MINUTE_MS), default=-1)
        s.demand(s.kind == "refusal" or settled <= mine[-1].index, "not by the policy in force")

def jwt(text: str, kind: str, keys: list[bytes]) -> dict:
    """The claims of a compact JWT of this kind that one of the keys signed."""
    parts = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split(".")]
    demand(len(text) <= 16384 and ".".join(map(base64url, parts)) == text and len(parts[2]) == 64, "not a compact JWT")
    header, claims, raw = read_json(parts[0]), read_json(parts[1]), parts[2]
    demand((header["alg"], header["typ"]) == ("ES256", kind) and not header.keys() & {"crit", "b64"}, f"not a {kind}")
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    demand(any(signed(key, signature, text.rpartition(".")[0].encode()) for key in keys), f"the signature of a {kind}")
    return claims

def possession(case: Case, s: Statement, agent: dict | None, used: dict[tuple[str, str], Statement]) -> None:
    """Token and proof belong to this task, agent and message; a proof is used once."""
    evidence, pop = s["authority"]["evidence"], s["authority"]["pop"]
    s.demand((pop != "none") == bool(agent) and (not agent or evidence), "proof of possession")
    s.demand(agent or evidence or s["observed"] != "hook", "nothing shows what the hook told")
    if case.payload(evidence) is None or not agent:
        return None if case.payload(evidence) is None else said(case, s, case.payload(evidence).decode())
    shown, token, proof = held(case, s, agent, read_json(case.payload(evidence)))
    fresh = s["tier"] != "approve" or re.fullmatch(r"[A-Za-z0-9_-]{22,128}", proof.get("nonce", ""))
    s.demand(fresh, "a proof without a nonce of the server")
    first, refused = used.setdefault((agent["jkt"], proof["jti"]), s), s.kind == "refusal"
    s.demand(first is s or refused and s["cites"] == first.digest, "a proof that was used before")
    said(case, s, shown["message"])
    record = case.payload(s["record"])
    details = token["authorization_details"]
    s.demand(all(one["type"] == "deed-actions" for one in details), "details of another type")
    less = read_allow([{name: value for name, value in one.items() if name != "type"} for one in details])
    task = case.payload(case.named[s["task"]]["allow"])
    s.demand(task is None or narrower_allow(less, read_json(task)), "the token allows more than its task")
    asked = attempt(read_as("record", record), source) if record and not refused else None
    s.demand(asked is None or any(admits(one, asked) for one in less), "the token does not allow the action")

def held(case: Case, s: Statement, agent: dict, shown: dict) -> tuple[dict, dict, dict]:
    """What the holder of the task showed with this statement, and the claims of its token and proof."""
    holder = case.find(agent["enrolled"], "agent-enrolled")
    issuers = [key for key in case.keys.values() if key["role"] == "token" and key["from"] <= s.index < key["until"]]
    token = jwt(shown["token"], "deed-task+jwt", [key["spki"] for key in issuers])
    proof = jwt(shown["proof"], "wpt+jwt", [from_base64(holder["key"]["spki"])])
    case.equal(s, "token", token)
    case.equal(s, "proof", proof)
    s.demand([proof["ath"], proof["deed_bdh"]] == [hash64(shown[one]) for one in ("token", "message")], "ath, deed_bdh")
    s.demand(token["exp"] - token["iat"] <= 300 and proof["exp"] - proof["iat"] <= 60, "token or proof lives too long")
    s.demand(max(token["iat"], proof["iat"]) <= s.ms / 1000 + SKEW, "token or proof was made later")
    s.demand(token["iat"] - SKEW < proof["exp"] and proof["iat"] < token["exp"] + SKEW, "outside its token's life")
    return shown, token, proof

def said(case: Case, s: Statement, text: str) -> None:
    """The message says, to the letter, what the statement and its record say."""
    message, call, tool, path = read_json(text, one_case=True), s["method"] == "tools/call", s["tool"], ["params"]
    bare = s.kind == "refusal" and not s["record"] and not tool
    if "jsonrpc" not in message and isinstance(message.get("request"), str):  # a request of the HTTP API
        asked, path = (message["request"], s["observed"]), ["arguments"]
        own = asked in (("act", "self-reported"), ("execute", "gateway-executed")) and call
        s.demand(not tool or own, "a request for something else")
        named = not tool or (message.get("server"), message.get("tool")) == (tool["server"], tool["name"])
    else:
        path += ["arguments"] if call else []
        s.demand(s["observed"] not in ("self-reported", "gateway-executed"), "no request of the HTTP API")
        s.demand(bare or message["method"] == s["method"], "the message is of another method")
        named = not call or not tool or message["params"]["name"] == tool["name"]
    record = case.payload(s["record"])
    same_call = record is None or read_as("record", record)["arguments"] == source(text, path)
    s.demand(named and same_call, "of another tool, or with other arguments")

def told(case: Case, s: Statement, outcome: Statement) -> None:
    """What a hook told afterwards is of this call, which ran as it was decided unless what came of it is unknown."""
    event, kind = case.payload(outcome["result"]), (outcome["result"] or {}).get("type")
    own, word = s["observed"] == "self-reported", kind == "application/vnd.deed.told+json"
    outcome.demand(s["observed"] == outcome["observed"], "observed by another")
    outcome.demand(own if word else not own or (outcome["status"], kind) == ("unknown", None), "not its agent's word")
    if word and event is not None:
        message = read_json(held(case, outcome, case.named[s["task"]]["agent"], read_json(event))[0]["message"])
        word = [message.get(one) for one in ("request", "action", "status")]
        fits = word == ["result", s["action"], outcome["status"]]
        outcome.demand(fits, "it told something else")
    if event is None or kind != "application/vnd.deed.hook+json":
        return
    event, shown = read_json(event), case.payload(s["authority"]["evidence"])
    if shown is not None:
        shown = read_json(shown)
        message = shown if s["authority"]["pop"] == "none" else read_json(shown["message"])
        own = message["params"].get("_meta", {}).get("claudecode/toolUseId")
        outcome.demand(own is not None and event.get("tool_use_id") == own, "told of another call")
    record = case.payload(s["record"])
    if record is not None and outcome["status"] != "unknown":
        record, given = read_as("record", record), event.get("tool_input") or {}
        ran = event.get("tool_name") == record["tool"] and same(given, read_json(record["arguments"]))
        outcome.demand(ran, "another call ran than was decided")

def source(text: str, path: list[str]) -> str:
    """The exact source of a member of a JSON object; `{}` where there is none."""
    decoder, at = json.JSONDecoder(), 0
    while path and (match := re.compile(r'[\s{,]*(?=")').match(text, at)):
        name, at = decoder.raw_decode(text, match.end())
        start = re.compile(r"\s*:\s*").match(text, at).end()
        at = decoder.raw_decode(text, start)[1]
        if name == path[0]:
            return source(text[start:at], path[1:])
    return "{}" if path else text

def actions(case: Case) -> None:
    ends, used, begun = defaultdict(list), {}, Counter()
    for s in [s for s in case.all("outcome", "refusal") if s["reason"] != "proof-replayed"]:
        target = case.named.get(s["intent"] or s["cites"])
        s.demand(not target or (target.kind, target["action"]) == ("intent", s["action"]), "cites")
        ends[s["intent"] or s["cites"]].append(s)
    for s in case.all("refusal"):
        record = case.payload(s["record"])
        s.demand(record is None or read_as("record", record)["action"] == s["action"], "the record of another action")
    for s in case.all("intent"):
        tool, opened = s["tool"], case.named.get(s["task"])
        begun.update([s["action"], s.series])
        again = begun[s["action"]] > 1 or s["action"] in [r["action"] for r in case.before(s, "refusal")]
        s.demand(not again, "it was begun or refused before")
        if case.payload(s["record"]) is not None:
            case.equal(s, "record", read_as("record", case.payload(s["record"])))
        s.demand(tool["definition"] or s["method"] != "tools/call", "a tool without a definition")
        pins = [p for p in case.before(s, "tool-pinned") if (p["server"], p["tool"]) == (tool["server"], tool["name"])]
        if tool["definition"] and case.miss(pins, f"{s}: the pinned definition of its tool"):
            case.equal(s, "pinned", pins[-1])
        weak = s["observed"] in ("self-reported", "hook")
        s.demand(not weak or s["tier"] in TIERS[:2], f"{s['observed']} and above tier record")
        if opened:
            late = s["time"] > opened["deadline"] or begun[s.series] > opened["budget"]["actions"]
            above = TIERS.index(s["tier"]) > TIERS.index(opened["ceiling"])
            s.demand(not above and not late, "above the ceiling of its task, after its deadline, or over its budget")
        approvals(case, s, used)
        if case.miss(ends[s.digest], f"{s}: its end"):
            ended(case, s, *ends[s.digest])
    for s in case.all("refusal"):
        s.demand(all(used.get(one, s["cites"]) == s["cites"] for one in s["approvals"]), "its approval was used")

def ended(case: Case, s: Statement, first: Statement, *second: Statement) -> None:
    """By one refusal, or by one outcome, or by an outcome `unknown` and one that supersedes it."""
    settled = [(first["status"], one["supersedes"]) for one in second] == [("unknown", first.digest)]
    s.demand(not second or settled, "ended twice")
    case.miss(s["tier"] in TIERS[:2] or [first, *second][-1]["status"] != "unknown", f"{s}: what came of it")
    name, named = f"proofs/{s.index:012}-anchor.tlog-proof", [o for o in (first, *second) if o["anchor"]]
    if s["tier"] == "approve" and first.kind == "outcome" and not named:
        case.unanchored.append(f"{s}: no cosigned checkpoint")
    for o in (first, *second):
        told(case, s, o)
    for o in named if not named or case.miss(name in case.members, name) else []:
        head = case.anchors[s.digest] = prove(case, s, name)
        o.demand(o["anchor"] == {"size": head.size, "root": head.root.hex(), "note": sha256(head.note)}, "its anchor")
        o.demand(s.index < head.size <= first.index, "its anchor does not stand between intent and outcome")

def closing(case: Case) -> None:
    for task in case.about["tasks"]:
        *seq, s = sorted((s for s in case.statements if s.series == task), key=lambda s: s.n) or [None]
        demand(all(one.kind != "task-closed" for one in seq), "the task goes on after its closing")
        if case.miss(s and s.kind == "task-closed", f"the closing of {task}"):
            over = {one["intent"] or one["cites"] for one in seq if one["reason"] != "proof-replayed"}
            still = sorted(i.digest for i in seq if i.kind == "intent" and i.digest not in over)
            s.demand(sorted(s["open"]) == still and s["count"] == s.n + 1, "open, or count")
            data, outputs = [case.payload(one["effects"]) for one in seq if one["effects"]], s["outputs"]
            refs = {f"git:{one['repository']}:{one['ref']}": one["new"] for one in done(data) or []}
            refs = {name: {"gitCommit": commit} for name, commit in refs.items() if commit.strip("0")}
            said = {one["name"]: one["digest"] for one in outputs if one["name"].startswith("git:")}
            s.demand(None in data or said == refs, "outputs")
            opened = case.named.get(task)
            static = [one["broker"] for one in opened["credentials"] if one["debt"] == "static"] if opened else None
            s.demand(s["debts"] == static or not opened, "debts")

def done(data: list[bytes | None]) -> list[dict]:
    """The effects that were taken, of those that are here."""
    effects = [effect for one in data if one for effect in read_as("effects", one, one_form=False)["effects"]]
    return [effect for effect in effects if effect["status"] == "ok"]

def events(case: Case) -> None:
    shown, openings, reconciled = {}, case.all("task-opened"), case.all("reconciled")
    credentials = [one for opened in openings for one in opened["credentials"]]
    own, shared = ({one["blinded"] for one in credentials if one["debt"] == debt} for debt in ("none", "static"))
    for s in case.all("events-ingested"):
        name = f"events/{s.digest}/batch.json"
        if case.miss(name in case.members, name):
            tree = read_as("batch", case.members[name])
            leaves = {one["credential"] for one in tree["leaves"]}
            s.demand(not shared & leaves, "a secret that every task has is no leaf")
            shown |= batch(case, s, tree, own)
    explained = Counter((one["batch"], one["event"]) for s in case.all("confirmed") for one in s["events"])
    demand(all(count == 1 for count in explained.values()), "an event is confirmed twice")
    for s in case.all("confirmed"):
        confirmed(case, s, shown)
    explained.update((one["batch"], one["event"]) for s in case.all("finding") for one in s["events"])
    listed = {f["finding"] for s in reconciled for f in s["findings"] if f["type"] != "unknown_credential"}
    case.miss(listed <= {s["finding"] for s in case.all("finding")}, "a finding")
    began = min((opened.index for opened in openings), default=inf)
    for first in {s.series: s for s in reversed(case.all("events-ingested"))}.values():
        case.miss(first.n == 0 or first.index < began, f"batches of {first.series} since the task opened")
    for digest, event in shown.keys() - explained.keys():
        looked = any(r.index > case.named[digest].index for r in reconciled)
        case.miss(not looked, f"what explains the event {event}")

def batch(case: Case, s: Statement, tree: dict, own: set[str]) -> dict[tuple[str, str], str]:
    """Batch and event of the task's credentials, each with the id of the credential."""
    leaves, disclosed = ({one["credential"]: one for one in tree[part]} for part in ("leaves", "disclosed"))
    nodes = [bytes.fromhex(f"{one['credential']}{one['root']}{one['events']:016x}") for one in tree["leaves"]]
    events = sum(one["events"] for one in tree["leaves"])
    same = {"root": tree_root(nodes).hex(), "credentials": len(nodes), "events": events} == s["batch"]
    s.demand(same and list(leaves) == sorted(leaves) and len(leaves) == len(nodes), "another tree")
    for one in tree["disclosed"]:
        leaf, root = leaves[one["credential"]], tree_root([bytes.fromhex(name) for name in one["events"]]).hex()
        s.demand((leaf["root"], leaf["events"]) == (root, len(one["events"])), "another sub-tree")
        blinded = sha256(b"deed-credential-v1\0" + bytes.fromhex(one["blind"]) + one["id"].encode())
        s.demand(blinded == one["credential"], "a credential that does not open")
        for name in [name for name in one["events"] if not was_erased(case, name)]:
            case.object(f"events/{s.digest}/{name}", name)
    case.miss(own & leaves.keys() <= disclosed.keys(), f"{s}: the events of a credential of the task")
    mine = [one for one in tree["disclosed"] if one["credential"] in own]
    return {(s.digest, name): one["id"] for one in mine for name in one["events"]}

def was_erased(case: Case, event: str) -> bool:
    return event in case.erased and case.left.get(event) == "erased"

def confirmed(case: Case, s: Statement, shown: dict[tuple[str, str], str]) -> None:
    """Matched again: the records are those of the effects that the outcome claims, one for each."""
    outcome, found = case.find(s["outcome"], "outcome"), [(one["batch"], one["event"]) for one in s["events"]]
    s.demand(outcome and outcome["action"] == s["action"], "no outcome of its action")
    data = case.payload(outcome["effects"])
    if data is not None and not any(was_erased(case, event) for _, event in found):
        records = [read_json(case.members[f"events/{one}/{event}"][16:]) for one, event in found]
        users = [record["user"] for record in records]
        s.demand(users == [shown.get(one) for one in found] and None not in users, "of another credential")
        matched = [[one[key] for key in ("repository", "ref", "old", "new")] for one in [*done([data]), *records]]
        half = len(matched) - len(records)
        s.demand(sorted(matched[:half]) == sorted(matched[half:]), "the events are not what the outcome says")

def timestamps(case: Case) -> None:
    heads, stamps = {sha256(head.text): head for head in (*case.anchors.values(), case.note) if head}, {}
    for name in [name for name in case.members if name.startswith("timestamps/")]:
        if case.miss(name[11:75] in heads, f"the checkpoint of {name}"):
            stamp, trust = read_stamp(case.members[name]), case.trust
            demand(stamp.imprint == name[11:75], f"{name} stamps something else")
            about, under = stamp.accuracy_ms, [s.ms for s in case.statements if s.index < heads[stamp.imprint].size]
            if stamp.certificate in trust.tsa and about <= MINUTE_MS and stamp.time_ms <= case.now_ms + MINUTE_MS:
                late = stamps[stamp.imprint] = stamp.time_ms + about + MINUTE_MS
                demand(max(under, default=0) <= late, f"{name}: a statement under it is younger")
                demand(stamp.time_ms - about - MINUTE_MS <= case.export.ms, f"{name} is younger than the export")
    for s in [case.named.get(o["intent"]) for o in case.all("outcome") if case.trust.tsa]:
        head = s and case.anchors.get(s.digest)
        if s and s["tier"] == "approve" and stamps.get(head and sha256(head.text), inf) > s.ms + DAY_MS + 2 * MINUTE_MS:
            case.unanchored.append(f"{s}: no timestamp that counts on its checkpoint")
