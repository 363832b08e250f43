"""More scenarios for `make_plans`: policies in every form, repetition, moves, -replace, -target."""

from __future__ import annotations

from tests.engine.review.make_plans import (
    BASE,
    CUSTOMER,
    HEAD,
    MULTI_REGION,
    ROOT_STATEMENT,
    VENDOR,
    VENDOR_STATEMENT,
    Scenario,
    alias,
    grant,
    key,
    policy,
    root_only,
)

USE = '["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]'
ROLE = """
resource "aws_iam_role" "r" {
  name = "r"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}
"""
BOTH = policy(ROOT_STATEMENT, VENDOR_STATEMENT)
TAGS = 'tags = {\n    "keyturn:tenant"     = "northwind"\n    "keyturn:generation" = "1"\n  }'
BARE_KEY = f'resource "aws_kms_key" "generation_1" {{\n  deletion_window_in_days = 30\n  {TAGS}\n}}\n'


def statement_block(actions: str, principals: str, *, effect: str = "Allow", kind: str = "principals") -> str:
    return f"""
  statement {{
    effect    = "{effect}"
    actions   = {actions}
    resources = ["*"]
    {kind} {{
      type        = "AWS"
      identifiers = [{principals}]
    }}
  }}
"""


def from_document(*blocks: str) -> str:
    """A key of which the policy comes from a policy document, with the owner's statement and these."""
    owner = statement_block('["kms:*"]', f'"arn:aws:iam::{CUSTOMER}:root"')
    document = f'data "aws_iam_policy_document" "d" {{{owner}{"".join(blocks)}}}\n'
    variable = f'variable "vendor" {{\n  default = "arn:aws:iam::{VENDOR}:root"\n}}\n'
    return HEAD + variable + document + with_policy("data.aws_iam_policy_document.d.json")


def with_policy(text: str) -> str:
    return (
        f'resource "aws_kms_key" "generation_1" {{\n  policy = {text}\n  deletion_window_in_days = 30\n'
        f'  description = "Druva Enterprise Key Management: northwind"\n  {TAGS}\n}}\n'
    )


def denied(action: str, condition: str) -> str:
    statement = f'{{ Effect = "Deny", Principal = "*", Action = {action}, Resource = "*", Condition = {condition} }}'
    return HEAD + with_policy(policy(ROOT_STATEMENT, VENDOR_STATEMENT, statement))


def heredoc(vendor: str, actions: str = USE) -> str:
    return HEAD + with_policy(
        f"""<<EOT
{{"Statement": [
  {{"Effect": "Allow", "Principal": {{"AWS": {vendor}}}, "Action": {actions}, "Resource": "*"}},
  {{"Effect": "Allow", "Principal": {{"AWS": "{CUSTOMER}"}}, "Action": "kms:*", "Resource": "*"}}
], "Version": "2012-10-17"}}
EOT
"""
    )


def repeated(how: str) -> str:
    return HEAD + f'resource "aws_kms_key" "k" {{\n  {how}\n  policy = {BOTH}\n}}\n'


def in_module(name: str, more: str = "") -> str:
    return HEAD + f'module "{name}" {{\n  source = "./tenant"\n{more}}}\n'


def separate(text: str, key_id: str = "aws_kms_key.generation_1.id") -> str:
    return f'resource "aws_kms_key_policy" "p" {{\n  key_id = {key_id}\n  policy = {text}\n}}\n'


ONE_KEY = f'resource "aws_kms_key" "this" {{\n  policy = {BOTH}\n}}\n'
FOR_VENDOR = statement_block(USE, "var.vendor")
FOR_ROLE = statement_block('["kms:DescribeKey"]', "aws_iam_role.r.arn")
DENY_ALL_BUT = statement_block(
    '["kms:Decrypt"]', f'aws_iam_role.r.arn, "arn:aws:iam::{CUSTOMER}:root"', effect="Deny", kind="not_principals"
)
MODULE_MOVED = "moved {\n  from = module.a\n  to   = module.b\n}\n"
FORGET_POLICY = "removed {\n  from = aws_kms_key_policy.p\n  lifecycle {\n    destroy = false\n  }\n}\n"
ALIAS_DATA = 'data "aws_kms_alias" "x" {\n  name = "alias/northwind-ekm"\n}\n'
OWNER_KEY = HEAD + key(statements=(ROOT_STATEMENT,))
CONSTRAINT = 'constraints {\n    encryption_context_equals = {\n      a = "b"\n    }\n  }\n  operations        ='
REPLICA_POLICY = "policy          = "
WITH_BOTH = HEAD + with_policy(BOTH)

