"""The policy of a model package group: read from YAML, strict, every refusal with its line and its cure."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from lockkeeper.domain.artifact.allowed import pattern_problem
from lockkeeper.domain.errors import PolicyInvalid

DURATION = re.compile(r"^(\d+)(s|m|h|d)$")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(duration: object) -> int:
    """Seconds of `30s`, `10m`, `72h` or `7d`; a `ValueError` otherwise."""
    match = DURATION.match(str(duration))
    if not match or isinstance(duration, bool):
        raise ValueError(f"{duration!r} is no duration; write a whole number with a unit: 30s, 10m, 72h or 7d")
    return int(match.group(1)) * SECONDS[match.group(2)]


Duration = Annotated[int, BeforeValidator(seconds_of)]
"""Seconds; written as `10m` in the file."""


def _bearable(seconds: int) -> int:
    """Step Functions takes no timeout of zero, and a creation that hangs for a day will not end."""
    if not 60 <= seconds <= 86400:
        raise ValueError("startup_timeout must be between 1m and 24h")
    return seconds


StartupTimeout = Annotated[int, BeforeValidator(seconds_of), AfterValidator(_bearable)]
"""Seconds that creating or updating an endpoint may take."""

S3Uri = Annotated[str, StringConstraints(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$")]
EndpointName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")]
InstanceType = Annotated[str, StringConstraints(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Section(BaseModel):
    """Unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class QualityRule(Section):
    """One bound on one value of the model-quality report; `metric` is the path of a number in it."""

    metric: Annotated[str, StringConstraints(min_length=1)]
    at_least: Number | None = None
    at_most: Number | None = None
    no_worse_than_champion_by: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> QualityRule:
        bounds = [self.at_least, self.at_most, self.no_worse_than_champion_by]
        if sum(bound is not None for bound in bounds) != 1:
            raise ValueError("give exactly one of at_least, at_most and no_worse_than_champion_by")
        return self


class ArtifactRule(Section):
    """Caps on the artifact, what its pickles may name beside the default list, and the container images that may be used."""

    max_mb: Annotated[int, Field(ge=1, le=5000)] = 500
    max_members: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    max_ratio: Annotated[int, Field(ge=1, le=1000)] = 100
    allow_globals: tuple[str, ...] = Field(default=(), strict=False)
    images: tuple[str, ...] = Field(default=("*",), strict=False)

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
    artifact: ArtifactRule = ArtifactRule()


class Approver(Section):
    """A person who may decide. `email` gets the personal link, `aws_principal` is an ARN (or `*`-pattern) for the command line."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    aws_principal: Annotated[str, StringConstraints(pattern=r"^arn:")] | None = None

    @model_validator(mode="after")
    def _reachable(self) -> Approver:
        if self.email is None and self.aws_principal is None:
            raise ValueError("give an email (for a personal link) or an aws_principal (for the command line), or both")
        return self


class Approval(Section):
    """Who is asked, before what, and for how long."""

    before: tuple[Literal["staging", "production"], ...] = Field(default=("production",), strict=False)
    approvers: tuple[Approver, ...] = Field(default=(), strict=False)
    author_from: Annotated[str, StringConstraints(pattern=r"^metadata\.[\w.:/=+@ -]+$")] | None = None
    quorum: Annotated[int, Field(ge=1, le=10)] = 1
    expires_after: Duration = 72 * 3600

    @model_validator(mode="after")
    def _enough_people(self) -> Approval:
        names = [approver.name for approver in self.approvers]
        if len(set(names)) != len(names):
            raise ValueError("two approvers have the same name")
        for what in ("email", "aws_principal"):
            given = [str(value).casefold() for one in self.approvers if (value := getattr(one, what))]
            if len(set(given)) != len(given):
                raise ValueError(f"two approvers have the same {what}; one person would count twice")
        if self.before and len(names) < self.quorum:
            raise ValueError(
                f"quorum is {self.quorum} but {len(names)} approver(s) are named; name more or set before: []"
            )
        if not 60 <= self.expires_after <= 90 * 86400:
            raise ValueError("expires_after must be between 1m and 90d")
        return self


class Replay(Section):
    """Held-out rows sent to the staging endpoint: CSV with a header, the label in the first column."""

    dataset: S3Uri
    at_least: dict[str, Number] = {}
    at_most: dict[str, Number] = {}
    minimum_rows: Annotated[int, Field(ge=1)] = 100

    @model_validator(mode="after")
    def _known_metrics(self) -> Replay:
        from lockkeeper.domain.staging_tests import REPLAY_METRICS

        unknown = sorted((set(self.at_least) | set(self.at_most)) - set(REPLAY_METRICS))
        if unknown:
            raise ValueError(f"unknown metric(s) {', '.join(unknown)}; known: {', '.join(sorted(REPLAY_METRICS))}")
        if not self.at_least and not self.at_most:
            raise ValueError("give at least one bound under at_least or at_most")
        return self


class StagingTests(Section):
    """Tests against the staging endpoint."""

    contract: S3Uri | None = None
    replay: Replay | None = None


class Staging(Section):
    """The staging endpoint; what it does not say is production's."""

    target: Literal["real-time"] = "real-time"
    instance_type: InstanceType | None = None
    initial_instances: Annotated[int, Field(ge=1, le=100)] = 1
    startup_timeout: StartupTimeout = 3600
    tests: StagingTests = StagingTests()


