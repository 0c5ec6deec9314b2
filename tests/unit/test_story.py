"""The parts of the demo's story that need no AWS: chapters, the approver's browser, traffic, the watch."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from cli.demo import demo
from cli.report.page import render
from cli.story.chapters import Book, StoryEnded
from cli.story.facts import gather
from cli.story.letter import Form, FormReader, wait_for_link
from cli.story.traffic import Traffic, send_rows
from cli.story.wages import EXAMPLE, WagesStory
from cli.story.watch import draw, journey, read_states
from examples.wages.data import FEATURES, LABEL
from localcloud import supervisor
from localcloud.supervisor import StartError

BEGAN = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def book() -> Book:
    return Book(Console(file=io.StringIO(), width=200))


def test_a_chapter_ends_well_when_every_check_holds(book: Book) -> None:
    with book.chapter("Water rises") as chapter:
        chapter.check("level", 3, True)
    assert book.ok
    assert book.chapters[0].to_json()["checks"] == [{"what": "level", "found": "3", "ok": True}]


def test_a_check_that_does_not_hold_ends_the_story(book: Book) -> None:
    with pytest.raises(StoryEnded, match="Water rises: level: found 1"), book.chapter("Water rises") as chapter:
        chapter.check("level", 1, False)
    assert not book.ok
    assert book.chapters[0].problem == "level: found 1"


def test_any_error_in_a_chapter_is_kept_with_its_type(book: Book) -> None:
    with pytest.raises(StoryEnded), book.chapter("Water rises"):
        raise TimeoutError("no water")
    assert book.chapters[0].problem == "TimeoutError: no water"


def test_a_book_without_chapters_is_not_ok(book: Book) -> None:
    assert not book.ok


def test_markup_in_what_was_found_stays_text() -> None:
    output = io.StringIO()
    with Book(Console(file=output, width=200)).chapter("One") as chapter:
        chapter.check("reason", "[bold]not bold[/bold]", True)
    assert "[bold]not bold[/bold]" in output.getvalue()


def post(file: Path, text: str) -> None:
    message = EmailMessage()
    message["To"] = "ada@example.com"
    message.set_content(text)
    target = file.parent / "ada@example.com" / file.name
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(message.as_bytes())


def test_the_newest_mail_with_a_link_is_opened(tmp_path: Path) -> None:
    post(tmp_path / "1-old.eml", "see http://127.0.0.1:1/approvals/first now")
    # Long enough for the line to be folded in the mail as it is sent.
    post(tmp_path / "2-new.eml", f"Grüße, see http://127.0.0.1:1/x/approvals/{'sec-ond_2' * 12}\n")
    post(tmp_path / "3-other.eml", "no link here")
    mail, link = wait_for_link(tmp_path, "ada@example.com", timeout_seconds=1)
    assert mail.name == "2-new.eml"
    assert link == f"http://127.0.0.1:1/x/approvals/{'sec-ond_2' * 12}"


def test_a_mail_that_never_comes_is_a_timeout(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match=r"ada@example\.com"):
        wait_for_link(tmp_path, "ada@example.com", timeout_seconds=0.1)


def test_a_form_is_read_as_a_person_sees_it() -> None:
    reader = FormReader()
    reader.feed(
        '<form method="post" action="/approvals/x"><input type="hidden" name="seal" value="abc">'
        '<textarea name="comment"></textarea>'
        '<button name="answer" value="approve">Approve</button>'
        '<button name="answer" value="reject">Reject</button></form>'
    )
    assert reader.forms == [
        Form(
            action="/approvals/x",
            method="post",
            fields={"seal": "abc", "comment": ""},
            buttons=[("answer", "approve", "Approve"), ("answer", "reject", "Reject")],
        )
    ]


class FixedEndpoint:
    """Answers label 1 to everybody with at least 12 years of school."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        self.bodies.append(request["Body"].decode())
        answer = b"1,0.7\n" if int(self.bodies[-1].split(",")[-1]) >= 12 else b"0,0.2\n"
        return {"Body": io.BytesIO(answer), "InvokedProductionVariant": "AllTraffic"}


