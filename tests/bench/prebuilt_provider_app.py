"""The peer of our synthesis: the same resources, made with CDKTF's prebuilt AWS provider.

It runs in an environment of its own, where nothing of Keyturn is installed. The stack to make is read from
the JSON that our own synthesis wrote, so that both sides emit the same.

Usage: python prebuilt_provider_app.py OUR_STACK.json OUTPUT_FOLDER TENANT
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

CLASSES = {"aws_kms_key": "KmsKey", "aws_kms_alias": "KmsAlias", "aws_kms_grant": "KmsGrant"}


def main() -> None:
    """Synthesise the stack with the prebuilt provider."""
    stack_file, output_folder, tenant = sys.argv[1:]
    content = json.loads(Path(stack_file).read_text())
    cdktf = importlib.import_module("cdktf")
    prebuilt = "cdktf_cdktf_provider_aws"
    app = cdktf.App(outdir=output_folder)
    stack = cdktf.TerraformStack(app, tenant)
    provider = importlib.import_module(f"{prebuilt}.provider")
    provider.AwsProvider(stack, "aws", **content["provider"]["aws"][0])
    for terraform_type, resources in content["resource"].items():
        module = importlib.import_module(f"{prebuilt}.{terraform_type.removeprefix('aws_')}")
        for name, attributes in resources.items():
            getattr(module, CLASSES[terraform_type])(stack, f"{terraform_type}_{name}", **arguments(cdktf, attributes))
    for name, output in content["output"].items():
        cdktf.TerraformOutput(stack, name, **output)
    app.synth()


def arguments(cdktf: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    """A resource's JSON as the arguments of its class."""
    given = {name: value for name, value in attributes.items() if name != "//"}
    if "lifecycle" in given:
        given["lifecycle"] = cdktf.TerraformResourceLifecycle(**given["lifecycle"])
    return given


if __name__ == "__main__":
    main()
