"""A shadow: the candidate gets copies of production's requests beside the champion, and answers nobody."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from lockkeeper.domain.durations import Duration
from lockkeeper.domain.section import Section

EXTENDED = 3
"""A shadow that was asked too seldom lasts so many times as long at most."""


def _bearable(seconds: int) -> int:
    if not 60 <= seconds <= 7 * 86400:
        raise ValueError("it must be between 1m and 7d")
    return seconds


class Shadow(Section):
    """For `wait` seconds the candidate is asked what the champion is asked; it passes by what both answered, and how fast."""

    percent: Annotated[int, Field(ge=1, le=100)] = 100
    wait: Annotated[Duration, AfterValidator(_bearable)] = 3600
    minimum_requests: Annotated[int, Field(ge=1)] = 100
    agree_at_least: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.95
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    slower_at_most: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.5

    @property
    def longest(self) -> int:
        """Seconds after which a shadow ends, however few requests there were."""
        return EXTENDED * self.wait

    @property
    def in_words(self) -> str:
        return f"a shadow of {self.percent} % of the requests for {self.wait} s, then"


def shadow_of(variant: str) -> str:
    """What the shadow beside a production variant is called: two variants of a configuration have two names."""
    return "Shadow" if variant.casefold() != "shadow" else "Candidate"


class PlanStep(StrEnum):
    """How far a promotion with a shadow is; kept with its wait."""

    UP = "shadow up"
    SHADOWING = "shadowing"
    SHIFT = "shift"
