"""What to do about a training or tuning job that ended: register its model, tell that it failed, or leave it, and why."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lockkeeper.domain.accounts import Accounts
from lockkeeper.domain.events import GROUP_NAME, shown
from lockkeeper.domain.registration import Ignore
from lockkeeper.domain.training_failure import Cause, cause_of, in_words

TRAINING_CHANGE = "SageMaker Training Job State Change"
TUNING_CHANGE = "SageMaker HyperParameter Tuning Job State Change"
KINDS = {
    TRAINING_CHANGE: ("training-job", "TrainingJob"),
    TUNING_CHANGE: ("hyper-parameter-tuning-job", "HyperParameterTuningJob"),
}
"""By detail type: the type in ARNs, and how the members of events and answers begin."""

JOB_ARN = re.compile(
    r"arn:aws[a-z-]*:sagemaker:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12})"
    r":(?P<type>training-job|hyper-parameter-tuning-job)/(?P<name>[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62})"
)
UNDERWAY = frozenset({"INPROGRESS", "STOPPING", "DELETING"})
ENDED = frozenset({"Completed", "Failed", "Stopped"})

GROUP_TAG = "lockkeeper:group"
IMAGE_TAG = "lockkeeper:inference-image"
TYPES_TAG = "lockkeeper:content-types"
AUTHOR_TAG = "lockkeeper:author"
RESPONSES_TAG = "lockkeeper:response-types"
PROGRAM_TAG = "lockkeeper:program"
REASON_TAG = "lockkeeper:reason"
PIPELINE_TAG = "sagemaker:pipeline-execution-arn"
NEEDED = {
    IMAGE_TAG: "the image that serves the model",
    TYPES_TAG: "the content types of its requests, with spaces between them",
    AUTHOR_TAG: "who trained it, and so may not approve it",
}
"""Tags without which a model is not registered, and what they say."""

# The form of the names that SageMaker gives to the jobs of a pipeline: it tags them too, but tags can be taken off.
OF_A_PIPELINE = re.compile(r"pipelines-[a-z0-9]{12}-.+")
PLACE = re.compile(r"s3://[^/\s]+/\S+")
CONTENT_TYPE = re.compile(r"[A-Za-z0-9.+_-]+/[A-Za-z0-9.+_=-]+")


@dataclass(frozen=True)
class TrainingHint:
    """A job that an event says has ended: its name as the event spells it. `tuning`: it is a tuning job."""

    arn: str
    name: str
    tuning: bool


@dataclass(frozen=True)
class Trained:
    """A job as SageMaker describes it: of a tuning job also its best training job (None when it has none)."""

    tuning: bool
    description: dict[str, Any]
    tags: dict[str, str]
    best: dict[str, Any] | None = None

    @property
    def arn(self) -> str:
        return str(self.description.get(f"{self._prefix}Arn"))

    @property
    def name(self) -> str:
        return str(self.description.get(f"{self._prefix}Name"))

    @property
    def status(self) -> str:
        return str(self.description.get(f"{self._prefix}Status"))

    @property
    def what(self) -> str:
        return f"{'tuning' if self.tuning else 'training'} job {self.name}"

    @property
    def model(self) -> dict[str, Any] | None:
        """The description of the training job whose model it is about."""
        return self.best if self.tuning else self.description

    @property
    def identity(self) -> str:
        """Names this job and no later one: a name may be used again once its job was deleted."""
        created = self.description.get("CreationTime")
        return f"{self.arn} {created.timestamp():.0f}" if isinstance(created, datetime) else self.arn

    @property
    def _prefix(self) -> str:
        return "HyperParameterTuningJob" if self.tuning else "TrainingJob"


@dataclass(frozen=True)
class Register:
    """Register this model as a version of a group. `token` and `description` are the job's alone, however often it is told."""

    group: str
    token: str
    description: str
    containers: list[dict[str, Any]]
    content_types: list[str]
    response_types: list[str]
    metadata: dict[str, str]
    generated_by: str
    metrics: list[Any]


@dataclass(frozen=True)
class Report:
    """Tell people of the group that training has not given a model."""

    group: str
    cause: Cause
    reason: str


@dataclass(frozen=True)
class Refuse:
    """There is a model that cannot be registered: tell people of the group what is missing."""

    group: str
    reason: str


def training_hint(event: dict[str, Any], accounts: Accounts) -> TrainingHint | Ignore:
    """Read an event of any shape: which job it says has ended, in the account and the region that it comes from."""
    detail, kind = event.get("detail"), event.get("detail-type")
    if event.get("source") != "aws.sagemaker" or not isinstance(kind, str) or kind not in KINDS:
        return Ignore(f"not an event of a training job: {shown(event.get('source'))} {shown(kind)}")
    if not isinstance(detail, dict):
        return Ignore("the event has no detail")
    resource, member = KINDS[kind]
    arn, name = detail.get(f"{member}Arn"), detail.get(f"{member}Name")
    found = JOB_ARN.fullmatch(arn) if isinstance(arn, str) else None
    if found is None or found["type"] != resource:
        return Ignore(f"the event names no {member}Arn")
    account, region = event.get("account"), event.get("region")
    if (found["account"], found["region"]) != (account, region):
        return Ignore(f"the event of {shown(account)}, {shown(region)} is about another place: {found[0]}")
    if account != accounts.registry:
        return Ignore(f"account {shown(account)} is not the registry's, where training counts")
    status = str(detail.get(f"{member}Status", ""))
    if status.upper().replace("_", "") in UNDERWAY:
        return Ignore(f"{found[0]} is still {status}")
    # ARNs have names in lower case; SageMaker is asked by the name as it was given.
    spelled = isinstance(name, str) and name.lower() == found["name"].lower()
    return TrainingHint(found[0], str(name) if spelled else found["name"], tuning=kind == TUNING_CHANGE)


