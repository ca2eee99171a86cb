"""Who the people are and what they signed: docs/formats/{predicates,signers,signatures,checks}.md."""

from typing import Any
from case import Case, Statement
from formats import TABLE, from_base64, read_as, read_json, same, sha256, to_json
from signatures import party_key, word_holds

Folk = dict[str, dict[str, Any]]  # by id: keys, roles and the digest of the enrolment

def read_word(case: Case, s: Statement, word: dict[str, Any], domain: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a word says, and the key that signed exactly this."""
    content = read_as(domain, from_base64(word["bytes"]), one_form=False)
    s.demand(word_holds(word, domain), f"the signature over a {domain} word does not hold")
    s.demand(content["says"] == TABLE["says"][content.get("decision") or content.get("act") or domain], "says")
    return content, {"kind": word["signature"]["kind"], "public": word["signature"]["key"]}

def operators(folk: Folk) -> list[str]:
    return [who for who, one in folk.items() if "operator" in one["roles"]]

def changed(s: Statement, folk: Folk, change: dict[str, Any]) -> Folk:
    """The people after a change that makes sense."""
    who, kind, key = s["person"], change["kind"], change.get("key")
    if kind == "enrolled":
        s.demand(who not in folk, "enrolled before")
        return folk | {who: {"keys": [key], "roles": change["roles"], "enrolled": s.digest}}
    one = folk.get(who) or {"keys": []}
    s.demand(one["keys"], "nobody who is enrolled")
    s.demand((key in one["keys"]) == (kind == "key-removed"), "a key that he has already, or has not")
    s.demand(kind != "key-removed" or len(one["keys"]) > 1, "his only key")
    less = [held for held in one["keys"] if held != key]
    new = {"key-added": {"keys": [*one["keys"], key]}, "key-removed": {"keys": less},
           "roles": {"roles": change.get("roles")}, "removed": {"keys": [], "roles": []}}
    return folk | {who: one | new[kind]}

def ordered(case: Case, s: Statement, folk: Folk, after: Folk, change: dict[str, Any]) -> None:
    """By those who may: two people where somebody gets more say, or where fewer than two operators would be left."""
    order, signers = s["order"], []
    s.demand(bool(order) == (s.n > 0) and operators(after), "ordered by nobody, or the first person by somebody")
    for word in order["words"] if order else []:
        said, key = read_word(case, s, word, "deed-people-v1")
        wish = said["change"] | ({"roles": sorted(said["change"]["roles"])} if "roles" in said["change"] else {})
        s.demand([said["origin"], said["after"], said["person"]] == [s["origin"], s["prev"], s["person"]], "its order")
        s.demand(wish == change and key in folk.get(said["by"], {"keys": []})["keys"], "another change, or another key")
        signers.append(said["by"])
    if not order:
        return
    s.demand(len(set(signers)) == len(signers), "both words are of one person")
    had = folk.get(s["person"], {}).get("roles", [])
    more = change["kind"] == "key-added" or {*change.get("roles", [])} - {"auditor", *had}
    two = more or len(operators(after)) < min(2, len(operators(folk)))
    operator, alone = {*signers} & {*operators(folk)}, len(signers) == 1
    s.demand(operator or not two and s["person"] in signers, "ordered by nobody who operates")
    say = all(who == s["person"] or {*folk[who]["roles"]} - {"auditor"} for who in signers)
    s.demand(not two or say and (not alone or len(operators(folk)) == 1), "it takes the words of two")
    s.demand(order["alone"] == bool(two and alone), "alone")

def history(case: Case) -> list[tuple[int, Folk]]:
    """The people from each log index on."""
    states: list[tuple[int, Folk]] = [(-1, {})]
    for s in case.all("person-enrolled", "person-changed"):
        change = s["change"] or {"kind": "enrolled", "key": s["key"], "roles": s["roles"]}
        change = change | ({"roles": sorted(change["roles"])} if "roles" in change else {})
        s.demand((change["kind"] == "enrolled") == (s.kind == "person-enrolled"), "another change")
        folk = states[-1][1]
        after = changed(s, folk, change)
        ordered(case, s, folk, after, change)
        states.append((s.index, after))
    return states

def standing(case: Case, s: Statement, who: str, role: str) -> dict[str, Any]:
    """A person just before a statement, who has a role there."""
    folk = next(folk for index, folk in reversed(case.folk) if index < s.index)
    one = folk.get(who)
    s.demand(one and one["keys"] and role in one["roles"], f"{who} is not enrolled as {role}")
    return one

def people(case: Case) -> None:
    """Each word is signed by a key of its person, who has the role, and says what its statement says."""
    for s in case.all("refusal"):
        s.demand((s["reason"] in ("rejected", "edited")) == bool(s["rejection"]), "rejected by nobody, or why")
    for s in [s for s in case.all(*TABLE["words"]) if s.kind != "refusal" or s["rejection"]]:
        field, domain, role = TABLE["words"][s.kind].split()
        content, key = read_word(case, s, s[field], domain)
        person = standing(case, s, content["person"], role)
        s.demand(key in person["keys"], "signed with another key")
        case.equal(s, s.kind, content)
        if domain == "deed-approval-v1":
            act = {"approval": "approve", "rejected": "reject", "edited": "edit"}[s["reason"] or s.kind]
            s.demand(content["decision"] == act and (s["edit"] or {}).get("sha256") == content["arguments"], "decision")
            s.demand((content["arguments"] is not None) == (act == "edit"), "arguments without an edit")
        if s.kind == "approval":
            s.demand(s["person"]["enrolled"] == person["enrolled"], "the enrolment of another person")
            s.demand(content["notBefore"] <= s["time"] <= content["expires"], "outside the time of the word")
            near = s["separation"]["agent"] not in ("other-uid", "other-host")
            s.demand(s["grade"] == ("A2" if key["kind"] == "webauthn" else "A0" if near else "A1"), "its grade")
    for s in case.all("policy-activated"):
        files = [{"path": one["path"], "sha256": one["sha256"]} for one in s["files"]]
        files.sort(key=lambda one: one["path"])
        data, folder = to_json(files).encode(), f"policy/{s['bundle']}/"
        s.demand(s["version"] == s.n + 1 and s["bundle"] == sha256(data), "its version or bundle")
        for one in files if folder + "manifest.json" in case.members else []:
            case.object(folder + "manifest.json", s["bundle"])
            case.object(folder + one["path"], one["sha256"])

def approvals(case: Case, s: Statement, used: dict[str, str]) -> None:
    """As many as policy asks for, by different people with keys of their own, none of whom it is the action of."""
    quorum, given, keys = s["decision"]["quorum"], [], set()
    s.demand((s["tier"] == "approve") == bool(quorum), "a quorum at another tier, or none")
    s.demand(len(s["approvals"]) >= (quorum["people"] if quorum else 0), "fewer approvals than policy asks for")
    s.demand(not quorum or 1 <= quorum["people"] <= 9 >= len(s["approvals"]), "quorum")
    record = case.payload(s["record"]) and read_as("record", case.payload(s["record"]))
    for digest in s["approvals"]:
        s.demand(used.setdefault(digest, s.digest) == s.digest and s["approvals"].count(digest) == 1, "used before")
        if one := case.find(digest, "approval"):
            word = one["approval"]
            case.equal(s, "approved", one)
            s.demand(not quorum or one["grade"] >= quorum["grade"], "too weak an approval")
            s.demand(s["time"] <= read_json(from_base64(word["bytes"]))["expires"], "begun after its approval ended")
            given.append(one)
            keys.add(party_key(word["signature"]["kind"], from_base64(word["signature"]["key"])))
    names = [one["person"]["id"] for one in given]
    s.demand(len({*names}) == len(keys) == len(given), "not as many people and keys as approvals")
    s.demand(len({one["rendering"]["sha256"] for one in given}) <= 1, "they were not shown the same")
    opened = case.named.get(s["task"])
    principal = case.payload(opened["principal"]) if opened else None
    principal = read_json(principal) if principal else {}
    agent = case.find(opened["agent"] and opened["agent"]["enrolled"], "agent-enrolled") if opened else None
    own = [principal.get("kind") == "person" and principal.get("id"), agent and agent["owner"]]
    own.append(record and record["author"] and record["author"]["person"])
    s.demand(not {*names} & {*own}, "approved by somebody whose own it is")
    if record and record["author"]:
        author, edits = record["author"]["person"], record["author"]["edits"]
        found = [r for r in case.all("refusal") if (r["action"], r["reason"]) == (edits, "edited")]
        if case.miss(found, f"{s}: the edit of its arguments"):
            edit, said = found[0], read_json(from_base64(found[0]["rejection"]["bytes"]))
            s.demand(edit.index < s.index and edit.series == s.series and said["person"] == author, "another's edit")
            asked = case.payload(edit["edit"])
            equal = asked is None or same(read_json(asked), read_json(record["arguments"]))
            tool = edit["tool"] and [edit["tool"]["server"], edit["tool"]["name"], edit["method"]]
            s.demand(equal and tool == [record["server"], record["tool"], record["method"]], "not what was asked for")
