"""Events are hints of any shape; what is not understood is ignored with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lockkeeper.domain.accounts import Accounts
from lockkeeper.domain.events import AlarmHint, DeadlineHint, EndpointHint, Unusable, wait_hint
from lockkeeper.domain.model_package import PackageName
from lockkeeper.domain.registration import (
    STAMP,
    Ignore,
    PackageHint,
    Start,
    decide_on_package,
    name_of,
    package_hint,
)

from tests.unit.harbour import alarm_event, endpoint_event, package_arn, package_event

ACCOUNT = "111111111111"
ACCOUNTS = Accounts(hub=ACCOUNT, registry=ACCOUNT, staging=ACCOUNT, production=ACCOUNT)
ELSEWHERE = "222222222222"
ENDPOINT_ARN = f"arn:aws:sagemaker:eu-central-1:{ACCOUNT}:endpoint/Wages"
ALARM_ARN = f"arn:aws:cloudwatch:eu-central-1:{ACCOUNT}:alarm:errors"
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from([ACCOUNT, ENDPOINT_ARN, ALARM_ARN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from(
    [
        "SageMaker Endpoint State Change",
        "SageMaker Endpoint Deployment State Change",
        "SageMaker Model Package State Change",
        "CloudWatch Alarm State Change",
    ]
)
DETAILS = ANY | st.fixed_dictionaries(
    {},
    optional={
        "EndpointArn": ANY,
        "EndpointStatus": ANY,
        "state": ANY | st.fixed_dictionaries({"value": ANY}),
        "ModelPackageArn": ANY,
        "UpdatedModelPackageFields": ANY,
    },
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "source": ANY | st.sampled_from(["aws.sagemaker", "aws.cloudwatch"]),
        "detail-type": ANY | KINDS,
        "account": ANY | st.just(ACCOUNT),
        "region": ANY,
        "resources": ANY,
        "detail": DETAILS,
        "deadline": ANY,
    },
)


@settings(max_examples=300)
@given(EVENTS | st.dictionaries(st.text(max_size=8), ANY, max_size=4))
def test_no_event_raises(event: dict[str, Any]) -> None:
    assert isinstance(wait_hint(event, ACCOUNTS), EndpointHint | AlarmHint | DeadlineHint | Unusable)
    hint = package_hint(event)
    if isinstance(hint, PackageHint):
        assert isinstance(name_of(hint, ACCOUNTS), PackageName | Ignore)


def test_an_endpoint_event_hints_at_its_endpoint_in_lower_case() -> None:
    assert wait_hint(endpoint_event(ENDPOINT_ARN), ACCOUNTS) == EndpointHint(ENDPOINT_ARN.lower())


def test_an_alarm_hints_only_when_it_is_in_alarm() -> None:
    assert wait_hint(alarm_event(ALARM_ARN), ACCOUNTS) == AlarmHint(ALARM_ARN)
    assert wait_hint(alarm_event(ALARM_ARN, "OK"), ACCOUNTS) == Unusable("the alarm is 'OK'")


@pytest.mark.parametrize("event", [endpoint_event(ENDPOINT_ARN), alarm_event(ALARM_ARN)])
def test_events_from_elsewhere_or_about_elsewhere_are_unusable(event: dict[str, Any]) -> None:
    moved = replace(ACCOUNTS, staging=ELSEWHERE, production=ELSEWHERE)
    assert "not one whose endpoints and alarms count" in wait_hint(event, moved).reason  # type: ignore[union-attr]
    forged = {**event, "account": ELSEWHERE}
    assert "about another account" in wait_hint(forged, replace(ACCOUNTS, staging=ELSEWHERE)).reason  # type: ignore[union-attr]


def test_a_deadline_is_ours_only_without_a_source() -> None:
    deadline = {"deadline": {"release_id": "wages-v1-a1", "state": "WatchProduction"}}
    assert wait_hint(deadline, ACCOUNTS) == DeadlineHint("wages-v1-a1", "WatchProduction")
    assert isinstance(wait_hint({**deadline, "source": "somebody"}, ACCOUNTS), Unusable)


def test_a_registration_in_another_account_than_the_registry_is_ignored() -> None:
    hint = package_hint(package_event(3))
    assert isinstance(hint, PackageHint)
    found = name_of(hint, replace(ACCOUNTS, registry=ELSEWHERE))
    assert isinstance(found, Ignore)
    assert "is not the registry" in found.reason


def hinted() -> tuple[PackageHint, PackageName]:
    hint = package_hint(package_event(3))
    assert isinstance(hint, PackageHint)
    name = name_of(hint, ACCOUNTS)
    assert isinstance(name, PackageName)
    return hint, name


def decision(existing: str | None = None, champion: int | None = None, **described: Any) -> Start | Ignore:
    description = {
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {"Containers": [{"Image": "repository:tag"}]},
        **described,
    }
    return decide_on_package(*hinted(), description, existing, champion)


@pytest.mark.parametrize("status", ["PendingManualApproval", "Approved"])
def test_a_completed_version_starts_a_release_whatever_its_creator_says(status: str) -> None:
    assert decision(ModelApprovalStatus=status) == Start("wages-v3-a1", hinted()[1])


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"existing": "wages-v3-a1"}, "already has release wages-v3-a1"),
        ({"CustomerMetadataProperties": {STAMP: "wages-v3-a1"}}, "was stamped by a release"),
        ({"CustomerMetadataProperties": {STAMP: "wages-v3-a12"}}, "was stamped by a release"),
        ({"ModelPackageStatus": "Pending"}, "is Pending"),
        ({"ModelPackageStatus": "Failed"}, "is Failed"),
        ({"ModelApprovalStatus": "Rejected"}, "Rejected in the registry"),
        ({"champion": 4}, "older than version 4"),
        ({"InferenceSpecification": None}, "has no container yet"),
        ({"InferenceSpecification": {"Containers": []}}, "has no container yet"),
    ],
)
def test_a_version_is_ignored_with_the_reason(facts: dict[str, Any], said: str) -> None:
    ignored = decision(**facts)
    assert isinstance(ignored, Ignore)
    assert said in ignored.reason


@pytest.mark.parametrize(
    "copied",
    [
        "wages-v2-a1",
        "wages-v33-a1",
        "rents-v3-a1",
        "wages-v3-v3-a1",
        "wages-v3",
        "wages-v3-a",
        "wages-v3-a01",
        "a1",
        "",
        pytest.param(f"wages-v3-a{'9' * 5000}", id="too many digits"),
    ],
)
def test_a_stamp_that_was_copied_from_another_version_stops_no_release(copied: str) -> None:
    assert isinstance(decision(CustomerMetadataProperties={STAMP: copied}), Start)


def test_a_stamp_is_told_apart_in_a_group_that_is_named_like_a_release() -> None:
    name = replace(hinted()[1], group="wages-v3", version=1)
    described = {"ModelPackageStatus": "Completed", "InferenceSpecification": {"Containers": [{}]}}
    for stamp, counts in (("wages-v3-v1-a1", True), ("wages-v3-a1", False), ("wages-v1-a1", False)):
        found = decide_on_package(
            hinted()[0], name, {**described, "CustomerMetadataProperties": {STAMP: stamp}}, None, None
        )
        assert isinstance(found, Ignore) is counts


def test_a_version_that_is_gone_is_ignored() -> None:
    assert decide_on_package(*hinted(), None, None, None) == Ignore(f"{package_arn(3)} is not in the registry")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"account": ELSEWHERE}, "about another place"),
        ({"region": "us-east-1"}, "about another place"),
        ({"detail": {"ModelPackageArn": package_arn(3).rsplit("/", 1)[0]}}, "not a versioned model package"),
        ({"detail": {"ModelPackageArn": 3}}, "names no ModelPackageArn"),
        ({"source": "somebody"}, "not a model package event"),
    ],
)
def test_a_registration_from_elsewhere_is_ignored(changes: dict[str, Any], said: str) -> None:
    hint = package_hint({**package_event(3), **changes})
    found = hint if isinstance(hint, Ignore) else name_of(hint, ACCOUNTS)
    assert isinstance(found, Ignore)
    assert said in found.reason
