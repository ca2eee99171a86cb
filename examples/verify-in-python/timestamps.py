"""RFC 3161 timestamps: docs/formats/timestamps.md. Its checks are marked with their numbers."""

import re
from datetime import datetime, timezone
from typing import Any, NamedTuple
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from formats import Bad, demand

SIGNED_DATA, TST_INFO = "2a864886f70d010702", "2a864886f70d0109100104"
CONTENT_TYPE, MESSAGE_DIGEST = "2a864886f70d010903", "2a864886f70d010904"
NAMES_CERTIFICATE = {"2a864886f70d010910020c": hashes.SHA1(), "2a864886f70d010910022f": hashes.SHA256()}
RSA, PSS = "2a864886f70d010101", "2a864886f70d01010a"
HASHES = {  # and the names of their signatures: ECDSA, RSA
    "608648016503040201": (hashes.SHA256(), "2a8648ce3d040302", "2a864886f70d01010b"),
    "608648016503040202": (hashes.SHA384(), "2a8648ce3d040303", "2a864886f70d01010c"),
    "608648016503040203": (hashes.SHA512(), "2a8648ce3d040304", "2a864886f70d01010d"),
}
Stamp = NamedTuple("Stamp", [("imprint", str), ("time_ms", float), ("accuracy_ms", float), ("certificate", str)])

class Der(NamedTuple):
    """One DER element; its length is definite and the shortest."""
    tag: int
    raw: bytes
    body: bytes

    def parts(self, *tags: int) -> list["Der"]:
        """The elements inside, of which the first have these tags."""
        found, data = [], self.body
        while data:
            wide = max(0, data[1] - 128)
            size = int.from_bytes(data[2 : 2 + wide], "big") if wide else data[1]
            demand(data[1] < 128 or 0 < wide < 4 and size >= 128 and data[2], "a DER length that is not the shortest")
            demand(len(data) >= 2 + wide + size and data[0] & 31 < 31, "DER that ends too early, or with a long tag")
            found.append(Der(data[0], data[: 2 + wide + size], data[2 + wide : 2 + wide + size]))
            data = data[2 + wide + size :]
        demand([one.tag for one in found[: len(tags)]] == list(tags), "DER of another form")
        return found

    def name(self) -> str:
        """The object identifier that this is, or with which it begins, in hex."""
        return (self if self.tag == 6 else self.parts(6)[0]).body.hex()

def digest(hashing: hashes.HashAlgorithm, data: bytes) -> bytes:
    running = hashes.Hash(hashing)
    running.update(data)
    return running.finalize()

def read_stamp(data: bytes) -> Stamp:
    """A TimeStampResp that holds, whatever it stamps and whoever made it."""
    [response] = Der(0, data, data).parts(0x30)
    status, token = response.parts(0x30, 0x30)
    demand(len(data) <= 65536 and status.parts(2)[0].body == b"\0", "not granted")  # 1
    [signed_data] = token.parts(6, 0xA0)[1].parts(0x30)
    version, _, content, certificates, *_, infos = signed_data.parts(2, 0x31, 0x30, 0xA0)
    demand((token.name(), version.body, content.name()) == (SIGNED_DATA, b"\3", TST_INFO), "not a token")  # 2
    [info], [signer] = content.parts(6, 0xA0)[1].parts(4), infos.parts(0x30)
    _, sid, hashed, attributes, algorithm, signature, *_ = signer.parts(2)
    demand((attributes.tag, algorithm.tag, signature.tag) == (0xA0, 0x30, 4), "signer info")
    hashing, pairs = HASHES[hashed.name()][0], [one.parts(6, 0x31) for one in attributes.parts()]
    values = {oid.name(): value.parts() for oid, value in pairs}
    demand(len(values) == len(pairs) and all(len(value) == 1 for value in values.values()), "an attribute twice")  # 4
    demand(values[CONTENT_TYPE][0].name() == TST_INFO, "content-type")
    demand(values[MESSAGE_DIGEST][0].body == digest(hashing, info.body), "message-digest")
    raw, named = next((one.raw, named) for one in certificates.parts() if (named := issuer_serial(one, sid)))  # 5
    claims = [(values[oid][0], first) for oid, first in NAMES_CERTIFICATE.items() if oid in values]
    demand(claims and all(names_it(*claim, raw, named) for claim in claims), "signing-certificate")
    certificate = x509.load_der_x509_certificate(raw)
    check_signature(certificate.public_key(), algorithm, signature.body, b"\x31" + attributes.raw[1:], hashed)
    return read_info(info.body, certificate)

