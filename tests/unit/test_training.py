"""A training job's model is registered once, what failed is told by whose doing it was, and everything else is left alone with a reason."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.domain.model_package import candidate_from
from lockkeeper.domain.registration import Ignore
from lockkeeper.domain.release import Status
from lockkeeper.domain.training import Trained, decide_on_training, metadata_text, training_hint
from lockkeeper.domain.training_failure import Cause, cause_of
from lockkeeper.use_cases.keep_house import QUIET, Kind, keep_house
from lockkeeper.use_cases.notify import notify
from lockkeeper.use_cases.react_to_training import Registered, Told, react_to_training

from tests.unit.harbour import GROUP, IMAGE, IMAGE_DIGEST, Harbour, package_arn
from tests.unit.trained import (
    NAME,
    TAGS,
    described,
    described_tuning,
    job_arn,
    train,
    training_event,
    tune,
    tuning_event,
)


@pytest.fixture
def harbour() -> Harbour:
    return Harbour()


def tell(harbour: Harbour, event: dict[str, Any] | None = None) -> Registered | Told | Ignore:
    return react_to_training(event or training_event(), harbour.inside)


def package(harbour: Harbour, version: int = 1) -> dict[str, Any]:
    return harbour.world.registry.packages[package_arn(version)]


def release_version(harbour: Harbour) -> None:
    """The registry finds the digest of the image, and tells of the version."""
    package(harbour)["InferenceSpecification"]["Containers"][0]["ImageDigest"] = IMAGE_DIGEST
    harbour.tell_registry(1)
    harbour.settle()


def test_a_finished_job_becomes_a_version_with_its_lineage(harbour: Harbour) -> None:
    train(harbour.world, tags={**TAGS, "lockkeeper:reason": "more data", "lockkeeper:program": "inference.py"})
    done = tell(harbour)
    assert isinstance(done, Registered)
    assert done.model_package_arn == package_arn(1)
    made = package(harbour)
    (container,) = made["InferenceSpecification"]["Containers"]
    assert container == {
        "Image": IMAGE,
        "ModelDataUrl": f"s3://models/{NAME}/output/model.tar.gz",
        "Environment": {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
    }
    assert made["InferenceSpecification"]["SupportedContentTypes"] == ["text/csv", "application/json"]
    assert made["InferenceSpecification"]["SupportedResponseMIMETypes"] == ["text/csv", "application/json"]
    assert made["CustomerMetadataProperties"] == {"training_job": job_arn(), "author": "lin", "reason": "more data"}
    assert made["MetadataProperties"] == {"GeneratedBy": job_arn()}
    assert made["ModelApprovalStatus"] == "PendingManualApproval"
    (told,) = harbour.published("Training Registered")
    assert (told["job"], told["model_package_arn"]) == (job_arn(), package_arn(1))


def test_its_version_is_released_like_any_other_and_judged_by_its_metrics(harbour: Harbour) -> None:
    train(harbour.world)
    tell(harbour)
    release_version(harbour)
    harbour.approve()
    harbour.traffic()
    harbour.pass_time(minutes=11)
    release = harbour.release(1)
    assert release.status is Status.PROMOTED
    judged = next(one for one in release.verdicts if "accuracy" in one.gate)
    assert judged.measured == 0.81
    assert "lin" in release.author


def test_a_model_that_is_worse_by_its_metrics_is_stopped(harbour: Harbour) -> None:
    train(harbour.world, FinalMetricDataList=[{"MetricName": "validation:accuracy", "Value": 0.6}])
    tell(harbour)
    release_version(harbour)
    assert harbour.release(1).status is Status.FAILED


def test_the_author_of_a_job_may_not_approve_it(harbour: Harbour) -> None:
    train(harbour.world, tags={**TAGS, "lockkeeper:author": "Ada"})
    tell(harbour)
    release_version(harbour)
    assert {one.approver for one in harbour.world.mail.letters if one.approver} == {"Grace"}
    harbour.approve("Grace")
    assert harbour.release(1).status is Status.BAKING


def test_a_tuning_jobs_best_is_registered_and_its_training_jobs_are_left_to_it(harbour: Harbour) -> None:
    tune(harbour.world)
    left = tell(harbour, training_event())
    assert isinstance(left, Ignore)
    assert "was started by a tuning job" in left.reason
    done = tell(harbour, tuning_event())
    assert isinstance(done, Registered)
    tuning = job_arn("wages-search", "hyper-parameter-tuning-job")
    made = package(harbour)
    assert made["CustomerMetadataProperties"]["tuning_job"] == tuning
    assert made["CustomerMetadataProperties"]["training_job"] == job_arn()
    assert made["MetadataProperties"] == {"GeneratedBy": tuning}
    assert isinstance(tell(harbour, tuning_event()), Ignore)
    assert len(harbour.world.registry.packages) == 1


def test_a_tuning_job_without_a_best_is_told(harbour: Harbour) -> None:
    tune(harbour.world, best=None)
    done = tell(harbour, tuning_event())
    assert isinstance(done, Told)
    assert "none of its training jobs gave a model" in done.reason


# ---- once ----------------------------------------------------------------------------------------------------------------


def test_an_event_that_comes_again_changes_nothing(harbour: Harbour) -> None:
    train(harbour.world)
    tell(harbour)
    again = [tell(harbour, training_event()) for _ in range(3)]
    assert [one for one in again if not isinstance(one, Ignore)] == []
    assert "was registered before" in again[0].reason  # type: ignore[union-attr]
    assert len(harbour.world.registry.packages) == len(harbour.published("Training Registered")) == 1


def test_sixteen_at_the_same_time_register_one_version(harbour: Harbour) -> None:
    train(harbour.world)
    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(lambda _: tell(harbour), range(64)))
    assert len(harbour.world.registry.packages) == 1
    assert {one.model_package_arn for one in done if isinstance(one, Registered)} == {package_arn(1)}


def test_who_dies_before_remembering_finds_the_version_again(harbour: Harbour) -> None:
    """However long ago: the registry forgets tokens."""
    train(harbour.world)
    publish = harbour.world.publisher.publish
    harbour.world.publisher.publish = lambda *_: 1 / 0  # type: ignore[assignment, method-assign]
    with pytest.raises(ZeroDivisionError):
        tell(harbour)
    harbour.world.publisher.publish = publish  # type: ignore[method-assign]
    harbour.world.registry.tokens.clear()
    done = tell(harbour)
    assert isinstance(done, Registered)
    assert done.model_package_arn == package_arn(1)
    assert len(harbour.world.registry.packages) == len(harbour.published("Training Registered")) == 1


def test_a_version_that_somebody_deleted_does_not_come_back(harbour: Harbour) -> None:
    train(harbour.world)
    tell(harbour)
    harbour.world.registry.packages.clear()
    harbour.world.registry.tokens.clear()
    assert isinstance(tell(harbour), Ignore)
    assert harbour.world.registry.packages == {}


def test_a_job_under_a_name_that_was_used_before_is_another_job(harbour: Harbour) -> None:
    train(harbour.world)
    tell(harbour)
    later = harbour.world.clock.now()
    harbour.pass_time(minutes=5)
    train(harbour.world, CreationTime=later)
    done = tell(harbour)
    assert isinstance(done, Registered)
    assert done.model_package_arn == package_arn(2)


def test_late_and_shuffled_events_give_one_version(harbour: Harbour) -> None:
    early = [training_event(status=status) for status in ("InProgress", "Stopping")]
    train(harbour.world, TrainingJobStatus="InProgress", SecondaryStatus="Training")
    assert "is InProgress (Training)" in tell(harbour).reason  # type: ignore[union-attr]
    train(harbour.world)
    for event in (*early, training_event(), *early, training_event(status="Failed"), training_event()):
        tell(harbour, event)
    assert len(harbour.world.registry.packages) == 1
    assert harbour.published("Training Failed") == []


def look_around(harbour: Harbour) -> list[str]:
    found = keep_house(QUIET, harbour.inside)
    assert not [one for one in found if one.kind is Kind.PROBLEM], found
    return [one.what for one in found if one.kind is Kind.UNHEARD]


def test_a_job_whose_event_was_lost_is_found_once(harbour: Harbour) -> None:
    train(harbour.world)
    train(harbour.world, "bad", **FAILED)
    train(harbour.world, "nobodys", tags={})
    tune(harbour.world, best="best")
    found = look_around(harbour)
    assert len(found) == 3
    assert f"{job_arn()}: registered as {package_arn(1)}" in found
    assert len(harbour.world.registry.packages) == 2
    assert look_around(harbour) == []
    assert isinstance(tell(harbour), Ignore)


def test_a_job_that_is_too_young_or_too_old_is_not_looked_for(harbour: Harbour) -> None:
    now = harbour.world.clock.now()
    train(harbour.world, "young", LastModifiedTime=now - timedelta(minutes=1))
    train(harbour.world, "old", LastModifiedTime=now - timedelta(days=2))
    assert look_around(harbour) == []
    harbour.pass_time(minutes=5)
    assert len(look_around(harbour)) == 1


def test_a_look_that_fails_is_made_again(harbour: Harbour) -> None:
    train(harbour.world)
    harbour.world.policies.load = lambda *_: 1 / 0  # type: ignore[assignment, method-assign]
    assert [one.kind for one in keep_house(QUIET, harbour.inside)] == [Kind.PROBLEM]
    del harbour.world.policies.load
    assert len(look_around(harbour)) == 1


# ---- missing and wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["lockkeeper:inference-image", "lockkeeper:content-types", "lockkeeper:author"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_tag_is_told_by_its_name_and_nothing_is_registered(
    harbour: Harbour, tag: str, value: str | None
) -> None:
    tags = {name: text for name, text in {**TAGS, tag: value}.items() if text is not None}
    train(harbour.world, tags=tags)
    done = tell(harbour)
    assert isinstance(done, Told)
    assert f"has no tag {tag}" in done.reason
    assert harbour.world.registry.packages == {}
    (told,) = harbour.published("Training Refused")
    assert told["reason"] == done.reason


def test_once_the_tag_is_there_the_job_is_registered(harbour: Harbour) -> None:
    train(harbour.world, tags={"lockkeeper:group": GROUP})
    tell(harbour)
    assert isinstance(tell(harbour), Ignore)
    train(harbour.world)
    assert isinstance(tell(harbour), Registered)
    assert len(harbour.published("Training Refused")) == 1


@pytest.mark.parametrize(
    ("tags", "job", "said"),
    [
        ({"lockkeeper:content-types": "csv"}, {}, "'csv', which is no content type"),
        ({"lockkeeper:response-types": "text/csv <b>"}, {}, "'<b>', which is no content type"),
        ({"lockkeeper:inference-image": "an image"}, {}, "has spaces in it"),
        ({}, {"ModelArtifacts": None}, "it left no model"),
        ({}, {"ModelArtifacts": {"S3ModelArtifacts": ""}}, "it left no model"),
    ],
)
def test_what_cannot_be_registered_is_told(
    harbour: Harbour, tags: dict[str, str], job: dict[str, Any], said: str
) -> None:
    train(harbour.world, tags={**TAGS, **tags}, **job)
    done = tell(harbour)
    assert isinstance(done, Told)
    assert done.detail_type == "Training Refused"
    assert said in done.reason


def test_a_group_without_a_policy_gets_no_versions(harbour: Harbour) -> None:
    train(harbour.world, tags={**TAGS, "lockkeeper:group": "prices"})
    done = tell(harbour)
    assert isinstance(done, Told)
    assert "prices has no policy" in done.reason
    assert harbour.world.registry.packages == {}


def test_a_registry_that_refuses_is_told_with_its_words(harbour: Harbour) -> None:
    harbour.world.registry.refusal = "Model package group wages does not exist."
    train(harbour.world)
    done = tell(harbour)
    assert isinstance(done, Told)
    assert "Model package group wages does not exist." in done.reason


def test_an_uncompressed_model_is_registered_as_a_folder(harbour: Harbour) -> None:
    train(harbour.world, ModelArtifacts={"S3ModelArtifacts": "s3://models/night/output/model"})
    tell(harbour)
    made = package(harbour)
    made["InferenceSpecification"]["Containers"][0]["ImageDigest"] = IMAGE_DIGEST
    (container,) = candidate_from(made).containers
    assert container.artifact_uri == "s3://models/night/output/model/"
    assert container.is_folder


@pytest.mark.parametrize(
    ("tags", "job", "said"),
    [
        ({"lockkeeper:group": ""}, {}, "has no tag lockkeeper:group"),
        ({"lockkeeper:group": "<script>"}, {}, "cannot be the name of a group"),
        ({"sagemaker:pipeline-execution-arn": "arn:x"}, {}, "is a step of a pipeline"),
        ({}, {"AutoMLJobArn": "arn:aws:sagemaker:eu-central-1:111111111111:automl-job/x"}, "by an AutoML job"),
        ({}, {"OutputModelPackageArn": "arn:x"}, "has registered arn:x itself"),
        ({}, {"TrainingJobStatus": "InProgress", "SecondaryStatus": "Interrupted"}, "is InProgress (Interrupted)"),
        ({}, {"TrainingJobStatus": None}, "is None"),
    ],
)
def test_what_is_none_of_its_business_is_left_with_the_reason(
    harbour: Harbour, tags: dict[str, str], job: dict[str, Any], said: str
) -> None:
    train(harbour.world, tags={**TAGS, **tags}, **job)
    done = tell(harbour)
    assert isinstance(done, Ignore)
    assert said in done.reason
    assert harbour.world.registry.packages == {}
    assert harbour.world.publisher.published == []


def test_a_step_of_a_pipeline_is_known_by_its_name_as_well(harbour: Harbour) -> None:
    name = "pipelines-4a4a4a4a4a4a-Train-AbCdEf1234"
    train(harbour.world, name)
    done = tell(harbour, training_event(name))
    assert isinstance(done, Ignore)
    assert "is a step of a pipeline" in done.reason


def test_a_failed_step_of_a_pipeline_is_left_to_it_too(harbour: Harbour) -> None:
    tags = {**TAGS, "sagemaker:pipeline-execution-arn": "arn:x"}
    train(harbour.world, tags=tags, TrainingJobStatus="Failed", FailureReason="AlgorithmError: no")
    assert isinstance(tell(harbour), Ignore)


def test_tags_that_only_the_event_has_count_for_nothing(harbour: Harbour) -> None:
    train(harbour.world, tags={})
    for tags in (TAGS, [{"Key": name, "Value": value} for name, value in TAGS.items()], None):
        done = tell(harbour, training_event(Tags=tags))
        assert isinstance(done, Ignore)


def test_a_job_that_is_not_there_is_ignored(harbour: Harbour) -> None:
    assert tell(harbour) == Ignore(f"{job_arn()} is not there")


# ---- failed and stopped ----------------------------------------------------------------------------------------------------

FAILED = {"TrainingJobStatus": "Failed", "SecondaryStatus": "Failed"}
STOPPED = {"TrainingJobStatus": "Stopped", "SecondaryStatus": "Stopped"}
ENDS = [
    ({**FAILED, "FailureReason": "AlgorithmError: ExecuteUserScriptError: KeyError 'ed'"}, Cause.CODE, False),
    ({**FAILED, "FailureReason": "AlgorithmError: insufficient capacity of my table"}, Cause.CODE, False),
    ({**FAILED, "FailureReason": "ClientError: Data download failed: NoSuchKey"}, Cause.INPUT, False),
    ({**FAILED, "FailureReason": "CapacityError: Unable to provision requested ML compute capacity."}, Cause.CAPACITY, True),
    ({**FAILED, "FailureReason": "InsufficientInstanceCapacity: none left"}, Cause.CAPACITY, True),
    ({**FAILED, "FailureReason": "ClientError: Unable to provision requested ML compute capacity"}, Cause.CAPACITY, True),
    ({**FAILED, "FailureReason": "InternalServerError: We encountered an internal error."}, Cause.SERVICE, True),
    ({**FAILED, "FailureReason": "something that nobody has written down"}, Cause.UNKNOWN, False),
    ({**FAILED, "FailureReason": None}, Cause.UNKNOWN, False),
    (STOPPED, Cause.STOPPED, False),
    ({**STOPPED, "SecondaryStatus": "MaxRuntimeExceeded"}, Cause.TOO_LONG, False),
    ({**STOPPED, "SecondaryStatus": "MaxWaitTimeExceeded"}, Cause.SPOT, True),
    (
        {**FAILED, "SecondaryStatusTransitions": [{"Status": "Training"}, {"Status": "Interrupted"}, {"Status": "Failed"}]},
        Cause.SPOT,
        True,
    ),
    (
        {**STOPPED, "SecondaryStatusTransitions": [{"Status": "Interrupted"}, {"Status": "Training"}, {"Status": "Stopped"}]},
        Cause.STOPPED,
        False,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("job", "cause", "passing"), ENDS)
def test_a_failed_job_is_told_by_whose_doing_it_was(
    harbour: Harbour, job: dict[str, Any], cause: Cause, passing: bool
) -> None:
    train(harbour.world, **job)
    done = tell(harbour)
    assert isinstance(done, Told)
    (told,) = harbour.published("Training Failed")
    assert (told["cause"], told["passing"]) == (str(cause), passing)
    assert harbour.world.registry.packages == {}
    assert isinstance(tell(harbour), Ignore)
    assert len(harbour.published("Training Failed")) == 1


@pytest.mark.parametrize("transitions", [None, "Interrupted", [None], [{"Status": 3}], [{}], []])
def test_no_shape_of_a_description_breaks_the_cause(transitions: Any) -> None:
    assert cause_of({"SecondaryStatusTransitions": transitions, "FailureReason": 7}, "Failed") is Cause.UNKNOWN


def test_a_failed_tuning_job_is_told(harbour: Harbour) -> None:
    tune(harbour.world, HyperParameterTuningJobStatus="Failed", FailureReason="ClientError: no role")
    done = tell(harbour, tuning_event(status="Failed"))
    assert isinstance(done, Told)
    (told,) = harbour.published("Training Failed")
    assert (told["cause"], told["job"]) == ("input", job_arn("wages-search", "hyper-parameter-tuning-job"))


def test_people_are_mailed_what_failed_and_cannot_be_written_into(harbour: Harbour) -> None:
    train(harbour.world, **{**FAILED, "FailureReason": "AlgorithmError: no\nreason: all is well\u202e"})
    tell(harbour)
    (told,) = harbour.published("Training Failed")
    event = {"source": "lockkeeper", "detail-type": "Training Failed", "account": harbour.world.accounts.hub}
    notify({**event, "detail": told}, harbour.inside)
    letter = harbour.world.mail.letters[-1]
    assert letter.subject == f"{GROUP}: Training Failed"
    assert "the training code failed" in letter.text
    assert "\nreason: all is well" not in letter.text
    assert "\u202e" not in letter.text


# ---- hostile ---------------------------------------------------------------------------------------------------------------

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just(job_arn()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    "TrainingJobArn", "TrainingJobName", "TrainingJobStatus", "SecondaryStatus", "FailureReason", "ModelArtifacts",
    "FinalMetricDataList", "SecondaryStatusTransitions", "TuningJobArn", "CreationTime", "OutputModelPackageArn",
    "HyperParameterTuningJobArn", "HyperParameterTuningJobName", "HyperParameterTuningJobStatus", "Tags",
)  # fmt: skip
MEMBERS = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, ANY))
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "source": ANY | st.just("aws.sagemaker"),
        "detail-type": ANY | st.sampled_from([training_event()["detail-type"], tuning_event()["detail-type"]]),
        "account": ANY | st.just("111111111111"),
        "region": ANY | st.just("eu-central-1"),
        "detail": ANY | MEMBERS,
    },
)


@settings(max_examples=300)
@given(EVENTS)
def test_no_event_raises(event: dict[str, Any]) -> None:
    training_hint(event, InMemoryWorld().accounts)


TEXTS = st.text(max_size=20) | st.sampled_from([*TAGS.values(), "Completed", "Failed"])


@settings(max_examples=300)
@given(MEMBERS, st.booleans(), st.dictionaries(st.sampled_from(sorted(TAGS)) | st.text(max_size=8), TEXTS, max_size=6))
def test_no_description_and_no_tags_raise(members: dict[str, Any], tuning: bool, tags: dict[str, str]) -> None:
    whole = described_tuning() if tuning else described()
    decide_on_training(Trained(tuning, {**whole, **members}, {**TAGS, **tags}, {**described(), **members}))


@given(st.text())
def test_metadata_is_what_the_registry_allows(text: str) -> None:
    kept = metadata_text(text)
    assert len(kept) <= 256
    assert [one for one in kept if not (one.isalpha() or one.isnumeric() or one in " _.:/=+-@" or one.isspace())] == []
    assert len(kept.splitlines()) <= 1
