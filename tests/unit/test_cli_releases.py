"""`lockkeeper releases` and `show`: what people and scripts see of the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from lockkeeper.ports import Meter
from typer.testing import CliRunner

from cli.main import app
from cli.stack import Stack
from cli.terminal import age, clean, shorten
from tests.unit.cli_stage import deployed, promoted_release, waiting_release

runner = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    with deployed() as found:
        monkeypatch.setattr("cli.stack.find_stack", lambda _name: found)
        yield found


@pytest.fixture
def ledger(stack: Stack) -> Stack:
    """A ledger with a promoted release, a newer one that waits, and one of another group."""
    promoted = promoted_release()
    for release in (promoted, waiting_release(), waiting_release("computers", 5, "2026-11-22T10:00:00.000Z")):
        assert stack.world.ledger.open(release)
    closing = promoted.timeline[0]
    stack.world.ledger.record(promoted.release_id, closing.what, closing.why, verdicts=promoted.verdicts)
    stack.world.ledger.meter(promoted.release_id, Meter(transitions=10, invocations=10, gb_seconds=1.5))
    return stack


def test_releases_are_listed_newest_first(ledger: Stack) -> None:
    result = runner.invoke(app, ["releases", "--json"])
    assert result.exit_code == 0
    assert [one["release_id"] for one in json.loads(result.stdout)] == ["wages-v2-a1", "wages-v1-a1", "computers-v5-a1"]


def test_a_group_lists_its_own_releases_alone(ledger: Stack) -> None:
    result = runner.invoke(app, ["releases", "--group", "computers", "--json"])
    assert [one["model_package_group"] for one in json.loads(result.stdout)] == ["computers"]


def test_the_table_of_releases_fits_80_columns(ledger: Stack) -> None:
    result = runner.invoke(app, ["releases"])
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    for word in ("wages-v2-a1", "awaiting-approval", "RequestStagingApproval", "promoted"):
        assert word in result.stdout


def test_no_release_is_an_empty_list_for_scripts_and_a_sentence_for_people(stack: Stack) -> None:
    assert json.loads(runner.invoke(app, ["releases", "--json"]).stdout) == []
    result = runner.invoke(app, ["releases"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "No release yet" in result.stderr


def test_json_of_a_release_is_one_document_and_nothing_else(ledger: Stack) -> None:
    result = runner.invoke(app, ["show", "wages-v1-a1", "--json"])
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert document["status"] == "promoted"
    assert document["verdicts"][0]["measured"] == pytest.approx(0.75983)
    assert document["cost"] == {"transitions": 10, "invocations": 10, "gb_seconds": 1.5, "usd": 0.000272} | {
        "endpoint_monthly_usd": None
    }


def test_a_group_and_a_version_name_the_latest_attempt(ledger: Stack) -> None:
    second = waiting_release().with_changes(release_id="wages-v2-a2", attempt=2)
    assert ledger.world.ledger.open(second)
    document = json.loads(runner.invoke(app, ["show", "wages/2", "--json"]).stdout)
    assert document["release_id"] == "wages-v2-a2"


def test_a_release_is_shown_with_all_its_evidence_in_80_columns(ledger: Stack) -> None:
    result = runner.invoke(app, ["show", "wages/1"])
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    for word in ("passed", "inconclusive", "0.7598", ">= 0.7", "Ada Lindqvist", "approve (cli)", "a" * 64, "v7"):
        assert word in result.stdout
    for word in ("c" * 64, "d" * 64, "every gate passed", "endpoint name wages", "$0.000272", "10 transitions"):
        assert word in result.stdout


def test_an_unknown_release_is_an_error_with_a_cure(ledger: Stack) -> None:
    result = runner.invoke(app, ["show", "nothing-v1-a1", "--json"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no release 'nothing-v1-a1'" in result.stderr
    assert "lockkeeper releases" in result.stderr


@pytest.mark.parametrize("name", ["wages/9", "wages/two", "wages/"])
def test_a_version_that_was_never_released_is_an_error(ledger: Stack, name: str) -> None:
    result = runner.invoke(app, ["show", name])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")


def test_escape_sequences_in_a_comment_reach_no_terminal(stack: Stack) -> None:
    hostile = waiting_release().with_changes(reason="\x1b[2J[bold red]gone[/bold red]\x07", author="\x1b]0;x\x07")
    stack.world.ledger.open(hostile)
    for arguments in (["releases"], ["show", "wages/2"]):
        result = runner.invoke(app, arguments)
        assert "\x1b" not in result.stdout
        assert "\x07" not in result.stdout
        assert "[bold red]" in result.stdout


def test_ages_are_told_in_their_largest_unit() -> None:
    now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    told = [age(f"2026-11-{at}Z", now) for at in ("24T11:59:18", "24T11:53:00", "24T09:00:00", "12T12:00:00")]
    assert told == ["42 s", "7 min", "3 h", "12 d"]
    assert age("", now) == "-"
    assert age("2026-11-24T12:00:05Z", now) == "0 s"


def test_long_text_is_shortened_on_one_line() -> None:
    assert shorten("a\nb", 10) == "a b"
    assert shorten("word " * 10, 10) == "word word…"
    assert clean("a\x1bb\nc") == "a\N{REPLACEMENT CHARACTER}b\nc"
