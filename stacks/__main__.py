"""`python -m stacks`: the command that `cdktf.json` names as the application."""

from __future__ import annotations

import os
import sys

from stacks.app import main

if __name__ == "__main__":  # the processes of `stacks.many_tenants` read this file as well
    sys.exit(main(os.environ))
