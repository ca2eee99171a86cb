"""What sigstore-python says of a bundle: check.py BUNDLE TRUSTED_ROOT. Prints one JSON object."""

import json
import sys

from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore._internal.rekor.checkpoint import verify_checkpoint
from sigstore._internal.trust import KeyringPurpose
from sigstore.errors import Error
from sigstore.models import Bundle, InvalidBundle, TransparencyLogEntry, TrustedRoot
from sigstore_models.rekor.v1 import TransparencyLogEntry as Inner


def verdict(check):
    try:
        check()
        return "accepted"
    except (Error, InvalidBundle) as error:
        return str(error)


with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
root = TrustedRoot.from_file(sys.argv[2])
entry = TransparencyLogEntry(
    Inner.from_dict(json.loads(text)["verificationMaterial"]["tlogEntries"][0])
)

print(
    json.dumps(
        {
            "bundle": verdict(lambda: Bundle.from_json(text)),
            "inclusion": verdict(lambda: verify_merkle_inclusion(entry)),
            "checkpoint": verdict(
                lambda: verify_checkpoint(
                    root.rekor_keyring(KeyringPurpose.VERIFY), entry
                )
            ),
        }
    )
)
