"""What ReactToTraining answers and logs, called as Lambda calls it."""

from __future__ import annotations

import pytest

from tests.handlers.conftest import Logged, handler_of
from tests.unit.harbour import Harbour, package_arn
from tests.unit.trained import TAGS, train, training_event

REACT = handler_of("react_to_training")


def test_a_registered_model_is_answered_with_its_version(harbour: Harbour, logged: Logged) -> None:
    train(harbour.world)
    assert REACT(training_event(), None) == {"registered": package_arn(1)}
    assert [line["message"] for line in logged()][-1] == f"registered: {package_arn(1)}"


def test_a_job_that_is_left_alone_is_answered_with_the_reason(harbour: Harbour, logged: Logged) -> None:
    train(harbour.world, tags={})
    said = REACT(training_event(), None)
    assert "has no tag lockkeeper:group" in said["ignored"]
    assert logged()[-1]["message"] == f"ignored: {said['ignored']}"


@pytest.mark.parametrize(
    ("job", "tags", "told"),
    [
        ({"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: no"}, TAGS, "Training Failed"),
        ({}, {"lockkeeper:group": "wages"}, "Training Refused"),
    ],
)
def test_what_people_are_told_is_a_warning_in_the_log(
    harbour: Harbour, logged: Logged, job: dict[str, str], tags: dict[str, str], told: str
) -> None:
    train(harbour.world, tags=tags, **job)
    assert REACT(training_event(), None) == {"told": told}
    assert logged()[-1]["level"] == "WARNING"
    assert logged()[-1]["message"].startswith(f"{told}: training job wages-night ")
