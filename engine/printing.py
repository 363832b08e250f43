"""Text of other people as it may stand on a terminal, in a log or in a report."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format and surrogate characters, line and paragraph ends
_JOINER = "\u200d"  # holds emoji together, and hides nothing


def printable(text: str) -> str:
    """A name fit to be shown: control characters and bytes that are not UTF-8 become visible escapes.

    Args:
        text: May hold surrogates of bytes that are not UTF-8, as Python's file names do.
    """
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _HIDDEN and character != _JOINER
        else character
        for character in shown
    )
