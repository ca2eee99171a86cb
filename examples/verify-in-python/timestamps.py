"""RFC 3161 timestamps: docs/formats/timestamps.md. Its checks are marked with their numbers."""

import hashlib
import re
from datetime import datetime, timezone
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from formats import Bad, demand

SIGNED_DATA, TST_INFO = "2a864886f70d010702", "2a864886f70d0109100104"
CONTENT_TYPE, MESSAGE_DIGEST = "2a864886f70d010903", "2a864886f70d010904"
CERTIFICATE_V1, CERTIFICATE_V2 = "2a864886f70d010910020c", "2a864886f70d010910022f"
HASHES = {"608648016503040201": hashes.SHA256(), "608648016503040202": hashes.SHA384(), "608648016503040203": hashes.SHA512()}
SIGNATURES = {  # kind, and the hash that the name says
    **{f"2a8648ce3d04030{2 + n}": ("ecdsa", one) for n, one in enumerate(HASHES.values())},
    **{f"2a864886f70d01010{'bcd'[n]}": ("rsa", one) for n, one in enumerate(HASHES.values())},
    "2a864886f70d010101": ("rsa", None), "2a864886f70d01010a": ("pss", None),
}

class Der(NamedTuple):
    """One DER element; its length is definite and the shortest."""
    tag: int
    raw: bytes
    body: bytes

    def parts(self, *tags: int) -> list["Der"]:
        """The elements inside, of which the first have these tags."""
        found = der(self.body)
        demand([one.tag for one in found[: len(tags)]] == list(tags), "DER of another form")
        return found

def der(data: bytes) -> list[Der]:
    found = []
    while data:
        demand(len(data) > 1 and data[0] & 31 < 31, "DER that ends too early, or with a long tag")
        wide = max(0, data[1] - 128)
        size = int.from_bytes(data[2 : 2 + wide], "big") if data[1] >= 128 else data[1]
        demand(data[1] < 128 or 0 < wide < 4 and size >= 128 and data[2], "a DER length that is not the shortest")
        end = 2 + wide + size
        demand(len(data) >= end, "DER that ends too early")
        found, data = [*found, Der(data[0], data[:end], data[2 + wide : end])], data[end:]
    return found

class Stamp(NamedTuple):
    imprint: str
    time_ms: float
    accuracy_ms: float
    certificate: str

def read_stamp(data: bytes) -> Stamp:
    """A TimeStampResp that holds, whatever it stamps and whoever made it."""
    [response] = der(data)
    status, token = response.parts(0x30, 0x30)
    demand(len(data) <= 65536 and status.parts(2)[0].body == b"\0", "not granted")  # 1
    kind, content = token.parts(6, 0xA0)
    [signed_data] = content.parts(0x30)
    version, _, encapsulated, certificates, *_, infos = signed_data.parts(2, 0x31, 0x30, 0xA0)
    content_type, octets = encapsulated.parts(6, 0xA0)
    form = (kind.body.hex(), version.body, content_type.body.hex())
    demand(form == (SIGNED_DATA, b"\3", TST_INFO), "not a token")  # 2
    [info], [signer] = octets.parts(4), infos.parts(0x30)
    _, sid, digest, attributes, algorithm, signature, *_ = signer.parts(2)
    hashing = HASHES[digest.parts(6)[0].body.hex()]
    demand((attributes.tag, algorithm.tag, signature.tag) == (0xA0, 0x30, 4), "signer info")
    found = {}
    for attribute in der(attributes.body):
        oid, values = attribute.parts(6, 0x31)
        [value] = values.parts()
        demand(oid.body.hex() not in found, "an attribute twice")  # 4
        found[oid.body.hex()] = value
    demand(found[CONTENT_TYPE].body.hex() == TST_INFO, "content-type")
    demand(found[MESSAGE_DIGEST].body == hashlib.new(hashing.name, info.body).digest(), "message-digest")
    issuer, serial, raw = next(one for one in map(names, certificates.parts()) if is_named(sid, *one))  # 5
    certificate = x509.load_der_x509_certificate(raw)
    names_it = [check_name(found[oid], first, issuer, serial, certificate) for oid, first in
                ((CERTIFICATE_V1, hashes.SHA1()), (CERTIFICATE_V2, hashes.SHA256())) if oid in found]
    demand(names_it and all(names_it), "signing-certificate")
    stamp = read_info(info.body, certificate)
    check_signature(certificate, algorithm, signature.body, b"\x31" + attributes.raw[1:], hashing)  # 7
    return stamp

