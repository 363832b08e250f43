"""The things that rows name: accounts, keys, aliases, ciphertexts, grants, replicas, replies."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.conformance.words import (
    DATA,
    PREFIX,
    TAG_KEY,
    Call,
    Identity,
    Json,
    Part,
    Place,
    Thing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conformance.world import World


@dataclass(frozen=True, eq=False)
class Account(Thing):
    """One of the two accounts."""

    identity: Identity

    @property
    def id(self) -> Part:
        """Twelve digits."""
        return self.property("id")

    @property
    def root(self) -> Part:
        """The ARN of the account."""
        return self.property("root")

    @property
    def caller(self) -> Part:
        """The ARN of the user or role session that calls, as a policy or a grant names it."""
        return self.property("caller")

    def make(self, world: World) -> Mapping[str, str | bytes]:
        """Look it up."""
        return world.account(self.identity)


OWNER = Account(Identity.OWNER)
OTHER = Account(Identity.OTHER)


@dataclass(frozen=True, eq=False)
class Region(Thing):
    """One of the two Regions."""

    place: Place

    @property
    def name(self) -> Part:
        """Such as us-east-1."""
        return self.property("name")

    @property
    def partition(self) -> Part:
        """Such as aws."""
        return self.property("partition")

    def make(self, world: World) -> Mapping[str, str | bytes]:
        """Look it up."""
        return {"name": world.region(self.place), "partition": world.partition}


HOME = Region(Place.HOME)
ABROAD = Region(Place.ABROAD)


@dataclass(frozen=True, eq=False)
class Run(Thing):
    """The run: its mark is a part of every name, so that two runs do not meet."""

    def make(self, world: World) -> Mapping[str, str | bytes]:
        """Look it up."""
        return {"mark": world.mark}


MARK = Part(Run(), "mark")
# On every key that a row makes by itself: what carries it is swept away.
TAGS: list[Mapping[str, object]] = [{"TagKey": TAG_KEY, "TagValue": MARK}]


@dataclass(frozen=True, eq=False)
class Key(Thing):
    """A KMS key of one of the accounts.

    Attributes:
        name: What it is for.
        create: Further arguments of CreateKey.
        policy: Statements beside the default one, which leaves the key to its account.
        state: Operations on the key alone, called once it is made, each with its further arguments.
        caller: Whose it is.
    """

    name: str
    create: Mapping[str, object] = field(default_factory=dict)
    policy: tuple[Mapping[str, object], ...] = ()
    state: tuple[tuple[str, Mapping[str, object]], ...] = ()
    caller: Identity = Identity.OWNER

    @property
    def id(self) -> Part:
        """The key id."""
        return self.property("id")

    @property
    def arn(self) -> Part:
        """The key ARN."""
        return self.property("arn")

    def make(self, world: World) -> Mapping[str, str | bytes]:
        """Create it and bring it into its state."""
        arguments: dict[str, object] = {"Description": f"keyturn conformance: {self.name}", "Tags": TAGS}
        if self.policy:
            account = OWNER if self.caller is Identity.OWNER else OTHER
            arguments["Policy"] = Json({"Version": "2012-10-17", "Statement": [_delegation(account), *self.policy]})
        answer: Any = world.call(Call("CreateKey", {**arguments, **self.create}, self.caller))
        metadata = answer["KeyMetadata"]
        for operation, members in self.state:
            world.call(Call(operation, {"KeyId": metadata["KeyId"], **members}, self.caller))
        return {"id": metadata["KeyId"], "arn": metadata["Arn"], "material": metadata.get("CurrentKeyMaterialId", "")}


@dataclass(frozen=True, eq=False)
class Alias(Thing):
    """An alias of a key."""

    short_name: str
    key: Key

    @property
    def name(self) -> Part:
        """The name, with `alias/`."""
        return self.property("name")

    @property
    def arn(self) -> Part:
        """The alias ARN."""
        return self.property("arn")

    def make(self, world: World) -> Mapping[str, str | bytes]:
        """Create it."""
        name = f"alias/{PREFIX}{world.mark}-{self.short_name}"
        arn = str(world.made(self.key)["arn"])
        world.call(Call("CreateAlias", {"AliasName": name, "TargetKeyId": self.key.id}, self.key.caller))
        return {"name": name, "arn": arn.rpartition(":")[0] + f":{name}"}


@dataclass(frozen=True, eq=False)
class Ciphertext(Thing):
    """`DATA`, or something else, encrypted under a key by its owner while it was enabled."""

    key: Key
    context: Mapping[str, str] = field(default_factory=dict)
    plaintext: bytes = DATA

    @property
    def blob(self) -> Part:
        """The bytes."""
        return self.property("blob")

    def make(self, world: World) -> Mapping[str, str | bytes]:
        """Encrypt it."""
        members = {"KeyId": self.key.arn, "Plaintext": self.plaintext, "EncryptionContext": dict(self.context)}
        answer: Any = world.call(Call("Encrypt", members, self.key.caller))
        return {"blob": answer["CiphertextBlob"]}


@dataclass(frozen=True, eq=False)
class Used(Thing):
    """A key with an alias that was used while it was enabled, and then brought into a state."""

    name: str
    state: tuple[tuple[str, Mapping[str, object]], ...] = ()

    @property
    def id(self) -> Part:
        """The key id."""
        return self.property("id")

    @property
    def arn(self) -> Part:
        """The key ARN."""
        return self.property("arn")

    @property
    def alias(self) -> Part:
        """The name of its alias."""
        return self.property("alias")

    @property
    def blob(self) -> Part:
        """What was encrypted under it."""
        return self.property("blob")

    def make(self, world: World) -> Mapping[str, str | bytes]:
        """Create the key and its alias, encrypt, then change its state."""
        key = Key(self.name)
        made = {
            **world.made(key),
            "blob": world.made(Ciphertext(key))["blob"],
            "alias": world.made(Alias(self.name.replace(" ", "-").replace(",", ""), key))["name"],
        }
        for operation, members in self.state:
            world.call(Call(operation, {"KeyId": key.id, **members}))
        return made


@dataclass(frozen=True, eq=False)
class Grant(Thing):
    """A grant on a key, made by its owner."""

    key: Key
    arguments: Mapping[str, object]

    @property
    def id(self) -> Part:
        """The grant id."""
        return self.property("id")

    @property
    def token(self) -> Part:
        """The grant token."""
        return self.property("token")

    def make(self, world: World) -> Mapping[str, str | bytes]:
        """Create it."""
        answer: Any = world.call(Call("CreateGrant", {"KeyId": self.key.arn, **self.arguments}, self.key.caller))
        return {"id": answer["GrantId"], "token": answer["GrantToken"]}


@dataclass(frozen=True, eq=False)
class Replica(Thing):
    """The replica of a multi-Region key in the other Region."""

    primary: Key

    @property
    def id(self) -> Part:
        """The key id, which is the primary's."""
        return self.property("id")

    @property
    def arn(self) -> Part:
        """The key ARN."""
        return self.property("arn")

    def make(self, world: World) -> Mapping[str, str | bytes]:
        """Replicate the key, and wait until the replica can be used."""
        members = {"KeyId": self.primary.arn, "ReplicaRegion": ABROAD.name, "Tags": TAGS}
        answer: Any = world.call(Call("ReplicateKey", members))
        metadata = answer["ReplicaKeyMetadata"]
        world.wait_for_state(metadata["Arn"], Place.ABROAD, "Enabled")
        return {"id": metadata["KeyId"], "arn": metadata["Arn"]}


