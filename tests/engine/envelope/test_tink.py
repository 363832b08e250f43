"""The format is Tink's: what we write Tink reads, and what Tink writes we read, at every size that matters."""

from __future__ import annotations

import io
from typing import Any

import pytest
import tink
from tink import secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

from engine.envelope.segments import SEGMENT_BYTES
from tests.engine.envelope.payloads import CONTEXT, KEY, SIZES, content, encrypted, random_access, reading


@pytest.fixture(scope="module")
def primitive() -> Any:
    """Tink's streaming AEAD AES256_GCM_HKDF_1MB with our data key, as a RAW keyset."""
    streaming_aead.register()
    key = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(
        key_value=KEY,
        params=aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
            ciphertext_segment_size=SEGMENT_BYTES, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
        ),
    )
    template = streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB
    assert key.params.SerializeToString() in template.value, "these are the parameters of Tink's own template"
    keyset = tink_pb2.Keyset(
        primary_key_id=1,
        key=[
            tink_pb2.Keyset.Key(
                key_data=tink_pb2.KeyData(
                    type_url=template.type_url,
                    value=key.SerializeToString(),
                    key_material_type=tink_pb2.KeyData.SYMMETRIC,
                ),
                status=tink_pb2.ENABLED,
                key_id=1,
                output_prefix_type=tink_pb2.RAW,
            )
        ],
    )
    handle = tink.proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)
    return handle.primitive(streaming_aead.StreamingAead)


class KeptOpen(io.BytesIO):
    """A sink that can still be looked at after Tink has closed it."""

    def close(self) -> None:
        pass


@pytest.mark.parametrize("size", SIZES)
def test_tink_reads_what_we_write(primitive: Any, size: int) -> None:
    plaintext = content(size)
    with primitive.new_decrypting_stream(io.BytesIO(encrypted(plaintext)), CONTEXT) as stream:
        assert stream.read() == plaintext


@pytest.mark.parametrize("size", SIZES)
def test_we_read_what_tink_writes(primitive: Any, size: int) -> None:
    plaintext, sink = content(size), KeptOpen()
    with primitive.new_encrypting_stream(sink, CONTEXT) as stream:
        stream.write(plaintext)
    ciphertext = sink.getvalue()
    assert len(ciphertext) == len(encrypted(plaintext))
    assert reading(ciphertext).read() == plaintext
    assert random_access(ciphertext)[0].read(0, size) == plaintext


def test_tink_refuses_our_message_in_another_context(primitive: Any) -> None:
    with (
        primitive.new_decrypting_stream(io.BytesIO(encrypted(b"content")), CONTEXT + b"!") as stream,
        pytest.raises(tink.TinkError),
    ):
        stream.read()
