"""Encrypt, Decrypt, ReEncrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateRandom.

What these answer by key state, by identifier and across accounts stands in the tables of those names.
"""

from __future__ import annotations

from tests.conformance.things import HOME, MARK, OWNER, Alias, Ciphertext, Key
from tests.conformance.words import (
    ABSENT,
    DATA,
    DRY_RUN,
    MODEL,
    OK,
    PREFIX,
    PRESENT,
    Call,
    Identity,
    Row,
    Table,
    api,
    form,
    gives,
    guide,
    refused,
    size,
    text,
)

_KEY, _ANOTHER = Key("for cryptography"), Key("another one for cryptography")
_SIGNING = Key("for signatures", {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"})
_MAC = Key("for MACs", {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"})
_FOREIGN = Key("of the other account, for cryptography", caller=Identity.OTHER)
_SYMMETRIC = "SYMMETRIC_DEFAULT"
_CONTEXT = {"tenant": "northwind", "Generation": "1"}
_PLAIN, _BOUND = Ciphertext(_KEY), Ciphertext(_KEY, _CONTEXT)
_MATERIAL = form("[0-9a-f]{64}")
_NOWHERE = "00000000-0000-4000-8000-000000000000"
_OF_NOBODY = text("alias/" + PREFIX + "{mark}-nobody", mark=MARK)
_ABROAD = text(
    "arn:{partition}:kms:eu-west-3:{account}:key/00000000-0000-4000-8000-000000000000",
    partition=HOME.partition,
    account=OWNER.id,
)
_CONTEXTS = guide("encrypt_context")
_TESTING = guide("testing-permissions")
_REGION_JUDGED = "no page says which error answers an ARN of another Region"
_NO_KEY_JUDGED = "the page names the error; that a bare text is no key rather than no valid parameter is judged"

ENCRYPT = Table(
    "Encrypt",
    api("Encrypt"),
    (
        Row(
            "what it answers",
            {"KeyId": _KEY.id, "Plaintext": DATA},
            gives({"KeyId": _KEY.arn, "EncryptionAlgorithm": _SYMMETRIC, "CiphertextBlob": PRESENT}),
        ),
        Row("no KeyMaterialId in it", {"KeyId": _KEY.id, "Plaintext": DATA}, gives({"KeyMaterialId": ABSENT}), MODEL),
        Row("1 byte", {"KeyId": _KEY.id, "Plaintext": b"x"}, OK),
        Row("4096 bytes", {"KeyId": _KEY.id, "Plaintext": b"x" * 4096}, OK),
        Row("4097 bytes", {"KeyId": _KEY.id, "Plaintext": b"x" * 4097}, refused("Validation"), MODEL),
        Row("no bytes", {"KeyId": _KEY.id, "Plaintext": b""}, refused("Validation"), MODEL),
        Row("no Plaintext", {"KeyId": _KEY.id}, refused("Validation"), MODEL),
        Row("no KeyId", {"Plaintext": DATA}, refused("Validation"), MODEL),
        Row(
            "the algorithm of symmetric keys",
            {"KeyId": _KEY.id, "Plaintext": DATA, "EncryptionAlgorithm": _SYMMETRIC},
            OK,
        ),
        Row(
            "the algorithm of another spec",
            {"KeyId": _KEY.id, "Plaintext": DATA, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
            refused("InvalidKeyUsage"),
        ),
        Row(
            "an algorithm that there is not",
            {"KeyId": _KEY.id, "Plaintext": DATA, "EncryptionAlgorithm": "ROT13"},
            refused("Validation"),
            MODEL,
        ),
        Row("a key for signatures", {"KeyId": _SIGNING.id, "Plaintext": DATA}, refused("InvalidKeyUsage")),
        Row("a key for MACs", {"KeyId": _MAC.id, "Plaintext": DATA}, refused("InvalidKeyUsage")),
        Row("a key that is not there", {"KeyId": _NOWHERE, "Plaintext": DATA}, refused("NotFound")),
        Row("an alias that is not there", {"KeyId": _OF_NOBODY, "Plaintext": DATA}, refused("NotFound")),
        Row(
            "a text that names nothing",
            {"KeyId": "not-a-key", "Plaintext": DATA},
            refused("NotFound"),
            judgement=_NO_KEY_JUDGED,
        ),
        Row(
            "an ARN of another Region",
            {"KeyId": _ABROAD, "Plaintext": DATA},
            refused("NotFound", "AccessDenied"),
            judgement=_REGION_JUDGED,
        ),
        Row(
            "an encryption context",
            {"KeyId": _KEY.id, "Plaintext": DATA, "EncryptionContext": _CONTEXT},
            OK,
            _CONTEXTS,
        ),
        Row(
            "a grant token that is none",
            {"KeyId": _KEY.id, "Plaintext": DATA, "GrantTokens": ["bm90IGEgdG9rZW4="]},
            refused("InvalidGrantToken"),
        ),
        Row(
            "eleven grant tokens",
            {"KeyId": _KEY.id, "Plaintext": DATA, "GrantTokens": ["bm90IGEgdG9rZW4="] * 11},
            refused("Validation"),
            MODEL,
        ),
        Row("DryRun", {"KeyId": _KEY.id, "Plaintext": DATA, "DryRun": True}, DRY_RUN, _TESTING),
        Row(
            "DryRun without the permission",
            {"KeyId": _KEY.arn, "Plaintext": DATA, "DryRun": True},
            refused("AccessDenied"),
            _TESTING,
            caller=Identity.OTHER,
        ),
        Row(
            "DryRun of a key that is not there",
            {"KeyId": _NOWHERE, "Plaintext": DATA, "DryRun": True},
            refused("NotFound"),
            _TESTING,
        ),
    ),
)

DECRYPT = Table(
    "Decrypt",
    api("Decrypt"),
    (
        Row(
            "what it answers",
            {"CiphertextBlob": _PLAIN.blob},
            gives({"Plaintext": DATA, "KeyId": _KEY.arn, "EncryptionAlgorithm": _SYMMETRIC}),
        ),
        Row("the KeyMaterialId", {"CiphertextBlob": _PLAIN.blob}, gives({"KeyMaterialId": _MATERIAL})),
        Row(
            "another key named beside it",
            {"CiphertextBlob": _PLAIN.blob, "KeyId": _ANOTHER.id},
            refused("IncorrectKey"),
        ),
        Row(
            "an alias of another key named beside it",
            {"CiphertextBlob": _PLAIN.blob, "KeyId": Alias("of-another-key", _ANOTHER).name},
            refused("IncorrectKey"),
        ),
        Row(
            "a key that is not there named beside it",
            {"CiphertextBlob": _PLAIN.blob, "KeyId": _NOWHERE},
            refused("NotFound"),
        ),
        Row(
            "a key for signatures named beside it",
            {"CiphertextBlob": _PLAIN.blob, "KeyId": _SIGNING.id},
            refused("InvalidKeyUsage"),
        ),
        Row("under another account's key", {"CiphertextBlob": Ciphertext(_FOREIGN).blob}, refused("AccessDenied")),
        Row(
            "another account's ciphertext, one's own key named beside it",
            {"CiphertextBlob": Ciphertext(_FOREIGN).blob, "KeyId": _KEY.id},
            refused("IncorrectKey"),
        ),
        Row(
            "the same encryption context",
            {"CiphertextBlob": _BOUND.blob, "EncryptionContext": _CONTEXT},
            gives({"Plaintext": DATA}),
            _CONTEXTS,
        ),
        Row(
            "its pairs in another order",
            {"CiphertextBlob": _BOUND.blob, "EncryptionContext": {"Generation": "1", "tenant": "northwind"}},
            gives({"Plaintext": DATA}),
            _CONTEXTS,
        ),
        Row("no encryption context", {"CiphertextBlob": _BOUND.blob}, refused("InvalidCiphertext"), _CONTEXTS),
        Row(
            "one pair missing",
            {"CiphertextBlob": _BOUND.blob, "EncryptionContext": {"tenant": "northwind"}},
            refused("InvalidCiphertext"),
            _CONTEXTS,
        ),
        Row(
            "one pair more",
            {"CiphertextBlob": _BOUND.blob, "EncryptionContext": {**_CONTEXT, "more": "1"}},
            refused("InvalidCiphertext"),
            _CONTEXTS,
        ),
        Row(
            "a value in other letters",
            {"CiphertextBlob": _BOUND.blob, "EncryptionContext": {**_CONTEXT, "tenant": "Northwind"}},
            refused("InvalidCiphertext"),
            _CONTEXTS,
        ),
        Row(
            "a key in other letters",
            {"CiphertextBlob": _BOUND.blob, "EncryptionContext": {"tenant": "northwind", "generation": "1"}},
            refused("InvalidCiphertext"),
            _CONTEXTS,
        ),
        Row(
            "the border between key and value elsewhere",
            {"CiphertextBlob": Ciphertext(_KEY, {"a": "bc"}).blob, "EncryptionContext": {"ab": "c"}},
            refused("InvalidCiphertext"),
            _CONTEXTS,
        ),
        Row(
            "a context where there was none",
            {"CiphertextBlob": _PLAIN.blob, "EncryptionContext": {"a": "b"}},
            refused("InvalidCiphertext"),
            _CONTEXTS,
        ),
        Row(
            "an empty context where there was none",
            {"CiphertextBlob": _PLAIN.blob, "EncryptionContext": {}},
            gives({"Plaintext": DATA}),
            _CONTEXTS,
            judgement="no page says that an empty context is no context",
        ),
        Row(
            "a value that is no text",
            {"CiphertextBlob": _BOUND.blob, "EncryptionContext": {"tenant": "northwind", "Generation": 1}},
            refused("Serialization"),
            MODEL,
            judgement="the model says that values are text, not by which error a number is refused",
        ),
        Row("what is no ciphertext", {"CiphertextBlob": b"x" * 200}, refused("InvalidCiphertext")),
        Row("a single byte", {"CiphertextBlob": b"x"}, refused("InvalidCiphertext")),
        Row("6145 bytes", {"CiphertextBlob": b"x" * 6145}, refused("Validation"), MODEL),
        Row("no ciphertext", {}, refused("Validation"), judgement="the model leaves the parameter optional"),
        Row(
            "the algorithm of another spec",
            {"CiphertextBlob": _PLAIN.blob, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
            refused("InvalidKeyUsage"),
            judgement="the page says that the operation fails, not by which error",
        ),
        Row("DryRun", {"CiphertextBlob": _PLAIN.blob, "DryRun": True}, DRY_RUN, _TESTING),
        Row(
            "DryRun with the wrong key",
            {"CiphertextBlob": _PLAIN.blob, "KeyId": _ANOTHER.id, "DryRun": True},
            refused("IncorrectKey"),
            _TESTING,
        ),
        Row(
            "DryRun with the wrong context",
            {"CiphertextBlob": _BOUND.blob, "DryRun": True},
            refused("InvalidCiphertext"),
            _TESTING,
        ),
        Row(
            "DryRun without a ciphertext",
            {"KeyId": _KEY.id, "DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]},
            DRY_RUN,
            _TESTING,
        ),
        Row(
            "DryRun that ignores a ciphertext of another key",
            {
                "KeyId": _KEY.id,
                "CiphertextBlob": Ciphertext(_ANOTHER).blob,
                "DryRun": True,
                "DryRunModifiers": ["IGNORE_CIPHERTEXT"],
            },
            DRY_RUN,
            _TESTING,
        ),
        Row(
            "DryRun without a ciphertext and a key",
            {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]},
            refused("Validation"),
            judgement="the page says that the key is required then, not by which error",
        ),
        Row(
            "DryRun without a ciphertext and without the permission",
            {"KeyId": _KEY.arn, "DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]},
            refused("AccessDenied"),
            _TESTING,
            caller=Identity.OTHER,
        ),
        Row(
            "the modifier without DryRun",
            {"KeyId": _KEY.id, "CiphertextBlob": _PLAIN.blob, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]},
            refused("Validation"),
            judgement="the page says that it only applies with DryRun, not that it is refused without",
        ),
    ),
)

RE_ENCRYPT = Table(
    "ReEncrypt",
    api("ReEncrypt"),
    (
        Row(
            "what it answers",
            {"CiphertextBlob": _PLAIN.blob, "SourceKeyId": _KEY.id, "DestinationKeyId": _ANOTHER.id},
            gives(
                {
                    "SourceKeyId": _KEY.arn,
                    "KeyId": _ANOTHER.arn,
                    "SourceEncryptionAlgorithm": _SYMMETRIC,
                    "DestinationEncryptionAlgorithm": _SYMMETRIC,
                    "SourceKeyMaterialId": _MATERIAL,
                    "DestinationKeyMaterialId": _MATERIAL,
                    "Plaintext": ABSENT,
                }
            ),
        ),
        Row("the source key not named", {"CiphertextBlob": _PLAIN.blob, "DestinationKeyId": _ANOTHER.id}, OK),
        Row("under the same key", {"CiphertextBlob": _PLAIN.blob, "DestinationKeyId": _KEY.id}, OK),
        Row(
            "the wrong source key",
            {"CiphertextBlob": _PLAIN.blob, "SourceKeyId": _ANOTHER.id, "DestinationKeyId": _ANOTHER.id},
            refused("IncorrectKey"),
        ),
        Row("no destination", {"CiphertextBlob": _PLAIN.blob}, refused("Validation"), MODEL),
        Row(
            "a destination that is not there",
            {"CiphertextBlob": _PLAIN.blob, "DestinationKeyId": _NOWHERE},
            refused("NotFound"),
        ),
        Row(
            "a destination for signatures",
            {"CiphertextBlob": _PLAIN.blob, "DestinationKeyId": _SIGNING.id},
            refused("InvalidKeyUsage"),
        ),
        Row(
            "a destination of another account that is closed",
            {"CiphertextBlob": _PLAIN.blob, "DestinationKeyId": _FOREIGN.arn},
            refused("AccessDenied"),
        ),
        Row(
            "a destination that is disabled",
            {"CiphertextBlob": _PLAIN.blob, "DestinationKeyId": Key("disabled target", state=(("DisableKey", {}),)).id},
            refused("Disabled"),
            guide("key-state"),
        ),
        Row(
            "the encryption context exchanged",
            {
                "CiphertextBlob": _BOUND.blob,
                "SourceEncryptionContext": _CONTEXT,
                "DestinationKeyId": _KEY.id,
                "DestinationEncryptionContext": {"tenant": "contoso"},
            },
            OK,
        ),
        Row(
            "the wrong encryption context",
            {
                "CiphertextBlob": _BOUND.blob,
                "SourceEncryptionContext": {"tenant": "contoso"},
                "DestinationKeyId": _ANOTHER.id,
            },
            refused("InvalidCiphertext"),
        ),
        Row(
            "what is no ciphertext",
            {"CiphertextBlob": b"x" * 200, "DestinationKeyId": _ANOTHER.id},
            refused("InvalidCiphertext"),
        ),
        Row(
            "DryRun",
            {"CiphertextBlob": _PLAIN.blob, "DestinationKeyId": _ANOTHER.id, "DryRun": True},
            DRY_RUN,
            _TESTING,
        ),
        Row(
            "DryRun without a ciphertext",
            {
                "SourceKeyId": _KEY.id,
                "DestinationKeyId": _ANOTHER.id,
                "DryRun": True,
                "DryRunModifiers": ["IGNORE_CIPHERTEXT"],
            },
            DRY_RUN,
            _TESTING,
        ),
        Row(
            "DryRun without a ciphertext and the source key",
            {"DestinationKeyId": _ANOTHER.id, "DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]},
            refused("Validation"),
            judgement="the page says that the source key is required then, not by which error",
        ),
    ),
)


def _data_key(operation: str, more: tuple[Row, ...]) -> Table:
    spec = {"KeyId": _KEY.id, "KeySpec": "AES_256"}
    return Table(
        operation,
        api(operation),
        (
            *more,
            Row("the key ARN", spec, gives({"KeyId": _KEY.arn, "CiphertextBlob": PRESENT})),
            Row("the KeyMaterialId", spec, gives({"KeyMaterialId": _MATERIAL})),
            Row("neither spec nor size", {"KeyId": _KEY.id}, refused("Validation")),
            Row("both spec and size", {**spec, "NumberOfBytes": 32}, refused("Validation")),
            Row("a spec that there is not", {"KeyId": _KEY.id, "KeySpec": "AES_192"}, refused("Validation"), MODEL),
            Row("0 bytes", {"KeyId": _KEY.id, "NumberOfBytes": 0}, refused("Validation"), MODEL),
            Row("1025 bytes", {"KeyId": _KEY.id, "NumberOfBytes": 1025}, refused("Validation"), MODEL),
            Row("a key for MACs", {"KeyId": _MAC.id, "KeySpec": "AES_256"}, refused("InvalidKeyUsage")),
            Row("a key for signatures", {"KeyId": _SIGNING.id, "KeySpec": "AES_256"}, refused("InvalidKeyUsage")),
            Row("a key that is not there", {"KeyId": _NOWHERE, "KeySpec": "AES_256"}, refused("NotFound")),
            Row("an alias that is not there", {"KeyId": _OF_NOBODY, "KeySpec": "AES_256"}, refused("NotFound")),
            Row("DryRun", {**spec, "DryRun": True}, DRY_RUN, _TESTING),
        ),
    )


GENERATE_DATA_KEY = _data_key(
    "GenerateDataKey",
    (
        Row("AES_256", {"KeyId": _KEY.id, "KeySpec": "AES_256"}, gives({"Plaintext": size(32)})),
        Row("AES_128", {"KeyId": _KEY.id, "KeySpec": "AES_128"}, gives({"Plaintext": size(16)})),
        Row("1024 bytes", {"KeyId": _KEY.id, "NumberOfBytes": 1024}, gives({"Plaintext": size(1024)})),
    ),
)
GENERATE_DATA_KEY_WITHOUT_PLAINTEXT = _data_key(
    "GenerateDataKeyWithoutPlaintext",
    (Row("no plaintext in it", {"KeyId": _KEY.id, "KeySpec": "AES_256"}, gives({"Plaintext": ABSENT})),),
)

GENERATE_RANDOM = Table(
    "GenerateRandom",
    api("GenerateRandom"),
    (
        Row("1 byte", {"NumberOfBytes": 1}, gives({"Plaintext": size(1)})),
        Row("1024 bytes", {"NumberOfBytes": 1024}, gives({"Plaintext": size(1024)})),
        Row("0 bytes", {"NumberOfBytes": 0}, refused("Validation"), MODEL),
        Row("1025 bytes", {"NumberOfBytes": 1025}, refused("Validation"), MODEL),
        Row(
            "no size",
            {},
            refused("Validation"),
            judgement="the page says that it is required, the model leaves it optional",
        ),
        Row(
            "a custom key store that is not there",
            {"NumberOfBytes": 1, "CustomKeyStoreId": "cks-00000000000000000"},
            refused("CustomKeyStoreNotFound"),
        ),
    ),
)

# An alias that is moved names another key at once; what it named before still opens.
_FIRST, _SECOND = Key("first of an alias"), Key("second of an alias")
_MOVING = Alias("moves-to-another-key", _FIRST)
_BEFORE = Ciphertext(_FIRST)
MOVED_ALIAS = Table(
    "Decrypt",
    guide("kms-alias"),
    (
        Row(
            "a ciphertext of before, the alias named beside it",
            {"CiphertextBlob": _BEFORE.blob, "KeyId": _MOVING.name},
            refused("IncorrectKey"),
            given=(Call("UpdateAlias", {"AliasName": _MOVING.name, "TargetKeyId": _SECOND.id}),),
        ),
        Row(
            "a ciphertext of before, no key named",
            {"CiphertextBlob": _BEFORE.blob},
            gives({"KeyId": _FIRST.arn, "Plaintext": DATA}),
        ),
    ),
    "after an alias moved",
)

TABLES = (
    ENCRYPT,
    DECRYPT,
    RE_ENCRYPT,
    GENERATE_DATA_KEY,
    GENERATE_DATA_KEY_WITHOUT_PLAINTEXT,
    GENERATE_RANDOM,
    MOVED_ALIAS,
)
