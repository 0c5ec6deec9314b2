"""The policy of a model package group: read from YAML, strict, every refusal with its line and its cure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lockkeeper.domain.alarms import AlarmItem, MadeAlarm
from lockkeeper.domain.artifact.allowed import pattern_problem
from lockkeeper.domain.batch import BATCH, check_comparison, parameter_of
from lockkeeper.domain.cleanup import Cleanup
from lockkeeper.domain.drift_rules import Drift, check_drift
from lockkeeper.domain.durations import Duration, StartupTimeout
from lockkeeper.domain.durations import seconds_of as seconds_of
from lockkeeper.domain.errors import PolicyInvalid
from lockkeeper.domain.freeze_windows import FreezeWindow
from lockkeeper.domain.gate_rules import (
    BiasRule,
    ChampionRule,
    DataQualityRule,
    ExplainabilityRule,
    ProvenanceRule,
    QualityRule,
    Reports,
)
from lockkeeper.domain.hosting import Hosting
from lockkeeper.domain.placement import Capture, KmsKey, Tags, Vpc
from lockkeeper.domain.policy_nodes import document_of, nodes_of, place_of
from lockkeeper.domain.scaling import Autoscaling, check_scaling
from lockkeeper.domain.section import ImageName, InstanceType, Section
from lockkeeper.domain.staging_rules import StagingTests
from lockkeeper.domain.strategy import Strategy
from lockkeeper.domain.targets import (
    REAL_TIME,
    Asynchronous,
    Fleet,
    Serverless,
    StagingServerless,
    StagingTarget,
    Target,
    check_production,
    check_staging,
)

SLACK_USER = r"^[UW][A-Z0-9]{5,20}$"
"""A member's id, as Slack gives it out; `W` is for members of several workspaces."""


EndpointName = Annotated[str, StringConstraints(pattern=r"^([a-zA-Z0-9](-*[a-zA-Z0-9]){0,62})?$")]
"""Empty where there is no endpoint."""


LONGEST_GIVEN = 200
"""Characters of what was written that a refusal repeats."""

IN_PLACE_MB = 500
"""The largest artifact, in megabytes, that a Lambda looks into: `make bench` shows that it can."""


class ScanJob(Section):
    """The Processing job that looks into artifacts which are too large to be looked into by a Lambda."""

    image: ImageName
    instance_type: InstanceType = "ml.m5.xlarge"
    above_mb: Annotated[int, Field(ge=0, le=IN_PLACE_MB)] = IN_PLACE_MB
    max_runtime: StartupTimeout = 3600


