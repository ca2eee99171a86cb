"""Strict JSON, the table of shapes.txt and the container: docs/formats/{README,case,statement,predicates}.md."""

import base64, configparser, hashlib, io, json, re, zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

class Bad(Exception):
    """What was read breaks a rule of the formats."""

def demand(holds: Any, text: str) -> None:
    if not holds:
        raise Bad(text)

def sha256(data: bytes | str) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()

def from_base64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    demand(base64.b64encode(data).decode() == text, "base64 in another spelling")
    return data

def from_base64url(text: str) -> bytes:
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    demand(base64.urlsafe_b64encode(data).decode().rstrip("=") == text, "base64url in another spelling")
    return data

def to_ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)

def to_json(value: Any) -> str:
    """The one byte form: no spaces, keys in their order, no character escaped that need not be."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

def same(a: Any, b: Any) -> bool:
    """The same JSON value, whatever the order of members; true is not 1."""
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)

def read_json(data: bytes | str, one_case: bool = False) -> Any:
    """JSON by the rules of README.md; with `one_case` no two keys of an object may differ in letter case alone."""
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = {key.lower() if one_case else key for key, _ in pairs}
        demand(len(names) == len(pairs) and "__proto__" not in names, "a duplicate or forbidden key")
        return dict(pairs)
    def number(text: str) -> float:
        value = float(text)
        demand(abs(value) < (2**53 if text.lstrip("-").isdigit() else float("inf")), "a number out of range")
        return int(value) if value.is_integer() else value
    def levels(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(levels, inner), default=0)
    hooks = {"object_pairs_hook": members, "parse_int": number, "parse_float": number, "parse_constant": number}
    value = json.loads(data if isinstance(data, str) else data.decode(), **hooks)
    demand(to_json(value).encode() and levels(value) <= 64, "more than 64 levels")  # a lone surrogate has no bytes
    return value

def form(notation: str) -> Any:
    """The notation of shapes.txt, rewritten as JSON: names and words in quotes, commas between."""
    quoted = re.sub(r"[^\s{}\[\]:]+", r'"\g<0>"', notation)
    return json.loads(re.sub(r'(?<=["}\]])\s+(?=["{\[])', ",", quoted))

TABLE = configparser.RawConfigParser(delimiters="=")
TABLE.optionxform = str
TABLE.read(Path(__file__).with_name("shapes.txt"), "utf-8")
PATTERNS = {name: pattern.replace("\n", "") for name, pattern in TABLE["patterns"].items()}
FORMS = {name: form(text) for name, text in TABLE["forms"].items()}
MEMBER = "|".join(TABLE["members"].values()).replace("HEX", PATTERNS["hex"])

def fit(value: Any, shape: Any) -> list[tuple[str, Any]]:
    """Demands that a JSON value has this shape, and returns all values in it, each with the name of its form."""
    if isinstance(shape, dict):
        shape = dict.fromkeys(value, shape["*"]) if "*" in shape else shape
        fields = {name.rstrip("?~"): name for name in shape}
        needed = {name for name in fields if not fields[name].endswith("~")}
        demand(isinstance(value, dict) and needed <= value.keys() <= fields.keys(), f"not the fields {[*fields]}")
        may_be_null = {name for name in fields if fields[name].endswith("?")}
        given = [name for name in fields if name in value and (value[name] is not None or name not in may_be_null)]
        return [part for name in given for part in fit(value[name], shape[fields[name]])]
    if isinstance(shape, list):
        demand(isinstance(value, list) and len(value) >= len(shape) - 1, "no list, or an empty one")
        return [part for one in value for part in fit(one, shape[0])]
    name = f"{shape} {value['kind']}" if shape in ("by", "change", "effect", "signature") else shape
    if name in FORMS:
        return [(name, value), *fit(value, FORMS[name])]
    pattern = PATTERNS["hex"] if name.startswith("@") else PATTERNS.get(name, name)
    if name == "whole":
        demand(type(value) is int and abs(value) < 2**53, "no whole number")
    elif name in ("int", "1", "bool"):
        demand(type(value) is bool if name == "bool" else type(value) is int and 0 <= value < 2**53, f"not {name}")
        demand(name != "1" or value == 1, "another version")
    elif name != "any":
        demand(isinstance(value, str) and re.fullmatch(pattern, value), f"not {name}")
        demand({"time": to_ms, "b64": from_base64}.get(name, str)(value) is not None, f"not {name}")
    return [(name, value)]

def read_as(name: str, data: bytes, one_form: bool = True) -> Any:
    """JSON of the shape with this name, by default in its one byte form."""
    value = read_json(data)
    demand(fit(value, name) and (not one_form or to_json(value).encode() == data), f"{name}: not in its one byte form")
    return value

def read_zip(data: bytes) -> dict[str, bytes]:
    """The members of a case, whose container has one byte form: read it, write it again, compare."""
    with zipfile.ZipFile(io.BytesIO(data)) as container:
        found = container.infolist()
        stored = all(one.compress_type == one.flag_bits == 0 for one in found)
        demand(stored and sum(one.file_size for one in found) <= len(data) <= 2**30, "not stored, or too large")
        members = {one.filename: container.read(one) for one in found}
    demand("case.json" in members and [*members] == sorted(members) and len(members) <= 60_000, "no case, or its order")
    demand(all(re.fullmatch(MEMBER, name) for name in members), "a member of an unknown name")
    with zipfile.ZipFile(again := io.BytesIO(), "w") as container:
        for name, content in members.items():
            container.writestr(zipfile.ZipInfo(name), content)
            container.filelist[-1].create_system = container.filelist[-1].external_attr = 0
    demand(again.getvalue() == data, "not in the one byte form")
    return members
