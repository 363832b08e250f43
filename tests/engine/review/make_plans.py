"""Makes the real plans that the tests in this folder read, with real Terraform and its AWS provider.

Run by hand, once for each change of the scenarios, against a local AWS stand-in that moto's server is:

    moto_server -p 5511 &
    python -m tests.engine.review.make_plans http://127.0.0.1:5511 [name …]

Terraform and the provider are found as the environment says (`TF_CLI_CONFIG_FILE` for a mirror). Each scenario
applies a starting configuration, does what happens outside Terraform, and plans the changed configuration; what
`terraform show -json` prints is written to `plans/NAME.json`, without the fields that differ from run to run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from collections.abc import Callable

PLANS = Path(__file__).with_name("plans")
CUSTOMER, VENDOR = "123456789012", "210987654321"

HEAD = """
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}
provider "aws" {
  region = "us-east-1"
}
"""

ROOT_STATEMENT = f"""{{
      Sid = "Enable IAM User Permissions", Effect = "Allow", Principal = {{ AWS = "arn:aws:iam::{CUSTOMER}:root" }},
      Action = "kms:*", Resource = "*"
    }}"""
VENDOR_STATEMENT = f"""{{
      Sid = "Allow use of the Key for Druva inSync", Effect = "Allow",
      Principal = {{ AWS = "arn:aws:iam::{VENDOR}:root" }},
      Action = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
      Resource = "*"
    }}"""
OPERATIONS = (
    '["Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", '
    '"GenerateDataKeyWithoutPlaintext", "DescribeKey"]'
)


def policy(*statements: str) -> str:
    return 'jsonencode({ Version = "2012-10-17", Statement = [' + ", ".join(statements) + "] })"


def key(number: int = 1, *, statements: tuple[str, ...] = (ROOT_STATEMENT, VENDOR_STATEMENT), more: str = "") -> str:
    return f"""
resource "aws_kms_key" "generation_{number}" {{
  description             = "Druva Enterprise Key Management: northwind"
  deletion_window_in_days = 30
  policy                  = {policy(*statements)}
  tags = {{
    "keyturn:tenant"     = "northwind"
    "keyturn:generation" = "{number}"
  }}
  {more}
}}
"""


def alias(number: int = 1, name: str = "alias/northwind-ekm") -> str:
    return f"""
resource "aws_kms_alias" "current" {{
  name          = "{name}"
  target_key_id = aws_kms_key.generation_{number}.key_id
}}
"""


def grant(number: int = 1, operations: str = OPERATIONS) -> str:
    return f"""
resource "aws_kms_grant" "generation_{number}_vendor" {{
  name              = "keyturn-northwind-{number}-vendor"
  key_id            = aws_kms_key.generation_{number}.key_id
  grantee_principal = "arn:aws:iam::{VENDOR}:root"
  operations        = {operations}
}}
"""


BASE = HEAD + key() + alias() + grant()
TWO = BASE + key(2) + grant(2)

MODULE = f"""
variable "name" {{
  type = string
}}
variable "vendor_account_id" {{
  type = string
}}
resource "aws_iam_role" "administrator" {{
  name               = "kms-${{var.name}}"
  assume_role_policy = jsonencode({{
    Version   = "2012-10-17"
    Statement = [{{
      Effect = "Allow", Principal = {{ AWS = "arn:aws:iam::{CUSTOMER}:root" }}, Action = "sts:AssumeRole"
    }}]
  }})
}}
data "aws_iam_policy_document" "key" {{
  statement {{
    sid       = "Root"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {{
      type        = "AWS"
      identifiers = ["arn:aws:iam::{CUSTOMER}:root"]
    }}
  }}
  statement {{
    sid       = "Administrator"
    actions   = ["kms:DescribeKey", "kms:PutKeyPolicy"]
    resources = ["*"]
    principals {{
      type        = "AWS"
      identifiers = [aws_iam_role.administrator.arn]
    }}
  }}
  statement {{
    sid       = "Vendor"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    resources = ["*"]
    principals {{
      type        = "AWS"
      identifiers = ["arn:aws:iam::${{var.vendor_account_id}}:root"]
    }}
  }}
}}
resource "aws_kms_key" "this" {{
  policy = data.aws_iam_policy_document.key.json
}}
resource "aws_kms_alias" "this" {{
  name          = "alias/${{var.name}}"
  target_key_id = aws_kms_key.this.arn
}}
output "key_arn" {{
  value = aws_kms_key.this.arn
}}
"""

MODULES = (
    HEAD
    + f"""
