"""The lifecycle state as a JSON document, and back; the form in which a ledger stores its head."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import rfc8785

from engine.access.model import KeyState
from engine.arn import parse_key_arn
from engine.errors import DamagedError, InputError
from engine.lifecycle import (
    Agreement,
    Confirmation,
    Generation,
    GenerationState,
    Mode,
    Observation,
    Rotation,
    TenantState,
)
from engine.times import format_time, parse_time

if TYPE_CHECKING:
    from datetime import datetime

FORMAT = 1


def encode_state(state: TenantState) -> bytes:
    """The state in canonical JSON (RFC 8785)."""
    return rfc8785.dumps(
        {
            "format": FORMAT,
            "tenant": state.tenant,
            "account_id": state.account_id,
            "region": state.region,
            "vendor_account_id": state.vendor_account_id,
            "mode": state.mode.value,
            "generations": [_encode_generation(generation) for generation in state.generations],
            "rotation": None
            if state.rotation is None
            else {
                "to": state.rotation.to,
                "epoch": state.rotation.epoch,
                "started_at": format_time(state.rotation.started_at),
                "rewrapped_at": _time(state.rotation.rewrapped_at),
            },
            "agreement": None
            if state.agreement is None
            else {
                "by": state.agreement.by,
                "at": format_time(state.agreement.at),
                "terms_sha256": state.agreement.terms_sha256,
            },
            "epoch": state.epoch,
            "revoked": state.revoked,
        }
    )


def state_hash(encoded: bytes) -> str:
    """The SHA-256 of an encoded state, as hexadecimal digits."""
    return hashlib.sha256(encoded).hexdigest()


def decode_state(encoded: bytes) -> TenantState:
    """Read an encoded state.

    Raises:
        DamagedError: It is not one, or of a format that this version does not know.
    """
    try:
        document: dict[str, Any] = json.loads(encoded)
        if document["format"] != FORMAT:
            raise DamagedError(
                f"the ledger's state has format {document['format']!r}; this version reads {FORMAT}",
                "use the version of Keyturn that wrote it, or a newer one",
            )
        rotation, agreement = document["rotation"], document["agreement"]
        return TenantState(
            tenant=document["tenant"],
            account_id=document["account_id"],
            region=document["region"],
            vendor_account_id=document["vendor_account_id"],
            mode=Mode(document["mode"]),
            generations=tuple(_decode_generation(entry) for entry in document["generations"]),
            rotation=None
            if rotation is None
            else Rotation(
                rotation["to"],
                rotation["epoch"],
                parse_time(rotation["started_at"]),
                _parsed(rotation["rewrapped_at"]),
            ),
            agreement=None
            if agreement is None
            else Agreement(agreement["by"], parse_time(agreement["at"]), agreement["terms_sha256"]),
            epoch=document["epoch"],
            revoked=document["revoked"],
        )
    except (ValueError, KeyError, TypeError, InputError) as error:
        raise DamagedError(f"the ledger's state cannot be read: {error}") from error


def _encode_generation(generation: Generation) -> dict[str, Any]:
    confirmed, observed = generation.confirmed, generation.observed
    return {
        "number": generation.number,
        "key_arn": str(generation.key_arn),
        "state": generation.state.value,
        "registered_at": format_time(generation.registered_at),
        "current_since": _time(generation.current_since),
        "integrated_at": _time(generation.integrated_at),
        "confirmed": None if confirmed is None else {"by": confirmed.by, "at": format_time(confirmed.at)},
        "retired_at": _time(generation.retired_at),
        "released_at": _time(generation.released_at),
        "deleted_at": _time(generation.deleted_at),
        "observed": None if observed is None else _encode_observation(observed),
    }


def _decode_generation(entry: dict[str, Any]) -> Generation:
    confirmed, observed = entry["confirmed"], entry["observed"]
    return Generation(
        number=entry["number"],
        key_arn=parse_key_arn(entry["key_arn"]),
        state=GenerationState(entry["state"]),
        registered_at=parse_time(entry["registered_at"]),
        current_since=_parsed(entry["current_since"]),
        integrated_at=_parsed(entry["integrated_at"]),
        confirmed=None if confirmed is None else Confirmation(confirmed["by"], parse_time(confirmed["at"])),
        retired_at=_parsed(entry["retired_at"]),
        released_at=_parsed(entry["released_at"]),
        deleted_at=_parsed(entry["deleted_at"]),
        observed=None if observed is None else _decode_observation(observed),
    )


def _encode_observation(observed: Observation) -> dict[str, Any]:
    key_state = None if observed.key_state is None else observed.key_state.value
    return {"key_state": key_state, "since": format_time(observed.since)}


def _decode_observation(entry: dict[str, Any]) -> Observation:
    key_state = entry["key_state"]
    return Observation(None if key_state is None else KeyState(key_state), parse_time(entry["since"]))


def _time(at: datetime | None) -> str | None:
    return None if at is None else format_time(at)


def _parsed(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)
