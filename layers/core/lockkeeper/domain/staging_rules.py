"""What the staging endpoint must answer, as a policy says it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from lockkeeper.domain.durations import StartupTimeout
from lockkeeper.domain.gate_rules import ChampionRule
from lockkeeper.domain.online.latency import fewest
from lockkeeper.domain.section import ImageName, InstanceType, Number, S3Uri, Section


class ReplayJob(Section):
    """The Processing job that sends suites which are too large to be sent from a Lambda."""

    image: ImageName
    instance_type: InstanceType = "ml.m5.large"
    above_rows: Annotated[int, Field(ge=0, le=10_000)] = 10_000
    max_runtime: StartupTimeout = 3600


class ReplayedChampion(ChampionRule):
    """The same comparison, of answers to the same rows."""


class Replay(Section):
    """Held-out rows sent to the staging endpoint: CSV with a header, the label in the first column."""

    dataset: S3Uri
    at_least: dict[str, Number] = {}
    at_most: dict[str, Number] = {}
    minimum_rows: Annotated[int, Field(ge=1)] = 100
    champion: ReplayedChampion = ReplayedChampion()
    job: ReplayJob | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that has a bound, each once."""
        return tuple(dict.fromkeys((*self.at_least, *self.at_most)))

    @model_validator(mode="after")
    def _known_metrics(self) -> Replay:
        from lockkeeper.domain.online.replay import REPLAY_METRICS

        unknown = sorted((set(self.at_least) | set(self.at_most)) - set(REPLAY_METRICS))
        if unknown:
            raise ValueError(f"unknown metric(s) {', '.join(unknown)}; known: {', '.join(sorted(REPLAY_METRICS))}")
        if not self.at_least and not self.at_most:
            raise ValueError("give at least one bound under at_least or at_most")
        return self


class Latency(Section):
    """Percentiles that single requests must keep, in milliseconds as the caller measures them."""

    p50_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    p95_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    p99_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    requests: Annotated[int, Field(ge=10, le=10_000)] = 200
    warm_up: Annotated[int, Field(ge=0, le=1_000)] = 20

    @property
    def bounds(self) -> dict[float, float]:
        """Bounded percentiles (0.95 is p95) with their bounds."""
        given = {0.5: self.p50_ms, 0.95: self.p95_ms, 0.99: self.p99_ms}
        return {share: bound for share, bound in given.items() if bound is not None}

    @model_validator(mode="after")
    def _enough(self) -> Latency:
        if not self.bounds:
            raise ValueError("give at least one of p50_ms, p95_ms and p99_ms")
        needed = fewest(max(self.bounds))
        if self.requests < needed:
            raise ValueError(
                f"{self.requests} requests cannot tell p{max(self.bounds) * 100:g}; give at least {needed}"
            )
        return self


class Load(Section):
    """A rate that the endpoint must stand, kept whatever it answers."""

    requests_per_second: Annotated[float, Field(gt=0, le=200, allow_inf_nan=False)]
    seconds: Annotated[int, Field(ge=1, le=300)] = 30
    errors_below: Annotated[float, Field(gt=0, le=1)] = 0.001

    @property
    def planned(self) -> int:
        """How many requests that makes."""
        return max(1, round(self.requests_per_second * self.seconds))


def _compiled(pattern: str) -> str:
    try:
        return re.compile(pattern).pattern
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"no regular expression: {error}") from error


RegularExpression = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_compiled)]


class Safety(Section):
    """Hostile requests and, for models of text, prompts; the patterns hold for every answer, beside those of each case."""

    suite: S3Uri
    forbid: tuple[RegularExpression, ...] = Field(default=(), max_length=100, strict=False)
    require: tuple[RegularExpression, ...] = Field(default=(), max_length=100, strict=False)
    times: Annotated[int, Field(ge=1, le=100)] = 1


def _safety(given: object) -> object:
    """A suite alone may be written as its address."""
    return {"suite": given} if isinstance(given, str) else given


class StagingTests(Section):
    """Tests against the staging endpoint."""

    contract: S3Uri | None = None
    replay: Replay | None = None
    latency: Latency | None = None
    load: Load | None = None
    safety: Annotated[Safety | None, BeforeValidator(_safety)] = None

    @model_validator(mode="after")
    def _something_to_send(self) -> StagingTests:
        if (self.latency or self.load or self.safety) and not (self.contract or self.replay):
            raise ValueError("latency, load and safety send good requests too; give contract or replay, which has them")
        return self