def decide_on_training(job: Trained) -> Register | Report | Refuse | Ignore:
    """Decide from the job, its tags and its best training job as SageMaker describes them now."""
    left = _left_to_others(job)
    if left:
        return Ignore(f"{job.what} {left}")
    group = job.tags.get(GROUP_TAG, "")
    if not group:
        return Ignore(f"{job.what} has no tag {GROUP_TAG}: it is trained for nobody whom Lockkeeper knows")
    if not GROUP_NAME.fullmatch(group):
        return Ignore(f"{job.what} is tagged for {shown(group)}, which cannot be the name of a group")
    if job.status != "Completed":
        cause = cause_of(job.description, job.status)
        return Report(group, cause, in_words(cause, job.what, job.status, job.description.get("FailureReason")))
    if job.model is None:
        return Report(group, Cause.CODE, f"{job.what} is Completed, and none of its training jobs gave a model")
    missing = _missing(job)
    if missing:
        return Refuse(group, f"{job.what} gave a model that is not registered: {'; '.join(missing)}")
    return _register(job, job.model, group)


def _left_to_others(job: Trained) -> str:
    """Why a job is none of Lockkeeper's business, whatever its tags say; empty where it may be."""
    described = job.description
    if job.status not in ENDED:
        return f"is {job.status} ({described.get('SecondaryStatus') or 'no secondary status'}); its end is told too"
    if job.tags.get(PIPELINE_TAG) or OF_A_PIPELINE.fullmatch(job.name):
        return "is a step of a pipeline, which registers what it trains itself"
    for member, whose in (("TuningJobArn", "a tuning job"), ("AutoMLJobArn", "an AutoML job")):
        if described.get(member):
            return f"was started by {whose}, {described[member]}, and is left to it"
    if described.get("OutputModelPackageArn"):
        return f"has registered {described['OutputModelPackageArn']} itself"
    return ""


def _missing(job: Trained) -> list[str]:
    """What a person has to add before the job's model can be registered."""
    found = [f"it has no tag {tag} ({what})" for tag, what in NEEDED.items() if not job.tags.get(tag, "").strip()]
    for tag in (TYPES_TAG, RESPONSES_TAG):
        wrong = [word for word in job.tags.get(tag, "").split() if not CONTENT_TYPE.fullmatch(word)]
        found += [f"its tag {tag} has {shown(word)}, which is no content type" for word in wrong]
    if len(job.tags.get(IMAGE_TAG, "").split()) > 1:
        found.append(f"its tag {IMAGE_TAG} has spaces in it")
    if not PLACE.fullmatch(_artifact_of(job)):
        found.append("it left no model: nothing was written to /opt/ml/model")
    return found


def _artifact_of(job: Trained) -> str:
    artifacts = (job.model or {}).get("ModelArtifacts")
    return str(artifacts.get("S3ModelArtifacts") or "") if isinstance(artifacts, dict) else ""


def _register(job: Trained, model: dict[str, Any], group: str) -> Register:
    tags, training_arn = job.tags, str(model.get("TrainingJobArn"))
    of_tuning = f", the best of tuning job {job.arn}" if job.tuning else ""
    program = tags.get(PROGRAM_TAG, "").strip()
    # What SageMaker's framework containers want to know of a script inside of the archive.
    script = {"SAGEMAKER_PROGRAM": program, "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"} if program else {}
    container = {"Image": tags[IMAGE_TAG].strip(), **_model_data(_artifact_of(job)), "Environment": script}
    told = {
        "training_job": training_arn,
        "tuning_job": job.arn if job.tuning else "",
        "author": tags[AUTHOR_TAG],
        "reason": tags.get(REASON_TAG, ""),
    }
    metrics = model.get("FinalMetricDataList")
    return Register(
        group,
        token=hashlib.sha256(job.identity.encode()).hexdigest()[:36],
        description=f"Registered by Lockkeeper from training job {training_arn}{of_tuning}",
        containers=[container],
        content_types=tags[TYPES_TAG].split(),
        response_types=(tags.get(RESPONSES_TAG) or tags[TYPES_TAG]).split(),
        metadata={name: text for name, value in told.items() if (text := metadata_text(value))},
        generated_by=job.arn,
        metrics=metrics if isinstance(metrics, list) else [],
    )


def _model_data(artifact: str) -> dict[str, Any]:
    if artifact.endswith(".tar.gz"):
        return {"ModelDataUrl": artifact}
    # A job may leave its files as they are, below a prefix.
    folder = artifact if artifact.endswith("/") else f"{artifact}/"
    source = {"S3Uri": folder, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {"ModelDataSource": {"S3DataSource": source}}


def metadata_text(value: str) -> str:
    """A value as CustomerMetadataProperties takes it: letters, digits, spaces and `_.:/=+-@`, 256 at most."""
    kept = (
        one if unicodedata.category(one)[0] in "LZN" or one in "_.:/=+-@" else "_" for one in " ".join(value.split())
    )
    return "".join(kept)[:256]