class ArtifactRule(Section):
    """Caps on the artifact, what its pickles may name beside the default list, and the container images that may be used."""

    max_mb: Annotated[int, Field(ge=1, le=5000)] = 500
    max_members: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    max_ratio: Annotated[int, Field(ge=1, le=1000)] = 100
    allow_globals: tuple[str, ...] = Field(default=(), strict=False)
    images: tuple[str, ...] = Field(default=("*",), strict=False)
    job: ScanJob | None = None

    @model_validator(mode="after")
    def _looked_into(self) -> ArtifactRule:
        if self.max_mb > IN_PLACE_MB and self.job is None:
            raise ValueError(
                f"max_mb is {self.max_mb}, and a Lambda looks into {IN_PLACE_MB} MB; "
                "name an image under job, so that a Processing job looks into larger ones, or set max_mb lower"
            )
        return self

    @field_validator("allow_globals")
    @classmethod
    def _never(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        problems = [f"{pattern}: {problem}" for pattern in patterns if (problem := pattern_problem(pattern))]
        if problems:
            raise ValueError("; ".join(problems))
        return patterns


class Gates(Section):
    """The offline gates."""

    quality: tuple[QualityRule, ...] = Field(min_length=1, strict=False)
    champion: ChampionRule = ChampionRule()
    bias: tuple[BiasRule, ...] = Field(default=(), strict=False)
    explainability: ExplainabilityRule | None = None
    data_quality: DataQualityRule | None = None
    provenance: ProvenanceRule | None = None
    reports: Reports = Reports()
    artifact: ArtifactRule = ArtifactRule()


Role = Annotated[str, StringConstraints(pattern=r"^[\w -]{1,50}$")]


def mailbox_of(address: str) -> str:
    """An address in one spelling: SNS compares letter by letter."""
    return address.casefold()


def filter_of(address: str) -> dict[str, list[str]]:
    """The filter that an address's subscription has to have: it lets through what is for this address, and nothing else."""
    return {"address": [mailbox_of(address)]}


class Approver(Section):
    """A person who may decide. `email` gets the personal link, `aws_principal` is an ARN (or `*`-pattern) for the command line,
    `slack_user` the id of who presses the button in Slack."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    aws_principal: Annotated[str, StringConstraints(pattern=r"^arn:")] | None = None
    studio_profile: Annotated[str, StringConstraints(pattern=r"^d-[\w-]{1,61}/[\w-]{1,63}$")] | None = None
    roles: tuple[Role, ...] = Field(default=(), strict=False)
    slack_user: Annotated[str, StringConstraints(pattern=SLACK_USER)] | None = None

    @model_validator(mode="after")
    def _reachable(self) -> Approver:
        if not (self.email or self.aws_principal or self.studio_profile or self.slack_user):
            raise ValueError(
                "give an email (for a personal link), an aws_principal (for the command line), a studio_profile or a slack_user"
            )
        return self

    @property
    def mailbox(self) -> str:
        """What personal mails are addressed to, and filtered by; empty where there is none. Two people never share one."""
        return mailbox_of(self.email or "")


class Approval(Section):
    """Who is asked, before what, and for how long."""

    before: tuple[Literal["staging", "production"], ...] = Field(default=("production",), strict=False)
    approvers: tuple[Approver, ...] = Field(default=(), strict=False)
    author_from: Annotated[str, StringConstraints(pattern=r"^metadata\.[\w.:/=+@ -]+$")] | None = None
    quorum: Annotated[int, Field(ge=1, le=10)] = 1
    one_of_each: tuple[Role, ...] = Field(default=(), strict=False, max_length=10)
    expires_after: Duration = 72 * 3600
    remind_every: Duration = 24 * 3600
    links: Literal["personal", "authenticated"] = "personal"

    @model_validator(mode="after")
    def _enough_people(self) -> Approval:
        names = [approver.name for approver in self.approvers]
        if len(set(names)) != len(names):
            raise ValueError("two approvers have the same name")
        for what in ("email", "aws_principal", "studio_profile", "slack_user"):
            given = [str(value).casefold() for one in self.approvers if (value := getattr(one, what))]
            if len(set(given)) != len(given):
                raise ValueError(f"two approvers have the same {what}; one person would count twice")
        if self.before and len(names) < self.quorum:
            raise ValueError(
                f"quorum is {self.quorum} but {len(names)} approver(s) are named; name more or set before: []"
            )
        if self.before and not roles_covered(self.one_of_each, self.approvers):
            asked = ", ".join(self.one_of_each)
            raise ValueError(f"no approvers for one_of_each: {asked}; give each role to another person, in their roles")
        if not 60 <= self.expires_after <= 90 * 86400:
            raise ValueError("expires_after must be between 1m and 90d")
        if not 3600 <= self.remind_every <= 90 * 86400:
            raise ValueError(
                "remind_every must be between 1h and 90d; where it is longer than expires_after, nobody is reminded"
            )
        return self

    @property
    def links_are_authenticated(self) -> bool:
        """Whether somebody is asked whose link decides only for whoever signs in as its owner."""
        return bool(self.before) and self.links == "authenticated"

    @property
    def people(self) -> int:
        """How many people must approve: one for each role at least."""
        return max(self.quorum, len(self.one_of_each))


def roles_covered(roles: Sequence[str], people: Sequence[Approver]) -> bool:
    """Whether each role can be filled by a person of its own: nobody stands for two."""
    if not roles:
        return True
    able = [person for person in people if roles[0] in person.roles]
    return any(roles_covered(roles[1:], [one for one in people if one is not person]) for person in able)


class Staging(Section):
    """The staging endpoint; what it does not say is production's."""

    target: StagingTarget | None = None
    instance_type: InstanceType | None = None
    initial_instances: Annotated[int, Field(ge=1, le=100)] = 1
    serverless: StagingServerless | None = None
    startup_timeout: StartupTimeout = 3600
    tests: StagingTests = StagingTests()


Usd = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]


