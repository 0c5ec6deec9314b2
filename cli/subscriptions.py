"""Who gets personal mails: e-mail subscriptions of the personal topic, each filtered by the names it may read.

A filter that is not a plain list of approvers could let somebody read other people's links, so such a filter is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.policy import Approver

PENDING = "PendingConfirmation"
"""What SNS lists in place of the ARN until the reader has followed the link in AWS's mail."""


@dataclass(frozen=True)
class Subscription:
    """An address and the approvers whose mails it gets; `names` is None where the filter does not say it plainly."""

    address: str
    arn: str
    names: frozenset[str] | None


@dataclass(frozen=True)
class Subscribed:
    """What was done for an address of a policy: `change` is `new`, `changed` or `unchanged`."""

    address: str
    names: frozenset[str]
    change: str
    confirmed: bool


def subscribe(sns: Any, topic_arn: str, approvers: Iterable[Approver]) -> list[Subscribed]:
    """See that every approver with an e-mail gets the mails in their name. Names that an address has already stay."""
    mailed = {one["Endpoint"].casefold(): one for one in _listed(sns, topic_arn) if one["Protocol"] == "email"}
    done = []
    for address, names in _names_by_address(approvers).items():
        known = mailed.get(address.casefold())
        if known is None:
            done.append(_subscribe_new(sns, topic_arn, address, names))
        else:
            done.append(_widen(sns, topic_arn, known["Endpoint"], known["SubscriptionArn"], names))
    return done


def other_subscriptions(sns: Any, topic_arn: str, approvers: Iterable[Approver]) -> list[Subscription]:
    """The confirmed subscriptions of everybody (and everything) else, with what their filters let through."""
    own = {address.casefold() for address in _names_by_address(approvers)}
    return [
        Subscription(one["Endpoint"], one["SubscriptionArn"], _filtered_names(sns, one["SubscriptionArn"]))
        for one in _listed(sns, topic_arn)
        if (one["Protocol"] != "email" or one["Endpoint"].casefold() not in own) and one["SubscriptionArn"] != PENDING
    ]


def _names_by_address(approvers: Iterable[Approver]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for approver in approvers:
        if approver.email:
            known = next((address for address in found if address.casefold() == approver.email.casefold()), None)
            address = known or approver.email
            found[address] = found.get(address, frozenset()) | {approver.name}
    return found


def _listed(sns: Any, topic_arn: str) -> list[dict[str, str]]:
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    return [one for page in pages for one in page["Subscriptions"]]


def _subscribe_new(sns: Any, topic_arn: str, address: str, names: frozenset[str]) -> Subscribed:
    answer = sns.subscribe(
        TopicArn=topic_arn,
        Protocol="email",
        Endpoint=address,
        Attributes={"FilterPolicy": _filter_for(names)},
        ReturnSubscriptionArn=True,
    )
    return Subscribed(address, names, "new", _is_confirmed(_attributes(sns, answer["SubscriptionArn"])))


def _widen(sns: Any, topic_arn: str, address: str, arn: str, names: frozenset[str]) -> Subscribed:
    if arn == PENDING:
        # Subscribing again gives the ARN, and the reader another mail to confirm with.
        answer = sns.subscribe(TopicArn=topic_arn, Protocol="email", Endpoint=address, ReturnSubscriptionArn=True)
        arn = answer["SubscriptionArn"]
    attributes = _attributes(sns, arn)
    present = _names_in(attributes.get("FilterPolicy", ""))
    wanted = names | (present or frozenset())
    if wanted != present:
        sns.set_subscription_attributes(
            SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=_filter_for(wanted)
        )
    return Subscribed(address, wanted, "unchanged" if wanted == present else "changed", _is_confirmed(attributes))


def _filter_for(names: frozenset[str]) -> str:
    return json.dumps({"approver": sorted(names)})


def _filtered_names(sns: Any, arn: str) -> frozenset[str] | None:
    return _names_in(_attributes(sns, arn).get("FilterPolicy", ""))


def _names_in(filter_policy: str) -> frozenset[str] | None:
    document = json.loads(filter_policy) if filter_policy else {}
    names = document.get("approver")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return frozenset(names)


def _attributes(sns: Any, arn: str) -> dict[str, str]:
    attributes: dict[str, str] = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    return attributes


def _is_confirmed(attributes: dict[str, str]) -> bool:
    return attributes.get("PendingConfirmation", "false") == "false"
