"""How production is updated: all at once or in parts, and how long the version is watched afterwards.

The bounds are SageMaker's own (BlueGreenUpdatePolicy, TrafficRoutingConfig, CapacitySize and RollingUpdatePolicy of its API).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, model_validator

from lockkeeper.domain.durations import Duration
from lockkeeper.domain.section import Section
from lockkeeper.domain.shadow import Shadow

LONGEST_SHIFT = 28_800
"""Seconds that SageMaker lets an update take at most."""
LONGEST_BAKE = 30 * 86400
EXTENDED = 3
"""A bake with too few requests lasts so many times as long at most, unless the policy says otherwise."""


def _bearable_wait(seconds: int) -> int:
    if seconds > 3600:
        raise ValueError("it must be between 0s and 1h")
    return seconds


def _bearable_shift(seconds: int) -> int:
    if not 600 <= seconds <= LONGEST_SHIFT:
        raise ValueError("it must be between 10m and 8h")
    return seconds


ShiftWait = Annotated[Duration, AfterValidator(_bearable_wait)]


class Shift(Section):
    """Traffic moves to the new version in parts; alarms are watched for `wait` (seconds) after each part but the last."""

    kind: ClassVar[str]
    percent: int
    wait: ShiftWait

    @property
    def waits(self) -> int:
        """Seconds that all waits together last."""
        return self.wait * (-(-100 // self.percent) - 1)

    @property
    def in_words(self) -> str:
        return f"{self.kind}, {self.percent} % at a time with {self.wait} s between"


class Canary(Shift):
    """One part of the traffic first, then all the rest."""

    kind: ClassVar[str] = "canary"
    percent: Annotated[int, Field(ge=1, le=50)]

    @property
    def waits(self) -> int:
        return self.wait

    @property
    def in_words(self) -> str:
        return f"{self.kind}, {self.percent} % for {self.wait} s and then the rest"


class Linear(Shift):
    """Equal parts of the traffic, one after another, between two whole fleets."""

    kind: ClassVar[str] = "linear"
    percent: Annotated[int, Field(ge=10, le=50)]


class Rolling(Shift):
    """Instances are replaced in batches: less capacity is needed than for two whole fleets."""

    kind: ClassVar[str] = "rolling"
    percent: Annotated[int, Field(ge=5, le=50)]


class Strategy(Section):
    """How production is updated, then watched for `bake`."""

    shadow: Shadow | None = None
    canary: Canary | None = None
    linear: Linear | None = None
    rolling: Rolling | None = None
    timeout: Annotated[Duration, AfterValidator(_bearable_shift)] | None = None
    bake: Duration = 3600
    minimum_invocations: Annotated[int, Field(ge=0)] = 0
    extend_up_to: Duration | None = None

    @property
    def shift(self) -> Shift | None:
        """How traffic moves; None where it does so all at once."""
        return self.canary or self.linear or self.rolling

    @property
    def in_words(self) -> str:
        how = self.shift.in_words if self.shift else "all at once"
        return f"{self.shadow.in_words} {how}" if self.shadow else how

    @property
    def seconds_to_shift(self) -> int:
        """Seconds that the shift may take beyond what bringing up the new fleet takes."""
        return max(self.shift.waits if self.shift else 0, self.timeout or 0)

    @property
    def seconds_of_shadow(self) -> int:
        """Seconds that a shadow lasts at most, beyond what bringing it up takes."""
        return self.shadow.longest if self.shadow else 0

    @property
    def longest_bake(self) -> int:
        """Seconds after which a bake ends, however few requests there were."""
        if not self.minimum_invocations:
            return self.bake
        return self.extend_up_to if self.extend_up_to is not None else min(EXTENDED * self.bake, LONGEST_BAKE)

    @model_validator(mode="after")
    def _one_shift(self) -> Strategy:
        given = [one.kind for one in (self.canary, self.linear, self.rolling) if one]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} at once; keep one of them")
        if self.shadow and self.rolling:
            raise ValueError(
                "rolling after a shadow: SageMaker rolls no endpoint of several variants, which one with a shadow is; "
                "choose canary or linear, or leave one of both out"
            )
        if self.timeout is not None and not self.shift:
            raise ValueError("timeout without canary, linear or rolling; remove it, nothing waits all at once")
        if self.shift and self.shift.waits >= LONGEST_SHIFT:
            raise ValueError(
                f"{self.shift.kind} waits for {self.shift.waits} s altogether, longer than the {LONGEST_SHIFT} s that "
                "SageMaker gives it; set wait lower or percent higher"
            )
        if self.shift and self.timeout is not None and self.timeout <= self.shift.waits:
            raise ValueError(
                f"timeout is {self.timeout} s and {self.shift.kind} waits for {self.shift.waits} s altogether; "
                "set timeout higher than that, or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _bounded(self) -> Strategy:
        if self.bake > LONGEST_BAKE:
            raise ValueError("bake must be at most 30d")
        if self.extend_up_to is None:
            return self
        if not self.minimum_invocations:
            raise ValueError("extend_up_to without minimum_invocations; no bake is extended where none are asked for")
        if not self.bake <= self.extend_up_to <= LONGEST_BAKE:
            raise ValueError("extend_up_to must be at least bake, and at most 30d")
        return self
