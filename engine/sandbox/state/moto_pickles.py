"""moto's objects as bytes and back.

moto has no form of its own for its data, so its objects are pickled, and a state is read by the version of
moto that wrote it alone. What is read may only be made of moto's own classes and a few of the standard
library's: a pickle could otherwise run anything. Objects that belong to the whole and not to one value
(a table within its stream, AWS's own managed policies) are named instead.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

from engine.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Callable

_MOTO = ("moto.core.", "moto.dynamodb.", "moto.iam.", "moto.moto_api.", "moto.s3.", "moto.sts.", "moto.utilities.")
_OTHERS = frozenset(
    {
        ("builtins", "bytearray"),
        ("builtins", "dict"),
        ("builtins", "frozenset"),
        ("builtins", "list"),
        ("builtins", "set"),
        ("collections", "OrderedDict"),
        ("collections", "defaultdict"),
        ("collections", "deque"),
        ("copyreg", "_reconstructor"),
        ("builtins", "object"),
        ("datetime", "date"),
        ("datetime", "datetime"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
        ("re", "_compile"),
        ("requests.structures", "CaseInsensitiveDict"),
    }
)


def dump(value: Any, named: Callable[[Any], str | None] = lambda _: None) -> bytes:
    """An object as bytes.

    Args:
        value: The object.
        named: The name of an object that is named instead, or None.
    """
    buffer = io.BytesIO()
    _Pickler(buffer, named).dump(value)
    return buffer.getvalue()


def load(data: bytes, find: Callable[[str], Any] | None = None) -> Any:
    """The object of `dump`.

    Args:
        data: The bytes.
        find: The object of a name.

    Raises:
        DamagedError: It cannot be read, or is made of what does not belong there.
    """
    try:
        return _Unpickler(io.BytesIO(data), find).load()
    except Exception as error:
        raise DamagedError(f"a record of the sandbox's state cannot be read: {type(error).__name__}") from error


class _Pickler(pickle.Pickler):
    def __init__(self, buffer: io.BytesIO, named: Callable[[Any], str | None]) -> None:
        super().__init__(buffer, protocol=5)
        self._named = named

    def persistent_id(self, obj: Any) -> str | None:
        """The name of an object that is named instead."""
        return self._named(obj)


class _Unpickler(pickle.Unpickler):
    def __init__(self, buffer: io.BytesIO, find: Callable[[str], Any] | None) -> None:
        super().__init__(buffer)
        self._find = find

    def persistent_load(self, pid: Any) -> Any:
        """The object of a name."""
        if self._find is None:
            raise pickle.UnpicklingError("an object is named that is nowhere")
        return self._find(str(pid))

    def find_class(self, module: str, name: str) -> Any:
        """A class of moto's or of the table above."""
        allowed = (module, name) in _OTHERS or f"{module}.".startswith(_MOTO)
        found = super().find_class(module, name) if allowed else None
        if found is None or ((module, name) not in _OTHERS and not isinstance(found, type)):
            raise pickle.UnpicklingError("it is made of what does not belong there")
        return found
