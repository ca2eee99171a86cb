"""Strict JSON, the container, and the shapes of shapes.txt: docs/formats/{README,case,statement,predicates}.md."""

import base64
import hashlib
import json
import re
import struct
import zlib
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
    """Base64 in its one spelling."""
    data = base64.b64decode(text, validate=True)
    demand(base64.b64encode(data).decode() == text, "base64 in another spelling")
    return data

def to_ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)

def to_json(value: Any) -> str:
    """The one byte form: no spaces, keys in their order, no character escaped that need not be."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

def read_json(data: bytes | str, one_case: bool = False) -> Any:
    """JSON by the rules of README.md; with `one_case` also no two keys of an object that differ in letter case alone."""
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = {key.lower() if one_case else key for key, _ in pairs}
        demand(len(names) == len(pairs) and "__proto__" not in names, "a duplicate or forbidden key")
        return dict(pairs)

    def number(text: str) -> float:
        value = float(text)
        demand(abs(value) < (2**53 if text.lstrip("-").isdigit() else float("inf")), "a number out of range")
        return int(value) if value.is_integer() else value

    def levels(value: Any, left: int = 64) -> None:
        demand(left >= 0, "more than 64 levels")
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            levels(inner, left - 1)

    value = json.loads(data if isinstance(data, str) else data.decode(), object_pairs_hook=members,
                       parse_int=number, parse_float=number, parse_constant=number)
    to_json(value).encode()  # refuses lone surrogates
    levels(value)
    return value

def read_shapes() -> dict[str, str]:
    text = Path(__file__).with_name("shapes.txt").read_text("utf-8")
    lines = re.sub(r"\n +(?=\|)", "", re.sub(r"#.*\n", "", text)).replace("\n ", " ").splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line)

SHAPES = read_shapes()
ULID = SHAPES["id"].strip("/")

def shape(notation: str) -> Any:
    """A shape as nested values: a dict, a list (with a second item if it must not be empty), ("or null", shape), a word."""
    tokens = re.findall(r"[{}\[\]?+]|\w+:(?!/)|[^\s{}\[\]?+][^\s{}\[\]?]*", notation)

    def read() -> Any:
        token = tokens.pop(0)
        found: Any = token
        if token == "{":
            found = {}
            while tokens[0] != "}":
                name = tokens.pop(0)[:-1]
                found[name] = read()
        elif token == "[":
            found = [read()]
        elif SHAPES.get(token, "/")[0] != "/":
            found = shape(SHAPES[token])
        if token in "{[":
            tokens.pop(0)
        if tokens[:1] == ["+"]:
            found.append(tokens.pop(0))
        return ("or null", found, tokens.pop(0)) if tokens[:1] == ["?"] else found

    return read()

BY = [shape("{kind:person person:per}"), shape("{kind:retention tier:tier days:int}")]

def fits(value: Any, form: Any) -> bool:
    """Whether a JSON value has the shape: every field there, and no other."""
    if isinstance(form, tuple):
        return value is None or fits(value, form[1])
    if isinstance(form, dict):
        return isinstance(value, dict) and value.keys() == form.keys() and all(fits(value[k], form[k]) for k in form)
    if isinstance(form, list):
        return isinstance(value, list) and len(value) >= len(form) - 1 and all(fits(one, form[0]) for one in value)
    if form == "by":
        return any(fits(value, one) for one in BY)
    if form == "digests":
        return isinstance(value, dict) and all(re.fullmatch("[0-9a-f]{40,128}", one) for one in value.values())
    if form in ("any", "bool"):
        return form == "any" or isinstance(value, bool)
    if form in ("int", "1"):
        return type(value) is int and (value == 1 if form == "1" else 0 <= value < 2**53)
    if not isinstance(value, str):
        return False
    if form == "time":
        datetime.fromisoformat(value)  # refuses the 30th of February
    pattern = SHAPES[form].strip("/") if form in SHAPES else f"{form}_{ULID}" if len(form) == 3 else form.replace("+", r"\+")
    return re.fullmatch(pattern, value) is not None and (form != "b64" or bool(from_base64(value)))

def read_as(form: str, data: bytes, one_form: bool = True) -> Any:
    """JSON of the shape with this name, by default in its one byte form."""
    value = read_json(data)
    demand(fits(value, shape(SHAPES[form])), f"not in the form of: {form}")
    demand(not one_form or to_json(value).encode() == data, f"not in the one byte form of: {form}")
    return value

HEX = "[0-9a-f]{64}"
MEMBER = re.compile(
    rf"case\.json|trust/claimed\.txt|statements/(case-exported|\d{{12}})\.json|payloads/{HEX}|events/{HEX}/(batch\.json|{HEX})"
    rf"|proofs/(case-exported|\d{{12}}(-anchor)?)\.tlog-proof|policy/{HEX}(/[A-Za-z0-9][A-Za-z0-9._-]*)+|timestamps/{HEX}\.tsr")

def read_zip(data: bytes) -> dict[str, bytes]:
    """The members of a case, whose container has one byte form: read it from the front, build it again, compare."""
    members: dict[str, bytes] = {}
    at = 0
    while data[at : at + 4] == b"PK\3\4" and len(data) >= at + 30:
        size, length = struct.unpack_from("<IH", data, at + 22)
        name = data[at + 30 : at + 30 + length].decode()
        demand(MEMBER.fullmatch(name) and name not in members, f"member {name}")
        members[name] = data[at + 30 + length : at + 30 + length + size]
        at += 30 + length + size
    demand("case.json" in members and list(members) == sorted(members), "no case, or members out of order")
    demand(len(members) <= 60_000 and len(data) <= 2**30 and write_zip(members) == data, "not in the one byte form")
    return members

def write_zip(members: dict[str, bytes]) -> bytes:
    body, directory, at = [], [], 0
    for name, data in members.items():
        header = struct.pack("<5H3I2H", 20, 0, 0, 0, 33, zlib.crc32(data), len(data), len(data), len(name), 0)
        directory.append(struct.pack("<4sH26s3H2I", b"PK\1\2", 20, header, 0, 0, 0, 0, at) + name.encode())
        body += [b"PK\3\4" + header + name.encode(), data]
        at += 30 + len(name) + len(data)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(members), len(members), len(b"".join(directory)), at, 0)
    return b"".join([*body, *directory, end])
