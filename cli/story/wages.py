"""The wages story: a trained model is released with a person's approval; one that learned nothing is turned back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cli.story import takeovers, training
from cli.story.chapters import Book, Chapter
from cli.story.loop import Loop, Passed, Season
from cli.story.releasing import Releasing
from cli.story.stage import Stage
from cli.story.takeovers import LATEST_YEARS, Takeover
from cli.story.traffic import Traffic, send_rows
from cli.story.training import Team
from cli.story.wages_pictures import around, quality, year_after
from examples.wages import prepare as example
from examples.wages.data import read_wages, select_rows, split_people

EXAMPLE = Path(example.__file__).parent
TEAM = Team("wages", EXAMPLE)
YEAR_AFTER_TRAINING = 1979
LATER_YEARS = (1981, 1982)
PASSES = 4
"""How often people of the later years ask: the monitor sees those of the year after training in the same window."""
NARROW, BIASED, SLOW, HOSTILE = 2, 3, 4, 5
"""The versions that the gates turn back: one that learned too little, one that learned what it must not, one that takes too
long to answer, and one whose artifact would run a command where it is loaded."""
BIASED_FEATURES = "exp,wks,bluecol,ind,south,smsa,union,ed,sex,married,black"


class WagesStory(Releasing):
    """Plays the chapters in order and keeps what the report draws."""

    title = "Two models go up the locks, six are turned back"
    summary = (
        "Eight versions of a wages model, trained on real data by a SageMaker pipeline, went the way from the registry to "
        "production on a laptop: the real template, the real functions, the real state machine and real models, on an "
        "emulated AWS. When production drifted, Lockkeeper had the sixth trained by itself."
    )

    def __init__(self, stage: Stage, book: Book, interactive: bool, everything: bool = False) -> None:
        super().__init__(TEAM, stage, book, interactive, everything)
        self.traffic: Traffic | None = None
        self.takeovers: list[Takeover] = []
        self.loop = Loop(self, self.years())

    @property
    def latencies_ms(self) -> tuple[float, ...]:
        return self.traffic.latencies_ms if self.traffic else ()

    def headline(self, report: dict[str, Any]) -> dict[str, str]:
        accuracy = report["binary_classification_metrics"]["accuracy"]["value"]
        return {"value": f"{accuracy:.3f}", "label": "accuracy of version 1 on people it never saw"}

    def pictures(self) -> dict[str, Any]:
        return {
            "quality": quality(self.evaluations, self.policy_text) if self.evaluations else None,
            "traffic": year_after(self.traffic) if self.traffic else None,
            "takeovers": [around(one) for one in self.takeovers],
            "drift": self.loop.facts(),
        }

    def play(self) -> None:
        """Play every chapter; `StoryEnded` at the first that does not end as it should."""
        self.prepare_team()
        self.apply_policy()
        self.train_version(1, {"Reason": "first model on 1976 to 1978"})
        self.wait_for_question()
        self.decide(1)
        self.test_in_staging()
        self.reach_production()
        self.close()
        self.serve_next_year()
        if self.traffic:
            self.loop.look_calmly(passed(self.traffic))
        self.train_version(NARROW, {"Reason": "weeks and region only", "Features": "wks,south"})
        self.turn_back(NARROW, "The quality gate turns version 2 back", ["quality", "quality"])
        self.train_version(BIASED, {"Reason": "sex and marriage and colour too", "Features": BIASED_FEATURES})
        self.turn_back(BIASED, "The bias gate turns version 3 back, which is more accurate", ["bias"])
        self.train_version(SLOW, {"Reason": "two thousand trees", "Estimator": "forest", "Trees": "2000"})
        self.decide_in_slack(SLOW)
        self.turn_back(SLOW, "The latency gate turns version 4 back, in staging", ["latency"], decisions=1)
        self.register_hostile()
        self.turn_back(HOSTILE, "The scan turns version 5 back, before anything has run it", ["artifact"])
        self.loop.play()
        takeovers.play(self)
        if self.everything:
            self.loop.open_breaker()
        self.finished = True

    def prepare_data(self, folder: Path) -> tuple[str, int, int]:
        prepared = example.prepare(folder)
        return "rows to train on, people of 1976 to 1978", prepared.train_rows, 1071

    def read_report(self, chapter: Chapter, version: int, report: dict[str, Any]) -> None:
        """Better than always the same answer, unless it learned too little; the biased one is better than the first."""
        metrics = report["binary_classification_metrics"]
        accuracy = metrics["accuracy"]["value"]
        constant = metrics["accuracy_best_constant_classifier"]["value"]
        found = f"{accuracy:.3f} on {report['dataset']['item_count']} rows; always the same answer: {constant:.3f}"
        chapter.check("accuracy on people it never saw", found, (accuracy - constant > 0.02) == (version != NARROW))
        if version == BIASED:
            first = self.evaluations[1]["binary_classification_metrics"]["accuracy"]["value"]
            chapter.check("more accurate than version 1", f"{accuracy:.3f} > {first:.3f}", accuracy > first)

    def serve_next_year(self) -> None:
        """Everybody's answers of the year after the training years, one request a person."""
        wages = read_wages()
        rows = wages[wages["year"] == YEAR_AFTER_TRAINING]
        with self.book.chapter(f"Production answers for {len(rows)} people of {YEAR_AFTER_TRAINING}") as chapter:
            traffic = send_rows(self.stage.production.sagemaker_runtime, self.team.group, rows)
            self.traffic = traffic
            self.loop.keep(passed(traffic), 1)
            chapter.check("answers", len(traffic.answers), len(traffic.answers) == len(rows))
            found = f"{traffic.accuracy:.3f}; always the same answer: {traffic.majority_share:.3f}"
            chapter.check("accuracy a year after training", found, traffic.accuracy > traffic.majority_share)

    def years(self) -> Season:
        """The years pass, and everybody has worked for longer: those who ask are people whom no version is trained on."""
        first, last = LATER_YEARS

        def ask() -> Passed:
            return passed(send_rows(self.stage.production.sagemaker_runtime, self.team.group, later_people()))

        return Season(
            retrained=takeovers.BETTER,
            who=f"people of {first} and {last}",
            window=f"{LATEST_YEARS[0]} to {LATEST_YEARS[1]}",
            feature="exp",
            metric="accuracy",
            metric_in_words="share of right answers",
            passes=PASSES,
            ask=ask,
            write=lambda folder: example.prepare(folder, *LATEST_YEARS),
        )

    def register_hostile(self) -> None:
        """Somebody registers version 1 again, with a pickle in it that runs a command when it is loaded."""
        with self.book.chapter("Somebody registers an artifact with a command in it") as chapter:
            package = self.stage.sagemaker.describe_model_package(ModelPackageName=self.package_arns[1])
            trained = self.stage.read_release(self.release_id(1))["pins"]["artifacts"][0]["source"]
            uri = self.stage.upload(
                training.with_command(self.stage.read(trained)), self.team.bucket, "hostile/model.tar.gz"
            )
            arn = training.register_again(self.stage.sagemaker, package, uri, "mallory@example.com")
            chapter.check("registered", arn, arn.endswith(f"/{HOSTILE}"))
            self.package_arns[HOSTILE] = arn


def passed(traffic: Traffic) -> Passed:
    """How often answers were right."""
    return Passed(traffic.accuracy, len(traffic.answers), traffic.told)


def later_people() -> pd.DataFrame:
    """Held-out people of the later years, with their labels."""
    wages = read_wages()
    return select_rows(wages, split_people(wages).holdout, *LATER_YEARS)
