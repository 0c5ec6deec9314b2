"""What was pressed, read from what Slack sends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lockkeeper.domain.events import Unusable
from lockkeeper.domain.slack_press import Press, Shown, read_press

from tests.unit.slack_stage import ADA, interaction

SHOWN = Shown("wages-v3-a1", "staging", "5e" * 32)
GOOD = json.loads(interaction(SHOWN.value(), ADA))
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def read(**changes: Any) -> Press | Unusable:
    return read_press(json.dumps(GOOD | changes))


def action(**changes: Any) -> list[dict[str, Any]]:
    return [GOOD["actions"][0] | changes]


def test_a_press_says_who_and_what_they_saw() -> None:
    assert read() == Press(ADA, SHOWN)


def test_a_value_fits_into_a_button() -> None:
    assert len(Shown("x" * 80, "production", "5" * 128).value()) < 2000


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "view_submission"}, "no press of a button"),
        ({"type": None}, "no press of a button"),
        ({"actions": []}, "no button of ours"),
        ({"actions": action() * 2}, "no button of ours"),
        ({"actions": "x"}, "no button of ours"),
        ({"actions": action(action_id="open")}, "no button of ours"),
        ({"user": None}, "nobody pressed"),
        ({"user": {"id": "Ada"}}, "nobody pressed"),
        ({"user": {"id": f"{ADA}\n"}}, "nobody pressed"),
        ({"user": {"id": 7}}, "nobody pressed"),
        *(
            ({"actions": action(value=value)}, "no message of ours")
            for value in (
                None, 7, "", "{}", "[]", "x" * 100_000, "[" * 100_000,
                Shown("", "staging", "5e").value(),
                Shown("../x", "staging", "5e").value(),
                Shown("wages-v3-a1", "nowhere", "5e").value(),
                Shown("wages-v3-a1", "staging", "").value(),
                Shown("wages-v3-a1", "staging", "<!channel>").value(),
                json.dumps({**json.loads(SHOWN.value()), "approver": "Grace"}),
            )
        ),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_what_is_no_press_of_ours_is_told_apart(changes: dict[str, Any], reason: str) -> None:
    told = read(**changes)
    assert isinstance(told, Unusable)
    assert reason in told.reason


@settings(max_examples=40)
@given(st.text() | ANYTHING.map(json.dumps))
def test_any_payload_is_read_without_an_error(payload: str) -> None:
    assert isinstance(read_press(payload), Unusable)


@settings(max_examples=40)
@given(st.sampled_from(sorted(GOOD)), ANYTHING)
def test_any_part_may_be_anything(part: str, value: Any) -> None:
    assert isinstance(read_press(json.dumps(GOOD | {part: value})), Press | Unusable)
