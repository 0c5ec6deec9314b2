"""What a policy says about Lockkeeper's own monitor: how often it looks at production, and what it holds it against."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from lockkeeper.domain.durations import DURATION, StartupTimeout, seconds_of
from lockkeeper.domain.section import ImageName, InstanceType, Number, S3Uri, Section

MONTH = 31 * 86400
_WRITTEN = WithJsonSchema({"type": "string", "pattern": DURATION.pattern})


def _bearable(seconds: int) -> int:
    if not 300 <= seconds <= MONTH:
        raise ValueError("it must be between 5m and 31d: a job takes minutes to begin")
    return seconds


def _late(seconds: int) -> int:
    if seconds > MONTH:
        raise ValueError("it must be between 0s and 31d")
    return seconds


Pace = Annotated[int, BeforeValidator(seconds_of), AfterValidator(_bearable), _WRITTEN]
Delay = Annotated[int, BeforeValidator(seconds_of), AfterValidator(_late), _WRITTEN]
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=255)]
ProblemType = Literal["BinaryClassification", "MulticlassClassification", "Regression"]


class Monitor(Section):
    """Looks at what the production endpoint captured, again and again. What is left out is the baseline's, or the gates'."""

    every: Pace = 86400
    image: ImageName | None = None
    instance_type: InstanceType = "ml.m5.large"
    max_runtime: StartupTimeout = 3600
    baseline: S3Uri | None = None
    ignore: tuple[ColumnName, ...] = Field(default=(), max_length=200, strict=False)
    minimum_rows: Annotated[int, Field(ge=1)] = 100
    method: Literal["robust", "simple"] | None = None
    categorical_method: Literal["l-infinity", "chi-squared"] | None = None
    distance: Annotated[float, Field(gt=0, le=1)] | None = None
    p_value: Annotated[float, Field(gt=0, lt=1)] | None = None
    ground_truth: S3Uri | None = None
    ground_truth_delay: Delay = 0
    problem_type: ProblemType | None = None
    positive_label: Annotated[str, StringConstraints(min_length=1, max_length=255)] = "1"
    at_least: dict[str, Number] = {}
    at_most: dict[str, Number] = {}

    @model_validator(mode="after")
    def _truth_is_known(self) -> Monitor:
        asked = {"ground_truth_delay", "problem_type", "positive_label", "at_least", "at_most"} & self.model_fields_set
        if asked and not self.ground_truth:
            raise ValueError(
                f"{min(asked)} without ground_truth: nobody would know what the right answers were; name its S3 prefix"
            )
        if self.p_value is not None and self.categorical_method != "chi-squared":
            raise ValueError("p_value is that of chi-squared; set categorical_method to it, or leave p_value out")
        return self