@dataclass(frozen=True)
class InDays:
    """A moment so many days from now, to the second; negative days have passed."""

    days: int

    def value(self, _world: World) -> object:
        """The moment."""
        return (datetime.now(UTC) + timedelta(days=self.days)).replace(microsecond=0)


@dataclass(frozen=True, eq=False)
class Material(Thing):
    """Random key material of so many bytes, which the same name stands for in every row."""

    length: int = 32

    def make(self, _world: World) -> Mapping[str, str | bytes]:
        """Draw it."""
        return {"secret": secrets.token_bytes(self.length)}


@dataclass(frozen=True, eq=False)
class ImportParameters(Thing):
    """A wrapping key and its import token; one serves a key for a day."""

    key: Key

    def make(self, world: World) -> Mapping[str, str | bytes]:
        """Ask for them."""
        members = {"KeyId": self.key.arn, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
        answer: Any = world.call(Call("GetParametersForImport", members))
        return {"token": answer["ImportToken"], "public_key": answer["PublicKey"]}


@dataclass(frozen=True, eq=False)
class Wrapped(Thing):
    """Material wrapped for the import into a key."""

    parameters: ImportParameters
    material: Material

    @property
    def arguments(self) -> Mapping[str, object]:
        """What ImportKeyMaterial takes of it, for material that does not expire."""
        return {
            "KeyId": self.parameters.key.arn,
            "ImportToken": self.parameters.property("token"),
            "EncryptedKeyMaterial": self.property("wrapped"),
            "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        }

    def make(self, world: World) -> Mapping[str, str | bytes]:
        """Wrap it (AWS KMS Developer Guide, "Encrypt the key material")."""
        encoded, secret = world.made(self.parameters)["public_key"], world.made(self.material)["secret"]
        assert isinstance(encoded, bytes)
        assert isinstance(secret, bytes)
        public = load_der_public_key(encoded)
        assert isinstance(public, rsa.RSAPublicKey)
        return {"wrapped": public.encrypt(secret, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))}


@dataclass(frozen=True, eq=False)
class Reply(Thing):
    """A call that must succeed, and the text or bytes in its answer under the names that are given."""

    call: Call
    members: tuple[str, ...]

    def make(self, world: World) -> Mapping[str, str | bytes]:
        """Send it."""
        answer: Any = world.call(self.call)
        return {name: answer[name] for name in self.members}


def _delegation(account: Account) -> Mapping[str, object]:
    """What the default key policy says (AWS KMS Developer Guide, "Default key policy")."""
    return {"Effect": "Allow", "Principal": {"AWS": account.root}, "Action": "kms:*", "Resource": "*"}
