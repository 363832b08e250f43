"""`python -m stacks`: the command that `cdktf.json` names as the application."""

from __future__ import annotations

import os
import sys

from stacks.app import main

sys.exit(main(os.environ))
