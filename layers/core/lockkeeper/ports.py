"""The protocols the use cases need. Adapters implement them; the in-memory ones pass the same suite."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from lockkeeper.domain.accounts import Accounts
from lockkeeper.domain.approval import ApprovalRequest, PersonalLink
from lockkeeper.domain.artifact.findings import Opinion
from lockkeeper.domain.hosting import Hosting
from lockkeeper.domain.lock import Lock
from lockkeeper.domain.model_package import Served
from lockkeeper.domain.online.rows import LONGEST_ANSWER, Answered
from lockkeeper.domain.online.safety import Search
from lockkeeper.domain.policy import Approver
from lockkeeper.domain.release import Release
from lockkeeper.domain.rollout import Deployment, EndpointState
from lockkeeper.domain.targets import Fleet, Queued
from lockkeeper.ports_of_alarms import Alarms
from lockkeeper.ports_of_brakes import Adoptions, Brakes
from lockkeeper.ports_of_jobs import Jobs as Jobs
from lockkeeper.ports_of_jobs import Schedules as Schedules
from lockkeeper.ports_of_look import ProductionLook
from lockkeeper.ports_of_objects import Objects as Objects
from lockkeeper.ports_of_objects import Stream as Stream
from lockkeeper.ports_of_objects import Writing as Writing
from lockkeeper.ports_of_retraining import Retrained, Retrainings
from lockkeeper.ports_of_scaling import Scaling
from lockkeeper.ports_of_slack import SlackMessages, ToldInSlack
from lockkeeper.ports_of_training import Registrations, TrainingWorld
from lockkeeper.ports_of_web import BoardReads, OverTheWeb, Sessions
from lockkeeper.ports_of_web import Champion as Champion


@dataclass(frozen=True)
class Wait:
    """A stored task token: which state of which release waits, for what.

    `resources` are ARNs whose events may end the wait, `details` what the look needs to know (JSON types). `acted` says that
    what is waited for was started: before that, a look that finds something else proves nothing.
    """

    release_id: str
    state: str
    token: str
    resources: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    interruptible: bool = False
    deadline: str = ""
    step: str = ""
    """How far a plan of several steps is (`domain.shadow.PlanStep`); empty where the wait is for one thing alone."""
    acted: bool = False
    settled: bool = False
    delivered: bool = False
    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Meter:
    """What one invocation of a state cost: added to the release's meters."""

    transitions: int = 0
    invocations: int = 0
    gb_seconds: float = 0.0


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, in UTC."""
        ...


class Ledger(SlackMessages, Sessions, BoardReads, Brakes, Adoptions, Retrainings, Protocol):
    """Releases and all that is decided about them. Every transition is a conditional write."""

    def open(self, release: Release) -> bool:
        """Create a release's record; False when it exists already."""
        ...

    def get(self, release_id: str) -> Release:
        """The release (strongly consistent); `UnknownRelease` when there is none."""
        ...

    def releases(self, group: str | None = None) -> list[Release]:
        """All releases, newest first."""
        ...

    def unfinished(self) -> list[str]:
        """Ids of the releases of which something is still to be done, oldest first (eventually consistent)."""
        ...

    def finish(self, release_id: str) -> None:
        """Nothing of this release is still to be done."""
        ...

    def release_of(self, group: str, version: int) -> str | None:
        """Id of the latest attempt to release a version."""
        ...

    def versions(self, group: str) -> set[int]:
        """The versions of a group that a release is about."""
        ...

    def record(self, release_id: str, what: str, why: str, *, waiting: Wait | None = None, **changes: Any) -> bool:
        """Add to the timeline and set fields of the release, in one write; `unfinished=True` opens it again.

        Where `waiting` is no longer waited for, nothing is written, and it is False: who is late takes back nothing of what
        came after. `TryAgain` where the status of a release that has ended would be another than an end.
        """
        ...

    def meter(self, release_id: str, meter: Meter) -> None:
        """Add to what the release cost."""
        ...

    def store_wait(self, wait: Wait) -> None:
        """Keep a wait (in place of an earlier one of the same state) and make it findable by its resources."""
        ...

    def wait_of(self, release_id: str, state: str) -> Wait | None: ...
    def waits_on(self, resource: str) -> list[Wait]:
        """The waits that an event about this resource may end."""
        ...

    def open_waits(self, release_id: str) -> list[Wait]:
        """The waits whose end the state machine was not told yet, decided or not."""
        ...

    def wait_acted(self, wait: Wait) -> None:
        """What is waited for was started."""
        ...

    def postpone_wait(self, wait: Wait, deadline: str) -> bool:
        """Give a wait a later deadline; False when it was decided, has a new token, or its deadline was changed since it was read."""
        ...

    def advance_wait(self, wait: Wait, after: Wait) -> bool:
        """Give a wait the step, details, deadline and `acted` of `after`; False when it was decided, has a new token or went on before."""
        ...

    def settle_wait(self, wait: Wait, result: dict[str, Any]) -> bool:
        """Mark a wait as decided, with the result still to be delivered; False when it was decided before or has a new token."""
        ...

    def wait_delivered(self, wait: Wait) -> None:
        """The result reached the state machine."""
        ...

    def take_lock(self, group: str, release_id: str, version: int) -> Lock:
        """Take the lock if it is free; returns the lock as it then is (look at `owner`)."""
        ...

    def lock_of(self, group: str) -> Lock | None: ...

    def supersede(self, lock: Lock, by: str) -> bool:
        """Mark the lock's owner as superseded, unless production has begun or the owner changed."""
        ...

    def begin_production(self, group: str, release_id: str) -> Lock:
        """Fence: from now on this release cannot be superseded. Returns the lock as it is (look at `production_begun`)."""
        ...

    def queue_for_lock(self, group: str, release_id: str, version: int) -> None: ...
    def leave_queue(self, group: str, release_id: str, version: int) -> None: ...

    def queue(self, group: str) -> list[tuple[int, str]]:
        """(version, release id) of those who wait for the lock, newest first (strongly consistent)."""
        ...

    def pass_lock(self, group: str, owner: str, to: str | None, version: int = 0) -> bool:
        """Hand the lock from its owner to another release or (`to=None`) free it; False when the owner is another."""
        ...

    def champion(self, group: str) -> Champion | None: ...

    def crown(self, champion: Champion) -> None:
        """This version serves now."""
        ...

    def ask(self, request: ApprovalRequest, links: list[PersonalLink]) -> bool:
        """Keep an approval request and its links, in place of earlier ones of the same question.

        False, and nothing kept, when somebody has answered the earlier one (about the same seal) since it was read.
        """
        ...

    def remind(self, request: ApprovalRequest, seen: str, at: str, links: list[PersonalLink]) -> bool:
        """Take a reminder upon oneself and keep its links. False where the last one was not at `seen` any more."""
        ...

    def reminded_at(self, release_id: str, before: str) -> str:
        """When people were reminded of a question last; empty if never."""
        ...

    def request_of(self, release_id: str, before: str) -> ApprovalRequest | None: ...
    def link(self, sha256: str) -> PersonalLink | None: ...

    def decide(self, before: ApprovalRequest, after: ApprovalRequest, wait: Wait | None) -> bool:
        """Write a decision, or void links; what ends the request settles `wait` in the same transaction. False: somebody was faster."""
        ...

    def close_requests(self, release_id: str) -> None:
        """Nobody can decide on this release any more."""
        ...