def test_traffic_is_judged_against_the_truth() -> None:
    cells: dict[str, Any] = {name: ["no"] * 4 for name in FEATURES} | {"exp": [1] * 4, "wks": [48] * 4}
    rows = pd.DataFrame({LABEL: [1, 0, 0, 0], **cells, "ed": [16, 12, 8, 8]})
    endpoint = FixedEndpoint()
    traffic = send_rows(endpoint, "wages", rows)
    assert endpoint.bodies[0] == "1,48,no,no,no,no,no,16"
    assert traffic.answers == (1, 1, 0, 0)
    assert traffic.accuracy == 0.75
    assert traffic.majority_share == 0.75
    assert traffic.confusion_matrix == {"0": {"0": 2, "1": 1}, "1": {"0": 0, "1": 1}}
    assert traffic.variants == ("AllTraffic",)


def test_half_positive_truth_gives_guessers_one_half() -> None:
    assert Traffic((1, 0), (1, 1), (1.0, 1.0), ("A",)).majority_share == 0.5


class History:
    """An execution's history in two pages, as Step Functions gives it."""

    def __init__(self, *pages: list[dict[str, Any]]) -> None:
        self.pages = pages

    def get_paginator(self, operation: str) -> History:
        assert operation == "get_execution_history"
        return self

    def paginate(self, executionArn: str) -> list[dict[str, Any]]:
        return [{"events": page} for page in self.pages]


def entered(name: str, second: int) -> dict[str, Any]:
    details = {"stateEnteredEventDetails": {"name": name}}
    return {"type": "TaskStateEntered", "timestamp": BEGAN + timedelta(seconds=second), **details}


def left(name: str, second: int) -> dict[str, Any]:
    details = {"stateExitedEventDetails": {"name": name}}
    return {"type": "TaskStateExited", "timestamp": BEGAN + timedelta(seconds=second), **details}


def a_release() -> dict[str, Any]:
    decision = {"before": "staging", "approver": "Ada", "answer": "approve", "channel": "link", "comment": "", "at": ""}
    return {"release_id": "wages-v1-a1", "version": 1, "status": "deploying", "approvals": [decision]}


def test_states_are_read_from_the_history() -> None:
    history = History(
        [{"type": "ExecutionStarted", "timestamp": BEGAN}, entered("OpenRelease", 0), left("OpenRelease", 2)],
        [entered("RequestStagingApproval", 2), left("RequestStagingApproval", 5), entered("DeployToStaging", 5)],
    )
    states = read_states(history, "arn")
    assert [(state.name, state.seconds(BEGAN + timedelta(seconds=9))) for state in states] == [
        ("OpenRelease", 2),
        ("RequestStagingApproval", 3),
        ("DeployToStaging", 4),
    ]
    drawn = journey(a_release(), states)
    json.dumps(drawn)
    assert [state["waits_for_people"] for state in drawn["states"]] == [False, True, False]
    assert drawn["states"][1]["note"] == "Ada approved (link)"


def task(kind: str, second: int) -> dict[str, Any]:
    return {"type": kind, "timestamp": BEGAN + timedelta(seconds=second)}


def test_a_state_failed_when_its_last_try_did() -> None:
    tried_again = [
        entered("ScanArtifact", 0),
        task("TaskFailed", 1),
        task("TaskScheduled", 2),
        task("TaskSucceeded", 3),
    ]
    refused = [left("ScanArtifact", 3), entered("JudgeCandidate", 3), task("TaskScheduled", 3), task("TaskFailed", 4)]
    states = read_states(History(tried_again, [*refused, left("JudgeCandidate", 4)]), "arn")
    assert [(state.name, state.failed) for state in states] == [("ScanArtifact", False), ("JudgeCandidate", True)]


def test_the_live_table_says_what_the_current_state_waits_for() -> None:
    states = read_states(
        History([entered("OpenRelease", 0), left("OpenRelease", 1), entered("DeployToStaging", 1)]), ""
    )
    console = Console(file=io.StringIO(), width=120)
    console.print(draw(a_release(), states, BEGAN + timedelta(seconds=3)))
    output = console.file.getvalue()  # type: ignore[attr-defined]
    assert "the endpoint is in service" in output
    assert "the group's lock" not in output


