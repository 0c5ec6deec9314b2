"""Plots of a release's evidence: a bar begins at zero, a value lies on its own side of a bound, and the scale is said."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockkeeper.domain.dossier import canonical_json
from lockkeeper.domain.online.latency import judge_latency
from lockkeeper.domain.release import Outcome, Verdict
from rich.console import Console, RenderableType
from typer.testing import CliRunner

from cli.main import app
from cli.plots import BAR, BOUND, DOT, LINE, WIDTH, bounds_of, draw_latency, draw_measured, draw_slices, scale_for
from cli.stack import Stack
from tests.unit.cli_stage import deployed, promoted_release

NUMBERS = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False).map(lambda value: float(f"{value:.6g}"))


def drawn(what: RenderableType | None, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(what or "")
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def bar_of(measured: float, required: str, outcome: Outcome = Outcome.PASSED) -> tuple[str, str]:
    """The plot of one verdict, and the whole line that it stands on."""
    text = drawn(draw_measured([Verdict("bias: DPPL(sex)", outcome, "reason", measured, required)]), 140)
    (line,) = [one for one in text.splitlines() if "DPPL" in one]
    (plot,) = [word for word in line.split() if BOUND in word]
    return plot, line


@pytest.mark.parametrize(
    ("required", "bounds"),
    [
        (">= 0.7", (0.7,)),
        ("<= 60 ms", (60.0,)),
        (">= 0.7 on at least 300 rows", (0.7,)),
        (">= 1e-05 (champion 0.76)", (1e-05,)),
        ("-0.2 to 0.2", (-0.2, 0.2)),
        ("errors below 0.001 of 600 requests", (0.001,)),
        ("12 of 12 requests answered as recorded", ()),
        ("0 findings", ()),
        ("present", ()),
        ("no worse than the champion by 2%", ()),
        ("", ()),
    ],
)
def test_a_requirement_in_words_gives_its_numbers(required: str, bounds: tuple[float, ...]) -> None:
    assert bounds_of(required) == bounds


@given(st.lists(NUMBERS, min_size=1, max_size=3))
def test_a_scale_holds_zero_and_every_value(values: list[float]) -> None:
    scale = scale_for(values)
    assert scale.low <= min(0.0, *values)
    assert scale.high >= max(0.0, *values)
    assert scale.low < scale.high


@given(NUMBERS, NUMBERS)
def test_a_bar_ends_on_its_own_side_of_its_bound_however_small_the_difference(measured: float, bound: float) -> None:
    plot, line = bar_of(measured, f">= {bound!r}")
    assert len(plot) == WIDTH
    scale = scale_for([measured, bound])
    assert f"{scale.low:g}" in line
    assert f"{scale.high:g}" in line
    filled, mark = [cell for cell, sign in enumerate(plot) if sign == BAR], plot.index(BOUND)
    if filled and 0 < bound < measured:
        assert filled[-1] > mark
    if filled and 0 < measured < bound:
        assert filled[-1] < mark


def test_the_length_of_a_bar_is_its_share_of_the_scale() -> None:
    assert bar_of(0.5, ">= 0.9")[0] == BAR * 13 + "·" * 8 + BOUND + "··"
    assert bar_of(150.0, "<= 200")[0].count(BAR) == 19
    # From zero, which lies in the middle.
    plot, _ = bar_of(-0.1, "-0.2 to 0.2")
    assert plot == BOUND + "·" * 5 + BAR * 6 + "·" * 11 + BOUND
    assert bar_of(0.0, "<= 1")[0].count(BAR) == 0


def test_what_measured_no_number_has_no_bar() -> None:
    told = [
        Verdict("contract", Outcome.PASSED, "reason", "2 of 2", "2 of 2 requests answered as recorded"),
        Verdict("quality: a", Outcome.INCONCLUSIVE, "reason", None, ">= 0.7"),
        Verdict("artifact", Outcome.PASSED, "reason", 0.0, "0 findings"),
        Verdict("quality: b", Outcome.FAILED, "reason", float("nan"), ">= 0.7"),
    ]
    assert draw_measured(told) is None


def test_percentiles_are_drawn_with_their_intervals_and_bounds() -> None:
    each = [float(number) for number in range(1, 101)]
    text = drawn(draw_latency({"each": each}, judge_latency(each, {0.5: 80.0})))
    median, ninety_fifth, _ = [line for line in text.splitlines() if line.startswith("p")]
    assert "40 to 61" in median
    assert median.index(LINE) < median.index(DOT) < median.rindex(LINE) < median.index(BOUND)
    assert BOUND not in ninety_fifth
    assert "0   " in median
    assert "100" in median
    assert "too few for an interval" in text


@pytest.mark.parametrize("evidence", [None, {}, {"each": []}, {"each": 3}, [], {"milliseconds": {"p50": 3}}])
def test_without_single_measurements_there_is_no_interval_to_draw(evidence: Any) -> None:
    assert draw_latency(evidence, ()) is None


def sliced(**values: float) -> dict[str, Any]:
    parts = {name: {"regression_metrics": {"mae": {"value": value}}} for name, value in values.items()}
    return {"slices": {"sex": parts}}


def test_slices_are_columns_from_zero() -> None:
    verdict = Verdict("quality: regression_metrics.mae.value by sex", Outcome.PASSED, "reason", 8.0, "<= 10")
    text = " ".join(drawn(draw_slices(sliced(male=8.0, female=1.0, other=4.0), [verdict])).split())
    assert "▁▄█ female 1, other 4, male 8; columns from 0 to 8" in text
    # A column below zero would look like one above.
    signed = drawn(draw_slices(sliced(male=-8.0, female=1.0), [verdict]))
    assert not set(signed) & set("▁▂▃▄▅▆▇█")
    many = drawn(draw_slices(sliced(**{f"s{number}": float(number) for number in range(100)}), [verdict]))
    assert "and 70 higher" in " ".join(many.split())
    for report in (None, {}, {"slices": []}, {"slices": {"sex": {"female": 3}}}):
        assert draw_slices(report, [verdict]) is None


def kept(stack: Stack, evidence: dict[str, Any], tampered: bool = False) -> None:
    """A release whose dossier `judged` has this evidence."""
    document = {"kind": "judged", "release_id": "wages-v1-a1", "evidence": evidence}
    raw = canonical_json(document)
    release = promoted_release()
    seal = hashlib.sha256(raw).hexdigest()
    pins = release.pins.__class__(release.pins.artifacts, release.pins.images, release.pins.policy, {"judged": seal})
    stack.world.ledger.open(release.with_changes(pins=pins))
    stack.world.objects.write(
        "dossiers/wages-v1-a1/judged.json", raw.replace(b"0.7", b"0.9") if tampered else raw, "application/json"
    )


@pytest.mark.parametrize("tampered", [False, True])
def test_show_has_the_whole_dossier_and_says_whether_its_seal_holds(
    monkeypatch: pytest.MonkeyPatch, tampered: bool
) -> None:
    runner = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})
    with deployed() as stack:
        monkeypatch.setattr("cli.stack.find_stack", lambda _name: stack)
        kept(stack, {"model_quality": {"a": 0.7}}, tampered)
        told = json.loads(runner.invoke(app, ["show", "wages-v1-a1", "--json"]).stdout)
        text = runner.invoke(app, ["show", "wages-v1-a1"]).stdout
    assert told["dossiers"]["judged"]["seal_holds"] is not tampered
    assert told["dossiers"]["judged"]["document"]["evidence"]["model_quality"]["a"] == (0.9 if tampered else 0.7)
    assert ("is not what was sealed" in text) is tampered
    assert "quality: accuracy" in text
    assert BAR in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_dossier_that_is_gone_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})
    with deployed() as stack:
        monkeypatch.setattr("cli.stack.find_stack", lambda _name: stack)
        stack.world.ledger.open(promoted_release())
        told = json.loads(runner.invoke(app, ["show", "wages-v1-a1", "--json"]).stdout)
        assert told["dossiers"] == {"judged": {"seal_holds": False, "document": None}}
        assert "is gone or cannot be read" in runner.invoke(app, ["show", "wages-v1-a1"]).stdout