class Registry(Registrations, Protocol):
    """The model registry (SageMaker)."""

    def describe(self, arn: str) -> dict[str, Any] | None:
        """DescribeModelPackage's answer, or None when there is no such version."""
        ...

    def registered(self, after: datetime, before: datetime) -> list[dict[str, Any]]:
        """ListModelPackages' summaries of the versions, of any group, that were registered between these times."""
        ...

    def stamp(
        self, arn: str, *, status: str | None, description: str, metadata: dict[str, str], life_cycle: str
    ) -> None:
        """Write a release's outcome onto the version; `status` None leaves ModelApprovalStatus as it is."""
        ...


@dataclass(frozen=True)
class StoredPolicy:
    """A policy's text with the version it is pinned by, and who saved it when (an ARN; ISO 8601)."""

    text: str
    version_id: str
    changed_by: str = ""
    changed_at: str = ""


class Policies(Protocol):
    def load(self, group: str, version_id: str | None = None) -> StoredPolicy:
        """The policy (newest, or the pinned version); `PolicyMissing` when the group has none."""
        ...

    def save(self, group: str, text: str, changed_by: str) -> StoredPolicy: ...

    def groups(self) -> list[str]:
        """The groups that have a policy, by name; a thousand at most."""
        ...


class Endpoints(Alarms, Scaling, Protocol):
    """SageMaker in one environment, under its deploy role."""

    @property
    def account(self) -> str:
        """Id of the account that the environment is."""
        ...

    @property
    def execution_role_arn(self) -> str:
        """Role of models whose policy names none of this account."""
        ...

    # Of target batch an `endpoint_name` is the parameter that jobs read, and a `config_name` the model that it names: `domain.batch`.
    def arn_of(self, endpoint_name: str) -> str: ...
    def look(self, endpoint_name: str) -> EndpointState | None: ...

    def staging_endpoints(self) -> dict[str, str]:
        """Staging endpoints that are not being deleted, by name, with the release in their tag (empty: they have none)."""
        ...

    def models_and_configs(self, group: str) -> set[str]:
        """Names of the models and endpoint configurations that releases of a group (and of some others) have made."""
        ...

    def create_model(
        self,
        name: str,
        *,
        containers: tuple[Served, ...],
        role_arn: str,
        hosting: Hosting,
        tags: dict[str, str],
    ) -> None:
        """Create a model of containers in series; one of the same name is the same model (names carry the release)."""
        ...

    def create_config(self, name: str, *, model: str, fleet: Fleet, hosting: Hosting, tags: dict[str, str]) -> None: ...

    def create_shadow(
        self,
        name: str,
        *,
        beside: str,
        percent: int,
        model: str,
        fleet: Fleet,
        hosting: Hosting,
        to: str,
        tags: dict[str, str],
    ) -> None:
        """A configuration with exactly what the one called `beside` serves with, and a model that gets copies of the requests.

        `percent` of them; what both answer is captured below the `s3://` folder `to`.
        """
        ...

    def create(self, endpoint_name: str, config_name: str, tags: dict[str, str]) -> bool:
        """Start creating; False when it exists already."""
        ...

    def update(
        self,
        endpoint_name: str,
        config_name: str,
        deployment: Deployment | None = None,
        *,
        keep_capacity: bool = False,
    ) -> None:
        """Start an update (all at once and unwatched without a `deployment`); `TryAgain` while another one runs.

        `keep_capacity` keeps the number of instances that there are, whatever the configuration begins with.
        """
        ...

    def delete(self, endpoint_name: str) -> None:
        """Start deleting; gone already is fine; `TryAgain` while it cannot be deleted."""
        ...

    def delete_config(self, name: str) -> None: ...
    def delete_model(self, name: str) -> None: ...
    def invoke(
        self, endpoint_name: str, body: str, content_type: str, accept: str, *, seconds: int = LONGEST_ANSWER
    ) -> Answered:
        """What the model says, errors included; one that is silent for so many seconds has answered `NO_ANSWER`.

        Raises:
            TryAgain: it was one of too many requests, and did not come to the model.
            DeploymentFailed: SageMaker takes no such request.
        """
        ...

    def enqueue(
        self, endpoint_name: str, request_uri: str, content_type: str, accept: str, inference_id: str
    ) -> Queued:
        """Let an asynchronous endpoint answer what is at an `s3://` address; its owner knows the request by `inference_id`.

        Raises:
            DeploymentFailed: SageMaker takes no such request, or takes it from others alone.
        """
        ...

    def written(self, uri: str) -> str | None:
        """The beginning of what was written at an `s3://` address; None while it is not there, or cannot be read."""
        ...