class FakeStage:
    """What facts are gathered from: two releases in their JSON form and a history of one state."""

    step_functions = History([entered("OpenRelease", 0), left("OpenRelease", 2)])

    def read_release(self, release_id: str) -> dict[str, Any] | None:
        promoted = release_id == "wages-v1-a1"
        return {
            **a_release(),
            "release_id": release_id,
            "version": 1 if promoted else 2,
            "status": "promoted" if promoted else "failed",
            "reason": "passed" if promoted else "0.683 does not meet >= 0.7",
            "model_package_arn": "arn:aws:sagemaker:us-east-1:111122223333:model-package/wages/1",
            "execution_arn": "arn",
            "opened_at": "2026-11-24T12:00:00+00:00",
            "ended_at": "2026-11-24T12:00:30+00:00",
            "verdicts": [
                {"gate": "quality", "verdict": "passed" if promoted else "failed", "reason": "0.76", "measured": 0.76}
            ],
            "pins": {
                "artifacts": [{"source": "s3://a/b", "pinned": "s3://c/d", "sha256": "e" * 64, "bytes": 1}],
                "images": ["repository@sha256:" + "f" * 64],
                "policy": {"version_id": "v", "sha256": "g" * 64},
                "seals": {"judged": "h" * 64},
            },
            "cost": {"transitions": 10, "invocations": 14, "gb_seconds": 2.0, "usd": 0.0003},
        }


def played_story(book: Book) -> WagesStory:
    stage: Any = FakeStage()
    story = WagesStory(stage, book, interactive=False)
    story.package_arns = {1: "arn1", 2: "arn2"}
    metrics = {"accuracy": {"value": 0.76}, "accuracy_best_constant_classifier": {"value": 0.683}}
    report = {"dataset": {"item_count": 537}, "binary_classification_metrics": metrics}
    story.evaluations = {1: report, 2: report}
    story.traffic = Traffic((1, 0, 0), (1, 1, 0), (4.0, 5.0, 6.0), ("AllTraffic",))
    story.policy_text = (EXAMPLE / "policy.yaml").read_text(encoding="utf-8")
    return story


def test_what_a_story_leaves_behind_makes_a_report(book: Book) -> None:
    story = played_story(book)
    story.finished = True
    with book.chapter("One") as chapter:
        chapter.check("level", 3, True)
    facts = gather(book, WagesStory, story, BEGAN, clock_scale=60)
    assert facts["ok"] is True
    assert facts["quality"]["required"] == 0.7
    assert [bar[2] for bar in facts["quality"]["bars"]] == [True, True, False]
    page = render(json.loads(json.dumps(facts, allow_nan=False)))
    assert "Every chapter ended as it should" in page
    assert "30.0 s" in page
    assert "$0.00030" in page


def test_an_unfinished_story_is_not_ok_though_its_chapters_are(book: Book) -> None:
    with book.chapter("One") as chapter:
        chapter.check("level", 3, True)
    facts = gather(book, WagesStory, played_story(book), BEGAN, clock_scale=1)
    assert facts["ok"] is False
    assert "The story did not reach its end" in render(facts)


def test_a_story_that_never_began_makes_a_report(book: Book) -> None:
    facts = gather(book, WagesStory, None, BEGAN, clock_scale=1)
    assert facts["ok"] is False
    render(facts)


def test_a_demo_that_cannot_start_fails_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **named: Any) -> Any:
        raise StartError("The server ended with status 1.")

    monkeypatch.setattr(supervisor, "start", refuse)
    app = typer.Typer()
    app.command()(demo)
    result = CliRunner().invoke(app, ["--out", str(tmp_path)])
    assert result.exit_code == 1
    facts = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert facts["ok"] is False
    assert facts["chapters"][0]["problem"] == "StartError: The server ended with status 1."
    assert "did not end as it should" in (tmp_path / "report.html").read_text(encoding="utf-8")
