"""Malformed and forged events: nothing is done, the reason is in the log, nothing is raised but for what is no event at all."""

from __future__ import annotations

import contextlib
import importlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lockkeeper.domain.errors import EventUnreadable

from tests.conftest import Figure
from tests.handlers.conftest import Logged, handler_of
from tests.handlers.forgeries import SITUATIONS, Event, anywhere, at, forged, places, put, state_of
from tests.unit.harbour import Harbour

FUNCTIONS = sorted({one.function for one in SITUATIONS.values()} | {"keep_house"})
REASON = re.compile("ignored: .|nothing to do, it .")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


def prepared(harbour: Harbour, name: str) -> Event:
    """Bring the world into a situation; returns the event that would be acted on."""
    SITUATIONS[name].prepare(harbour)
    return SITUATIONS[name].event(harbour)


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_true_event_is_acted_on(harbour: Harbour, name: str) -> None:
    """Or the tests below would prove nothing."""
    event = prepared(harbour, name)
    before = state_of(harbour.world)
    handler_of(SITUATIONS[name].function)(event, None)
    assert state_of(harbour.world) != before


@pytest.mark.parametrize("name", SITUATIONS)
def test_forged_events_get_nothing_and_the_reason_is_logged(
    harbour: Harbour, name: str, logged: Logged, figure: Figure
) -> None:
    event, function = prepared(harbour, name), SITUATIONS[name].function
    before = state_of(harbour.world)
    acted, raised, silent, count = [], [], [], 0
    for what, forgery in forged(SITUATIONS[name], event):
        count += 1
        lines = len(logged())
        try:
            handler_of(function)(forgery, None)
        except Exception as error:
            raised.append((what, repr(error)))
        if state_of(harbour.world) != before:
            acted.append(what)
            before = state_of(harbour.world)
        if not any(REASON.search(line["message"]) for line in logged()[lines:]):
            silent.append(what)
    figure(
        f"forged events, {function}, when {name}",
        f"{count} events, {len(raised)} uncaught, {len(acted)} actions, {len(silent)} without a reason",
        "0 uncaught, 0 actions",
    )
    assert raised == []
    assert acted == []
    assert silent == []


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_is_broken_anywhere_raises_nothing(harbour: Harbour, name: str, figure: Figure) -> None:
    """A field that does not say whose the event is may be anything: what is done then, the world says."""
    event, count = prepared(harbour, name), 0
    for function in FUNCTIONS:
        for _, broken in anywhere(event):
            count += 1
            handler_of(function)(broken, None)
    figure(f"malformed events, when {name}", f"{count} events, 0 uncaught", "0 uncaught")


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("event", [None, [], "text", 7, [{"source": "aws.sagemaker"}]], ids=repr)
def test_what_is_no_event_goes_to_the_dead_letters(harbour: Harbour, function: str, event: Any, logged: Logged) -> None:
    """Lambda tries an asynchronous event again and then leaves it in the function's dead letter queue, where a person finds it."""
    before = state_of(harbour.world)
    with pytest.raises(EventUnreadable, match="is no event"):
        handler_of(function)(event, None)
    assert state_of(harbour.world) == before
    assert any("is no event" in line["message"] for line in logged())


def genuine(event: Event, true: Event, identity: tuple[Any, ...]) -> bool:
    """Whether an event says in every place that counts what the true one says."""

    def said(one: Event, place: Any) -> Any:
        try:
            return at(one, place)
        except (KeyError, IndexError, TypeError):
            return None

    whose = [place for place in identity if place != ("detail",)]
    return all(said(event, place) == said(true, place) for place in whose) and ("source" in event) == ("source" in true)


@pytest.mark.parametrize("name", SITUATIONS)
def test_no_generated_event_raises_or_acts_unless_it_is_the_true_one(name: str, figure: Figure) -> None:
    worlds, generated, acted = Worlds(name), 0, 0

    @settings(max_examples=100)
    @given(data=st.data())
    def generate(data: st.DataObject) -> None:
        nonlocal generated, acted
        harbour, true = worlds.fresh()
        event = true
        for place in data.draw(st.lists(st.sampled_from(list(places(true))), min_size=1, max_size=4, unique=True)):
            with contextlib.suppress(KeyError, IndexError, TypeError):
                event = put(event, place, data.draw(VALUES))
        generated += 1
        use(SITUATIONS[name].function, harbour)(event)
        if worlds.changed():
            acted += 1
            assert genuine(event, true, SITUATIONS[name].identity), json.dumps(event)

    generate()
    figure(
        f"generated events, when {name}",
        f"{generated} events, 0 uncaught, {acted} acted on, each of them the true one in every place that counts",
        "0 uncaught, 0 others acted on",
    )


class Worlds:
    """A world in a situation, made anew only after something was done in it."""

    def __init__(self, name: str) -> None:
        self._situation = SITUATIONS[name]
        self._harbour: Harbour | None = None
        self._before: Any = None

    def fresh(self) -> tuple[Harbour, Event]:
        """The world, and the event that would be acted on in it."""
        if self._harbour is None:
            self._harbour = Harbour()
            self._situation.prepare(self._harbour)
            self._before = state_of(self._harbour.world)
        return self._harbour, self._situation.event(self._harbour)

    def changed(self) -> bool:
        """Whether anything was done; the next world is a new one then."""
        if self._harbour is None or state_of(self._harbour.world) == self._before:
            return False
        self._harbour = None
        return True


def use(function: str, harbour: Harbour) -> Callable[[Event], Any]:
    """The use case of a function, in a world."""
    module = importlib.import_module(f"lockkeeper.use_cases.{function}")
    return lambda event: getattr(module, function)(event, harbour.world)
