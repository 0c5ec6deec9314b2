"""What Slack has signed is taken, and nothing else is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockkeeper.adapters.in_memory import InMemorySlack, SettableClock

from tests.conftest import Figure
from tests.unit.slack_stage import ADA, form_of, interaction, signature_of

CLOCK = SettableClock()
SLACK = InMemorySlack(CLOCK)
NOW = str(int(CLOCK.now().timestamp()))
BODY = form_of(interaction("{}", ADA))
GOOD = signature_of(BODY, NOW)


def at(seconds: int) -> str:
    return str(int((CLOCK.now() + timedelta(seconds=seconds)).timestamp()))


@pytest.mark.parametrize("seconds", [-300, -299, -1, 0, 1, 299, 300])
def test_what_is_signed_within_five_minutes_is_genuine(seconds: int) -> None:
    assert SLACK.is_genuine(BODY, at(seconds), signature_of(BODY, at(seconds)))


@pytest.mark.parametrize("seconds", [-86400, -301, 301, 86400])
def test_what_is_signed_at_another_time_is_not(seconds: int) -> None:
    assert not SLACK.is_genuine(BODY, at(seconds), signature_of(BODY, at(seconds)))


def test_an_altered_body_is_never_genuine(figure: Figure) -> None:
    accepted, tried = 0, 0
    for place in range(len(BODY)):
        for bit in range(8):
            altered = bytearray(BODY)
            altered[place] ^= 1 << bit
            accepted += SLACK.is_genuine(bytes(altered), NOW, GOOD)
            tried += 1
    for altered in (b"", BODY[:-1], BODY + b"&", BODY + b"\n", BODY * 2, BODY.upper()):
        accepted += SLACK.is_genuine(bytes(altered), NOW, GOOD)
        tried += 1
    figure("Slack bodies altered by a bit, cut or added to", f"{accepted} accepted of {tried}", "0 accepted")
    assert accepted == 0


def test_an_altered_signature_is_never_genuine() -> None:
    for place in range(len(GOOD)):
        for letter in "0123456789abcdefgv=":
            if GOOD[place] != letter:
                assert not SLACK.is_genuine(BODY, NOW, GOOD[:place] + letter + GOOD[place + 1 :])


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "v0=",
        "v1=" + GOOD[3:],
        GOOD[3:],
        GOOD.upper(),
        f" {GOOD}",
        f"{GOOD}\n",
        f"{GOOD}0",
        "é" * 67,
        "v0=" + "é" * 64,
    ],
    ids=repr,
)
def test_a_signature_in_another_form_is_not(signature: str) -> None:
    assert not SLACK.is_genuine(BODY, NOW, signature)


@pytest.mark.parametrize(
    "timestamp", ["", "0", "-1", "now", NOW + ".0", f" {NOW}", f"{NOW}\n", "1e9", "9" * 400, "٣" * 10]
)
def test_a_time_that_is_none_is_not(timestamp: str) -> None:
    assert not SLACK.is_genuine(BODY, timestamp, signature_of(BODY, timestamp))


def test_another_apps_secret_is_not() -> None:
    assert not SLACK.is_genuine(BODY, NOW, signature_of(BODY, NOW, "of-another-app"))


@given(st.binary(max_size=200), st.text(max_size=20), st.text(max_size=80))
def test_nothing_that_anybody_sends_is_an_error(body: bytes, timestamp: str, signature: str) -> None:
    assert not SLACK.is_genuine(body, timestamp, signature)
    assert SLACK.is_genuine(body, NOW, signature_of(body, NOW)) == _is_text(body)


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
