"""Node.js, which CDKTF's library runs in: is it there, and new enough?

Asking costs some 20 ms. It tells a missing, broken or old program apart before CDKTF starts it, when all
that could be shown is a traceback.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from engine.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTING = "JSII_NODE"
OLDEST_MAJOR_VERSION = 20
_HINT = f"install Node.js {OLDEST_MAJOR_VERSION} or later, or name its program in {SETTING}"
_VERSION = re.compile(r"v(?P<major>[0-9]{1,6})\.[0-9]+\.[0-9]+", re.ASCII)
_SECONDS_TO_ANSWER = 30


def require_node(environment: Mapping[str, str]) -> None:
    """Make sure that CDKTF will find a Node.js that it can run in.

    Args:
        environment: Where `PATH` and `JSII_NODE` are looked up.

    Raises:
        MachineError: It is missing, does not answer, or is too old.
    """
    program = environment.get(SETTING, "node")
    try:
        finished = subprocess.run(
            [program, "--version"],
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=_SECONDS_TO_ANSWER,
            check=False,
        )
    except FileNotFoundError as error:
        raise MachineError(f"the stacks need Node.js, and {program!r} is not on this machine's PATH", _HINT) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(f"the stacks need Node.js, and {program!r} cannot be run: {error}", _HINT) from error
    version = _VERSION.fullmatch(finished.stdout.strip())
    if finished.returncode != 0 or version is None:
        raise MachineError(f"the stacks need Node.js, and {program!r} does not answer as Node.js does", _HINT)
    if int(version["major"]) < OLDEST_MAJOR_VERSION:
        raise MachineError(
            f"the stacks need Node.js {OLDEST_MAJOR_VERSION} or later, and {program!r} is {version[0]}", _HINT
        )
