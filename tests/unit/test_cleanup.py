"""What nobody needs any more is told, and removed only where the policy says so; what serves or may serve again stays."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from lockkeeper.adapters.in_memory.world import HUB
from lockkeeper.domain.cleanup import in_words
from lockkeeper.domain.errors import PolicyInvalid
from lockkeeper.domain.events import wants_cleanup
from lockkeeper.domain.policy import parse_policy
from lockkeeper.use_cases.close_release import hand_on_lock
from lockkeeper.use_cases.keep_house import QUIET, Kind, keep_house
from lockkeeper.use_cases.notify import notify

from tests.unit.braking import FIRST, SECOND, rollback
from tests.unit.harbour import ENDPOINT, GROUP, Harbour, _as_yaml, policy_document, release_id

THIRD = "lockkeeper-wages-v3-a1-production"
DAY = 24 * 60


@pytest.fixture
def harbour() -> Harbour:
    return Harbour()


def cleanup(harbour: Harbour, **rules: Any) -> None:
    harbour.apply({**policy_document(), "cleanup": {"idle_after": "14d", "leftovers_after": "90d", **rules}})


def look(harbour: Harbour) -> list[str]:
    found = keep_house(QUIET, harbour.inside, cleanup=True)
    assert not [one for one in found if one.kind is Kind.PROBLEM], found
    return [one.what for one in found if one.kind is Kind.CLEANUP]


def pass_days(harbour: Harbour, days: int) -> None:
    harbour.pass_time(minutes=days * DAY)


def names(harbour: Harbour) -> set[str]:
    return set(harbour.world.production.configs)


def test_production_that_is_asked_and_young_has_nothing_to_tell(harbour: Harbour) -> None:
    cleanup(harbour)
    harbour.promote(1)
    pass_days(harbour, 13)
    assert look(harbour) == []
    pass_days(harbour, 2)
    harbour.traffic(1)
    assert look(harbour) == []
    assert harbour.published("Cleanup Due") == []


def test_an_endpoint_that_nobody_asks_is_told_with_its_cost_and_stays(harbour: Harbour) -> None:
    cleanup(harbour)
    harbour.promote(1)
    pass_days(harbour, 15)
    (found,) = look(harbour)
    assert found.startswith(f"{GROUP}: nobody has asked {ENDPOINT} since ")
    (told,) = harbour.published("Cleanup Due")
    assert (told["idle_endpoint"], told["leftovers"], told["removed"]) == (ENDPOINT, [], [])
    assert told["monthly_usd"] > 10
    assert harbour.serving() == FIRST


def test_the_same_is_told_once(harbour: Harbour) -> None:
    cleanup(harbour)
    harbour.promote(1)
    pass_days(harbour, 15)
    for _ in range(3):
        assert len(look(harbour)) == 1
        pass_days(harbour, 1)
    assert len(harbour.published("Cleanup Due")) == 1


def test_an_idle_endpoint_is_removed_where_the_policy_says_so_and_comes_back_with_the_next_version(
    harbour: Harbour,
) -> None:
    cleanup(harbour, remove=["idle-endpoint"])
    harbour.promote(1)
    pass_days(harbour, 15)
    (found,) = look(harbour)
    assert found.endswith(f"removed: {ENDPOINT}")
    harbour.settle()
    assert harbour.serving() is None
    assert harbour.world.ledger.lock_of(GROUP) is None
    assert "idle endpoint removed" in [entry.what for entry in harbour.release(1).timeline]
    harbour.promote(2)
    assert harbour.serving() == SECOND


def test_an_endpoint_whose_queue_is_asked_is_not_idle(harbour: Harbour) -> None:
    document = policy_document()
    queue = {"target": "async", "asynchronous": {"output": "s3://team/answers"}, "strategy": {"bake": "10m"}}
    cleaned = {"idle_after": "14d", "leftovers_after": "90d", "remove": ["idle-endpoint"]}
    harbour.apply(
        {
            **document,
            "cleanup": cleaned,
            "staging": {"target": "real-time"},
            "production": {**document["production"], **queue},
        }
    )
    harbour.promote(1)
    pass_days(harbour, 13)
    harbour.traffic(1)
    pass_days(harbour, 2)
    assert look(harbour) == []
    assert harbour.serving() == FIRST


def test_an_idle_endpoint_is_left_while_a_release_has_the_lock(harbour: Harbour) -> None:
    cleanup(harbour, remove=["idle-endpoint"])
    harbour.promote(1)
    harbour.register(2)
    pass_days(harbour, 2)
    cleanup(harbour, remove=["idle-endpoint"], idle_after="1d")
    (found,) = look(harbour)
    assert "removed" not in found
    assert harbour.serving() == FIRST
    assert harbour.world.ledger.lock_of(GROUP).owner == release_id(2)  # type: ignore[union-attr]


def test_who_is_closed_meanwhile_does_not_hand_on_the_lock_of_a_removal(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleanup(harbour, remove=["idle-endpoint"])
    harbour.promote(1)
    pass_days(harbour, 15)
    production, ledger = harbour.world.production, harbour.world.ledger
    delete = production.delete

    def overtaken(name: str) -> None:
        hand_on_lock(replace(harbour.release(1), release_id=release_id(2), version=2), harbour.world)
        lock = ledger.lock_of(GROUP)
        assert lock is not None
        assert lock.owner == release_id(1)
        delete(name)

    monkeypatch.setattr(production, "delete", overtaken)
    (found,) = look(harbour)
    assert found.endswith(f"removed: {ENDPOINT}")
    assert ledger.lock_of(GROUP) is None


def test_what_serves_and_its_way_back_are_no_leftovers(harbour: Harbour) -> None:
    cleanup(harbour, remove=["leftovers"], idle_after="60d")
    for version in (1, 2, 3):
        harbour.promote(version)
    pass_days(harbour, 50)
    harbour.traffic(1)
    assert look(harbour) == []
    pass_days(harbour, 45)
    harbour.traffic(1)
    (found,) = look(harbour)
    assert found.endswith(f"removed: {FIRST}")
    assert names(harbour) == {SECOND, THIRD}
    assert set(harbour.world.production.models) == {SECOND, THIRD}
    assert look(harbour) == []
    rollback(harbour)
    assert harbour.serving() == SECOND


def test_leftovers_are_counted_from_when_they_stopped_to_serve(harbour: Harbour) -> None:
    cleanup(harbour, idle_after="60d")
    harbour.promote(1)
    pass_days(harbour, 100)
    harbour.promote(2)
    harbour.promote(3)
    assert look(harbour) == []
    pass_days(harbour, 91)
    harbour.traffic(1)
    (found,) = look(harbour)
    assert FIRST in found
    assert "removed" not in found
    assert FIRST in names(harbour)


def test_a_group_without_policy_or_champion_has_nothing_to_tell(harbour: Harbour) -> None:
    cleanup(harbour)
    assert look(harbour) == []
    harbour.register(1)
    pass_days(harbour, 1)
    assert look(harbour) == []


def test_nothing_of_this_happens_in_the_look_of_every_five_minutes(harbour: Harbour) -> None:
    cleanup(harbour)
    harbour.promote(1)
    pass_days(harbour, 15)
    assert [one for one in keep_house(QUIET, harbour.inside) if one.kind is Kind.CLEANUP] == []
    assert not wants_cleanup({"housekeeping": {}})
    assert not wants_cleanup({"housekeeping": {"cleanup": "yes"}})
    assert wants_cleanup({"housekeeping": {"cleanup": True}})


def test_everybody_is_told_by_mail(harbour: Harbour) -> None:
    cleanup(harbour)
    harbour.promote(1)
    pass_days(harbour, 15)
    look(harbour)
    (detail,) = harbour.published("Cleanup Due")
    event = {"id": "1", "source": "lockkeeper", "detail-type": "Cleanup Due", "account": HUB, "detail": detail}
    notify(event, harbour.inside)
    letter = harbour.world.mail.letters[-1]
    assert (letter.approver, letter.subject) == ("", f"{GROUP}: Cleanup Due")
    assert f"nobody has asked {ENDPOINT}" in letter.text


def test_many_names_are_cut_short_in_words() -> None:
    assert in_words("", [f"n{number}" for number in range(8)], []).endswith("n0, n1, n2, n3, n4 and 3 more")


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"idle_after": "61d"}, "between 1m and 60d"),
        ({"leftovers_after": "3651d"}, "between 0s and 3650d"),
        ({"remove": ["everything"]}, "cleanup.remove"),
        ({"forget": "1d"}, "forget"),
    ],
)
def test_rules_that_cannot_be_are_refused(rules: dict[str, Any], says: str) -> None:
    with pytest.raises(PolicyInvalid, match=says):
        parse_policy(_as_yaml(json.dumps({**policy_document(), "cleanup": rules})), source="policies/wages.yaml")