module "tenant" {{
  source            = "./tenant"
  for_each          = toset(["north", "south"])
  name              = each.key
  vendor_account_id = "{VENDOR}"
}}
resource "aws_kms_grant" "vendor" {{
  for_each          = toset(["north", "south"])
  key_id            = module.tenant[each.key].key_arn
  grantee_principal = "arn:aws:iam::{VENDOR}:root"
  operations        = ["Decrypt", "Encrypt"]
}}
resource "aws_kms_key" "counted" {{
  count = 2
}}
resource "aws_kms_key_policy" "counted" {{
  count  = 2
  key_id = aws_kms_key.counted[count.index].id
  policy = {policy(ROOT_STATEMENT, VENDOR_STATEMENT)}
}}
"""
)

SEPARATE = (
    HEAD
    + key(statements=()).replace("  policy                  = " + policy(), "")
    + f"""
resource "aws_kms_key_policy" "generation_1" {{
  key_id = aws_kms_key.generation_1.id
  policy = {policy(ROOT_STATEMENT, VENDOR_STATEMENT)}
}}
"""
)

EXTERNAL = (
    HEAD
    + f"""
resource "aws_kms_external_key" "imported" {{
  description         = "imported"
  key_material_base64 = "Y2FuYXJ5LW1hdGVyaWFsLWNhbmFyeS1tYXRlcmlhbC4="
  valid_to            = "2031-01-01T00:00:00Z"
  enabled             = true
  policy              = {policy(ROOT_STATEMENT, VENDOR_STATEMENT)}
}}
"""
)

MULTI_REGION = (
    HEAD
    + """
provider "aws" {
  alias  = "west"
  region = "us-west-2"
}
"""
    + key(more="multi_region = true")
    + f"""
