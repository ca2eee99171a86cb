"""The checks of a case's actions and of the authority for them: docs/formats/checks.md."""

import base64
import hashlib
import json
import re
from collections import defaultdict

from case import TIERS
from formats import demand, from_base64, read_as, read_json, sha256, to_json
from paper import GRACE_MS, Case, Statement, prove
from signatures import raw_key, signed

SKEW = 5  # seconds between two clocks

def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")

def in_force(case: Case, s: Statement) -> Statement | None:
    """The newest grant-decision about the task's agent, or if there is none about it the newest about each."""
    opened = case.opened.get(s["task"])
    agent = opened and opened["agent"] and opened["agent"]["id"]
    grants = [g for g in case.all("grant-decision") if g.index < s.index]
    return next((g for holder in (agent, "*") for g in reversed(grants) if g["agent"] == holder), None)

def authority(case: Case) -> None:
    first_use: dict[tuple[str, str], Statement] = {}
    for s in case.all("task-opened", "intent", "refusal"):
        opened = case.opened.get(s["task"])
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
        if s is opened:
            for_task(case, s)

def for_task(case: Case, opened: Statement) -> None:
    """The task's agent was enrolled before, as it says, and its policy activated before."""
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

def possession(case: Case, s: Statement, agent: dict | None, first_use: dict[tuple[str, str], Statement]) -> None:
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
    objective = case.opened[s["task"]]["objective"]["sha256"]
    demand(claims == [s["origin"], s["origin"], s["task"], objective, agent["jkt"], agent["spiffe"]], f"{s}: a token for something else")
    proof, signature, text = jwt(shown["proof"], "wpt+jwt")
    holder = case.find(agent["enrolled"], "agent-enrolled")
    demand(holder and signed("ES256", raw_key("ES256", from_base64(holder["key"]["spki"])), signature, text), f"{s}: not the agent's proof")
    digests = [base64url(hashlib.sha256(shown[one].encode()).digest()) for one in ("token", "message")]
    demand([proof["ath"], proof["deed_bdh"], proof["aud"]] == [*digests, s["origin"]], f"{s}: a proof for something else")
    demand(token["exp"] - token["iat"] <= 300 and proof["exp"] - proof["iat"] <= 60, f"{s}: token or proof lives too long")
    demand(max(token["iat"], proof["iat"]) <= s.ms / 1000 + SKEW, f"{s}: token or proof was made later")
    demand(token["iat"] - SKEW < proof["exp"] and proof["iat"] < token["exp"] + SKEW, f"{s}: a proof outside its token's life")
    first = first_use.setdefault((agent["jkt"], proof["jti"]), s)
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
    for before, s in enumerate(intents):
        recorded(case, s)
        demand(all(r["action"] != s["action"] or r.index > s.index for r in case.all("refusal")), f"{s}: it was refused before")
        strong, opened = s["tier"] in ("attest", "approve"), case.opened.get(s["task"])
        number = sum(i.series == s.series for i in intents[:before + 1])
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
