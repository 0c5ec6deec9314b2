"""The wages story: a trained model is released with a person's approval; one that learned nothing is turned back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cli.story import takeovers, training
from cli.story.chapters import Book, Chapter
from cli.story.releasing import Releasing
from cli.story.stage import Stage
from cli.story.takeovers import Takeover
from cli.story.traffic import Traffic, send_rows
from cli.story.training import Team
from cli.story.wages_pictures import around, quality, year_after
from examples.wages import prepare as example
from examples.wages.data import read_wages

EXAMPLE = Path(example.__file__).parent
TEAM = Team("wages", EXAMPLE)
YEAR_AFTER_TRAINING = 1979
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
        "emulated AWS."
    )

    def __init__(self, stage: Stage, book: Book, interactive: bool) -> None:
        super().__init__(TEAM, stage, book, interactive)
        self.traffic: Traffic | None = None
        self.takeovers: list[Takeover] = []

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
        self.serve_next_year()
        self.close()
        self.train_version(NARROW, {"Reason": "weeks and region only", "Features": "wks,south"})
        self.turn_back(NARROW, "The quality gate turns version 2 back", ["quality", "quality"])
        self.train_version(BIASED, {"Reason": "sex and marriage and colour too", "Features": BIASED_FEATURES})
        self.turn_back(BIASED, "The bias gate turns version 3 back, which is more accurate", ["bias"])
        self.train_version(SLOW, {"Reason": "two thousand trees", "Estimator": "forest", "Trees": "2000"})
        self.decide_in_slack(SLOW)
        self.turn_back(SLOW, "The latency gate turns version 4 back, in staging", ["latency"], decisions=1)
        self.register_hostile()
        self.turn_back(HOSTILE, "The scan turns version 5 back, before anything has run it", ["artifact"])
        takeovers.play(self)
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
            chapter.check("answers", len(traffic.answers), len(traffic.answers) == len(rows))
            found = f"{traffic.accuracy:.3f}; always the same answer: {traffic.majority_share:.3f}"
            chapter.check("accuracy a year after training", found, traffic.accuracy > traffic.majority_share)

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
