"""Keys, signatures, words, trees, checkpoints and the trust file: docs/formats/{signatures,signers,leaf,trust}.md."""

import hashlib
import re
import struct
from math import inf

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from formats import demand, from_base64, sha256

SPKI = {  # how the one form of each kind of key begins, and its length
    "ES256": (bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"), 91),
    "Ed25519": (bytes.fromhex("302a300506032b6570032100"), 44),
    "ML-DSA-44": (bytes.fromhex("30820532300b06096086480165030403110382052100"), 1334),
}
ED_PRIME = 2**255 - 19
ED_EIGHT = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826  # y of a point of order 8
ED_SMALL = {0, 1, ED_PRIME - 1, ED_EIGHT, ED_PRIME - ED_EIGHT}

def algorithm(spki: bytes) -> str:
    """Of a key in its one form; another is refused."""
    found = [name for name, (start, length) in SPKI.items() if spki.startswith(start) and len(spki) == length]
    demand(found, "a key of another kind, or in another form")
    return found[0]

def signed(spki: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature holds, by the rules of signatures.md."""
    alg, key = algorithm(spki), load_der_public_key(spki)
    try:
        if alg == "ES256":
            key.verify(signature, message, ec.ECDSA(SHA256()))
            return utils.encode_dss_signature(*utils.decode_dss_signature(signature)) == signature
        key.verify(signature, message)
    except (ValueError, InvalidSignature):
        return False
    points = [int.from_bytes(point, "little") % 2**255 for point in (spki[-32:], signature[:32])]
    return alg != "Ed25519" or all(y < ED_PRIME and y not in ED_SMALL for y in points)

def ssh_strings(data: bytes) -> list[bytes]:
    """The SSH strings (RFC 4251 section 5) that these bytes are."""
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        demand(len(data) >= 4 + size, "an SSH string ends too early")
        found, data = [*found, data[4 : 4 + size]], data[4 + size :]
    return found

def party_key(kind: str, public: bytes) -> bytes:
    """The key of a person or agent in its one form: as it is for `es256`, out of the SSH wire form for `sshsig`."""
    if kind == "sshsig":
        *names, raw = ssh_strings(public)
        demand(names in ([b"ssh-ed25519"], [b"ecdsa-sha2-nistp256", b"nistp256"]), "an SSH key of another kind")
        public = SPKI["Ed25519"][0] + raw if len(names) == 1 else SPKI["ES256"][0][:-1] + raw
    demand(algorithm(public) == "ES256" or kind == "sshsig", "no P-256 key")
    return public

def word_holds(word: dict, domain: str) -> bool:
    """Whether the signature of a word is over SHA-256(domain || 0x00 || bytes)."""
    kind, (public, signature) = word["signature"]["kind"], (from_base64(word["signature"][one]) for one in ("key", "sig"))
    message = hashlib.sha256(domain.encode() + b"\0" + from_base64(word["bytes"])).digest()
    if kind == "sshsig":  # OpenSSH's PROTOCOL.sshsig
        *fields, signature = ssh_strings(signature.removeprefix(b"SSHSIG\0\0\0\1"))
        demand(fields == [public, domain.encode(), b"", b"sha512"], "another SSHSIG")
        parts = [domain.encode(), b"", b"sha512", hashlib.sha512(message).digest()]
        message = b"SSHSIG" + b"".join(struct.pack(">I", len(part)) + part for part in parts)
        name, signature = ssh_strings(signature)
        demand(name == ssh_strings(public)[0], "an SSH signature of another kind")
        if name != b"ssh-ed25519":  # two mpints become the two INTEGERs
            r, s = ssh_strings(signature)
            signature = bytes([0x30, len(r + s) + 4, 2, len(r)]) + r + bytes([2, len(s)]) + s
    return signed(party_key(kind, public), signature, message)

def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()

def half(size: int) -> int:
    """How many leaves the left side of a tree has: RFC 6962 section 2.1."""
    return 1 << (size - 1).bit_length() - 1

def tree_root(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return hashlib.sha256(b"\0" + leaves[0] if leaves else b"").digest()
    return node(tree_root(leaves[: half(len(leaves))]), tree_root(leaves[half(len(leaves)) :]))

def root_of_proof(index: int, size: int, leaf: bytes, hashes: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to. Its last hash is that of the side in which the leaf is not."""
    demand(index < size and (size > 1) == bool(hashes), "a leaf outside its tree, or another length of proof")
    if size == 1:
        return hashlib.sha256(b"\0" + leaf).digest()
    *inner, sibling = hashes
    if index < half(size):
        return node(root_of_proof(index, half(size), leaf, inner), sibling)
    return node(sibling, root_of_proof(index - half(size), size - half(size), leaf, inner))

class Vkey:
    """Who signs checkpoints: `<name>+<id>+<base64 of type and key>`."""
    def __init__(self, text: str) -> None:
        self.name, self.id, encoded = text.split("+", 2)
        key = from_base64(encoded)
        self.label, self.type = f"{self.name}+{self.id}", key[0]
        self.spki = SPKI[{1: "Ed25519", 4: "Ed25519", 6: "ML-DSA-44"}[self.type]][0] + key[1:]
        self.keyid = sha256(self.spki)
        demand(algorithm(self.spki) and sha256(self.name.encode() + b"\n" + key)[:8] == self.id, "not a vkey")

class Checkpoint:
    """A signed note whose text is the head of a tree."""
    def __init__(self, note: str) -> None:
        lines = r"(([^\n]+)\n(0|[1-9]\d{0,15})\n(\S{44})\n)\n((— [^\s+]+ \S+\n){1,64})"
        match = re.fullmatch(lines, note)
        demand(match and not re.search(r"[\0-\x09\x0b-\x1f]", note), "not a checkpoint")
        self.note, self.text, self.origin = note, match[1], match[2]
        self.size, self.root = int(match[3]), from_base64(match[4])
        self.lines = [(name, from_base64(line)) for name, line in re.findall(r"— (\S+) (\S+)\n", match[5])]

    def times(self, vkey: Vkey) -> list[int]:
        """When this key signed, in seconds (0 for type 1). A line of its that does not hold refuses the note."""
        return [self.time(vkey, line[4:]) for name, line in self.lines if (name, line[:4].hex()) == (vkey.name, vkey.id)]

    def time(self, vkey: Vkey, line: bytes) -> int:
        stamp, rest, names = line[:8], line[8:], [one.encode() for one in (vkey.name, self.origin)]
        if vkey.type == 1:
            stamp, rest, message = b"", line, self.text.encode()
        elif vkey.type == 4:
            message = f"cosignature/v1\ntime {int.from_bytes(stamp, 'big')}\n{self.text}".encode()
        else:
            name, origin = (bytes([len(one)]) + one for one in names)
            message = b"subtree/v1\n\0" + name + stamp + origin + struct.pack(">QQ", 0, self.size) + self.root
        demand(signed(vkey.spki, rest, message), f"a line of {vkey.name} does not hold")
        return int.from_bytes(stamp, "big")

class Trust:
    """The trust file: whom the verifier believes. A line that is not known is an error."""
    def __init__(self, text: str = "") -> None:
        self.logs: list[Vkey] = []
        self.members: dict[str, Vkey | tuple[int, list] | None] = {"none": None}
        self.quorum, self.root, self.max_age, self.tsa = None, None, inf, set()
        self.spans: dict[str, tuple[int, float]] = {}
        self.compromised: dict[str, int] = {}
        for words in (line.split() for line in text.split("\n")):
            match words:
                case ["log", vkey] | ["log", vkey, _]:
                    self.logs.append(Vkey(vkey))
                case ["witness", name, vkey] | ["witness", name, vkey, _]:
                    self.members[name] = Vkey(vkey)
                case ["group", name, count, *names]:
                    needed = {"any": 1, "all": len(names)}.get(count) or int(count)
                    self.members[name] = (needed, [self.members[one] for one in names])
                case ["quorum", name]:
                    self.quorum = self.members[name]
                case ["root", digest]:
                    self.root = digest
                case ["max-age", seconds]:
                    self.max_age = int(seconds)
                case ["tsa", digest]:
                    self.tsa.add(digest)
                case ["span", label, start, end]:
                    self.spans[label] = (int(start), inf if end == "-" else int(end))
                case ["compromised", keyid, index]:
                    self.compromised[keyid] = int(index)
                case _:
                    demand(not words or words[0].startswith("#"), f"a trust line that is not known: {words}")

def witnessed(head: Checkpoint, member: Vkey | tuple[int, list] | None) -> float:
    """The second in which this member of the quorum had signed; infinity if it did not. A time of 0 does not count."""
    if isinstance(member, tuple):
        return sorted(witnessed(head, one) for one in member[1])[member[0] - 1]
    return min((time for time in head.times(member) if time), default=inf) if member else inf