MORE: dict[str, Scenario] = {
    "doc_vendor_removed_known": Scenario(from_document(FOR_VENDOR), from_document()),
    "doc_vendor_removed_unknown": Scenario(from_document(FOR_VENDOR), from_document(FOR_ROLE) + ROLE),
    "doc_role_added": Scenario(from_document(FOR_VENDOR), from_document(FOR_VENDOR, FOR_ROLE) + ROLE),
    "doc_deny_added_unknown": Scenario(from_document(FOR_VENDOR), from_document(FOR_VENDOR, DENY_ALL_BUT) + ROLE),
    "doc_vendor_to_var_role": Scenario(
        from_document(FOR_VENDOR), from_document(statement_block(USE, "aws_iam_role.r.arn")) + ROLE
    ),
    "foreach_one_gone": Scenario(repeated('for_each = toset(["a", "b"])'), repeated('for_each = toset(["a"])')),
    "count_to_foreach": Scenario(repeated("count = 2"), repeated('for_each = toset(["a", "b"])')),
    "module_renamed": Scenario(in_module("a"), in_module("b"), modules=(ONE_KEY, ONE_KEY)),
    "module_moved": Scenario(in_module("a"), in_module("b") + MODULE_MOVED, modules=(ONE_KEY, ONE_KEY)),
    "module_count_added": Scenario(in_module("a"), in_module("a", "  count = 1\n"), modules=(ONE_KEY, ONE_KEY)),
    "deny_org": Scenario(WITH_BOTH, denied('"kms:*"', '{ StringNotEquals = { "aws:PrincipalOrgID" = "o-abc" } }')),
    "deny_mfa": Scenario(
        WITH_BOTH, denied('"kms:Decrypt"', '{ BoolIfExists = { "aws:MultiFactorAuthPresent" = "false" } }')
    ),
    "deny_transport": Scenario(WITH_BOTH, denied('"kms:*"', '{ Bool = { "aws:SecureTransport" = "false" } }')),
    "vendor_heredoc_role": Scenario(WITH_BOTH, heredoc(f'"arn:aws:iam::{VENDOR}:role/other"')),
    "vendor_respelled": Scenario(WITH_BOTH, heredoc(f'["{VENDOR}"]', USE.replace("kms:Encrypt", "kms:encrypt"))),
    "kp_by_alias_data": Scenario(
        WITH_BOTH + alias(),
        WITH_BOTH + alias() + ALIAS_DATA + separate(policy(ROOT_STATEMENT), "data.aws_kms_alias.x.target_key_id"),
    ),
    "kp_to_new_key": Scenario(
        HEAD + BARE_KEY + separate(BOTH),
        HEAD + BARE_KEY + 'resource "aws_kms_key" "n" {\n}\n' + separate(BOTH, "aws_kms_key.n.id"),
    ),
    "kp_merged": Scenario(HEAD + BARE_KEY + separate(BOTH), WITH_BOTH + FORGET_POLICY),
    "refresh_only_policy": Scenario(WITH_BOTH, None, ("-refresh-only",), outside=root_only),
    "replace_flag": Scenario(BASE, None, ("-replace=aws_kms_key.generation_1",)),
    "target_destroy": Scenario(BASE, None, ("-destroy", "-target=aws_kms_grant.generation_1_vendor")),
    "target_destroy_key": Scenario(BASE, None, ("-destroy", "-target=aws_kms_key.generation_1")),
    "grant_constraint": Scenario(OWNER_KEY + grant(), OWNER_KEY + grant().replace("operations        =", CONSTRAINT)),
    "grant_other_account": Scenario(OWNER_KEY + grant(), OWNER_KEY + grant().replace(VENDOR, "345678901234")),
    "replica_policy": Scenario(
        MULTI_REGION, MULTI_REGION.replace(REPLICA_POLICY + BOTH, REPLICA_POLICY + policy(ROOT_STATEMENT))
    ),
}
