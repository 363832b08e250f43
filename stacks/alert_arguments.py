"""Arguments of the resources that tell of threats to the keys, named and typed as the provider has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.rendering import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicArguments:
    """Arguments of `aws_sns_topic`."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPolicyArguments:
    """Arguments of `aws_sns_topic_policy`; the policy names the topic that is yet to be made."""

    arn: Reference
    policy: Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionArguments:
    """Arguments of `aws_sns_topic_subscription`."""

    topic_arn: Reference
    protocol: str
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRuleArguments:
    """Arguments of `aws_cloudwatch_event_rule`; the pattern names keys that are yet to be made."""

    name: str
    description: str
    event_pattern: Reference
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTargetArguments:
    """Arguments of `aws_cloudwatch_event_target`."""

    rule: Reference
    arn: Reference
    target_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The block `metric` of a metric query."""

    namespace: str
    metric_name: str
    dimensions: Mapping[str, Reference | str]
    period: int
    stat: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricQuery:
    """The block `metric_query` of an alarm: a metric, or an expression over others."""

    id: str
    return_data: bool
    expression: str | None = None
    label: str | None = None
    metric: tuple[Metric, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricAlarmArguments:
    """Arguments of `aws_cloudwatch_metric_alarm`."""

    alarm_name: str
    alarm_description: str
    comparison_operator: str
    threshold: int
    evaluation_periods: int
    treat_missing_data: str
    alarm_actions: tuple[Reference, ...]
    ok_actions: tuple[Reference, ...]
    metric_query: tuple[MetricQuery, ...]


ALERT_TYPES: Mapping[str, type] = {
    "aws_sns_topic": TopicArguments,
    "aws_sns_topic_policy": TopicPolicyArguments,
    "aws_sns_topic_subscription": SubscriptionArguments,
    "aws_cloudwatch_event_rule": EventRuleArguments,
    "aws_cloudwatch_event_target": EventTargetArguments,
    "aws_cloudwatch_metric_alarm": MetricAlarmArguments,
}
