"""`lockkeeper show GROUP` and a retrained version: what drifted, why a retraining was started or not, what came of it."""

from __future__ import annotations

import json

import boto3
import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.stack import Stack
from tests.unit.drifting import Drifting

runner = CliRunner()


@pytest.fixture
def drifting(monkeypatch: pytest.MonkeyPatch) -> Drifting:
    """A group whose first retraining failed, and whose second made version 2."""
    drifting = Drifting()
    drifting.drift()
    drifting.fail("AlgorithmError: no rows in the window")
    drifting.drift(id="too soon")
    drifting.pass_time(hours=2)
    drifting.drift()
    drifting.succeed(2)
    stack = Stack({}, boto3.Session(region_name="eu-central-1"), drifting.world)
    monkeypatch.setattr("cli.stack.find_stack", lambda _name: stack)
    return drifting


def shown(*words: str) -> str:
    result = runner.invoke(app, ["show", *words], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.replace("│", " ").split())


def test_a_group_shows_its_retrainings_and_what_was_said(drifting: Drifting) -> None:
    told = shown("wages")
    assert "wages serves version 2" in told
    assert "wages-r2 by wages-train, version 2" in told
    assert "helped: version 2 was promoted and serves" in told
    assert "did not help: wages-train failed at step Train: AlgorithmError: no rows in the window" in told
    assert "cooling down" in told
    assert "none starts before" in told


def test_a_group_in_json_is_what_the_api_says(drifting: Drifting) -> None:
    document = json.loads(runner.invoke(app, ["show", "wages", "--json"]).stdout)
    assert [one["stage"] for one in document["retrainings"]] == ["helped", "did not help"]
    assert [one["answer"] for one in document["signals"]].count("retraining started") == 2


def test_a_retrained_version_says_why_there_is_it(drifting: Drifting) -> None:
    assert "trained anew, wages-r2: event says that exp 0.136 (threshold 0.1) drifted on 600 rows" in shown("wages/2")
    assert "trained anew" not in shown("wages/1")
    release = drifting.harbour.release(2)
    assert release.told["retraining"].startswith("wages-r2: event says that exp")


def test_a_name_of_nothing_is_refused(drifting: Drifting) -> None:
    result = runner.invoke(app, ["show", "wagse"])
    assert result.exit_code == 1
    assert "there is no group 'wagse'" in result.stderr
