"""Who gets personal mails: e-mail subscriptions of the personal topic, each filtered by its own address.

Never by a name, which approvers of two groups may share. Any other filter could let somebody read other people's links,
so it is mended, or said.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.policy import Approver, filter_of, mailbox_of

PENDING = "PendingConfirmation"
"""What SNS lists in place of the ARN until the reader has followed the link in AWS's mail."""


@dataclass(frozen=True)
class Subscription:
    """Where mails go that may be other people's."""

    address: str
    arn: str


@dataclass(frozen=True)
class Others:
    """What else is subscribed: addresses whose filter was mended, and subscriptions that may get other people's mails."""

    mended: tuple[str, ...]
    sharing: tuple[Subscription, ...]


@dataclass(frozen=True)
class Subscribed:
    """What was done for an address of a policy: `change` is `new`, `changed` or `unchanged`."""

    address: str
    names: tuple[str, ...]
    change: str
    confirmed: bool


def subscribe(sns: Any, topic_arn: str, approvers: Iterable[Approver]) -> list[Subscribed]:
    """See that every approver with an e-mail gets the mails to that address, and no others."""
    mailed = {mailbox_of(one["Endpoint"]): one for one in _listed(sns, topic_arn) if one["Protocol"] == "email"}
    done = []
    for approver in approvers:
        if approver.email:
            known = mailed.get(approver.mailbox)
            done.append(_mend(sns, topic_arn, approver, known) if known else _subscribe_new(sns, topic_arn, approver))
    return done


def mend_others(sns: Any, topic_arn: str) -> Others:
    """Mend the e-mail subscriptions that an earlier version filtered by name; every other one that is not as it should is told."""
    mended, sharing = [], []
    for one in _listed(sns, topic_arn):
        address, arn = one["Endpoint"], one["SubscriptionArn"]
        present = filter_of(address) if arn == PENDING else _filter_in(_attributes(sns, arn))
        if set(present) == {"approver"} and one["Protocol"].startswith("email"):
            _set_filter(sns, arn, address)
            mended.append(address)
        elif present != filter_of(address):
            sharing.append(Subscription(address, arn))
    return Others(tuple(mended), tuple(sharing))


def _listed(sns: Any, topic_arn: str) -> list[dict[str, str]]:
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    listed = [one for page in pages for one in page["Subscriptions"]]
    # One that its reader has ended is listed for days, as `Deleted`.
    return [one for one in listed if one["SubscriptionArn"] == PENDING or one["SubscriptionArn"].startswith("arn:")]


def _subscribe_new(sns: Any, topic_arn: str, approver: Approver) -> Subscribed:
    address = str(approver.email)
    answer = sns.subscribe(
        TopicArn=topic_arn,
        Protocol="email",
        Endpoint=address,
        Attributes={"FilterPolicy": json.dumps(filter_of(address))},
        ReturnSubscriptionArn=True,
    )
    return Subscribed(address, (approver.name,), "new", _is_confirmed(_attributes(sns, answer["SubscriptionArn"])))


def _mend(sns: Any, topic_arn: str, approver: Approver, known: dict[str, str]) -> Subscribed:
    address, arn = known["Endpoint"], known["SubscriptionArn"]
    if arn == PENDING:
        # Subscribing again gives the ARN, and the reader another mail to confirm with.
        answer = sns.subscribe(TopicArn=topic_arn, Protocol="email", Endpoint=address, ReturnSubscriptionArn=True)
        arn = answer["SubscriptionArn"]
    attributes = _attributes(sns, arn)
    as_it_should = _filter_in(attributes) == filter_of(address)
    if not as_it_should:
        _set_filter(sns, arn, address)
    return Subscribed(address, (approver.name,), "unchanged" if as_it_should else "changed", _is_confirmed(attributes))


def _set_filter(sns: Any, arn: str, address: str) -> None:
    sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=json.dumps(filter_of(address))
    )


def _filter_in(attributes: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(attributes.get("FilterPolicy") or "{}")
    return found


def _attributes(sns: Any, arn: str) -> dict[str, str]:
    attributes: dict[str, str] = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    return attributes


def _is_confirmed(attributes: dict[str, str]) -> bool:
    return attributes.get("PendingConfirmation", "false") == "false"
