"""Detective controls of one tenant: what threatens its keys is told by e-mail, as it happens.

The stack `TENANT-alerts` is there where `alerts` is declared. It listens to CloudTrail through EventBridge:

- `key_changed`: a key is disabled, scheduled for deletion, its policy, grants or material changed.
- `alias_changed`: the tenant's alias is deleted or pointed elsewhere.
- `vendor_denied`: Druva's account is denied a use of a key. Decrypt and its like are read-only events to
  CloudTrail, so this rule asks for all management events (Amazon EventBridge User Guide, "Read-only
  management events").
- `key_lost`: KMS itself deleted a key, or its imported material has expired.

And to CloudWatch: `key_unused`, when the current key had no successful use for the declared hours. KMS counts
them for each key and operation (AWS KMS Developer Guide, "Monitor KMS keys with Amazon CloudWatch").

The alarms tell of what has happened; they prevent nothing. CloudTrail has to be on in the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stacks.alert_arguments import (
    EventRuleArguments,
    EventTargetArguments,
    Metric,
    MetricAlarmArguments,
    MetricQuery,
    SubscriptionArguments,
    TopicArguments,
    TopicPolicyArguments,
)
from stacks.cdktf_imports import Fn, TerraformStack
from stacks.rendering import Reference
from stacks.resources import AwsProvider, AwsProviderArguments, Resource
from stacks.stack_names import alerts_stack
from stacks.state_backend import keep_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.declaration import Alerts, Declaration
    from stacks.cdktf_imports import App

CHANGES = (
    "DisableKey",
    "ScheduleKeyDeletion",
    "PutKeyPolicy",
    "RevokeGrant",
    "RetireGrant",
    "DeleteImportedKeyMaterial",
)
ALIAS_CHANGES = ("DeleteAlias", "UpdateAlias")
USES = ("Decrypt", "Encrypt", "GenerateDataKey", "ReEncrypt")
DENIALS = ("AccessDenied", "AccessDeniedException", "DisabledException", "KMSInvalidStateException")
_SECONDS_PER_HOUR = 3600
_ON, _ON_FOR_READS = "ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


class AlertStack(TerraformStack):
    """The detective controls of one tenant.

    Args:
        scope: The application.
        declaration: The tenant's declaration.
        alerts: Whom to tell, and when a key counts as unused.
        current: The ARN of its current key, or None where it is not known.
        key_arns: The ARNs of all its keys.
    """

    def __init__(
        self,
        scope: App,
        declaration: Declaration,
        alerts: Alerts,
        current: str | None,
        key_arns: Sequence[str],
    ) -> None:
        super().__init__(scope, alerts_stack(declaration.tenant))
        self._declaration = declaration
        account = declaration.account
        arguments = AwsProviderArguments(region=account.region, allowed_account_ids=(account.account_id,))
        self._provider = AwsProvider(self, arguments)
        keep_state(self, declaration)
        self.resources: list[Resource] = []
        self._topic = self._make_topic(alerts)
        api_call: dict[str, Any] = {"source": ["aws.kms"], "detail-type": ["AWS API Call via CloudTrail"]}
        keys = {"ARN": list(key_arns)}
        self._rule(
            "key_changed",
            "A key of the tenant was disabled, scheduled for deletion, or its policy, grants or material changed.",
            {**api_call, "detail": {"eventName": list(CHANGES), "resources": keys}},
        )
        self._rule(
            "alias_changed",
            "The alias of the tenant was deleted or pointed elsewhere.",
            {
                **api_call,
                "detail": {
                    "eventName": list(ALIAS_CHANGES),
                    "requestParameters": {"aliasName": [declaration.alias]},
                },
            },
        )
        self._rule(
            "vendor_denied",
            "Druva's account was denied a use of a key of the tenant.",
            {
                **api_call,
                "detail": {
                    "errorCode": list(DENIALS),
                    "userIdentity": {"accountId": [declaration.vendor.account_id]},
                    "resources": keys,
                },
            },
            _ON_FOR_READS,
        )
        self._rule(
            "key_lost",
            "A key of the tenant was deleted, or its imported key material has expired.",
            {
                "source": ["aws.kms"],
                "detail-type": ["KMS CMK Deletion", "KMS Imported Key Material Expiration"],
                "resources": list(key_arns),
            },
        )
        if current is not None:
            self._alarm(current, alerts.idle_hours)

    def _make_topic(self, alerts: Alerts) -> Reference:
        name = f"keyturn-{self._declaration.tenant}-alerts"
        topic = Resource(self, "alerts", "aws_sns_topic", TopicArguments(name=name))
        arn = topic.reference("arn")
        account = self._declaration.account
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Alarms and events of this account",
                    "Effect": "Allow",
                    "Principal": {"Service": ["events.amazonaws.com", "cloudwatch.amazonaws.com"]},
                    "Action": "sns:Publish",
                    "Resource": arn.token,
                    "Condition": {"StringEquals": {"aws:SourceAccount": account.account_id}},
                }
            ],
        }
        self.resources += [
            topic,
            Resource(
                self,
                "alerts_policy",
                "aws_sns_topic_policy",
                TopicPolicyArguments(arn=arn, policy=_encoded(policy)),
            ),
        ]
        for number, email in enumerate(alerts.emails, 1):
            arguments = SubscriptionArguments(topic_arn=arn, protocol="email", endpoint=email)
            self.resources.append(Resource(self, f"email_{number}", "aws_sns_topic_subscription", arguments))
        return arn

    def _rule(self, name: str, description: str, pattern: dict[str, Any], state: str = _ON) -> None:
        rule = Resource(
            self,
            name,
            "aws_cloudwatch_event_rule",
            EventRuleArguments(
                name=f"keyturn-{self._declaration.tenant}-{name.replace('_', '-')}",
                description=description,
                event_pattern=_encoded(pattern),
                state=state,
            ),
        )
        target = Resource(
            self,
            f"{name}_told",
            "aws_cloudwatch_event_target",
            EventTargetArguments(rule=rule.reference("name"), arn=self._topic, target_id="alerts"),
        )
        self.resources += [rule, target]

    def _alarm(self, key_arn: str, idle_hours: int) -> None:
        uses = [
            MetricQuery(
                id=operation.lower(),
                return_data=False,
                metric=(
                    Metric(
                        namespace="AWS/KMS",
                        metric_name="SuccessfulRequest",
                        dimensions={"KeyArn": Reference(key_arn), "Operation": operation},
                        period=_SECONDS_PER_HOUR,
                        stat="Sum",
                    ),
                ),
            )
            for operation in USES
        ]
        total = MetricQuery(
            id="uses",
            return_data=True,
            label="Successful uses",
            expression=" + ".join(f"FILL({operation.lower()}, 0)" for operation in USES),
        )
        self.resources.append(
            Resource(
                self,
                "key_unused",
                "aws_cloudwatch_metric_alarm",
                MetricAlarmArguments(
                    alarm_name=f"keyturn-{self._declaration.tenant}-key-unused",
                    alarm_description=f"The current key had no successful use for {idle_hours} hours: do backups run?",
                    comparison_operator="LessThanThreshold",
                    threshold=1,
                    evaluation_periods=idle_hours,
                    treat_missing_data="breaching",
                    alarm_actions=(self._topic,),
                    ok_actions=(self._topic,),
                    metric_query=(total, *uses),
                ),
            )
        )


def _encoded(document: dict[str, Any]) -> Reference:
    """A document with references in it, which Terraform writes as JSON once it knows them."""
    return Reference(Fn.jsonencode(document))
