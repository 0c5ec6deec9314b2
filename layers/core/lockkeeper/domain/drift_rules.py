"""What a policy says about drift: whose signals count, and how often a retraining may answer them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from lockkeeper.domain.durations import DURATION, seconds_of
from lockkeeper.domain.monitor_rules import Monitor
from lockkeeper.domain.section import Section

ALARM, MODEL_MONITOR, LOCKKEEPER_MONITOR, EVENT = "alarm", "model-monitor", "lockkeeper-monitor", "event"
Source = Literal["alarm", "model-monitor", "lockkeeper-monitor", "event"]
CAPTURED = (MODEL_MONITOR, LOCKKEEPER_MONITOR)
"""Signals that are found in what an endpoint captures."""

FACTS = ("reason", "signal", "group", "champion", "champion_version", "window_from", "window_to", "retraining")
"""What a pipeline may be told, by the names that stand in braces in `parameters`."""
IN_BRACES = re.compile(r"\{([^{}]*)\}")

# Such names stand in a policy's text as they are, however the file is written.
DriftAlarm = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/()+@#,=-]( ?[A-Za-z0-9_.:/()+@#,=-])*$", max_length=255)
]
PipelineName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}$")]
PARAMETER_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
ParameterText = Annotated[str, StringConstraints(max_length=1024)]
Usd = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]

_WRITTEN = WithJsonSchema({"type": "string", "pattern": DURATION.pattern})


def _at_most_a_year(seconds: int) -> int:
    if seconds > 365 * 86400:
        raise ValueError("it must be between 0s and 365d")
    return seconds


def _countable(seconds: int) -> int:
    if not 60 <= seconds <= 365 * 86400:
        raise ValueError("it must be between 1m and 365d")
    return seconds


def _known(parameters: dict[str, str]) -> dict[str, str]:
    for name, text in parameters.items():
        if not PARAMETER_NAME.fullmatch(name):
            raise ValueError(f"{name[:40]!r} is no name of a parameter: letters, digits, _ and -")
        unknown = next((fact for fact in IN_BRACES.findall(text) if fact not in FACTS), None)
        if unknown is not None:
            raise ValueError(
                f"{name}: {{{unknown[:40]}}} is nothing that a retraining knows; write one of "
                + ", ".join(f"{{{fact}}}" for fact in FACTS)
            )
    return parameters


Parameters = Annotated[dict[str, ParameterText], Field(max_length=200), AfterValidator(_known)]
Cooldown = Annotated[int, BeforeValidator(seconds_of), AfterValidator(_at_most_a_year), _WRITTEN]
Period = Annotated[int, BeforeValidator(seconds_of), AfterValidator(_countable), _WRITTEN]


class AtMost(Section):
    """How many retrainings may start within a period, however many signals come."""

    count: Annotated[int, Field(ge=1, le=100)] = 2
    per: Period = 7 * 86400


class RetrainingBudget(Section):
    """What retrainings may cost in a calendar month (UTC); what one costs, nobody but its people knows."""

    monthly_usd: Usd
    each_usd: Usd

    @model_validator(mode="after")
    def _one_fits(self) -> RetrainingBudget:
        if self.each_usd > self.monthly_usd:
            raise ValueError(
                f"each_usd is {self.each_usd:g} and monthly_usd {self.monthly_usd:g}: no retraining could ever start; "
                "set monthly_usd to that or more"
            )
        return self


class Retrain(Section):
    """The SageMaker Pipeline that is started where drift was found, and what keeps it from being started too often."""

    pipeline: PipelineName
    parameters: Parameters = {}
    cooldown: Cooldown = 86400
    at_most: AtMost = AtMost()
    give_up_after: Annotated[int, Field(ge=1, le=20)] = 2
    budget: RetrainingBudget | None = None


class Drift(Section):
    """Whose word counts, and what is done about it. Without `retrain` signals are kept and told, and nothing starts."""

    signals: tuple[Source, ...] = Field(default=(), max_length=4, strict=False)
    alarms: tuple[DriftAlarm, ...] = Field(default=(), max_length=20, strict=False)
    monitor: Monitor | None = None
    retrain: Retrain | None = None

    @model_validator(mode="after")
    def _can_be_heard(self) -> Drift:
        if self.retrain and not self.signals:
            raise ValueError(
                "retrain without signals: nothing would ever start it; name signals, such as [alarm], or leave retrain out"
            )
        if ALARM in self.signals and not self.alarms:
            raise ValueError("signals has alarm, and no alarm is named; name those of drift under alarms")
        if self.alarms and ALARM not in self.signals:
            raise ValueError(
                "alarms are named, and signals has no alarm: nobody would listen; add alarm to signals, or leave alarms out"
            )
        if len(set(self.alarms)) != len(self.alarms):
            raise ValueError("an alarm is named twice")
        return self


def check_drift(drift: Drift | None, *, target: str) -> None:
    """What a kind of endpoint cannot have; a `ValueError` says what to change."""
    captured = [f"signals has {source}" for source in CAPTURED if drift and source in drift.signals]
    if drift and drift.monitor:
        captured.append("monitor is there")
    if captured and target == "batch":
        raise ValueError(
            f"drift.{captured[0]}, and jobs of target batch capture nothing that it could look at; "
            "leave it out, and put what your own monitor finds on the bus with event, or name its alarm"
        )
    if captured and target == "serverless":
        raise ValueError(
            f"drift.{captured[0]}, and a serverless endpoint captures nothing that it could look at; "
            "leave it out, or serve from instances"
        )


def filled_in(text: str, facts: dict[str, str]) -> str:
    """A parameter's text with the facts in place of their names in braces, no longer than SageMaker takes."""
    return IN_BRACES.sub(lambda found: facts[found[1]], text)[:1024]