class Strategy(Section):
    """How production is updated: all at once, then watched for `bake`."""

    bake: Duration = 3600
    minimum_invocations: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _bounded(self) -> Strategy:
        if self.bake > 30 * 86400:
            raise ValueError("bake must be at most 30d")
        return self


class Production(Section):
    """The production endpoint."""

    endpoint_name: EndpointName
    target: Literal["real-time"] = "real-time"
    instance_type: InstanceType
    initial_instances: Annotated[int, Field(ge=1, le=100)] = 1
    execution_role_arn: Annotated[str, StringConstraints(pattern=r"^arn:[\w-]+:iam::\d{12}:role/.+$")] | None = None
    environment: dict[str, str] = {}
    startup_timeout: StartupTimeout = 3600
    strategy: Strategy = Strategy()
    alarms: tuple[Annotated[str, StringConstraints(min_length=1, max_length=255)], ...] = Field(
        default=(), max_length=10, strict=False
    )

    @model_validator(mode="after")
    def _alarms_once(self) -> Production:
        if len({name.casefold() for name in self.alarms}) != len(self.alarms):
            raise ValueError("an alarm is named twice")
        return self


class Policy(Section):
    """The rules of one model package group."""

    model_package_group: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")]
    mode: Literal["enforce"] = "enforce"
    gates: Gates
    approval: Approval
    staging: Staging = Staging()
    production: Production

    @property
    def staging_instance_type(self) -> str:
        return self.staging.instance_type or self.production.instance_type


def parse_policy(text: str, *, source: str) -> Policy:
    """Read a policy; `PolicyInvalid` has one line per mistake: `source:line: where: what is wrong`."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # ValueError: what looks like a date or a number to YAML and is none, such as 2026-13-45.
        mark = getattr(error, "problem_mark", None)
        place = f"{source}:{mark.line + 1}" if mark else source
        problem = getattr(error, "problem", None) or str(error)
        raise PolicyInvalid(f"{place}: not YAML: {problem}", cure="mend the file's syntax") from error
    if not isinstance(document, dict) or node is None:
        raise PolicyInvalid(f"{source}:1: a policy is a mapping of keys", cure="start with model_package_group: NAME")
    repeated = list(_repeated_keys(node))
    if repeated:
        raise PolicyInvalid("\n".join(f"{source}:{line}: {key}: written twice" for key, line in repeated))
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        lines = [_refusal(source, node, mistake) for mistake in _mistakes(error)]
        raise PolicyInvalid("\n".join(lines)) from error


def fingerprint(text: str) -> str:
    """SHA-256 (hex) of a policy's text: what a release is pinned to."""
    return hashlib.sha256(text.encode()).hexdigest()


def _mistakes(error: ValidationError) -> list[dict[str, Any]]:
    """The mistakes, without those that others bring about: a list whose only item is wrong is not too short as well."""
    found: list[dict[str, Any]] = [{**mistake} for mistake in error.errors(include_url=False)]
    lists = {mistake["loc"][:-1] for mistake in found} | {mistake["loc"][:-2] for mistake in found}
    return [mistake for mistake in found if mistake["type"] != "too_short" or mistake["loc"] not in lists]


def _refusal(source: str, root: yaml.Node, mistake: dict[str, Any]) -> str:
    path = tuple(mistake["loc"])
    where = ".".join(str(part) for part in path) or "policy"
    line = _line_of(root, path)
    kind, given = mistake["type"], mistake.get("input")
    if kind == "extra_forbidden":
        message = "unknown key; remove it or look at docs/policy.md for the keys of this version"
    elif kind == "missing":
        message = "missing; add it"
    else:
        message = str(mistake["msg"]).removeprefix("Value error, ")
        if not isinstance(given, (dict, list)):
            message += f" (given: {given!r})"
    return f"{source}:{line}: {where}: {message}"


def _line_of(node: yaml.Node, path: tuple[object, ...]) -> int:
    """Line (from 1) of the deepest part of `path` that the file has."""
    line = node.start_mark.line + 1
    for part in path:
        child: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    line, child = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            child = node.value[part]
            line = node.value[part].start_mark.line + 1
        if child is None:
            return line
        node = child
    return line


def _repeated_keys(root: yaml.Node) -> list[tuple[str, int]]:
    """Keys that a mapping has twice, with their lines. Each node is looked at once: an alias may repeat or contain itself."""
    found: list[tuple[str, int]] = []
    known: set[int] = set()
    open_nodes = [root]
    while open_nodes:
        node = open_nodes.pop()
        if id(node) in known:
            continue
        known.add(id(node))
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, _ in node.value:
                if key.value in seen:
                    found.append((key.value, key.start_mark.line + 1))
                seen.add(key.value)
            open_nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            open_nodes += node.value
    return sorted(found, key=lambda one: one[1])
