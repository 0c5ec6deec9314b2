"""Chapters in which production changes while people use it: a canary that goes well, and one that real traffic breaks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from cli.story import training
from cli.story.live import Asked, LiveTraffic
from cli.story.watch import told
from examples.wages.data import FEATURES, read_wages, select_rows, split_people

if TYPE_CHECKING:
    from cli.story.chapters import Chapter
    from cli.story.wages import WagesStory

BETTER, HASTY, AGAIN = 6, 7, 8
"""The versions of these chapters: the retrained one that takes over, one that real traffic breaks, and the same model once more."""
LATEST_YEARS = (1980, 1982)
"""What the team has data of when the years have passed."""
LATEST_YEAR = LATEST_YEARS[-1]
PEOPLE_A_REQUEST = 30
SECONDS = 300
CALM = 3
"""How often every request is sent again after a rollback."""


@dataclass(frozen=True)
class Takeover:
    """A change of production and the requests around it, for the report's picture; `kinds` has `old`, `new` or `failed` for each."""

    version: int
    asked: tuple[Asked, ...]
    kinds: tuple[str, ...]
    note: str


def requests_of(rows: pd.DataFrame) -> list[bytes]:
    """Real people as CSV bodies, so many to a request as a payroll office would send."""
    lines = rows[list(FEATURES)].to_csv(index=False, header=False).splitlines()
    bodies = (lines[start : start + PEOPLE_A_REQUEST] for start in range(0, len(lines), PEOPLE_A_REQUEST))
    return ["\n".join(body).encode() for body in bodies]


def live_traffic(story: WagesStory) -> LiveTraffic:
    """Clients who ask production about the people of the latest year, again and again."""
    wages = read_wages()
    requests, runtime = requests_of(wages[wages["year"] == LATEST_YEAR]), story.stage.production.sagemaker_runtime

    def ask(number: int) -> str:
        body = requests[number]
        answer = runtime.invoke_endpoint(
            EndpointName=story.team.group, Body=body, ContentType="text/csv", Accept="text/csv"
        )
        return str(answer["Body"].read().decode())

    return LiveTraffic(ask, requests=len(requests))


def play(story: WagesStory) -> None:
    """Version 6 is promoted by canary; version 7 trips the alarm in its canary; version 8 is version 7 once more."""
    take_over(story)
    story.loop.see_what_came_of_it()
    uri = register_hasty(story)
    fail_on_real_traffic(story)
    register_once_more(story, uri)


def take_over(story: WagesStory) -> None:
    """Traffic moves to a better version by canary, and nobody who asks meanwhile goes without an answer."""
    with live_traffic(story) as live:
        live.wait_for(2 * live.requests, SECONDS)
        before = time.monotonic()
        story.decide(BETTER)
        with story.book.chapter("Version 6 takes over by canary while requests flow") as chapter:
            release, execution = story.watch.until_ended(story.release_id(BETTER), SECONDS)
            chapter.check("state machine execution", execution, execution == "SUCCEEDED")
            chapter.check("release", told(release), release["status"] == "promoted")
            alone = live.wait_for(2 * live.requests, SECONDS)
            kinds = tell_apart(live, before, alone)
            count_answers(chapter, live.asked, kinds, before)
            story.takeovers.append(Takeover(BETTER, tuple(live.asked), kinds, "version 1, then version 6"))
            _, container = story.serving()
            pinned = release["pins"]["artifacts"][0]["pinned"]
            chapter.check("production serves", container["ModelDataUrl"], container["ModelDataUrl"] == pinned)


def tell_apart(live: LiveTraffic, before: float, alone: float) -> tuple[str, ...]:
    """By whom each request was answered: the two versions give every request another answer, down to six digits.

    Args:
        live: The traffic.
        before: Until when the old version was alone.
        alone: Since when the new one is.
    """
    old = {one.request: one.answer for one in live.between(until=before)}
    new = {one.request: one.answer for one in live.between(since=alone)}

    def kind(one: Asked) -> str:
        if one.failed:
            return "failed"
        by = [name for name, known in (("old", old), ("new", new)) if known.get(one.request) == one.answer]
        return by[0] if len(by) == 1 else "unknown"

    return tuple(kind(one) for one in live.asked)


