"""Freeze windows: cron as every cron reads it, zones with their clock changes, and releases that wait for the end."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockkeeper.domain.cron import parse_cron
from lockkeeper.domain.errors import PolicyInvalid
from lockkeeper.domain.freeze_windows import FreezeWindow, open_window
from lockkeeper.domain.policy import parse_policy
from lockkeeper.domain.release import Status

from tests.conftest import Figure
from tests.unit.braking import look_around
from tests.unit.harbour import GROUP, Harbour, _as_yaml, policy_document, release_id

WEEKEND = {"cron": "0 16 * * 5", "lasts": "64h", "time_zone": "Europe/Berlin", "reason": "weekend"}
NIGHTLY = {"cron": "0 9 * * *", "lasts": "30m", "reason": "batch scoring"}


def window(cron: str, lasts: str = "1h", time_zone: str = "UTC") -> FreezeWindow:
    return FreezeWindow.model_validate({"cron": cron, "lasts": lasts, "time_zone": time_zone, "reason": "because"})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# Field by field, by a reader of its own: a list of the numbers that a field names, and nothing shared with the code.
SPANS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 6)}


def fields(name: str) -> st.SearchStrategy[tuple[str, set[int]]]:
    """A field as text, with the numbers that it means."""
    low, high = SPANS[name]
    number = st.integers(low, high)
    single = number.map(lambda one: (str(one), {one}))
    spans = st.tuples(number, number, st.integers(1, 9)).map(
        lambda one: (
            f"{min(one[:2])}-{max(one[:2])}/{one[2]}",
            {value for value in range(min(one[:2]), max(one[:2]) + 1) if (value - min(one[:2])) % one[2] == 0},
        )
    )
    stars = st.integers(1, 20).map(
        lambda step: (f"*/{step}", {one for one in range(low, high + 1) if (one - low) % step == 0})
    )
    lists = st.lists(st.one_of(single, spans), min_size=1, max_size=3).map(
        lambda parts: (",".join(text for text, _ in parts), {one for _, found in parts for one in found})
    )
    return st.one_of(st.just(("*", set(range(low, high + 1)))), stars, lists)


def comes(day: Any, month: Any, weekday: Any) -> bool:
    """Whether any day of a leap year is one."""
    either = not (day[0].startswith("*") or weekday[0].startswith("*"))
    return either or any(calendar.monthrange(2028, one)[1] >= min(day[1]) for one in month[1])


@given(
    minute=fields("minute"), hour=fields("hour"), day=fields("day"), month=fields("month"), weekday=fields("weekday"),
    on=st.dates(date(2024, 1, 1), date(2028, 12, 31)),
)  # fmt: skip
def test_cron_means_the_days_and_times_that_its_fields_say(
    minute: Any, hour: Any, day: Any, month: Any, weekday: Any, on: date
) -> None:
    text = " ".join(field[0] for field in (minute, hour, day, month, weekday))
    if not comes(day, month, weekday):
        with pytest.raises(ValueError, match="never comes"):
            parse_cron(text)
        return
    cron = parse_cron(text)
    assert (set(cron.minutes), set(cron.hours)) == (minute[1], hour[1])
    of_month, of_week = on.day in day[1], on.isoweekday() % 7 in weekday[1]
    either = not (day[0].startswith("*") or weekday[0].startswith("*"))
    due = (of_month or of_week) if either else (of_month and of_week)
    assert cron.is_on(on) == (due and on.month in month[1])


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 16 * * 5", ["2026-11-27"]),
        ("0 16 * * fri", ["2026-11-27"]),
        ("0 0 * * 0", ["2026-11-29"]),
        ("0 0 * * 7", ["2026-11-29"]),
        ("0 0 * * SAT,SUN", ["2026-11-28", "2026-11-29"]),
        ("0 0 24-26 nov *", ["2026-11-24", "2026-11-25", "2026-11-26"]),
        ("0 0 24 * mon", ["2026-11-23", "2026-11-24"]),
        ("0 0 */2 * 1-5", ["2026-11-23", "2026-11-25", "2026-11-27"]),
        ("0 0 * 12 *", []),
    ],
)
def test_days_of_a_week_by_the_table(text: str, days: list[str]) -> None:
    """The week from Monday, 23 November 2026."""
    week = [date(2026, 11, 23) + timedelta(days=number) for number in range(7)]
    assert [str(day) for day in week if parse_cron(text).is_on(day)] == days


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0 16 * *", "five fields"),
        ("0 16 * * 5 2026", "five fields"),
        ("0  16 * * 5", "five fields"),
        ("@weekly", "five fields"),
        ("60 16 * * 5", "minute: '60' is not from 0 to 59"),
        ("0 24 * * 5", "hour: '24'"),
        ("0 0 0 * *", "day of month: '0'"),
        ("0 0 * 13 *", "month: '13' is not from 1 to 12, or a name such as jan"),
        ("0 0 * * 8", "day of week: '8'"),
        ("0 0 * * 5-1", "ends before it begins"),
        ("0 0 * * fri-mon", "ends before it begins"),
        ("5/10 0 * * *", "step of a single value"),
        ("*/0 0 * * *", "minute: '*/0'"),
        ("*/x 0 * * *", "minute"),
        ("0 0 L * *", "day of month: 'l'"),
        ("0 0 ? * 5", "day of month: '?'"),
        ("0 0 * * 5#2", "day of week"),
        ("1, 0 * * *", "minute: ''"),
        ("-5 0 * * *", "minute"),
        ("٣ 0 * * *", "minute"),
        ("0 0 31 2,4 *", "never comes: no such month has a day 31"),
    ],
)
def test_what_is_no_cron_is_refused_by_its_field(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match="(?s)" + problem.replace("*", r"\*").replace("?", r"\?")):
        parse_cron(text)


@pytest.mark.parametrize(
    ("when", "is_open"),
    [
        ("2026-11-27T15:59:59+01:00", False),
        ("2026-11-27T16:00:00+01:00", True),
        ("2026-11-29T03:00:00+01:00", True),
        ("2026-11-30T07:59:59+01:00", True),
        ("2026-11-30T08:00:00+01:00", False),
        # In the night to Sunday, 28 March 2027, clocks leap from 2 to 3: 64 hours later it is nine.
        ("2027-03-29T08:30:00+02:00", True),
        ("2027-03-29T09:00:00+02:00", False),
        # In the night to Sunday, 25 October 2026, they go back: it is seven.
        ("2026-10-26T06:59:59+01:00", True),
        ("2026-10-26T07:00:00+01:00", False),
    ],
)
def test_a_weekend_lasts_from_friday_to_monday_in_its_own_zone(when: str, is_open: bool) -> None:
    opening = open_window([FreezeWindow.model_validate(WEEKEND)], at(when))
    assert (opening is not None) == is_open


def test_a_time_that_clocks_leap_over_is_an_hour_later_and_one_that_comes_twice_counts_once() -> None:
    at_half_past_two = [window("30 2 * * *", "10m", "Europe/Berlin")]
    assert open_window(at_half_past_two, at("2027-03-28T03:35:00+02:00"))
    assert open_window(at_half_past_two, at("2026-10-25T02:35:00+02:00"))
    assert open_window(at_half_past_two, at("2026-10-25T02:35:00+01:00")) is None


def test_of_several_windows_the_one_that_ends_last_counts() -> None:
    found = open_window([window("0 9 * * *", "1h"), window("0 8 * * *", "5h")], at("2026-11-24T09:30:00+00:00"))
    assert found is not None
    assert found.until == at("2026-11-24T13:00:00+00:00")
    assert open_window([], at("2026-11-24T09:30:00+00:00")) is None


@given(
    cron=st.tuples(*(fields(name) for name in SPANS)).map(lambda parts: " ".join(text for text, _ in parts)),
    minutes=st.integers(1, 3 * 1440),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda one: one.replace(tzinfo=UTC)),
)
def test_a_window_is_open_exactly_when_it_began_less_than_its_length_ago(
    cron: str, minutes: int, zone: str, now: datetime
) -> None:
    """Against every minute before, one by one, as clocks on a wall show them."""
    try:
        parsed = parse_cron(cron)
    except ValueError:
        return
    opening = open_window([window(cron, f"{minutes}m", zone)], now)
    begun = []
    for back in range(minutes + 1):
        moment = (now - timedelta(minutes=back)).replace(second=0, microsecond=0)
        local = moment.astimezone(ZoneInfo(zone))
        naive = local.replace(tzinfo=None)
        due = local.minute in parsed.minutes and local.hour in parsed.hours and parsed.is_on(local.date())
        if due and not local.fold and now < moment + timedelta(minutes=minutes):
            begun.append((moment, naive))
    if begun:
        assert opening is not None
        assert opening.since >= begun[0][0]
    elif opening is not None:
        # Only a time that no clock showed that day.
        shown = opening.since.astimezone(ZoneInfo(zone))
        assert (shown.hour not in parsed.hours) or (shown.minute not in parsed.minutes)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"cron": "0 25 * * 5"}, "freeze.0.cron: hour: '25' is not from 0 to 23"),
        ({"cron": 5}, "freeze.0.cron: "),
        ({"lasts": "3 days"}, "freeze.0.lasts: '3 days' is no duration"),
        ({"lasts": "32d"}, "freeze.0.lasts: it must be between 1m and 31d"),
        ({"lasts": "0s"}, "freeze.0.lasts: it must be between 1m and 31d"),
        ({"time_zone": "Europe/Atlantis"}, "freeze.0.time_zone: no time zone of that name; write one as the IANA"),
        ({"time_zone": "/etc/passwd"}, "freeze.0.time_zone: no time zone of that name"),
        ({"time_zone": "../../etc"}, "freeze.0.time_zone: "),
        ({"time_zone": "Europe"}, "freeze.0.time_zone: no time zone of that name"),
        ({"reason": ""}, "freeze.0.reason: "),
        ({"reason": None}, "freeze.0.reason: "),
        ({"every": "week"}, "freeze.0.every: unknown key"),
    ],
)
def test_a_window_that_is_wrong_is_refused_with_its_line(changed: dict[str, Any], problem: str) -> None:
    text = _as_yaml_of(policy_document() | {"freeze": [WEEKEND | changed]})
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(text, source="policy.yaml")
    assert problem in str(refused.value)
    line = int(str(refused.value).split(":")[1])
    assert 1 <= line <= len(text.splitlines())


def _as_yaml_of(document: dict[str, Any]) -> str:
    import json

    return _as_yaml(json.dumps(document))


@pytest.fixture
def harbour() -> Harbour:
    """It is nine o'clock, and the window has just opened."""
    harbour = Harbour()
    harbour.apply(policy_document() | {"freeze": [NIGHTLY]})
    return harbour


