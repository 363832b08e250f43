from __future__ import annotations

import subprocess
import sys


def test_the_evaluator_is_imported_without_what_is_slow() -> None:
    heavy = ("boto3", "botocore", "yaml", "jsonschema_rs", "rich", "click", "cryptography", "moto", "asyncio", "http")
    code = f"import sys, engine.access; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
