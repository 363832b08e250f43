"""The peer of our synthesis: the same resources, made with CDKTF's prebuilt AWS provider.

It runs in an environment of its own, where nothing of Keyturn is installed. The stacks to make are read from
the JSON that our own synthesis wrote, so that both sides emit the same.

Usage: python prebuilt_provider_app.py OUR_FOLDER OUTPUT_FOLDER
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

CLASSES = {"aws_kms_key": "KmsKey", "aws_kms_alias": "KmsAlias", "aws_kms_grant": "KmsGrant"}
PREBUILT = "cdktf_cdktf_provider_aws"


def main() -> None:
    """Synthesise the stacks with the prebuilt provider."""
    our_folder, output_folder = sys.argv[1:]
    cdktf = importlib.import_module("cdktf")
    app = cdktf.App(outdir=output_folder)
    for folder in sorted((Path(our_folder) / "stacks").iterdir()):
        make_stack(cdktf, app, folder.name, json.loads((folder / "cdk.tf.json").read_text()))
    app.synth()


def make_stack(cdktf: Any, app: Any, tenant: str, content: dict[str, Any]) -> None:
    """A stack with what the JSON of ours holds."""
    stack = cdktf.TerraformStack(app, tenant)
    provider = importlib.import_module(f"{PREBUILT}.provider")
    provider.AwsProvider(stack, "aws", **content["provider"]["aws"][0])
    for terraform_type, resources in content["resource"].items():
        module = importlib.import_module(f"{PREBUILT}.{terraform_type.removeprefix('aws_')}")
        for name, attributes in resources.items():
            getattr(module, CLASSES[terraform_type])(stack, f"{terraform_type}_{name}", **arguments(cdktf, attributes))
    for name, output in content["output"].items():
        cdktf.TerraformOutput(stack, name, **output)


def arguments(cdktf: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    """A resource's JSON as the arguments of its class."""
    given = {name: value for name, value in attributes.items() if name != "//"}
    if "lifecycle" in given:
        given["lifecycle"] = cdktf.TerraformResourceLifecycle(**given["lifecycle"])
    return given


if __name__ == "__main__":
    main()
