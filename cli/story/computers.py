"""The computers story: a regression is released, its market moves away from it, and a version of the recent months takes over."""

from __future__ import annotations

import io
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from cli.story import training
from cli.story.chapters import Book, Chapter
from cli.story.releasing import STATE_SECONDS, Releasing
from cli.story.stage import Stage
from cli.story.training import Team
from cli.story.watch import told
from examples.computers import inference
from examples.computers import prepare as example
from examples.computers.data import FEATURES, LABEL, read_computers, select_months

EXAMPLE = Path(example.__file__).parent
TEAM = Team("computers", EXAMPLE)
NARROW, RECENT = 2, 3
"""The versions after the first: one that learned too little, and one of the months that the first has never seen."""
FIRST_RECENT, LAST_RECENT = 18, 24
ROWS_A_REQUEST = 50
CENT = 0.01


@dataclass(frozen=True)
class Answers:
    """What production answered, in dollars, and what computers cost; how long each request took, in milliseconds."""

    prices: tuple[float, ...]
    predicted: tuple[float, ...]
    latencies_ms: tuple[float, ...]

    @property
    def mae(self) -> float:
        """Mean absolute error in dollars."""
        errors = (abs(price - answer) for price, answer in zip(self.prices, self.predicted, strict=True))
        return sum(errors) / len(self.prices)


class ComputersStory(Releasing):
    """Plays the chapters in order and keeps what the report draws."""

    title = "Prices fall away from a model, and a newer one takes its place"
    summary = (
        "Three versions of a regression on prices of computers, trained on real data by a SageMaker pipeline, went the way from "
        "the registry to production on a laptop: the real template, the real functions, the real state machine and real "
        "models, on an emulated AWS."
    )

    def __init__(self, stage: Stage, book: Book, interactive: bool) -> None:
        super().__init__(TEAM, stage, book, interactive)
        self.answers: Answers | None = None

    @property
    def latencies_ms(self) -> tuple[float, ...]:
        return self.answers.latencies_ms if self.answers else ()

    def headline(self, report: dict[str, Any]) -> dict[str, str]:
        return {"value": f"${mae_of(report):.0f}", "label": "mean error of version 1 on computers it never saw"}

    def pictures(self) -> dict[str, Any]:
        return {}

    def play(self) -> None:
        """Play every chapter; `StoryEnded` at the first that does not end as it should."""
        self.prepare_team()
        self.apply_policy()
        self.train_version(1, {"Reason": "first model on months 1 to 12"})
        self.wait_for_question()
        self.decide(1)
        self.test_in_staging()
        self.reach_production()
        self.recompute(1)
        self.close()
        self.train_version(NARROW, {"Reason": "screens and CD-ROMs only", "Features": "screen,cd"})
        self.turn_back(NARROW, "The quality gate turns version 2 back", ["quality", "quality"])
        before = self.serve_recent_months()
        self.bring_recent_months()
        self.train_version(RECENT, {"Reason": "prices of months 18 to 24"})
        self.decide(RECENT)
        self.take_over(before)
        self.recompute(RECENT)
        self.finished = True

    def prepare_data(self, folder: Path) -> tuple[str, int, int]:
        prepared = example.prepare(folder)
        return "rows to train on, computers of months 1 to 12", prepared.train_rows, 1393

    def read_report(self, chapter: Chapter, version: int, report: dict[str, Any]) -> None:
        """Better than the policy asks, unless it learned too little."""
        error, rows = mae_of(report), report["dataset"]["item_count"]
        good = error < 200
        chapter.check(
            "mean error on computers it never saw", f"${error:.0f} on {rows} rows", good == (version != NARROW)
        )

    def recompute(self, version: int) -> None:
        """The pinned artifact, loaded here, gives the answers that production gives."""
        with self.book.chapter(f"Production's answers are those of version {version}'s sealed artifact") as chapter:
            release = self.stage.read_release(self.release_id(version))
            (pinned,) = release["pins"]["artifacts"]
            rows = recent().head(ROWS_A_REQUEST)
            served = ask(self.stage.production.sagemaker_runtime, self.team.group, rows).predicted
            known = predict(self.stage.read(pinned["pinned"]), rows, inference)
            apart = max(abs(one - other) for one, other in zip(served, known, strict=True))
            chapter.check("answers, and how far apart", f"{len(served)}, ${apart:.6f} at most", apart < CENT)

    def serve_recent_months(self) -> Answers:
        """Production is asked about computers of months that the version has never seen."""
        rows = recent()
        with self.book.chapter(f"Production prices {len(rows)} computers of months 18 to 24") as chapter:
            self.answers = ask(self.stage.production.sagemaker_runtime, self.team.group, rows)
            learned = mae_of(self.evaluations[1])
            found = f"${self.answers.mae:.0f}; of its own months ${learned:.0f}"
            chapter.check("mean error", found, self.answers.mae > 3 * learned)
            return self.answers

    def bring_recent_months(self) -> None:
        """The team puts the recent months where the pipeline and the staging tests read."""
        with self.book.chapter("The team brings the recent months") as chapter, tempfile.TemporaryDirectory() as folder:
            prepared = example.prepare(Path(folder), FIRST_RECENT, LAST_RECENT)
            training.upload_folder(self.stage.s3, Path(folder), self.team.bucket, self.team.group)
            chapter.check("rows to train on", prepared.train_rows, prepared.train_rows == 891)

    def take_over(self, before: Answers) -> None:
        """The version of the recent months is promoted, and is right about them."""
        with self.book.chapter("Version 3 takes over, and knows what computers cost") as chapter:
            release, execution = self.watch.until_ended(self.release_id(RECENT), STATE_SECONDS)
            chapter.check("state machine execution", execution, execution == "SUCCEEDED")
            chapter.check("release", told(release), release["status"] == "promoted")
            after = ask(self.stage.production.sagemaker_runtime, self.team.group, recent())
            chapter.check("mean error", f"${before.mae:.0f} before, ${after.mae:.0f} now", after.mae < before.mae / 3)


def recent() -> pd.DataFrame:
    """Computers of the months after the training months."""
    return select_months(read_computers(), FIRST_RECENT, LAST_RECENT)


def mae_of(report: dict[str, Any]) -> float:
    return float(report["regression_metrics"]["mae"]["value"])


def ask(runtime: Any, endpoint_name: str, rows: pd.DataFrame) -> Answers:
    """Send the rows, some in each request.

    Raises:
        botocore.exceptions.ClientError: a request was not answered.
    """
    lines = rows[list(FEATURES)].to_csv(index=False, header=False).splitlines()
    predicted: list[float] = []
    latencies: list[float] = []
    for start in range(0, len(lines), ROWS_A_REQUEST):
        body = "\n".join(lines[start : start + ROWS_A_REQUEST]).encode()
        began = time.perf_counter()
        answer = runtime.invoke_endpoint(
            EndpointName=endpoint_name, Body=body, ContentType="text/csv", Accept="text/csv"
        )
        predicted += [float(line) for line in answer["Body"].read().decode().split()]
        latencies.append(round(1000 * (time.perf_counter() - began), 3))
    return Answers(tuple(float(price) for price in rows[LABEL]), tuple(predicted), tuple(latencies))


def predict(archive: bytes, rows: pd.DataFrame, serving: ModuleType) -> tuple[float, ...]:
    """What an artifact answers when it is loaded here by the code that serves it."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(folder, filter="data")
        model = serving.model_fn(folder)
        lines = rows[list(FEATURES)].to_csv(index=False, header=False)
        return tuple(one["prediction"] for one in serving.predict_fn(serving.input_fn(lines, "text/csv"), model))
