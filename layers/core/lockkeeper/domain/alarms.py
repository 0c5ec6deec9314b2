"""Alarms of a policy: those that are there already, by name, and those that are made for each release and see its fleet alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from lockkeeper.domain.durations import Duration
from lockkeeper.domain.section import Number, Section

SAGEMAKER = "AWS/SageMaker"
"""The namespace of SageMaker's own metrics, which are known by fleet."""
OF_A_QUEUE = frozenset(
    {
        "ApproximateBacklogSize",
        "ApproximateBacklogSizePerInstance",
        "ApproximateAgeOfOldestRequest",
        "HasBacklogWithoutCapacity",
    }
)
"""Metrics of an asynchronous endpoint, whatever serves it. Source: "Alarms and logs for tracking metrics from asynchronous
endpoints", SageMaker developer guide."""
OF_QUEUED_REQUESTS = frozenset(
    {
        "ExpiredRequests",
        "InvocationFailures",
        "InvocationsProcessed",
        "NotificationFailures",
        "RequestDownloadFailures",
        "RequestDownloadLatency",
        "ResponseUploadFailures",
        "ResponseUploadLatency",
        "TimeInBacklog",
        "TotalProcessingTime",
    }
)
"""Those of its variant, whatever configuration that has; same source."""
NOT_OF_A_QUEUE = frozenset({"Invocations", "InvocationsPerInstance", "OverheadLatency"})
"""What SageMaker does not publish of asynchronous endpoints; same source."""
FASTEST = (10, 20, 30)
"""Periods below a minute that CloudWatch evaluates, of metrics that are published so often."""

AT_LEAST, ABOVE, BELOW = "GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold"

AlarmName = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Word = Annotated[str, StringConstraints(pattern=r"^[^\s:][^\r\n]{0,254}$")]
Statistic = Annotated[
    str, StringConstraints(pattern=r"^(Average|Sum|Minimum|Maximum|SampleCount|p(\d{1,2}(\.\d{1,2})?|100))$")
]


def _evaluated(seconds: int) -> int:
    if seconds not in FASTEST and (seconds == 0 or seconds % 60):
        raise ValueError("CloudWatch evaluates periods of 10s, 20s, 30s and whole minutes")
    return seconds


Period = Annotated[Duration, AfterValidator(_evaluated)]


@dataclass(frozen=True)
class Watched:
    """The instances of one variant of an endpoint with one configuration, by which CloudWatch knows them."""

    endpoint_name: str
    config_name: str
    variant: str

    def known_by(self, metric: str) -> dict[str, str]:
        """The dimensions with which SageMaker publishes a metric of it. An alarm with others would be calm for ever."""
        dimensions = {"EndpointName": self.endpoint_name}
        if metric in OF_A_QUEUE:
            return dimensions
        dimensions["VariantName"] = self.variant
        if metric in OF_QUEUED_REQUESTS:
            return dimensions
        # Without the configuration the fleet before it would be seen as well.
        return {**dimensions, "EndpointConfigName": self.config_name}


@dataclass(frozen=True)
class MadeAlarm:
    """An alarm that is made for a release, in CloudWatch's terms (`period` in seconds).

    `what` says what it watches, without how strictly; `dimensions` are None where they are those of the release's fleet.
    """

    label: str
    what: str
    namespace: str
    metric: str
    statistic: str
    comparison: str
    threshold: float
    period: int
    evaluation_periods: int
    dimensions: dict[str, str] | None = None

    @property
    def bound(self) -> float:
        """The threshold as the policy has it: of latencies in milliseconds."""
        return self.threshold / 1000 if self.label.startswith("latency-") else self.threshold

    @property
    def seconds(self) -> int:
        """How long it takes to go off."""
        return self.period * self.evaluation_periods


class ModelLatency(Section):
    """One percentile of the time that the model takes, in milliseconds."""

    p50: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    p90: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    p95: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    p99: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @property
    def bound(self) -> tuple[str, float]:
        """The percentile as CloudWatch calls it, and its bound in milliseconds."""
        return next((name, value) for name in ("p50", "p90", "p95", "p99") if (value := getattr(self, name)))

    @model_validator(mode="after")
    def _one_percentile(self) -> ModelLatency:
        if sum(value is not None for value in (self.p50, self.p90, self.p95, self.p99)) != 1:
            raise ValueError("give exactly one of p50, p90, p95 and p99; each further one is an alarm of its own")
        return self


