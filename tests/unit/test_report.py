"""The demo's report: what it draws, that it is self-contained, and that nothing in it can break out of the page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cli.report import figures
from cli.report.page import render, write_report
from tests.unit.report_facts import story_facts

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"
VOID = {"meta", "br", "img", "link", "input", "hr"}


class PageReader(HTMLParser):
    """Collects tags and attributes, and notices tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> PageReader:
    reader = PageReader()
    reader.feed(page)
    assert reader.open == []
    return reader


def poisoned(node: Any, key: str = "") -> Any:
    """The same facts with every free text replaced by hostile markup."""
    if isinstance(node, dict):
        return {name: poisoned(value, name) for name, value in node.items()}
    if isinstance(node, list):
        return [poisoned(value) for value in node]
    keeps = {"status", "verdict", "release_id"}
    return HOSTILE if isinstance(node, str) and key not in keeps else node


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    page = render(story_facts())
    reader = read(page)
    assert not {"script", "link", "iframe", "object", "base", "form"} & set(reader.tags)
    assert not [name for name, _ in reader.attributes if name in ("src", "href", "style", "srcset")]
    assert "url(" not in page
    assert "default-src 'none'" in page


def test_no_fact_can_become_markup() -> None:
    facts = poisoned(story_facts())
    reader = read(render(facts))
    assert "script" not in reader.tags
    assert "img" not in reader.tags
    assert not [name for name, _ in reader.attributes if name.startswith("on")]


def test_facts_are_no_templates() -> None:
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", render({**story_facts(), "title": "{{ 7*7 }}"}))[0]


def test_a_failed_chapter_is_named_at_the_top() -> None:
    facts = story_facts()
    facts["ok"] = False
    facts["chapters"][0] |= {"ok": False, "problem": "the pipeline execution ended as Failed", "checks": []}
    page = render(facts)
    assert "“A pipeline trains, evaluates and registers version 1” did not end as it should" in page
    assert "the pipeline execution ended as Failed" in page
    assert "Every chapter ended" not in page


def test_a_story_that_ended_in_its_first_chapter_still_has_a_report() -> None:
    facts = story_facts()
    empty = {"releases": [], "journeys": [], "headline": [], "quality": None, "traffic": None, "evidence": {}}
    read(render({**facts, **empty, "ok": False}))


def test_both_files_are_written(tmp_path: Path) -> None:
    page = write_report(story_facts(), tmp_path / "demo")
    assert page.name == "report.html"
    assert json.loads((tmp_path / "demo" / "report.json").read_text(encoding="utf-8"))["ok"] is True


def test_a_stopped_release_lies_before_a_shut_gate() -> None:
    picture = figures.staircase(story_facts()["releases"])
    assert [gate.shut for gate in picture.gates] == [True, False, False]
    assert [boat.x for boat in picture.boats] == [630, 90]


def test_states_share_one_time_axis() -> None:
    drawn = figures.spans(story_facts()["journeys"][0]["states"])
    assert drawn[0].left == 0
    assert drawn[-1].left + drawn[-1].width == pytest.approx(100)
    assert [span.kind for span in drawn] == ["work", "work", "work", "people", "work", "bad"]


def test_every_value_is_counted_in_the_histogram() -> None:
    values = [1.0] * 98 + [2.0, 50.0]
    drawn = figures.histogram(values)
    assert drawn is not None
    assert drawn.last_edge == 2.0
    assert sum(column.count for column in drawn.columns) == 99
    assert drawn.beyond == 1
    assert figures.histogram([]) is None


def test_every_request_is_in_the_picture_of_a_takeover_once() -> None:
    drawn = figures.flow({"old": [0.0, 0.1, 5.0], "new": [5.0, 10.0], "failed": [9.9]}, bins=10)
    assert drawn.totals == {"old": 3, "new": 2, "failed": 1}
    assert [(one.kind, one.count, one.x) for one in drawn.stacks] == [
        ("old", 2, 0), ("old", 1, 170), ("new", 1, 170), ("new", 1, 306), ("failed", 1, 306),
    ]  # fmt: skip
    # The fullest part fills the picture's height, and what is stacked stands on what is below.
    assert (drawn.peak, drawn.seconds, drawn.stacks[0].y, drawn.stacks[0].height) == (2, 10.0, 0, 120)
    assert (drawn.stacks[2].y + drawn.stacks[2].height, drawn.stacks[1].y) == (60, 60)


def test_values_over_time_lie_above_and_below_their_bound() -> None:
    drawn = figures.line([(0.0, 0.66, "6"), (30.0, 0.5, "6"), (60.0, 0.75, "9")], 60.0, 0.55)
    assert drawn.top == 0.8
    assert [(dot.x, dot.kind, dot.y < drawn.bound) for dot in drawn.dots] == [
        (0, "6", True), (170, "6", False), (340, "9", True),
    ]  # fmt: skip
    assert drawn.path == "M0 21L170 45L340 7.5"
    # A bound that no value comes near is in the picture, too.
    assert figures.line([(1.0, 0.02, "6")], 2.0, 0.1).bound == 0


def test_percentiles_are_measured_values() -> None:
    assert figures.percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.0
    assert figures.percentile([4.0, 1.0, 3.0, 2.0], 0.95) == 4.0
    assert figures.percentile([7.0], 0.5) == 7.0


@pytest.mark.parametrize(("value", "edge"), [(0, 1), (0.9, 1), (3.0000000000000004, 3), (7, 8), (81, 100)])
def test_axes_end_at_round_numbers(value: float, edge: float) -> None:
    assert figures.nice_ceiling(value) == pytest.approx(edge)
