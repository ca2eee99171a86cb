"""The allowed actions of a task and of a token: docs/formats/token.md."""

import re, unicodedata
from typing import Any
from formats import Bad, demand, fit, read_json, to_json

AMBIGUOUS = re.compile(r"[\\\x00-\x1f\x7f-\x9f\u2028\u2029]|%(2e|2f|5c|25|00)", re.I)

def segments(path: str) -> list[str] | None:
    """Of a path in its one spelling; None for any other."""
    strange = AMBIGUOUS.search(path) or any(unicodedata.category(one) == "Cf" for one in path)
    if not path.startswith("/") or strange or unicodedata.normalize("NFC", path) != path:
        return None
    parts = path[1:].removesuffix("/").split("/")
    return [] if path == "/" else None if {"", ".", ".."} & {*parts} else parts

def within(path: Any, folders: list[str]) -> bool:
    parts = segments(path) if isinstance(path, str) else None
    outer = [segments(folder) for folder in folders]
    return parts is not None and any(one is not None and parts[:len(one)] == one for one in outer)

def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b

def satisfies(rule: dict, given: tuple[Any, str] | None) -> bool:
    """Whether an argument, its value with its source, is as a constraint says."""
    if given is None:
        return False
    value, text = given
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and not re.fullmatch(r"0|-?[1-9][0-9]*", text):
        return False
    if "exact" in rule or "set" in rule:
        return any(same(value, one) for one in rule.get("set", [rule.get("exact")]))
    if "under" in rule:
        return within(value, rule["under"])
    return number and rule.get("min", value) <= value <= rule.get("max", value)

def narrower(inner: dict, outer: dict) -> bool:
    if "exact" in inner or "set" in inner:
        return all(satisfies(outer, (one, to_json(one))) for one in inner.get("set", [inner.get("exact")]))
    if "under" in inner or not {"min", "max"} & outer.keys():
        return "under" in inner and "under" in outer and all(within(one, outer["under"]) for one in inner["under"])
    low, high = ("min" not in outer or inner.get("min", -2**53) >= outer["min"],
                 "max" not in outer or inner.get("max", 2**53) <= outer["max"])
    return low and high

def read_allow(value: Any) -> list[dict]:
    demand(fit(value, "allow") is not None and len(value) <= 64, "too many allowed actions")
    for entry in value:
        paths = [*entry.get("paths", {}).get("under", [])]
        for rule in entry.get("arguments", {}).values():
            kinds = [{"exact"}, {"set"}, {"under"}, {"min"}, {"max"}, {"min", "max"}]
            demand(rule.keys() in kinds and fit(rule, "constraint"), "no constraint")
            paths += rule.get("under", [])
        demand(all(segments(path) is not None for path in paths), "a folder in another spelling")
        demand("arguments" in entry or "otherArguments" not in entry, "otherArguments without arguments")
    return value

def attempt(record: dict, source: Any) -> dict:
    """What a record would have to be allowed; `source` tells the source text of a member."""
    operands, arguments = record["operands"], None
    try:
        members = read_json(record["arguments"], one_case=True)
        arguments = {name: (members[name], source(record["arguments"], [name])) for name in members}
    except (Bad, ValueError, TypeError, RecursionError):
        pass  # what readers may read differently no entry with arguments admits
    return {"method": record["method"], "server": record["server"], "arguments": arguments,
            "tool": record["tool"] if record["method"] == "tools/call" else None,
            "paths": [one["real"] for one in operands.get("paths", [])],
            "refs": [(operands["repository"], one["ref"]) for one in operands.get("updates", [])]}

def resolved_within(path: str, folders: list[str]) -> bool:
    """A resolved path is what the file system says, in whatever spelling."""
    parts = [part for part in path.split("/") if part]
    folders = [segments(one) for one in folders]
    return path.startswith("/") and not {".", ".."} & {*parts} and any(parts[:len(one)] == one for one in folders)

def admits(entry: dict, asked: dict) -> bool:
    git, named, given = entry.get("git", {}), entry.get("arguments"), asked["arguments"]
    if entry["server"] != asked["server"] or asked["method"] not in entry.get("methods", [asked["method"]]):
        return False
    if asked["tool"] is not None and asked["tool"] not in entry.get("tools", [asked["tool"]]):
        return False
    if not all(resolved_within(path, entry.get("paths", {}).get("under", [])) for path in asked["paths"]):
        return False
    if not all(one in git.get("repositories", []) and ref in git.get("refs", []) for one, ref in asked["refs"]):
        return False
    if named is None:
        return True
    closed = entry.get("otherArguments") != "allowed"
    if given is None or closed and given.keys() - named.keys():
        return False
    return all(satisfies(rule, given.get(name)) for name, rule in named.items())

def admitted(allow: list[dict], asked: dict, used: list[int]) -> int | None:
    """The first entry that admits it and is not used up."""
    return next((i for i, one in enumerate(allow) if admits(one, asked) and used[i] < one.get("maxCount", 2**53)), None)

def narrower_entry(inner: dict, outer: dict) -> bool:
    def subset(mine: dict, theirs: dict, name: str) -> bool:
        return name not in theirs or name in mine and {*mine[name]} <= {*theirs[name]}
    if inner["server"] != outer["server"] or not subset(inner, outer, "tools") or not subset(inner, outer, "methods"):
        return False
    folders = outer.get("paths", {}).get("under", [])
    if not all(within(one, folders) for one in inner.get("paths", {}).get("under", [])):
        return False
    git = outer.get("git", {"repositories": [], "refs": []})
    if "git" in inner and not all(subset(inner["git"], git, name) for name in ("repositories", "refs")):
        return False
    if "arguments" not in outer:
        return True
    mine, theirs = inner.get("arguments"), outer["arguments"]
    if mine is None:
        return False
    if outer.get("otherArguments") != "allowed" and (inner.get("otherArguments") == "allowed" or mine.keys() - theirs):
        return False
    return all(name in mine and narrower(mine[name], rule) for name, rule in theirs.items())

def narrower_allow(inner: list[dict], outer: list[dict]) -> bool:
    """Each entry is narrower than one of the other, where those under one with a count share it."""
    left = [one.get("maxCount", 2**53) for one in outer]
    for entry in inner:
        fits = [i for i, wide in enumerate(outer) if narrower_entry(entry, wide)
                and ("maxCount" not in wide or entry.get("maxCount", 2**53) <= left[i])]
        if not fits:
            return False
        left[fits[0]] -= entry.get("maxCount", 0) if "maxCount" in outer[fits[0]] else 0
    return True