def issuer_serial(certificate: Der, sid: Der) -> bytes | None:
    """Issuer and serial of a certificate, if it is the one that this SignerIdentifier names."""
    serial, _, issuer, *_ = [one for one in certificate.parts(0x30)[0].parts() if one.tag != 0xA0]
    if sid.tag == 0x80:
        extensions = x509.load_der_x509_certificate(certificate.raw).extensions
        same = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest == sid.body
    return issuer.raw + serial.raw if (same if sid.tag == 0x80 else sid.body == issuer.raw + serial.raw) else None

def names_it(attribute: Der, hashing: hashes.HashAlgorithm, raw: bytes, named: bytes) -> bool:
    """Whether the first certificate that a signing-certificate attribute names is this one."""
    fields = attribute.parts(0x30)[0].parts(0x30)[0].parts()
    if fields[0].tag == 0x30:
        hashing = HASHES[fields.pop(0).name()][0]
    if len(fields) > 1:  # GeneralNames with one directoryName, then the serial
        names, serial = fields[1].parts(0x30, 2)
        demand(names.parts(0xA4)[0].body + serial.raw == named, "signing-certificate: issuer and serial")
    return fields[0].body == digest(hashing, raw)

def check_signature(key: Any, algorithm: Der, signature: bytes, data: bytes, hashed: Der) -> None:
    name, (hashing, ecdsa, with_rsa) = algorithm.name(), HASHES[hashed.name()]
    demand(name in (ecdsa, with_rsa, RSA, PSS), "digest and signature name different hashes")  # 3
    try:  # 7
        if name == ecdsa:
            demand(isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1"), "key")
            key.verify(signature, data, ec.ECDSA(hashing))
        else:
            demand(isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048, "its key")
            pss = padding.PSS(padding.MGF1(hashing), padding.PSS.AUTO)
            key.verify(signature, data, pss if name == PSS else padding.PKCS1v15(), hashing)
    except (InvalidSignature, UnsupportedAlgorithm):
        raise Bad("its signature does not hold") from None

def read_info(data: bytes, certificate: x509.Certificate) -> Stamp:
    """TSTInfo, and that the certificate may stamp then."""
    [info] = Der(0, data, data).parts(0x30)
    version, _, imprint, _, moment, *rest = info.parts(2, 6, 0x30, 2, 0x18)
    hashing, value = imprint.parts(0x30, 4)
    demand(version.body == b"\1" and HASHES[hashing.name()][0].name == "sha256", "TSTInfo")  # 8
    match = re.fullmatch(r"(\d{14})(\.\d{0,8}[1-9])?Z", moment.body.decode())
    time = datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
    demand(certificate.not_valid_before_utc <= time <= certificate.not_valid_after_utc, "outside its validity")  # 6
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    demand(uses.critical and list(uses.value) == [x509.ExtendedKeyUsageOID.TIME_STAMPING], "extKeyUsage")
    usages = [one.value for one in certificate.extensions if isinstance(one.value, x509.KeyUsage)]
    demand(all(usage.digital_signature or usage.content_commitment for usage in usages), "keyUsage")
    extensions = [extension for one in rest if one.tag == 0xA1 for extension in one.parts()]
    demand(all(extension.parts(6)[1].tag != 1 for extension in extensions), "a critical extension")
    parts = [part for one in rest if one.tag == 0x30 for part in one.parts()]
    accuracy_ms = sum(int.from_bytes(part.body, "big") * {2: 1000, 0x80: 1, 0x81: 0.001}[part.tag] for part in parts)
    time_ms = (time.timestamp() + float(match[2] or 0)) * 1000
    return Stamp(value.body.hex(), time_ms, accuracy_ms, certificate.fingerprint(hashes.SHA256()).hex())