def count_answers(chapter: Chapter, asked: Sequence[Asked], kinds: Sequence[str], before: float) -> None:
    """No request was lost, each was answered by one of the two versions, and by the new one only when it was approved."""
    lost, unknown = kinds.count("failed"), kinds.count("unknown")
    chapter.check("requests without an answer", f"{lost} of {len(kinds)}", lost == 0)
    old, new = kinds.count("old"), kinds.count("new")
    chapter.check("answered by version 1, by version 6, by neither", f"{old}, {new}, {unknown}", unknown == 0)
    early = sum(kind == "new" and one.at < before for one, kind in zip(asked, kinds, strict=True))
    chapter.check("answered by version 6 before it was approved", early, early == 0)
    first = min(one.at for one, kind in zip(asked, kinds, strict=True) if kind == "new")
    last = max(one.at for one, kind in zip(asked, kinds, strict=True) if kind == "old")
    chapter.check("both answered, side by side", f"for {last - first:.1f} s", last > first)


def people_of_the_team() -> pd.DataFrame:
    """Everybody whom the team trains and tests with in the latest years; one of ten of those who ask is somebody else."""
    wages = read_wages()
    people = split_people(wages)
    return select_rows(wages, people.train | people.holdout, *LATEST_YEARS)


def register_hasty(story: WagesStory) -> str:
    """Somebody adds a table to version 6's code, made from the team's people; returns its artifact's address."""
    with story.book.chapter("Somebody adds a look-up to version 6's code and registers version 7") as chapter:
        package = story.stage.sagemaker.describe_model_package(ModelPackageName=story.package_arns[BETTER])
        trained = story.stage.read_release(story.release_id(BETTER))["pins"]["artifacts"][0]["source"]
        known = people_of_the_team().value_counts(["exp", "ed"]).to_dict()
        archive = training.with_table(story.stage.read(trained), known)
        uri = story.stage.upload(archive, story.team.bucket, "hasty/model.tar.gz")
        arn = training.register_again(story.stage.sagemaker, package, uri, training.AUTHOR)
        chapter.check("registered", arn, arn.endswith(f"/{HASTY}"))
        story.package_arns[HASTY] = arn
    return uri


def fail_on_real_traffic(story: WagesStory) -> None:
    """Staging has nobody whom the table lacks; production has. The canary's alarm brings version 6 back."""
    with live_traffic(story) as live:
        serving = story.serving()[0]["EndpointConfigName"]
        story.decide(HASTY)
        with story.book.chapter(
            "Version 7 meets people whom staging did not have; the canary takes it back"
        ) as chapter:
            release, execution = story.watch.until_ended(story.release_id(HASTY), SECONDS)
            ended = time.monotonic()
            chapter.check("state machine execution", execution, execution == "SUCCEEDED")
            passed = [one["gate"] for one in release["verdicts"] if one["verdict"] == "passed"]
            chapter.check("gates passed, staging's too", len(passed), len(passed) == len(release["verdicts"]))
            chapter.check("release", told(release), release["status"] == "rolled-back")
            live.wait_for(CALM * live.requests, SECONDS)
            kinds = tuple("failed" if one.failed else "old" for one in live.asked)
            failed = kinds.count("failed")
            share = f"{failed} of {len(kinds)}"
            chapter.check("requests that the canary failed", share, 0 < failed < len(kinds) / 2)
            after = [one for one in live.between(since=ended) if one.failed]
            asked = len(live.between(since=ended))
            chapter.check("that failed after the rollback", f"{len(after)} of {asked}", asked > 0 and not after)
            story.takeovers.append(
                Takeover(HASTY, tuple(live.asked), kinds, "version 7 beside version 6, then version 6 alone")
            )
            back = story.serving()[0]["EndpointConfigName"]
            chapter.check("production serves", back, back == serving)
            status, description = story.registry_entry(HASTY)
            chapter.check("registry", f"{status}: {description}", status == "Rejected")


def register_once_more(story: WagesStory, uri: str) -> None:
    """The model that was taken back is held, under whatever number it comes."""
    with story.book.chapter("The same model is registered as version 8, and is not shipped") as chapter:
        serving = story.serving()[0]["EndpointConfigName"]
        package = story.stage.sagemaker.describe_model_package(ModelPackageName=story.package_arns[HASTY])
        arn = training.register_again(story.stage.sagemaker, package, uri, training.AUTHOR)
        chapter.check("registered", arn, arn.endswith(f"/{AGAIN}"))
        story.package_arns[AGAIN] = arn
        release: dict[str, Any]
        release, execution = story.watch.until_ended(story.release_id(AGAIN), SECONDS)
        chapter.check("state machine execution", execution, execution == "SUCCEEDED")
        held = f"is the model of version {HASTY}, which is held" in release["reason"]
        chapter.check("release", told(release), release["status"] == "failed" and held)
        still = story.serving()[0]["EndpointConfigName"]
        chapter.check("production serves", still, still == serving)
