"""Write `docs/workflows.md` to standard output."""

from __future__ import annotations

import sys

from engine.catalogue.page import workflows_page

sys.stdout.write(workflows_page())