resource "aws_kms_replica_key" "west" {{
  provider        = aws.west
  primary_key_arn = aws_kms_key.generation_1.arn
  policy          = {policy(ROOT_STATEMENT, VENDOR_STATEMENT)}
}}
"""
)


@dataclass(frozen=True)
class Scenario:
    """A starting configuration, what happens outside Terraform, and what is planned then."""

    start: str | None
    change: str | None
    arguments: tuple[str, ...] = ()
    outside: Callable[[Any], None] | None = None
    modules: tuple[str, str] | None = None
    edit_state: Callable[[dict[str, Any]], None] | None = None


def _only_key(kms: Any) -> str:
    live = [
        entry["KeyId"]
        for entry in kms.list_keys()["Keys"]
        if kms.describe_key(KeyId=entry["KeyId"])["KeyMetadata"]["KeyState"] == "Enabled"
    ]
    return str(live[0])


def schedule_deletion(kms: Any) -> None:
    kms.schedule_key_deletion(KeyId=_only_key(kms), PendingWindowInDays=30)


def disable(kms: Any) -> None:
    kms.disable_key(KeyId=_only_key(kms))


def root_only(kms: Any) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{CUSTOMER}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
    kms.put_key_policy(KeyId=_only_key(kms), PolicyName="default", Policy=json.dumps(document))


def depose(state: dict[str, Any]) -> None:
    """As after a create_before_destroy of which the destroy failed: a second object under a deposed key."""
    for resource in state["resources"]:
        if resource["type"] == "aws_kms_key":
            old = json.loads(json.dumps(resource["instances"][0]))
            old["deposed"] = "4e2a1f0c"
            resource["instances"].append(old)


FORGET = """
removed {
  from = aws_kms_key.generation_1
  lifecycle {
    destroy = false
  }
}
"""
MOVED = """
moved {
  from = aws_kms_key.generation_1
  to   = aws_kms_key.first
}
"""
FAILING = """
data "aws_kms_alias" "missing" {
  name = "alias/there-is-none"
}
"""
ALIAS_ON_TWO = TWO.replace("target_key_id = aws_kms_key.generation_1", "target_key_id = aws_kms_key.generation_2")
RENAMED = key().replace('"generation_1"', '"first"')
MOVED_CODE = (HEAD + RENAMED + MOVED + alias() + grant()).replace(
    "aws_kms_key.generation_1.key_id", "aws_kms_key.first.key_id"
)
CREATE_FIRST = "lifecycle {\n    create_before_destroy = true\n  }"

SCENARIOS: dict[str, Scenario] = {
    "first_deploy": Scenario(None, BASE),
    "no_changes": Scenario(BASE, None),
    "second_generation": Scenario(BASE, TWO),
    "generation_removed": Scenario(TWO, HEAD + alias(2) + key(2) + grant(2)),
    "everything_destroyed": Scenario(BASE, None, ("-destroy",)),
    "replaced": Scenario(BASE, HEAD + key(more="multi_region = true") + alias() + grant()),
    "replaced_create_first": Scenario(
        HEAD + key(more=CREATE_FIRST), HEAD + key(more="multi_region = true\n  " + CREATE_FIRST)
    ),
    "disabled": Scenario(BASE, HEAD + key(more="is_enabled = false") + alias() + grant()),
    "forgotten": Scenario(BASE, HEAD + FORGET),
    "lost_from_state": Scenario(BASE, None, outside=schedule_deletion),
    "lost_and_removed": Scenario(BASE, HEAD, outside=schedule_deletion),
    "vendor_statement_removed": Scenario(HEAD + key() + alias(), HEAD + key(statements=(ROOT_STATEMENT,)) + alias()),
    "statement_renamed": Scenario(
        BASE,
        HEAD
        + key(statements=(VENDOR_STATEMENT.replace("Allow use of the Key for Druva inSync", "Druva"), ROOT_STATEMENT))
        + alias()
        + grant(),
    ),
    "separate_policy_destroyed": Scenario(SEPARATE, SEPARATE.split('\nresource "aws_kms_key_policy"', maxsplit=1)[0]),
    "grant_removed": Scenario(BASE, HEAD + key() + alias()),
    "grant_narrowed": Scenario(
        HEAD + key(statements=(ROOT_STATEMENT,)) + grant(),
        HEAD + key(statements=(ROOT_STATEMENT,)) + grant(operations='["Encrypt", "DescribeKey"]'),
    ),
    "alias_forward": Scenario(TWO, ALIAS_ON_TWO),
    "alias_back": Scenario(ALIAS_ON_TWO, TWO),
    "alias_to_new_key": Scenario(BASE, HEAD + key() + grant() + key(2) + grant(2) + alias(2)),
    "alias_renamed": Scenario(BASE, HEAD + key() + alias(name="alias/other") + grant()),
    "alias_removed": Scenario(BASE, HEAD + key() + grant()),
    "refresh_only_disabled": Scenario(BASE, None, ("-refresh-only",), outside=disable),
    "disabled_outside": Scenario(BASE, None, outside=disable),
    "policy_changed_outside": Scenario(BASE, None, outside=root_only),
    "targeted": Scenario(TWO, HEAD + key(2) + grant(2) + alias(2), ("-target=aws_kms_grant.generation_2_vendor",)),
    "errored": Scenario(BASE, BASE + FAILING),
    "moved": Scenario(BASE, MOVED_CODE),
    "modules": Scenario(None, MODULES, modules=(MODULE, MODULE)),
    "modules_policy_rewritten": Scenario(
        MODULES, MODULES, modules=(MODULE, MODULE.replace('"kms-$', '"kms-renamed-$'))
    ),
    "external_key": Scenario(None, EXTERNAL),
    "replica_removed": Scenario(MULTI_REGION, MULTI_REGION.split('\nresource "aws_kms_replica_key"', maxsplit=1)[0]),
    "deposed": Scenario(BASE, None, edit_state=depose),
}


class Workspace:
    """A folder of its own with its own account's worth of state; Terraform runs in it."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }

    def write(self, configuration: str, module: str | None) -> None:
        (self.folder / "main.tf").write_text(configuration, encoding="utf-8")
        if module is not None:
            (self.folder / "tenant").mkdir(exist_ok=True)
            (self.folder / "tenant" / "main.tf").write_text(module, encoding="utf-8")

    def terraform(self, *arguments: str, may_fail: bool = False) -> str:
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 and not may_fail:
            raise SystemExit(f"terraform {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout


def make(name: str, scenario: Scenario, endpoint: str) -> Path:
    """Make one scenario's plan."""
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")
    kms = session.client("kms", endpoint_url=endpoint, region_name="us-east-1")
    with tempfile.TemporaryDirectory() as temporary:
        workspace = Workspace(Path(temporary), endpoint)
        before, after = scenario.modules or (None, None)
        configuration = scenario.start or scenario.change or ""
        workspace.write(configuration, before)
        workspace.terraform("init", "-input=false", "-no-color")
        if scenario.start is not None:
            workspace.terraform("apply", "-auto-approve", "-input=false", "-no-color")
        if scenario.outside is not None:
            scenario.outside(kms)
        if scenario.edit_state is not None:
            path = workspace.folder / "terraform.tfstate"
            state = json.loads(path.read_text(encoding="utf-8"))
            scenario.edit_state(state)
            path.write_text(json.dumps(state), encoding="utf-8")
        if scenario.change is not None:
            workspace.write(scenario.change, after)
            workspace.terraform("init", "-input=false", "-no-color")
        workspace.terraform("plan", "-input=false", "-no-color", "-out=plan", *scenario.arguments, may_fail=True)
        plan = json.loads(workspace.terraform("show", "-json", "plan"))
    plan["timestamp"] = "2030-01-01T00:00:00Z"
    target = PLANS / f"{name}.json"
    target.write_text(json.dumps(plan, separators=(",", ":")) + "\n", encoding="utf-8")
    return target


def _reset(endpoint: str) -> None:
    request = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")  # noqa: S310 - a local address
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        answer.read()


def main() -> None:
    """Make the named scenarios' plans, or all of them."""
    endpoint, *names = sys.argv[1:]
    if shutil.which("terraform") is None:
        raise SystemExit("terraform is not on PATH")
    from tests.engine.review.more_scenarios import MORE

    PLANS.mkdir(exist_ok=True)
    for name, scenario in (SCENARIOS | MORE).items():
        if not names or name in names:
            _reset(endpoint)
            target = make(name, scenario, endpoint)
            print(f"{name}: {target.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
