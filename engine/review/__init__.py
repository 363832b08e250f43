"""The review of a Terraform plan: whether it can cost the company its backups, why, and what to do instead.

plan reader → custody before and after → events → rules (data, in `policies/`) → findings → report.

`review_plan` judges a plan's bytes by a declaration; `render_text` and `render_json` show the report. Nothing here
imports boto3 or jsii, reads a file but the rules, or prints. Each name below is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.review.json_report import render_json
    from engine.review.proof import GenerationProof, RotationProof, Standing, proof_of
    from engine.review.report import Report, ReviewVerdict
    from engine.review.review import RuleSet, builtin_rules, review_plan
    from engine.review.text_report import render_text

__all__ = [
    "GenerationProof",
    "Report",
    "ReviewVerdict",
    "RotationProof",
    "RuleSet",
    "Standing",
    "builtin_rules",
    "proof_of",
    "render_json",
    "render_text",
    "review_plan",
]

_MODULES = {
    "json_report": ("render_json",),
    "proof": ("GenerationProof", "RotationProof", "Standing", "proof_of"),
    "report": ("Report", "ReviewVerdict"),
    "review": ("RuleSet", "builtin_rules", "review_plan"),
    "text_report": ("render_text",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
