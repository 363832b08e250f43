"""The review of a Terraform plan: whether it can cost the company its backups, why, and what to do instead.

plan reader → custody before and after → events → rules (data, in `policies/`) → findings → report.

`review_plan` judges a plan's bytes by a declaration; `render_text` and `render_json` show the report. Nothing here
imports boto3 or jsii, reads a file but the rules, or prints.
"""

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
