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

from formats import Bad, demand, from_base64, sha256

SPKI = {  # how the SPKI of each kind of key begins, and the length of the key that follows
    "ES256": (bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"), 65),
    "Ed25519": (bytes.fromhex("302a300506032b6570032100"), 32),
    "ML-DSA-44": (bytes.fromhex("30820532300b06096086480165030403110382052100"), 1312),
}
VKEY_TYPES = {1: "Ed25519", 4: "Ed25519", 6: "ML-DSA-44"}
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED_ORDER = 2**252 + 27742317777372353535851937790883648493
ED_PRIME = 2**255 - 19
ED_EIGHT = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
ED_SMALL = {0, 1, ED_PRIME - 1, ED_EIGHT, ED_PRIME - ED_EIGHT}

def raw_key(alg: str, spki: bytes) -> bytes:
    """The key itself out of its one SPKI form."""
    prefix, length = SPKI[alg]
    raw = spki.removeprefix(prefix)
    demand(len(raw) == length and len(spki) == len(prefix) + length and (alg != "ES256" or raw[0] == 4), f"no {alg} key")
    return raw

def signed(alg: str, key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature by a raw key holds, by the rules of signatures.md."""
    try:
        if alg == "ES256":
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key).verify(signature, message, ec.ECDSA(SHA256()))
            r, s = utils.decode_dss_signature(signature)
            return utils.encode_dss_signature(r, s) == signature and 0 < r < P256_ORDER and 0 < s < P256_ORDER
        if alg == "ML-DSA-44":
            MLDSA44PublicKey.from_public_bytes(key).verify(signature, message)
            return True
        points = [int.from_bytes(point, "little") % 2**255 for point in (key, signature[:32])]
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        small = any(y in ED_SMALL or y >= ED_PRIME for y in points)
        return not small and len(signature) == 64 and int.from_bytes(signature[32:], "little") < ED_ORDER
    except (ValueError, InvalidSignature):
        return False

def ssh_strings(data: bytes, count: int) -> list[bytes]:
    """So many SSH strings (RFC 4251 section 5), and nothing after them."""
    found = []
    for _ in range(count):
        size = int.from_bytes(data[:4], "big")
        demand(len(data) >= 4 + size, "an SSH string ends too early")
        found, data = [*found, data[4 : 4 + size]], data[4 + size :]
    demand(not data, "something after the SSH strings")
    return found

def ssh_string(*parts: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)

def party_key(kind: str, public: bytes) -> tuple[str, bytes]:
    """Algorithm and raw key of a person: SPKI for `es256`, the SSH wire form for `sshsig`."""
    if kind == "es256":
        return "ES256", raw_key("ES256", public)
    ed25519 = public.startswith(ssh_string(b"ssh-ed25519"))
    *names, raw = ssh_strings(public, 2 if ed25519 else 3)
    demand(ed25519 or names == [b"ecdsa-sha2-nistp256", b"nistp256"], "an SSH key of another kind")
    alg = "Ed25519" if ed25519 else "ES256"
    return alg, raw_key(alg, SPKI[alg][0] + raw)

def word_holds(word: dict, domain: str) -> bool:
    """Whether the signature of a word is over SHA-256(domain || 0x00 || bytes)."""
    kind, public, signature = word["signature"]["kind"], *(from_base64(word["signature"][one]) for one in ("key", "sig"))
    message = hashlib.sha256(domain.encode() + b"\0" + from_base64(word["bytes"])).digest()
    alg, key = party_key(kind, public)
    if kind == "sshsig":  # OpenSSH's PROTOCOL.sshsig
        head, *fields, signature = signature[:10], *ssh_strings(signature[10:], 5)
        demand([head, *fields] == [b"SSHSIG\0\0\0\1", public, domain.encode(), b"", b"sha512"], "another SSHSIG")
        message = b"SSHSIG" + ssh_string(domain.encode(), b"", b"sha512", hashlib.sha512(message).digest())
        name, signature = ssh_strings(signature, 2)
        demand(name == ssh_strings(public, 2 if alg == "Ed25519" else 3)[0], "an SSH signature of another kind")
        if alg == "ES256":  # two mpints become the two INTEGERs
            r, s = ssh_strings(signature, 2)
            demand(len(r + s) < 120, "an SSH signature that is too long")
            signature = bytes([0x30, len(r + s) + 4, 2, len(r)]) + r + bytes([2, len(s)]) + s
    return signed(alg, key, signature, message)

def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()

def tree_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1."""
    if len(leaves) < 2:
        return hashlib.sha256(b"\0" + leaves[0] if leaves else b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(tree_root(leaves[:split]), tree_root(leaves[split:]))

def root_of_proof(index: int, size: int, leaf: bytes, hashes: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2)."""
    found, last = hashlib.sha256(b"\0" + leaf).digest(), size - 1
    demand(index < size, "a leaf outside its tree")
    for sibling in hashes:
        demand(last > 0, "a proof that is too long")
        found = node(sibling, found) if index % 2 or index == last else node(found, sibling)
        while index == last and not index % 2 and index:
            index, last = index >> 1, last >> 1
        index, last = index >> 1, last >> 1
    demand(last == 0, "a proof that is too short")
    return found

class Vkey:
    """Who signs checkpoints: `<name>+<id>+<base64 of type and key>`."""
    def __init__(self, text: str) -> None:
        self.name, self.id, encoded = text.split("+", 2)
        self.label = f"{self.name}+{self.id}"
        key = from_base64(encoded)
        self.type, self.key, self.alg = key[0], key[1:], VKEY_TYPES[key[0]]
        self.keyid = sha256(SPKI[self.alg][0] + raw_key(self.alg, SPKI[self.alg][0] + self.key))
        demand(sha256(self.name.encode() + b"\n" + key)[:8] == self.id, "a vkey with another id")

class Checkpoint:
    """A signed note whose text is the head of a tree."""
    def __init__(self, note: str) -> None:
        lines = r"(([^\n]+)\n(0|[1-9]\d{0,15})\n(\S{44})\n)\n((— [^\s+]+ \S+\n){1,64})"
        match = re.fullmatch(lines, note)
        demand(match and not re.search(r"[\0-\x09\x0b-\x1f]", note), "not a checkpoint")
        self.note, self.text, self.origin = note, match[1], match[2]
        self.size, self.root = int(match[3]), from_base64(match[4])
        self.lines = [(line.split(" ")[1], from_base64(line.split(" ")[2])) for line in match[5].split("\n")[:-1]]

    def times(self, vkey: Vkey) -> list[int]:
        """When this key signed, in seconds (0 for type 1). A line of its that does not hold refuses the note."""
        return [self.time(vkey, line[4:]) for name, line in self.lines if (name, line[:4].hex()) == (vkey.name, vkey.id)]

    def time(self, vkey: Vkey, line: bytes) -> int:
        stamp, name, origin = line[:8], vkey.name.encode(), self.origin.encode()
        time = 0 if vkey.type == 1 else int.from_bytes(stamp, "big")
        head = struct.pack(">QQ", 0, self.size) + self.root
        message = {
            1: self.text.encode(), 4: f"cosignature/v1\ntime {time}\n{self.text}".encode(),
            6: b"subtree/v1\n\0" + bytes([len(name)]) + name + stamp + bytes([len(origin)]) + origin + head,
        }[vkey.type]
        demand(signed(vkey.alg, vkey.key, line if vkey.type == 1 else line[8:], message), f"a line of {vkey.name} does not hold")
        return time

class Trust:
    """The trust file: whom the verifier believes."""
    def __init__(self, text: str = "") -> None:
        self.logs: list[Vkey] = []
        self.members: dict[str, Vkey | tuple[int, list[str]]] = {}
        self.quorum, self.root, self.max_age = "none", None, inf
        self.tsa: set[str] = set()
        self.spans: dict[str, tuple[int, float]] = {}
        self.compromised: dict[str, int] = {}
        for number, line in enumerate(text.split("\n"), 1):
            try:
                self.read(line.split())
                vkeys = [*self.logs, *(one for one in self.members.values() if isinstance(one, Vkey))]
                demand(len({vkey.key for vkey in vkeys}) == len(vkeys), "a key that is there already")
            except (Bad, LookupError, ValueError) as error:
                raise ValueError(f"trust file line {number}: {error}") from None

    def read(self, words: list[str]) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self.logs.append(Vkey(vkey))
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                self.members[name] = Vkey(vkey)
            case ["group", name, count, *names]:
                needed = {"any": 1, "all": len(names)}.get(count) or int(count)
                demand(set(names) <= self.members.keys() and 0 < needed <= len(names), "its members, or how many")
                self.members[name] = (needed, names)
            case ["quorum", name]:
                demand(name == "none" or name in self.members, "a quorum that is not defined above")
                self.quorum = name
            case ["root", digest]:
                self.root = digest
            case ["tsa", digest]:
                self.tsa.add(digest)
            case ["span", label, start, end]:
                self.spans[label] = (int(start), inf if end == "-" else int(end))
            case ["compromised", keyid, index]:
                self.compromised[keyid] = int(index)
            case ["max-age", seconds]:
                self.max_age = int(seconds)
            case _:
                demand(not words or words[0].startswith("#"), "not known")

    def witnessed(self, head: Checkpoint, name: str) -> float:
        """The second in which this member of the quorum had signed; infinity if it did not. A time of 0 does not count."""
        member = self.members.get(name)
        if isinstance(member, tuple):
            return sorted(self.witnessed(head, one) for one in member[1])[member[0] - 1]
        return min((time for time in head.times(member) if time), default=inf) if member else inf
