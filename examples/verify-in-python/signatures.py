"""Keys, signatures, words, trees, checkpoints and the trust file: docs/formats/{signatures,signers,leaf,trust}.md."""

import hashlib, re, struct
from collections import defaultdict
from math import inf
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from formats import demand, from_base64, from_base64url, read_json, sha256

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
    """Whether a signature holds: strict DER and points of small order are what the package itself leaves open."""
    alg, key = algorithm(spki), load_der_public_key(spki)
    try:
        key.verify(signature, message, *([ec.ECDSA(SHA256())] if alg == "ES256" else []))
        if alg == "ES256":
            return utils.encode_dss_signature(*utils.decode_dss_signature(signature)) == signature
    except (ValueError, InvalidSignature):
        return False
    points = {int.from_bytes(point, "little") % 2**255 for point in (spki[-32:], signature[:32])}
    return alg != "Ed25519" or max(points) < ED_PRIME and not points & ED_SMALL

def ssh_strings(data: bytes) -> list[bytes]:
    """The SSH strings (RFC 4251 section 5) that these bytes are."""
    size = int.from_bytes(data[:4], "big")
    demand(len(data) >= 4 + size or not data, "an SSH string ends too early")
    return [data[4 : 4 + size], *ssh_strings(data[4 + size :])] if data else []

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
    kind, (public, signature) = word["signature"]["kind"], (from_base64(word["signature"][it]) for it in ("key", "sig"))
    message = hashlib.sha256(domain.encode() + b"\0" + from_base64(word["bytes"])).digest()
    if kind == "webauthn":  # the message is the challenge of what the authenticator signed
        data, client = (from_base64(word["signature"][it]) for it in ("authenticatorData", "clientDataJSON"))
        asked = read_json(client)
        site = re.fullmatch(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?", asked["origin"])
        demand(asked["type"] == "webauthn.get" and from_base64url(asked["challenge"]) == message, "another challenge")
        demand(asked.get("crossOrigin", False) is False and "topOrigin" not in asked and site, "on no page of its own")
        demand(len(data) == 37 and data[:32] == hashlib.sha256(site[1].encode()).digest(), "a passkey of another site")
        demand(data[32] & 0b11100101 == 0b101 and data[32] & 0b11000 != 0b10000 and not data[32] & 2, "its flags")
        message = data + hashlib.sha256(client).digest()
    if kind == "sshsig":  # OpenSSH's PROTOCOL.sshsig
        head, *fields, signature = [signature[:10], *ssh_strings(signature[10:])]
        demand([head, *fields] == [b"SSHSIG\0\0\0\1", public, domain.encode(), b"", b"sha512"], "another SSHSIG")
        parts = [*fields[1:], hashlib.sha512(message).digest()]
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
        return tree_root([leaf])
    if index < half(size):
        return node(root_of_proof(index, half(size), leaf, hashes[:-1]), hashes[-1])
    return node(hashes[-1], root_of_proof(index - half(size), size - half(size), leaf, hashes[:-1]))

class Vkey:
    """Who signs checkpoints: `<name>+<id>+<base64 of type and key>`."""
    def __init__(self, text: str) -> None:
        self.name, self.id, encoded = text.split("+", 2)
        self.label, key = f"{self.name}+{self.id}", from_base64(encoded)
        self.type, self.spki = key[0], SPKI[{1: "Ed25519", 4: "Ed25519", 6: "ML-DSA-44"}[key[0]]][0] + key[1:]
        self.keyid = sha256(self.spki)
        demand(algorithm(self.spki) and sha256(self.name.encode() + b"\n" + key)[:8] == self.id, "not a vkey")

class Checkpoint:
    """A signed note whose text is the head of a tree."""
    def __init__(self, note: str) -> None:
        match = re.fullmatch(r"(([^\n]+)\n(0|[1-9]\d{0,15})\n(\S{44})\n)\n((— [^\s+]+ \S+\n){1,64})", note)
        demand(match and not re.search(r"[\0-\x09\x0b-\x1f]", note), "not a checkpoint")
        self.note, self.text, self.origin, self.size = note, match[1], match[2], int(match[3])
        self.root = from_base64(match[4])
        self.lines = [(name, from_base64(line)) for name, line in re.findall(r"— (\S+) (\S+)\n", match[5])]

    def times(self, vkey: Vkey) -> list[int]:
        """When this key signed, in seconds (0 for type 1). A line of its that does not hold refuses the note."""
        return [self.time(vkey, line[4:]) for name, line in self.lines if f"{name}+{line[:4].hex()}" == vkey.label]

    def time(self, vkey: Vkey, line: bytes) -> int:
        stamp, signature = (b"", line) if vkey.type == 1 else (line[:8], line[8:])
        time, (name, origin) = int.from_bytes(stamp, "big"), (one.encode() for one in (vkey.name, self.origin))
        subtree = b"subtree/v1\n\0" + bytes([len(name)]) + name + stamp + bytes([len(origin)]) + origin
        message = {1: self.text.encode(), 4: f"cosignature/v1\ntime {time}\n{self.text}".encode(),
                   6: subtree + struct.pack(">QQ", 0, self.size) + self.root}[vkey.type]
        demand(signed(vkey.spki, signature, message), f"a line of {vkey.name} does not hold")
        return time

class Trust:
    """The trust file: whom the verifier believes. A line that is not known is an error."""
    def __init__(self, text: str = "") -> None:
        rows = defaultdict(list)
        for name, *words in (line.split() for line in text.split("\n") if line.strip() and line.split()[0][0] != "#"):
            demand(name in "log witness group quorum root tsa span compromised max-age".split(), f"not known: {name}")
            rows[name].append(words)
        self.logs = [Vkey(row[0]) for row in rows["log"]]
        self.members = {row[0]: Vkey(row[1]) for row in rows["witness"]}
        self.vkeys, self.members["none"] = [*self.members.values()], None
        for name, count, *names in rows["group"]:
            needed = {"any": 1, "all": len(names)}.get(count) or int(count)
            self.members[name] = (needed, [self.members[one] for one in names])
        self.quorum = self.members[rows["quorum"][0][0]] if rows["quorum"] else None
        self.root, self.tsa = next((one for [one] in rows["root"]), None), {one for [one] in rows["tsa"]}
        self.spans = {label: (int(start), inf if end == "-" else int(end)) for label, start, end in rows["span"]}
        self.compromised = {keyid: int(index) for keyid, index in rows["compromised"]}
        self.max_age = next((int(seconds) for [seconds] in rows["max-age"]), inf)
        once, keys = all(len(rows[name]) < 2 for name in ("quorum", "root", "max-age")), [*self.logs, *self.vkeys]
        demand(once and len({vkey.spki for vkey in keys}) == len(keys), "a line or a key twice")

def witnessed(head: Checkpoint, member: Vkey | tuple[int, list] | None) -> float:
    """The second in which this member of the quorum had signed; infinity if it did not. A time of 0 does not count."""
    if isinstance(member, tuple):
        return sorted(witnessed(head, one) for one in member[1])[member[0] - 1]
    return min((time for time in head.times(member) if time), default=inf) if member else inf