def names(certificate: Der) -> tuple[bytes, bytes, bytes]:
    """Issuer and serial of a certificate, DER, and all of it."""
    fields = [one for one in certificate.parts(0x30)[0].parts() if one.tag != 0xA0]
    return fields[2].raw, fields[0].raw, certificate.raw

def is_named(sid: Der, issuer: bytes, serial: bytes, raw: bytes) -> bool:
    if sid.tag != 0x80:
        return sid.body == issuer + serial
    found = x509.load_der_x509_certificate(raw).extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return found.value.digest == sid.body

def check_name(attribute: Der, hashing: hashes.HashAlgorithm, issuer: bytes, serial: bytes, certificate: x509.Certificate) -> bool:
    """Whether the first certificate that a signing-certificate attribute names is this one."""
    fields = attribute.parts(0x30)[0].parts(0x30)[0].parts()
    if fields[0].tag == 0x30:
        hashing = HASHES[fields.pop(0).parts(6)[0].body.hex()]
    same = len(fields) == 1 or fields[1].parts(0x30, 2)[0].parts(0xA4)[0].body + fields[1].parts()[1].raw == issuer + serial
    return fields[0].body == certificate.fingerprint(hashing) and same

def check_signature(certificate: x509.Certificate, algorithm: Der, signature: bytes, data: bytes, hashing: hashes.HashAlgorithm) -> None:
    kind, named = SIGNATURES[algorithm.parts(6)[0].body.hex()]
    key = certificate.public_key()
    demand(named in (None, hashing), "digest and signature name different hashes")  # 3
    try:
        if kind == "ecdsa":
            demand(isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1"), "its key")
            key.verify(signature, data, ec.ECDSA(hashing))
        else:
            demand(isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048, "its key")
            pss = padding.PSS(padding.MGF1(hashing), padding.PSS.AUTO)
            key.verify(signature, data, pss if kind == "pss" else padding.PKCS1v15(), hashing)
    except (InvalidSignature, UnsupportedAlgorithm):
        raise Bad("its signature does not hold") from None

def read_info(data: bytes, certificate: x509.Certificate) -> Stamp:
    """TSTInfo, and that the certificate may stamp then."""
    [info] = der(data)
    version, _, imprint, _, moment, *rest = info.parts(2, 6, 0x30, 2, 0x18)
    hashing, value = imprint.parts(0x30, 4)
    demand(version.body == b"\1" and HASHES[hashing.parts(6)[0].body.hex()].name == "sha256", "TSTInfo")  # 8
    text = moment.body.decode()
    demand(re.fullmatch(r"\d{14}(\.\d{0,8}[1-9])?Z", text), "genTime")
    time = datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
    demand(certificate.not_valid_before_utc <= time <= certificate.not_valid_after_utc, "outside its certificate's validity")
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)  # 6
    demand(uses.critical and list(uses.value) == [x509.ExtendedKeyUsageOID.TIME_STAMPING], "extKeyUsage")
    for usage in [one.value for one in certificate.extensions if isinstance(one.value, x509.KeyUsage)]:
        demand(usage.digital_signature or usage.content_commitment, "keyUsage")
    accuracy = 0.0
    for one in rest:
        demand(one.tag != 0xA1 or all(extension.parts(6)[1].tag != 1 for extension in one.parts()), "a critical extension")
        for part in one.parts() if one.tag == 0x30 else []:
            accuracy += int.from_bytes(part.body, "big") * {2: 1000, 0x80: 1, 0x81: 0.001}[part.tag]
    return Stamp(value.body.hex(), (time.timestamp() + float("0" + text[14:-1])) * 1000, accuracy, certificate.fingerprint(hashes.SHA256()).hex())