def test_what_comes_in_during_a_window_waits_for_its_end(harbour: Harbour) -> None:
    harbour.register(1)
    release = harbour.release(1)
    assert release.status is Status.WAITING_FOR_LOCK
    assert "wages is frozen: batch scoring, a freeze window of the policy (0 9 * * *, UTC)" in release.timeline[-1].why
    assert "until 2026-11-24 09:30 UTC" in release.timeline[-1].why
    harbour.pass_time(minutes=20)
    assert look_around(harbour) == []
    look_around(harbour)
    assert harbour.release(1).status is Status.AWAITING_APPROVAL


def test_what_waits_for_a_window_gives_way_to_what_a_newer_policy_let_through(harbour: Harbour) -> None:
    harbour.register(1)
    assert harbour.release(1).status is Status.WAITING_FOR_LOCK
    harbour.apply(policy_document())
    harbour.promote(2)
    assert harbour.release(1).status is Status.SUPERSEDED
    assert "superseded by wages-v2-a1, a newer version, which serves" in harbour.release(1).reason
    harbour.pass_time(hours=1)
    look_around(harbour)
    assert harbour.serving() == "lockkeeper-wages-v2-a1-production"


def test_what_is_on_its_way_when_a_window_opens_starts_anew_after_it(harbour: Harbour, figure: Figure) -> None:
    harbour.pass_time(minutes=31)
    harbour.register(1)
    harbour.pass_time(hours=23, minutes=40)
    harbour.approve()
    assert harbour.release(1).status is Status.FAILED
    assert "a freeze window of the policy" in harbour.release(1).reason
    harbour.pass_time(minutes=10)
    assert look_around(harbour) == []
    harbour.pass_time(minutes=10)
    look_around(harbour)
    harbour.approve()
    harbour.traffic()
    harbour.pass_time(minutes=11)
    promoted = harbour.world.ledger.get("wages-v1-a2").status is Status.PROMOTED
    figure(
        "releases that met a freeze window", f"{2 - promoted} of 2 attempts stopped, {promoted:d} promoted", "0 lost"
    )
    assert promoted


def test_the_policy_in_force_says_what_the_board_shows_and_the_pinned_one_what_stops(harbour: Harbour) -> None:
    from lockkeeper.use_cases.braked import frozen_group

    harbour.register(1)
    assert frozen_group(GROUP, harbour.world) is not None
    harbour.apply(policy_document())
    assert frozen_group(GROUP, harbour.world) is None
    harbour.pass_time(minutes=5)
    look_around(harbour)
    assert harbour.release(1).status is Status.WAITING_FOR_LOCK
    assert release_id(1) in harbour.world.ledger.unfinished()