class Production(Section):
    """The production endpoint. What is left out is kept as it serves already (`domain.hosting`); null takes it off.

    Of target batch there is no endpoint: once it is part of a policy, `endpoint_name` is the parameter that jobs read (`domain.batch`).
    """

    target: Target = "real-time"
    endpoint_name: EndpointName = Field(default="", validate_default=True)
    instance_type: InstanceType | None = None
    initial_instances: Annotated[int, Field(ge=1, le=100)] = 1
    serverless: Serverless | None = None
    asynchronous: Asynchronous | None = None
    execution_role_arn: Annotated[str, StringConstraints(pattern=r"^arn:[\w-]+:iam::\d{12}:role/.+$")] | None = None
    environment: dict[str, str] = {}
    capture: Capture | None = None
    vpc: Vpc | None = None
    kms_key: KmsKey | None = None
    network_isolation: bool | None = None
    tags: Tags | None = None
    startup_timeout: StartupTimeout = 3600
    monthly_budget_usd: Usd | None = None
    hourly_usd: Usd | None = None
    strategy: Strategy = Strategy()
    alarms: tuple[AlarmItem, ...] = Field(default=(), max_length=10, strict=False)
    autoscaling: Autoscaling | None = None

    @property
    def fleet(self) -> Fleet:
        """What the endpoint runs on, before anything scales it."""
        if self.serverless:
            return Fleet(serverless=self.serverless)
        return Fleet(self.instance_type or "", self.initial_instances, asynchronous=self.asynchronous)

    @property
    def named_alarms(self) -> tuple[str, ...]:
        """The alarms that are there already, by name."""
        return tuple(one.name for one in self.alarms if one.name is not None)

    @property
    def made_alarms(self) -> tuple[MadeAlarm, ...]:
        """The alarms that are made for each release."""
        return tuple(made for one in self.alarms if (made := one.made) is not None)

    @field_validator("endpoint_name")
    @classmethod
    def _an_endpoint_has_a_name(cls, name: str, info: ValidationInfo) -> str:
        if not name and info.data.get("target") != BATCH:
            raise ValueError("missing; add it")
        return name

    @model_validator(mode="after")
    def _alarms_once(self) -> Production:
        if len({name.casefold() for name in self.named_alarms}) != len(self.named_alarms):
            raise ValueError("an alarm is named twice")
        if len({made.what for made in self.made_alarms}) != len(self.made_alarms):
            raise ValueError("two alarms watch the same; keep the stricter one")
        return self

    @model_validator(mode="after")
    def _can_be_hosted(self) -> Production:
        check_production(self)
        return self

    @model_validator(mode="after")
    def _can_shift(self) -> Production:
        shift = self.strategy.shift
        if shift is None:
            return self
        if not self.alarms:
            raise ValueError(
                f"{shift.kind} without alarms: nothing would take a bad version back; "
                "add alarms, such as {errors_5xx: 5}, or bring it in all at once"
            )
        if self.initial_instances < 2:
            raise ValueError(
                f"{shift.kind} on one instance: there is no part of it to shift; "
                "set initial_instances to 2 or more, or bring it in all at once"
            )
        slow = next((made for made in self.made_alarms if made.seconds > shift.wait), None)
        if slow:
            raise ValueError(
                f"the alarm {slow.what} takes {slow.seconds} s to go off, {shift.kind} waits {shift.wait} s; "
                "set wait to that or more, or its period or evaluation_periods lower"
            )
        return self

    @model_validator(mode="after")
    def _can_scale(self) -> Production:
        check_scaling(self.autoscaling, self.instance_type or "", self.initial_instances, self.strategy.shift)
        return self


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class SourceFile(Section):
    """A file that rules come from; its path is as seen from the first."""

    file: Annotated[str, StringConstraints(min_length=1)]
    sha256: Sha256


class ResolvedFrom(Section):
    """What `lockkeeper policy apply` writes into a policy that extends another, and nobody else."""

    files: tuple[SourceFile, ...] = Field(min_length=2, strict=False)
    rules: Sha256