class Metric(Section):
    """Any metric of the production account. Those of SageMaker are asked of the new fleet alone."""

    namespace: Word
    name: Word
    statistic: Statistic = "Average"
    above: Number | None = None
    below: Number | None = None
    dimensions: dict[str, Word] = Field(default={}, max_length=20)

    @model_validator(mode="after")
    def _one_side(self) -> Metric:
        if (self.above is None) == (self.below is None):
            raise ValueError("give exactly one of above and below")
        if self.namespace == SAGEMAKER and self.dimensions:
            raise ValueError(f"metrics of {SAGEMAKER} are asked of the new fleet; leave dimensions out")
        return self

    def alarm(self, period: int, evaluation_periods: int) -> MadeAlarm:
        """The alarm on this metric that is to be made."""
        comparison, threshold = (ABOVE, self.above) if self.above is not None else (BELOW, self.below)
        named = "".join(f", {name} {value}" for name, value in sorted(self.dimensions.items()))
        what = (
            f"metric {self.namespace} {self.name} {self.statistic} {'above' if comparison == ABOVE else 'below'}{named}"
        )
        dimensions = None if self.namespace == SAGEMAKER else dict(self.dimensions)
        name = ("metric", what, self.namespace, self.name, self.statistic, comparison)
        return MadeAlarm(*name, threshold or 0.0, period, evaluation_periods, dimensions)


class Alarm(Section):
    """An alarm by its name, or what to make one of. A name alone may be written as a text."""

    name: AlarmName | None = None
    errors_5xx: Annotated[int, Field(ge=1)] | None = None
    model_latency_ms: ModelLatency | None = None
    metric: Metric | None = None
    period: Period = 60
    evaluation_periods: Annotated[int, Field(ge=1, le=100)] = 1

    @property
    def made(self) -> MadeAlarm | None:
        """The alarm that is to be made; None of one that is there already."""
        if self.errors_5xx is not None:
            name = ("errors-5xx", "errors_5xx", SAGEMAKER, "Invocation5XXErrors", "Sum", AT_LEAST)
            return MadeAlarm(*name, float(self.errors_5xx), self.period, self.evaluation_periods)
        if self.model_latency_ms is not None:
            percentile, bound = self.model_latency_ms.bound
            what = f"model_latency_ms {percentile}"
            name = (f"latency-{percentile}", what, SAGEMAKER, "ModelLatency", percentile, ABOVE)
            # SageMaker measures microseconds.
            return MadeAlarm(*name, bound * 1000, self.period, self.evaluation_periods)
        return self.metric.alarm(self.period, self.evaluation_periods) if self.metric else None

    @model_validator(mode="after")
    def _one_kind(self) -> Alarm:
        given = [one is not None for one in (self.name, self.errors_5xx, self.model_latency_ms, self.metric)]
        if sum(given) != 1:
            raise ValueError("give exactly one of errors_5xx, model_latency_ms, metric and the name of an alarm")
        times = {"period", "evaluation_periods"} & self.model_fields_set
        if self.name is not None and times:
            raise ValueError(
                f"{' and '.join(sorted(times))} of an alarm that is there already; change the alarm itself"
            )
        if (self.metric is None or self.metric.namespace == SAGEMAKER) and self.period < 60:
            raise ValueError("SageMaker publishes once a minute; set period to 60s or more")
        if self.period * self.evaluation_periods > 86400:
            raise ValueError(
                "period times evaluation_periods must be at most a day, which is what CloudWatch evaluates"
            )
        return self


def _named(given: Any) -> Any:
    """An alarm's name stands for the alarm."""
    return {"name": given} if isinstance(given, str) else given


AlarmItem = Annotated[Alarm, BeforeValidator(_named, json_schema_input_type=AlarmName | Alarm)]
"""One item of `production.alarms`."""
