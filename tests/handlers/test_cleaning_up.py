"""The functions that clean up, called with what their triggers send."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lockkeeper.domain.release import Status

from tests.handlers.conftest import Logged, handler_of
from tests.unit.harbour import Harbour, execution_event, release_id

HOUSEKEEPING = json.loads((Path(__file__).parents[2] / "events" / "in" / "housekeeping.json").read_text())


def test_a_dead_execution_is_reaped_and_said_with_its_release(harbour: Harbour, logged: Logged) -> None:
    harbour.register(1)
    harbour.machine.stop(release_id(1))
    (done,) = handler_of("reap_release")(execution_event(release_id(1)), None)
    assert done == f"{release_id(1)}: failed: its execution was ABORTED in RequestStagingApproval"
    assert [line["release_id"] for line in logged() if line["message"] == done] == [release_id(1)]


def test_an_event_about_nothing_is_ignored_with_the_reason(harbour: Harbour) -> None:
    del harbour
    (done,) = handler_of("reap_release")({"source": "somebody"}, None)
    assert done.startswith("ignored: ")


def test_the_look_around_says_and_counts_what_it_found(
    harbour: Harbour, logged: Logged, capsys: pytest.CaptureFixture[str]
) -> None:
    harbour.register(1)
    harbour.machine.stop(release_id(1))
    assert handler_of("keep_house")(HOUSEKEEPING, None) == []
    (found,) = handler_of("keep_house")({"quiet_seconds": 0}, None)
    assert found["kind"] == "dead execution"
    assert harbour.release(1).status is Status.FAILED
    assert [line["level"] for line in logged() if found["what"] in line["message"]] == ["WARNING"]
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "Stranded" in line]
    assert [one["Stranded"] for one in metrics] == [[0.0], [1.0]]
