"""Two people change one version in the registry, and the events of that come in any order, twice, with times of any spelling."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lockkeeper.domain.errors import TryAgain
from lockkeeper.domain.registration import package_hint
from lockkeeper.domain.registry_status import PENDING
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.react_to_registry import react_to_registry

from tests.unit.harbour import Harbour, package_arn, package_event
from tests.unit.test_decisions_in_registry import ADA, SESSION, registry_status

MALLORY = {"IamIdentity": {"Arn": SESSION.format("Mallory")}}
EVE = {"IamIdentity": {"Arn": SESSION.format("Eve")}}
Change = tuple[dict[str, Any], str]
"""Who writes what; an empty status is another description."""

NOTHING, APPROVED, REJECTED = (
    (Status.AWAITING_APPROVAL, [], PENDING),
    (Status.BAKING, ["Ada"], PENDING),
    (Status.REJECTED, ["Ada"], "Rejected"),
)
"""What becomes of the release, who has decided on it, and what the registry says."""

CHANGES: dict[str, tuple[Change, Change, Any]] = {
    # who is no approver, then an approver: hers is a decision
    "Approved, Ada Rejected": ((MALLORY, "Approved"), (ADA, "Rejected"), REJECTED),
    "Approved, Ada Approved": ((MALLORY, "Approved"), (ADA, "Approved"), APPROVED),
    "Rejected, Ada Approved": ((MALLORY, "Rejected"), (ADA, "Approved"), APPROVED),
    "Rejected, Ada Rejected": ((MALLORY, "Rejected"), (ADA, "Rejected"), REJECTED),
    # an approver who corrects a description has decided nothing, and keeps nothing up
    "Approved, Ada describes": ((MALLORY, "Approved"), (ADA, ""), NOTHING),
    "Rejected, Ada describes": ((MALLORY, "Rejected"), (ADA, ""), NOTHING),
    # the last word is one of somebody who is no approver: nothing of it stays
    "Ada Approved, Approved": ((ADA, "Approved"), (MALLORY, "Approved"), NOTHING),
    "Ada Rejected, Approved": ((ADA, "Rejected"), (MALLORY, "Approved"), NOTHING),
    "Ada Approved, Rejected": ((ADA, "Approved"), (MALLORY, "Rejected"), NOTHING),
    "Rejected, another Approved": ((MALLORY, "Rejected"), (EVE, "Approved"), NOTHING),
    "Approved, another Approved": ((MALLORY, "Approved"), (EVE, "Approved"), NOTHING),
    "Approved, another describes": ((MALLORY, "Approved"), (EVE, ""), NOTHING),
}
ORDERS = ("12", "21", "1122", "2211", "1212", "2121", "121", "212", "1221", "2112")
APART = [(name, after) for name, (_, second, _) in CHANGES.items() for after in (0, 1) if after or second[1]]
"""Who describes in the very second in which another sets the status is taken for that other."""
TIMES: dict[str, Callable[[datetime], Any]] = {
    "ISO 8601": lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "milliseconds": lambda time: int(time.timestamp() * 1000),
    "milliseconds in a text": lambda time: str(int(time.timestamp() * 1000)),
    "seconds": lambda time: time.timestamp(),
    "none": lambda _time: None,
}


def write(harbour: Harbour, change: Change, spelt: Callable[[datetime], Any] = TIMES["ISO 8601"]) -> dict[str, Any]:
    """Somebody changes the version; the event about that, which is on its way."""
    (by, status), now = change, harbour.world.clock.now()
    package = harbour.world.registry.packages[package_arn(1)]
    package |= {"LastModifiedBy": by, "LastModifiedTime": now, "ApprovalDescription": "mine"}
    if status:
        package["ModelApprovalStatus"] = status
    event = package_event(1)
    event["detail"] |= {
        "ModelApprovalStatus": package["ModelApprovalStatus"],
        "LastModifiedTime": spelt(now),
        "UpdatedModelPackageFields": ["ModelApprovalStatus"] if status else ["ApprovalDescription"],
    }
    return event


def deliver(harbour: Harbour, events: list[dict[str, Any]]) -> None:
    """As Lambda does: what raised is tried again after a minute, and once more after two."""
    for minutes in (0, 1, 2):
        harbour.pass_time(minutes=minutes)
        again = []
        for event in events:
            try:
                react_to_registry(event, harbour.inside)
            except TryAgain:
                again.append(event)
            harbour.settle()
        events = again
    assert events == [], "no event ends among the dead letters"


def outcome(harbour: Harbour) -> tuple[Status, list[str], str]:
    release = harbour.release(1)
    return release.status, [one["approver"] for one in release.approvals], registry_status(harbour)[0]


@pytest.fixture
def asked() -> Harbour:
    """Version 1 waits for Ada, among others."""
    harbour = Harbour()
    harbour.register(1)
    return harbour


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("changes", "seconds"), APART)
def test_what_counts_is_the_last_change_in_whatever_order_one_hears_of_both(
    asked: Harbour, changes: str, order: str, seconds: int
) -> None:
    first, second, expected = CHANGES[changes]
    events = {"1": write(asked, first)}
    asked.world.clock.advance(timedelta(seconds=seconds))
    events["2"] = write(asked, second)
    deliver(asked, [events[one] for one in order])
    assert outcome(asked) == expected


@pytest.mark.parametrize("changes", [name for name, (first, *_) in CHANGES.items() if first[0] is MALLORY])
def test_a_change_after_the_first_one_was_set_back_counts_as_well(asked: Harbour, changes: str) -> None:
    first, second, expected = CHANGES[changes]
    event = write(asked, first)
    deliver(asked, [event])
    assert outcome(asked) == NOTHING
    assert "no approver" in registry_status(asked)[1]
    deliver(asked, [write(asked, second), event])
    assert outcome(asked) == expected


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("spelt", TIMES)
@pytest.mark.parametrize("changes", ["Approved, Ada Rejected", "Approved, Ada Approved", "Approved, Ada describes"])
def test_times_may_be_spelt_otherwise_or_missing(asked: Harbour, changes: str, spelt: str, order: str) -> None:
    first, second, expected = CHANGES[changes]
    events = {"1": write(asked, first, TIMES[spelt])}
    asked.world.clock.advance(timedelta(seconds=1))
    events["2"] = write(asked, second)
    deliver(asked, [events[one] for one in order])
    assert outcome(asked) == expected


@pytest.mark.parametrize("spelt", [name for name in TIMES if name != "none"])
def test_an_approver_is_known_by_a_time_of_any_spelling(asked: Harbour, spelt: str) -> None:
    deliver(asked, [write(asked, (ADA, "Approved"), TIMES[spelt])])
    assert outcome(asked) == APPROVED


@pytest.mark.parametrize("status", ["Approved", "Rejected"])
@pytest.mark.parametrize("first", [(MALLORY, "Approved"), (ADA, "Approved")], ids=["refused", "taken"])
def test_what_is_written_while_the_first_change_is_judged_is_not_written_over(
    asked: Harbour, monkeypatch: pytest.MonkeyPatch, first: Change, status: str
) -> None:
    """Between the look at the version and the setting back."""
    event, describe = write(asked, first), asked.world.registry.describe
    late: list[dict[str, Any]] = []

    def overtaken(arn: str) -> dict[str, Any] | None:
        seen = describe(arn)
        if not late:
            asked.world.clock.advance(timedelta(seconds=1))
            late.append(write(asked, (EVE, status)))
        return seen

    monkeypatch.setattr(asked.world.registry, "describe", overtaken)
    with pytest.raises(TryAgain, match="changed again at this very moment"):
        react_to_registry(event, asked.inside)
    assert registry_status(asked)[0] == status


@pytest.mark.parametrize("time", [None, "", [], {}, float("nan"), float("inf"), 10**400, -(10**30), "9" * 400])
def test_what_is_no_time_is_none(time: Any) -> None:
    event = package_event(1)
    event["detail"]["LastModifiedTime"] = time
    hint = package_hint(event)
    assert getattr(hint, "modified_at", None) == ""


def test_a_number_is_the_time_that_it_means() -> None:
    event, time = package_event(1), datetime(2026, 11, 24, 10, 12, 5, tzinfo=UTC)
    for spelt in ("milliseconds", "milliseconds in a text", "seconds"):
        event["detail"]["LastModifiedTime"] = TIMES[spelt](time)
        assert getattr(package_hint(event), "modified_at", "") == time.isoformat()