class Policy(Section):
    """The rules of one model package group."""

    resolved_from: ResolvedFrom | None = None

    model_package_group: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")]
    mode: Literal["observe", "enforce"] = "enforce"
    gates: Gates
    approval: Approval
    staging: Staging = Staging()
    production: Production
    cleanup: Cleanup = Cleanup()
    drift: Drift | None = None
    freeze: tuple[FreezeWindow, ...] = Field(default=(), max_length=20, strict=False)

    @property
    def staging_target(self) -> str:
        if self.staging.target is None and self.production.target == BATCH:
            return REAL_TIME
        return self.staging.target or self.production.target

    @property
    def staging_fleet(self) -> Fleet:
        """What the staging endpoint runs on: what it does not say is production's. Without a type before production was looked at."""
        if self.staging_target == "serverless":
            return Fleet(serverless=self.staging.serverless or self.production.serverless)
        kind = self.staging.instance_type or self.production.instance_type or ""
        return Fleet(kind, self.staging.initial_instances)

    @model_validator(mode="after")
    def _staging_can_be_hosted(self) -> Policy:
        check_staging(self)
        check_comparison(self)
        return self

    @model_validator(mode="after")
    def _known_to_jobs(self) -> Policy:
        if self.production.target != BATCH:
            return self
        place = {"endpoint_name": parameter_of(self.model_package_group)}
        return self.model_copy(update={"production": self.production.model_copy(update=place)})

    @model_validator(mode="after")
    def _drift_can_be_seen(self) -> Policy:
        check_drift(self.drift, target=self.production.target)
        return self

    def hosted(self, hosting: Hosting) -> Policy:
        """The same policy; the instances of production that it leaves out are those of what serves."""
        if self.production.serverless or self.production.target == BATCH:
            return self
        known = {"instance_type": hosting.instance_type or None, "initial_instances": hosting.initial_instances}
        left_out = {name: value for name, value in known.items() if name not in self.production.model_fields_set}
        return self.model_copy(update={"production": self.production.model_copy(update=left_out)})


@lru_cache(maxsize=64)
def parse_policy(text: str, *, source: str) -> Policy:
    """Read a whole policy; `PolicyInvalid` has one line per mistake: `source:line: where: what is wrong`.

    A text that was read is not read again: a look at a hundred releases meets the same few policies, and nothing changes one.
    """
    return policy_from(nodes_of(text, source))


def policy_from(root: yaml.MappingNode) -> Policy:
    """The policy that nodes describe, of one file or of several; `PolicyInvalid` as `parse_policy`."""
    document = document_of(root)
    if "extends" in document:
        raise PolicyInvalid(
            f"{place_of(root, ('extends',))}: extends: a policy in force is whole",
            cure="put it in force with `lockkeeper policy apply FILE`, which reads the files that it extends",
        )
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        raise PolicyInvalid("\n".join(_refusal(root, mistake) for mistake in _mistakes(error))) from error
    if policy.resolved_from and policy.resolved_from.rules != rules_fingerprint(document):
        raise PolicyInvalid(
            f"{place_of(root, ('resolved_from',))}: resolved_from: the rules are not those of the files that it names",
            cure="change those files and apply them, or remove resolved_from and apply this file by itself",
        )
    return policy


def rules_fingerprint(document: dict[str, Any]) -> str:
    """SHA-256 (hex) of a policy's rules, however they are written and whatever files they come from."""
    rules = {key: value for key, value in document.items() if key != "resolved_from"}
    return hashlib.sha256(json.dumps(rules, sort_keys=True, default=str).encode()).hexdigest()


def fingerprint(text: str) -> str:
    """SHA-256 (hex) of a policy's text: what a release is pinned to."""
    return hashlib.sha256(text.encode()).hexdigest()


def _mistakes(error: ValidationError) -> list[dict[str, Any]]:
    """The mistakes, without those that others bring about: a list whose only item is wrong is not too short as well."""
    found: list[dict[str, Any]] = [{**mistake} for mistake in error.errors(include_url=False)]
    lists = {mistake["loc"][:-1] for mistake in found} | {mistake["loc"][:-2] for mistake in found}
    return [mistake for mistake in found if mistake["type"] != "too_short" or mistake["loc"] not in lists]


def _refusal(root: yaml.Node, mistake: dict[str, Any]) -> str:
    path = tuple(mistake["loc"])
    where = ".".join(str(part) for part in path) or "policy"
    kind, given = mistake["type"], mistake.get("input")
    if kind == "extra_forbidden":
        message = "unknown key; remove it or look at docs/policy-reference.md for the keys of this version"
    elif kind == "missing":
        message = "missing; add it"
    else:
        message = str(mistake["msg"]).removeprefix("Value error, ")
        if given != "" and not isinstance(given, (dict, list)):
            message += f" (given: {_in_short(given)})"
    return f"{place_of(root, path)}: {where}: {message}"


def _in_short(given: object) -> str:
    """What was written, as far as a person reads on."""
    try:
        said = repr(given)
    except ValueError:
        # YAML reads hexadecimal numbers of any length; Python writes no number of so many digits.
        return "a number of thousands of digits"
    return said if len(said) <= LONGEST_GIVEN else f"{said[:LONGEST_GIVEN]}..."
