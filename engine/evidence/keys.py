"""Ed25519 keys for statements (RFC 8032): a key file kept apart from the ledger, or a key in AWS KMS.

A signature covers "keyturn statement 1", a line feed and the SHA-256 of the statement's canonical form, so
that it fits into one KMS request whatever the statement's size, and is never a signature of anything else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine.durable import synchronise
from engine.errors import InputError, MachineError, UntrustedError
from engine.located_yaml import read_file

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from engine.kms import Kms

_DOMAIN = b"keyturn statement 1\n"
_RAW_BYTES = 32
_MAX_KEY_FILE = 16 * 1024
_MAKE_KEY = "`keyturn evidence new-key FILE` makes one"


def signed_bytes(canonical: bytes) -> bytes:
    """What is signed for a statement in canonical form."""
    return _DOMAIN + hashlib.sha256(canonical).digest()


class Signer(Protocol):
    """Signs statements."""

    @property
    def key_id(self) -> str:
        """The id of the public key: the SHA-256 of its 32 bytes, as hexadecimal digits."""
        ...

    @property
    def verification_key(self) -> VerificationKey:
        """The public key, which pipelines check against."""
        ...

    def sign(self, canonical: bytes) -> bytes:
        """Sign a statement's canonical form; 64 bytes."""
        ...


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key that statements are checked against."""

    raw: bytes

    @property
    def key_id(self) -> str:
        """The SHA-256 of the key's 32 bytes, as hexadecimal digits."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def pem(self) -> str:
        """The key as pipelines take it: PEM (SubjectPublicKeyInfo, RFC 8410)."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    @property
    def base64(self) -> str:
        """The key in one line: its 32 bytes in base64."""
        return base64.b64encode(self.raw).decode("ascii")

    def verify(self, canonical: bytes, signature: bytes) -> None:
        """Check a signature.

        Raises:
            UntrustedError: It is not this key's signature of this statement.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, signed_bytes(canonical))
        except (InvalidSignature, ValueError) as error:
            raise UntrustedError(
                "the signature does not hold: the statement was altered, or signed with another key",
                f"it was checked against the key {self.key_id[:16]}…",
            ) from error


class FileSigner:
    """Signs with a private key in a file (PKCS 8, PEM, without a password)."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        """Use `FileSigner.read`."""
        self._private_key = private_key
        self._public = VerificationKey(_raw(private_key.public_key()))

    @classmethod
    def read(cls, path: Path, ledger_folder: Path | None) -> FileSigner:
        """Read a key file.

        Args:
            path: The file; readable by its owner alone.
            ledger_folder: Where the ledger lies; the key never lies there too, for who can write the ledger
                could then also sign for it.

        Raises:
            InputError: It is missing or no Ed25519 private key.
            MachineError: Others can read it, or it lies beside the ledger.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        data = read_file(path, what="the signing key", max_bytes=_MAX_KEY_FILE)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise MachineError(f"others can read the signing key {str(path)!r}", f"`chmod 600 {path}`")
        if ledger_folder is not None and path.resolve().parent.is_relative_to(ledger_folder.resolve()):
            raise MachineError(
                f"the signing key {str(path)!r} lies beside the ledger",
                "keep it where the ledger cannot be written from",
            )
        try:
            key = load_pem_private_key(data, password=None)
        except (ValueError, TypeError) as error:
            raise InputError(f"{str(path)!r} holds no private key that can be read", _MAKE_KEY) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise InputError(f"the key in {str(path)!r} is not an Ed25519 key", _MAKE_KEY)
        return cls(key)

    @property
    def key_id(self) -> str:
        """The id of the public key."""
        return self._public.key_id

    @property
    def verification_key(self) -> VerificationKey:
        """The public key."""
        return self._public

    def sign(self, canonical: bytes) -> bytes:
        """Sign a statement's canonical form."""
        return self._private_key.sign(signed_bytes(canonical))


class KmsSigner:
    """Signs with a key of AWS KMS of the spec `ECC_NIST_EDWARDS25519`; needs kms:Sign and kms:GetPublicKey."""

    def __init__(self, kms: Kms, key_arn: str) -> None:
        """Ask KMS for the public key.

        Raises:
            InputError: It is no Ed25519 key.
            KeyAccessError: KMS said no.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        self._kms, self._key_arn = kms, key_arn
        key = load_der_public_key(kms.public_key(key_arn))
        if not isinstance(key, Ed25519PublicKey):
            raise InputError(
                f"the signing key {key_arn} is not an Ed25519 key",
                "make one with `aws kms create-key --key-usage SIGN_VERIFY --key-spec ECC_NIST_EDWARDS25519`",
            )
        self._public = VerificationKey(_raw(key))

    @property
    def key_id(self) -> str:
        """The id of the public key."""
        return self._public.key_id

    @property
    def verification_key(self) -> VerificationKey:
        """The public key."""
        return self._public

    def sign(self, canonical: bytes) -> bytes:
        """Sign a statement's canonical form inside KMS."""
        return self._kms.sign_ed25519(self._key_arn, signed_bytes(canonical))


def create_key_file(path: Path) -> VerificationKey:
    """Make a signing key and write it to a new file that its owner alone can read.

    Args:
        path: The file; one that exists is never overwritten.

    Returns:
        The public key.

    Raises:
        InputError: The file exists.
        MachineError: It cannot be written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        synchronise(path.parent)
    except FileExistsError as error:
        raise InputError(f"{str(path)!r} exists: a signing key is never overwritten", "give another name") from error
    except OSError as error:
        raise MachineError(f"the signing key {str(path)!r} cannot be written: {error.strerror}") from error
    return VerificationKey(_raw(key.public_key()))


def read_verification_key(text_or_path: str, folder: Path) -> VerificationKey:
    """Read a public key as a pipeline gives it.

    Args:
        text_or_path: A file with the key in PEM, or the key itself: PEM, or its 32 bytes in base64.
        folder: The folder that a relative path is meant from.

    Raises:
        InputError: It is neither.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    text = text_or_path.strip()
    raw = _from_base64(text)
    if raw is not None:
        return VerificationKey(raw)
    what = "the evidence key"
    if not text:
        raise InputError(f"{what} is empty", "`keyturn evidence public-key` prints the key of the ledger's owner")
    if text.startswith("-----BEGIN"):
        data = text.encode()
    else:
        data = read_file(folder / text, what=what, max_bytes=_MAX_KEY_FILE)
        raw = _from_base64(data.decode("ascii", errors="replace").strip())
        if raw is not None:
            return VerificationKey(raw)
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(
            f"{what} is no public key that can be read",
            "give a PEM file, such as `openssl pkey -in evidence.key -pubout` prints, or 32 bytes in base64",
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{what} is not an Ed25519 key", _MAKE_KEY)
    return VerificationKey(_raw(key))


def _from_base64(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == _RAW_BYTES else None


def _raw(key: Ed25519PublicKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