class Tasks(Protocol):
    """Step Functions' task tokens and executions."""

    def succeed(self, token: str, output: dict[str, Any]) -> bool:
        """False when the token is no longer waited on."""
        ...

    def fail(self, token: str, error: str, cause: str) -> bool: ...

    def state_of(self, name: str) -> str:
        """Status of a release's execution, as Step Functions spells it; empty when there is no such execution."""
        ...

    def payload_of(self, name: str) -> dict[str, Any]:
        """What a release's execution was started with; empty when there is no such execution, or it was given no object."""
        ...

    def start(self, name: str, payload: dict[str, Any]) -> bool:
        """Start a release's execution; False when it was started before."""
        ...


class Publisher(Protocol):
    def publish(self, detail_type: str, detail: dict[str, Any]) -> None:
        """Put an event onto Lockkeeper's bus."""
        ...


class Mail(Protocol):
    def personal(self, approver: Approver, subject: str, text: str) -> None:
        """A message to one person, who is known by their address: people of several groups may share a name."""
        ...

    def confirmed(self, addresses: frozenset[str]) -> frozenset[str]:
        """Which of these addresses get their personal messages: confirmed, and filtered by nothing but the address."""
        ...

    def broadcast(self, subject: str, text: str, *, urgent: bool = False) -> None:
        """A message to everybody who subscribed; an urgent one is marked, so that it can call people who are on duty."""
        ...


class World(ToldInSlack, OverTheWeb, TrainingWorld, Retrained, Protocol):
    """Everything outside: what a use case is given. Adapters are built when they are first used."""

    @property
    def clock(self) -> Clock: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def objects(self) -> Objects: ...
    @property
    def policies(self) -> Policies: ...
    @property
    def staging(self) -> Endpoints: ...
    @property
    def production(self) -> Endpoints: ...
    @property
    def production_look(self) -> ProductionLook: ...
    @property
    def tasks(self) -> Tasks: ...
    @property
    def schedules(self) -> Schedules: ...
    @property
    def publisher(self) -> Publisher: ...
    @property
    def mail(self) -> Mail: ...
    @property
    def pickle_opinion(self) -> Opinion:
        """A second scanner of pickles."""
        ...

    @property
    def replay_jobs(self) -> Jobs: ...

    @property
    def scan_jobs(self) -> Jobs: ...

    @property
    def monitor_jobs(self) -> Jobs: ...

    @property
    def replay_code(self) -> bytes:
        """The archive that a replay's Processing job runs."""
        ...

    @property
    def scan_code(self) -> bytes:
        """The archive that a scan's Processing job runs."""
        ...

    @property
    def monitor_code(self) -> bytes:
        """The archive that the drift monitor's Processing job runs."""
        ...

    @property
    def search(self) -> Search:
        """Finds patterns in texts, within a bounded time."""
        ...

    @property
    def own_registry_role(self) -> str:
        """ARN of the role that Lockkeeper writes to the registry under."""
        ...

    @property
    def accounts(self) -> Accounts:
        """Whose events count."""
        ...
