"""Every import from CDKTF, in one place.

Moving to another release, or to CDK Terrain, is a change of this module. It is imported only by what
builds stacks: the base install has no CDKTF.

- CDKTF's library runs in a Node.js process that starts with the import. What is missing of the two, or
  cannot be started, ends in an error of ours.
- That process prints a banner about the age of Node.js on every start; it says nothing about a stack, so
  it is silenced unless the user decided otherwise.
- Node.js reads the certificates that `NODE_EXTRA_CA_CERTS` names on every start, which takes longer than the start
  itself. CDKTF's process calls nobody, so it is started without.
- Where that process fails or ends, what arrives here is an exception of Python's own; it becomes an error of ours.
- An error annotation ends a synthesis here, always: the command line's wish to go on is taken out of the
  environment, so that what a guard refuses is never written.
"""

from __future__ import annotations

import os
import sys
from json import JSONDecodeError
from typing import TYPE_CHECKING

from engine.errors import MachineError
from stacks.node import require_node

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

# The first lists the major versions to be silent about, the others take any value.
_SILENCED_BANNERS = {
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": ",".join(str(major) for major in range(14, 61)),
    "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_KNOWN_BROKEN_NODE_VERSION": "1",
}
_CERTIFICATES = "NODE_EXTRA_CA_CERTS"
_GO_ON_AFTER_ERRORS = "CDKTF_CONTINUE_SYNTH_ON_ERROR_ANNOTATIONS"
# What jsii finds of a process that has ended: its input is closed, or its answer is empty.
_ENDED = (BrokenPipeError, JSONDecodeError)
FAILURES_OF_CDKTF = (RuntimeError, *_ENDED)


def failure_of_cdktf(error: Exception) -> MachineError:
    """One of `FAILURES_OF_CDKTF` in one line of ours."""
    if isinstance(error, _ENDED):
        _let_go_silently()
        return MachineError(
            "CDKTF's process in Node.js ended before the stacks were written",
            "somebody ended it, or this machine ran out of memory",
        )
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), "it gave no reason")
    return MachineError(f"CDKTF could not write the stacks: {reason.removeprefix('Error: ')}")


def _let_go_silently() -> None:
    """As Python exits, jsii takes leave of its process; where that has gone, this would end in a traceback."""
    before = sys.unraisablehook

    def tell(what: UnraisableHookArgs) -> None:
        if not isinstance(what.exc_value, BrokenPipeError):
            before(what)

    sys.unraisablehook = tell


for _variable, _value in _SILENCED_BANNERS.items():
    os.environ.setdefault(_variable, _value)
os.environ.pop(_GO_ON_AFTER_ERRORS, None)

require_node(os.environ)

_certificates = os.environ.pop(_CERTIFICATES, None)
try:
    import jsii
    from cdktf import (
        Annotations,
        App,
        Aspects,
        Fn,
        IAspect,
        S3Backend,
        TerraformOutput,
        TerraformProvider,
        TerraformProviderGeneratorMetadata,
        TerraformResource,
        TerraformResourceLifecycle,
        TerraformStack,
    )
    from constructs import Construct, IConstruct
except ModuleNotFoundError as error:
    raise MachineError(
        f"the stacks need CDKTF, which is not installed (no module {error.name!r})",
        "install it with: pip install 'keyturn[stacks]'",
    ) from error
except _ENDED as error:
    raise failure_of_cdktf(error) from error
except Exception as error:
    # CDKTF's library reports what it cannot do on this machine as bare exceptions of many kinds.
    raise MachineError(f"CDKTF cannot be started: {error}") from error
finally:
    if _certificates is not None:
        os.environ[_CERTIFICATES] = _certificates

implements = jsii.implements

__all__ = [
    "FAILURES_OF_CDKTF",
    "Annotations",
    "App",
    "Aspects",
    "Construct",
    "Fn",
    "IAspect",
    "IConstruct",
    "S3Backend",
    "TerraformOutput",
    "TerraformProvider",
    "TerraformProviderGeneratorMetadata",
    "TerraformResource",
    "TerraformResourceLifecycle",
    "TerraformStack",
    "failure_of_cdktf",
    "implements",
]
