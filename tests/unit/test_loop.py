"""The demo's chapters of drift: what they draw, what they ask, and that they keep to the example's own policy."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from lockkeeper.domain.drift_rules import Retrain
from lockkeeper.domain.policy import parse_policy

from cli.story.computers import TEAM as COMPUTERS
from cli.story.looks import read_looks
from cli.story.loop import GIVE_UP_AFTER, PACE, QUICK, Bound, Loop, Passed, Point, Season, shuffle_labels
from cli.story.takeovers import LATEST_YEARS
from cli.story.training import Team
from cli.story.wages import EXAMPLE, LATER_YEARS, TEAM, later_people
from examples.wages.data import read_wages, split_people

POLICY = (EXAMPLE / "policy.yaml").read_text(encoding="utf-8")
EXAMPLES = [TEAM, COMPUTERS]


@dataclass
class Shelf:
    """A bucket of documents, as far as a stage is asked for them."""

    documents: dict[str, Any] = field(default_factory=dict)

    outputs = {"BucketName": "ours"}

    @property
    def stack(self) -> Shelf:
        return self

    @property
    def s3(self) -> Shelf:
        return self

    def get_paginator(self, _operation: str) -> Shelf:
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        found = [uri.removeprefix(f"s3://{Bucket}/") for uri in self.documents]
        return [{"Contents": [{"Key": key} for key in found if key.startswith(Prefix)]}, {}]

    def read_json(self, uri: str) -> Any:
        return json.loads(json.dumps(self.documents[uri]))


def left_by_a_job(
    job: str, version: int, until: str, measured: float, violations: list[dict[str, str]]
) -> dict[str, Any]:
    place = f"s3://ours/monitoring/wages/{job}"
    about = {
        "release_id": f"wages-v{version}-a1",
        "window": ["2026-11-24T08:00:00+00:00", until],
        "distances": [{"feature": "exp", "measured": measured, "threshold": 0.1}],
    }
    return {
        f"{place}/statistics.json": {"dataset": {"item_count": 595}, "lockkeeper": about},
        f"{place}/constraint_violations.json": {"violations": violations},
        f"{place}/data_quality/constraint_violations.json": {"violations": violations},
        f"{place}/job/monitor.json": {},
    }


def shelf() -> Any:
    drifted = [{"feature_name": "exp"}, {"metric_name": "accuracy"}]
    later = left_by_a_job("b", 1, "2026-11-24T09:01:00+00:00", 0.19, drifted)
    return Shelf({**later, **left_by_a_job("a", 1, "2026-11-24T09:00:00+00:00", 0.08, [])})


def test_each_job_is_read_once_in_the_order_of_its_window() -> None:
    calm, drifted = read_looks(shelf(), "wages")
    assert (calm.job, calm.version, calm.rows, calm.violations) == ("a", 1, 595, ())
    assert (drifted.job, drifted.violations) == ("b", ("exp", "accuracy"))
    assert drifted.distances == {"exp": (0.19, 0.1)}
    assert drifted.until - calm.until == 60


SEASON = Season(
    retrained=6,
    who="people of 1981",
    window="1980 to 1982",
    feature="exp",
    metric="accuracy",
    metric_in_words="share of right answers",
    passes=1,
    ask=lambda: Passed(0.5, 1, {}),
    write=lambda folder: None,
)


@dataclass
class Told:
    """A story that has been played, as far as its loop asks for it."""

    stage: Any
    policy_text = POLICY
    team = TEAM


def test_the_pictures_begin_with_the_first_measurement_and_end_with_the_last() -> None:
    loop = Loop(Told(shelf()), SEASON)  # type: ignore[arg-type]
    assert loop.facts() is None
    begins = read_looks(shelf(), "wages")[0].until
    loop.measured = [Point(begins - 60, 0.635, 1), Point(begins + 30, 0.528, 1), Point(begins + 180, 0.749, 6)]
    loop.events = [(begins, "people of 1981 begin to ask"), (begins + 60, "a retraining starts")]
    facts = loop.facts()
    assert facts is not None
    assert (facts["seconds"], facts["marks"]) == (240, [85.0, 170.0])
    right, far = facts["parts"]
    assert [one[0] for one in right["measured"]] == [0, 90, 240]
    assert (right["bound"], far["bound"]) == (0.58, 0.1)
    assert far["measured"] == [[60, 0.08, 1], [120, 0.19, 1]]


def test_a_bound_holds_on_its_side() -> None:
    least, most = Bound(0.58, least=True), Bound(300, least=False)
    assert [least.holds(value) for value in (0.57, 0.58, 0.6)] == [False, True, True]
    assert [most.holds(value) for value in (299, 300, 301)] == [True, True, False]
    assert (least.in_words, most.in_words) == ("0.58 at least", "300 at most")


def test_a_metric_that_the_policy_does_not_name_has_no_bound() -> None:
    loop = Loop(Told(shelf()), replace(SEASON, metric="auc"))  # type: ignore[arg-type]
    with pytest.raises(LookupError, match="no bound of auc"):
        loop.bound()


def test_the_people_who_ask_later_are_those_whom_no_version_is_trained_on() -> None:
    wages = read_wages()
    people = split_people(wages)
    asked = later_people()
    assert len(asked) == 358
    assert set(asked["year"]) == set(LATER_YEARS)
    assert not set(asked["person"]) & (people.train | people.validation)
    assert LATEST_YEARS[1] == wages["year"].max()


def test_shuffled_labels_are_the_same_labels_on_other_people(tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    pd.DataFrame({"label": [0, 1] * 200, "exp": range(400)}).to_csv(file, index=False)
    shuffle_labels(file)
    shuffled = pd.read_csv(file)
    assert shuffled["label"].sum() == 200
    assert list(shuffled["exp"]) == list(range(400))
    assert 150 < (shuffled["label"] == [0, 1] * 200).sum() < 250


@pytest.mark.parametrize("team", EXAMPLES)
def test_a_storys_pace_is_its_policys_with_two_lines_changed(team: Team) -> None:
    text = (team.example / "policy.yaml").read_text(encoding="utf-8")
    quick, usual = (retrain_of(one) for one in (PACE.sub(QUICK, text), text))
    assert (usual.give_up_after, quick.give_up_after) == (GIVE_UP_AFTER, GIVE_UP_AFTER)
    assert (usual.cooldown, quick.cooldown) == (86400, 0)
    assert usual.pipeline == team.pipeline


@pytest.mark.parametrize("team", EXAMPLES)
def test_a_retraining_gives_the_pipeline_what_it_has_no_default_for(team: Team) -> None:
    given = set(retrain_of((team.example / "policy.yaml").read_text(encoding="utf-8")).parameters)
    definition = json.loads((team.example / "pipeline.json").read_text(encoding="utf-8"))
    known = {one["Name"] for one in definition["Parameters"]}
    required = {one["Name"] for one in definition["Parameters"] if "DefaultValue" not in one}
    assert required <= given <= known


def retrain_of(text: str) -> Retrain:
    drift = parse_policy(text, source="policy.yaml").drift
    assert drift is not None
    assert drift.retrain is not None
    return drift.retrain
