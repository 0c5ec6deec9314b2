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
from uuid import uuid4

import pandas as pd

from cli.story.chapters import Book, Chapter
from cli.story.loop import Loop, Passed, Season
from cli.story.releasing import STATE_SECONDS, Releasing
from cli.story.stage import Stage
from cli.story.training import Team
from cli.story.watch import told
from examples.computers import inference
from examples.computers import prepare as example
from examples.computers.data import FEATURES, LABEL, read_computers, select_months, split_rows

EXAMPLE = Path(example.__file__).parent
TEAM = Team("computers", EXAMPLE)
NARROW, RECENT = 2, 3
"""The versions after the first: one that learned too little, and one of the months that the first has never seen."""
FIRST_RECENT, LAST_RECENT = 18, 24
ROWS_A_REQUEST = 50
CENT = 0.01


@dataclass(frozen=True)
class Answers:
    """What production answered, in dollars, and what computers cost; how long each request took, in milliseconds.

    `told` has the prices of each request, a line each, by its inference id.
    """

    prices: tuple[float, ...]
    predicted: tuple[float, ...]
    latencies_ms: tuple[float, ...]
    told: dict[str, str]

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

    def __init__(self, stage: Stage, book: Book, interactive: bool, everything: bool = False) -> None:
        super().__init__(TEAM, stage, book, interactive, everything)
        self.answers: Answers | None = None
        self.loop = Loop(self, self.months())

    @property
    def latencies_ms(self) -> tuple[float, ...]:
        return self.answers.latencies_ms if self.answers else ()

    def headline(self, report: dict[str, Any]) -> dict[str, str]:
        return {"value": f"${mae_of(report):.0f}", "label": "mean error of version 1 on computers it never saw"}

    def pictures(self) -> dict[str, Any]:
        return {"drift": self.loop.facts()}

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
        self.loop.play()
        self.decide(RECENT)
        self.take_over()
        self.loop.see_what_came_of_it()
        self.recompute(RECENT)
        if self.everything:
            self.loop.open_breaker()
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
            rows = recent_months().head(ROWS_A_REQUEST)
            served = ask(self.stage.production.sagemaker_runtime, self.team.group, rows).predicted
            known = predict(self.stage.read(pinned["pinned"]), rows, inference)
            apart = max(abs(one - other) for one, other in zip(served, known, strict=True))
            chapter.check("answers, and how far apart", f"{len(served)}, ${apart:.6f} at most", apart < CENT)

    def take_over(self) -> None:
        """The version of the recent months is promoted."""
        with self.book.chapter(f"Version {RECENT} takes over") as chapter:
            release, execution = self.watch.until_ended(self.release_id(RECENT), STATE_SECONDS)
            chapter.check("state machine execution", execution, execution == "SUCCEEDED")
            chapter.check("release", told(release), release["status"] == "promoted")

    def months(self) -> Season:
        """Computers become faster and cheaper from month to month."""
        months = f"months {FIRST_RECENT} to {LAST_RECENT}"

        def ask_all() -> Passed:
            self.answers = ask(self.stage.production.sagemaker_runtime, self.team.group, recent_months())
            return Passed(self.answers.mae, len(self.answers.prices), self.answers.told)

        return Season(
            retrained=RECENT,
            who=f"shops of {months}",
            window=months,
            feature="hd",
            metric="mae",
            metric_in_words="mean error in dollars",
            passes=1,
            ask=ask_all,
            write=lambda folder: example.prepare(folder, FIRST_RECENT, LAST_RECENT),
        )


def recent_months() -> pd.DataFrame:
    """Computers of the months after the training months that no version is trained on."""
    return split_rows(select_months(read_computers(), FIRST_RECENT, LAST_RECENT)).holdout


def mae_of(report: dict[str, Any]) -> float:
    return float(report["regression_metrics"]["mae"]["value"])


def ask(runtime: Any, endpoint_name: str, rows: pd.DataFrame) -> Answers:
    """Send the rows, some in each request.

    Raises:
        botocore.exceptions.ClientError: a request was not answered.
    """
    lines = rows[list(FEATURES)].to_csv(index=False, header=False).splitlines()
    prices = [float(price) for price in rows[LABEL]]
    predicted: list[float] = []
    latencies: list[float] = []
    truths: dict[str, str] = {}
    for start in range(0, len(lines), ROWS_A_REQUEST):
        body = "\n".join(lines[start : start + ROWS_A_REQUEST]).encode()
        name = f"{endpoint_name}-{uuid4().hex}"
        truths[name] = "\n".join(str(price) for price in prices[start : start + ROWS_A_REQUEST])
        began = time.perf_counter()
        answer = runtime.invoke_endpoint(
            EndpointName=endpoint_name, Body=body, ContentType="text/csv", Accept="text/csv", InferenceId=name
        )
        predicted += [float(line) for line in answer["Body"].read().decode().split()]
        latencies.append(round(1000 * (time.perf_counter() - began), 3))
    return Answers(tuple(prices), tuple(predicted), tuple(latencies), truths)


def predict(archive: bytes, rows: pd.DataFrame, serving: ModuleType) -> tuple[float, ...]:
    """What an artifact answers when it is loaded here by the code that serves it."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(folder, filter="data")
        model = serving.model_fn(folder)
        lines = rows[list(FEATURES)].to_csv(index=False, header=False)
        return tuple(one["prediction"] for one in serving.predict_fn(serving.input_fn(lines, "text/csv"), model))
