"""Chapters of the loop: the years pass, production drifts, one retraining answers, and its version comes back through the gates."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
from lockkeeper.domain.policy import parse_policy
from lockkeeper.domain.retraining import Kept, Retraining

from cli.report.figures import position
from cli.story import training
from cli.story.looks import Look, read_looks

if TYPE_CHECKING:
    from cli.story.releasing import Releasing

Found = TypeVar("Found")

FIRST = 1
"""The version that serves while production drifts."""
MONITOR_SECONDS = 180
PIPELINE_SECONDS = 300
POLL_SECONDS = 0.5
GIVE_UP_AFTER = 2
"""Retrainings in a row that may fail, as the examples' policies say."""
PACE = re.compile(r"    cooldown: .*\n    at_most: .*\n")
QUICK = "    cooldown: 0s\n    at_most: {count: 9, per: 7d}\n"


@dataclass(frozen=True)
class Point:
    """Something that was measured of a version: when (seconds since the epoch), and what."""

    at: float
    value: float
    version: int


@dataclass(frozen=True)
class Bound:
    """What a metric has to be at least (or at most)."""

    value: float
    least: bool

    @property
    def in_words(self) -> str:
        return f"{self.value:g} at {'least' if self.least else 'most'}"

    def holds(self, measured: float) -> bool:
        return measured >= self.value if self.least else measured <= self.value


@dataclass(frozen=True)
class Passed:
    """Everybody asked once: how good the answers were, of how many rows, and what was true of each, by inference id."""

    value: float
    rows: int
    truths: dict[str, str]


@dataclass(frozen=True)
class Season:
    """What changes in a story's world.

    Args:
        retrained: the version that the retraining registers.
        who: who asks while production drifts; rows that no version is trained on.
        window: of what the team has data then.
        feature: what drifts, of what is asked.
        metric: how good answers are, by its name in the policy's monitor.
        metric_in_words: the same for people.
        passes: how often all of them ask.
        ask: has everybody ask once.
        write: writes the team's data of the window into a folder, as its pipeline and its tests read it.
    """

    retrained: int
    who: str
    window: str
    feature: str
    metric: str
    metric_in_words: str
    passes: int
    ask: Callable[[], Passed]
    write: Callable[[Path], object]


@dataclass
class Loop:
    """Plays the chapters and keeps what the report draws of them."""

    story: Releasing
    season: Season
    measured: list[Point] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)

    def play(self) -> None:
        """Until the retraining's version asks for its approval."""
        self.let_time_pass()
        retraining = self.notice()
        self.register_retrained(retraining)

    def look_calmly(self, asked: Passed) -> None:
        """The monitor has looked at what was asked soon after training, and found nothing to say."""
        season = self.season
        with self.story.book.chapter(f"The monitor looks at what version {FIRST} was asked, and is content") as chapter:
            look = _until(lambda: [one for one in self._looks() if one.rows >= asked.rows], "a look of the monitor")[-1]
            chapter.check("job", look.job, look.version == FIRST)
            chapter.check("rows, violations", f"{look.rows}, {len(look.violations)}", not look.violations)
            far, allowed = look.distances[season.feature]
            chapter.check(f"distance of {season.feature}", f"{far:.3f} <= {allowed:g}", far <= allowed)
            chapter.check("retrainings", len(self._retrainings()), not self._retrainings())

    def let_time_pass(self) -> None:
        """Others ask; what was true of them comes in, and the team's data moves on."""
        season = self.season
        with self.story.book.chapter(f"Time passes: {season.who} ask version {FIRST}") as chapter:
            files = self.deliver()
            chapter.check(f"files of {season.window} from the team's data job", files, files > 0)
            self._happened(f"{season.who} begin to ask")
            passes = [self.ask(FIRST) for _ in range(season.passes)]
            chapter.check("answers", sum(one.rows for one in passes), all(one.rows for one in passes))
            bound = self.bound()
            values = [one.value for one in passes]
            found = f"{min(values):.4g} to {max(values):.4g}; the policy wants {bound.in_words}"
            chapter.check(season.metric_in_words, found, not any(bound.holds(value) for value in values))

    def ask(self, version: int) -> Passed:
        """Everybody asks once, and what was true of them is written where the monitor looks for it."""
        passed = self.season.ask()
        self.keep(passed, version)
        good = "[green]holds[/green]" if self.bound().holds(passed.value) else "[red]does not hold[/red]"
        told = f"   {passed.rows} rows, {self.season.metric_in_words}: [cyan]{passed.value:.4g}[/cyan], which {good}"
        self.story.book.console.print(told, highlight=False, soft_wrap=True)
        return passed

    def keep(self, passed: Passed, version: int) -> None:
        """Keep for the report how good production was just now, and tell the monitor what was true."""
        training.tell_truth(self.story.stage.s3, self.story.team, passed.truths)
        self.measured.append(Point(time.time(), passed.value, version))

    def deliver(self, *, shuffled: bool = False) -> int:
        """The team's latest data takes the place of what its pipeline and tests read; returns the number of files."""
        s3, bucket, home = self.story.stage.s3, self.story.team.bucket, self.story.team.group
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self.season.write(folder)
            if shuffled:
                shuffle_labels(folder / "train" / "train.csv")
            files = training.upload_folder(s3, folder / "tests", bucket, f"{home}/tests")
            for channel in ("train", "validation", "evaluation"):
                files += training.upload_folder(s3, folder / channel, bucket, f"{home}/latest/{channel}")
        return files

    def notice(self) -> Retraining:
        """The monitor finds it, and one retraining starts."""
        feature = self.season.feature
        with self.story.book.chapter("The monitor finds the drift, and one retraining starts") as chapter:
            look = _until(lambda: [one for one in self._looks() if one.violations], "violations")[0]
            far, allowed = look.distances[feature]
            chapter.check(f"distance of {feature}", f"{far:.3f} > {allowed:g}", far > allowed)
            chapter.check("violations", ", ".join(sorted(set(look.violations))), feature in look.violations)
            (retraining, *others) = _until(self._retrainings, "a retraining")
            self._happened(f"{retraining.retraining_id} starts: {retraining.why}")
            chapter.check("why it started", retraining.why, feature in retraining.why)
            chapter.check("retrainings", 1 + len(others), not others)
            return retraining

    def register_retrained(self, retraining: Retraining) -> None:
        """The pipeline's run on the latest data registers a version, which goes the way of every other."""
        stage, package_arns, version = self.story.stage, self.story.package_arns, self.season.retrained
        with self.story.book.chapter(f"The retraining trains, evaluates and registers version {version}") as chapter:
            made = _until(self._made_or_ended, "a version", PIPELINE_SECONDS)[0]
            chapter.check("retraining", made.words, made.number == retraining.number)
            chapter.check("version", made.version, made.version == version)
            package_arns[version] = f"{package_arns[FIRST].rpartition('/')[0]}/{version}"
            package = stage.sagemaker.describe_model_package(ModelPackageName=package_arns[version])
            report = stage.read_json(package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"])
            self.story.evaluations[version] = report
            self.story.read_report(chapter, version, report)

    def see_what_came_of_it(self) -> None:
        """The same rows are asked again, and the retraining is on record as one that helped."""
        season = self.season
        with self.story.book.chapter(f"Version {season.retrained} is asked the same: retraining has helped") as chapter:
            self._happened(f"version {season.retrained} serves")
            before = self.measured[-1].value
            passed, bound = self.ask(season.retrained), self.bound()
            found = f"{passed.value:.4g}; of version {FIRST}: {before:.4g}"
            chapter.check(season.metric_in_words, found, bound.holds(passed.value))
            ended = _until(lambda: [one for one in self._retrainings() if not one.open], "the retraining's end")[0]
            chapter.check("what came of the retraining", ended.words, ended.stage == "helped")

    def open_breaker(self) -> None:
        """Signals go on while retraining cannot help: as many retrainings as the policy says, and then a person is called."""
        with self.story.book.chapter(
            "Somebody shuffles the labels: retraining cannot help, and stops by itself"
        ) as chapter:
            rules = PACE.sub(QUICK, self.story.policy_text)
            self.story.stage.apply_policy(rules)
            pace = " ".join(QUICK.split())
            chapter.check("the policy's pace, for a story of minutes", pace, rules != self.story.policy_text)
            self.deliver(shuffled=True)
            before = len(self._retrainings())
            for number in range(before + 1, before + 1 + GIVE_UP_AFTER):
                self.report_drift(f"useless-{number}")
                ended = _until(lambda number=number: self._ended(number), f"the end of {number}", PIPELINE_SECONDS)[0]
                chapter.check("retraining on shuffled labels", ended.words, ended.stage == "did not help")
            self.report_drift("once-too-often")
            kept = _until(lambda: self._answers("once-too-often"), "an answer to the last signal")[0]
            chapter.check("the next signal", f"{kept.answer}: {kept.reason}", kept.answer == "given up")
            started = len(self._retrainings()) - before
            chapter.check("retrainings that were started", started, started == GIVE_UP_AFTER)

    def report_drift(self, name: str) -> None:
        """What any monitor of the team's own would send; EventBridge's refusal is a `RuntimeError`."""
        drifted = [{"name": name, "measured": 0.4, "threshold": 0.1}]
        detail = {"model_package_group": self.story.team.group, "id": name, "drifted": drifted}
        entry = {"Source": "lockkeeper.drift", "DetailType": "Drift Detected", "Detail": json.dumps(detail)}
        answer = self.story.stage.production.session.client("events").put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            raise RuntimeError(f"EventBridge took no event: {answer['Entries']}")

    def facts(self) -> dict[str, Any] | None:
        """What the report's pictures of the loop are drawn from; None where it was not played."""
        if not self.measured or not self.events:
            return None
        season, feature = self.season, self.season.feature
        looks = [one for one in self._looks() if feature in one.distances and one.version in (FIRST, season.retrained)]
        distances = [Point(one.until, one.distances[feature][0], one.version) for one in looks]
        every = [one.at for one in (*self.measured, *distances)]
        begins = min(every)
        seconds = max(*every, begins + 1.0) - begins

        def since(points: list[Point]) -> list[list[float]]:
            return [[round(one.at - begins, 3), one.value, one.version] for one in points]

        bound = self.bound()
        return {
            "before": FIRST,
            "after": season.retrained,
            "seconds": seconds,
            "events": [what for _, what in self.events],
            "marks": [position((at - begins) / seconds) for at, _ in self.events],
            "parts": [
                {
                    "title": f"Production's {season.metric_in_words}",
                    "measured": since(self.measured),
                    "bound": bound.value,
                    "bound_words": f"the policy wants {bound.in_words}",
                    "note": f"Each dot: everybody asked once, since the first mark {season.who}.",
                },
                {
                    "title": f"How far {feature} was from what the version knew",
                    "measured": since(distances),
                    "bound": max((one.distances[feature][1] for one in looks), default=0.0),
                    "bound_words": "how far it may be",
                    "note": "Each dot is a job of Lockkeeper's monitor over what the endpoint captured.",
                },
            ],
        }

    def bound(self) -> Bound:
        """What the policy's monitor wants of the metric; `LookupError` where it wants nothing."""
        drift = parse_policy(self.story.policy_text, source="policy.yaml").drift
        monitor = drift.monitor if drift else None
        for bounds, least in ((monitor.at_least, True), (monitor.at_most, False)) if monitor else ():
            if self.season.metric in bounds:
                return Bound(bounds[self.season.metric], least)
        raise LookupError(f"the example's monitor has no bound of {self.season.metric}")

    def _looks(self) -> list[Look]:
        return read_looks(self.story.stage, self.story.team.group)

    def _retrainings(self) -> list[Retraining]:
        """Newest first."""
        return self.story.stage.stack.world.ledger.retrainings(self.story.team.group, 20)

    def _made_or_ended(self) -> list[Retraining]:
        return [one for one in self._retrainings() if one.version or not one.open]

    def _ended(self, number: int) -> list[Retraining]:
        return [one for one in self._retrainings() if one.number == number and not one.open]

    def _answers(self, name: str) -> list[Kept]:
        signals = self.story.stage.stack.world.ledger.signals(self.story.team.group, 50)
        return [one for one in signals if name in one.signal.names]

    def _happened(self, what: str) -> None:
        self.events.append((time.time(), what))


def _until(found: Callable[[], list[Found]], what: str, seconds: float = MONITOR_SECONDS) -> list[Found]:
    """Wait for something that is not empty; `TimeoutError` where it did not come."""
    deadline = time.monotonic() + seconds
    while not (seen := found()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {seconds:.0f} s")
        time.sleep(POLL_SECONDS)
    return seen


def shuffle_labels(file: Path) -> None:
    """Give every row another one's label, the first column, so that nothing can be learned."""
    table = pd.read_csv(file)
    label = table.columns[0]
    table[label] = table[label].sample(frac=1, random_state=0).to_numpy()
    table.to_csv(file, index=False)
