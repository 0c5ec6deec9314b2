"""What a policy may ask of a candidate's evidence: one section for each offline gate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, model_validator

from lockkeeper.domain.section import Number, S3Uri, Section

LOWER_IS_BETTER = frozenset(
    {"mae", "mse", "rmse", "false_positive_rate", "false_negative_rate", "log_loss", "weighted_false_positive_rate"}
    | {f"mean_{name}" for name in ("absolute_error", "squared_error", "absolute_percentage_error")}
    | {"root_mean_squared_error", "max_error"}
)
HIGHER_IS_BETTER = frozenset(
    {"accuracy", "precision", "recall", "auc", "f0_5", "f1", "f2", "r2", "true_positive_rate", "true_negative_rate"}
    | {f"weighted_{name}" for name in ("precision", "recall", "f0_5", "f1", "f2")}
    | {f"{name}_score" for name in ("accuracy", "precision", "recall", "f1", "r2")}
    | {"roc_auc", "precision_recall_auc"}
)
"""Metrics of SageMaker's model-quality reports, and of MLflow's evaluation in model cards, by their direction.

Of any other a policy has to say it."""

PRE_TRAINING_BIAS = ("CI", "DPL", "KL", "JS", "LP", "TVD", "KS", "CDDL")
POST_TRAINING_BIAS = (
    "DPPL", "DI", "DCA", "DCR", "DCAcc", "SD", "RD", "DAR", "DRR", "AD", "TE", "CDDPL", "FT", "GE",
)  # fmt: skip
"""Bias metrics by the names that SageMaker Clarify's analysis gives them."""

DATA_CHECKS = (
    "data_type_check", "completeness_check", "baseline_drift_check", "missing_column_check", "extra_column_check",
    "categorical_values_check",
)  # fmt: skip
"""`constraint_check_type`s of SageMaker Model Monitor's data-quality violations."""


def _one_of(known: tuple[str, ...]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"unknown; known: {', '.join(known)}")
        return name

    return AfterValidator(check)


def _listed(known: tuple[str, ...]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [*known]})


BIAS_METRICS = (*PRE_TRAINING_BIAS, *POST_TRAINING_BIAS)
BiasMetric = Annotated[str, _one_of(BIAS_METRICS), _listed(BIAS_METRICS)]
DataCheck = Annotated[str, _one_of(DATA_CHECKS), _listed(DATA_CHECKS)]


def direction_of(metric: str) -> Literal["higher", "lower"] | None:
    """Which values are better, by the last word of a path (`regression_metrics.mae.value` is `mae`); None where unknown."""
    words = [word for word in metric.split(".") if word != "value"]
    last = words[-1] if words else ""
    if last in LOWER_IS_BETTER:
        return "lower"
    return "higher" if last in HIGHER_IS_BETTER else None


class QualityRule(Section):
    """One bound on one value of the model-quality report; `metric` is the path of a number in it."""

    metric: Annotated[str, StringConstraints(min_length=1)]
    at_least: Number | None = None
    at_most: Number | None = None
    no_worse_than_champion_by: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    better: Literal["higher", "lower"] | None = None
    slices: Annotated[str, StringConstraints(pattern=r"^[^.]+$")] | None = None
    minimum_rows: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _one_bound(self) -> QualityRule:
        bounds = [self.at_least, self.at_most, self.no_worse_than_champion_by]
        if sum(bound is not None for bound in bounds) != 1:
            raise ValueError("give exactly one of at_least, at_most and no_worse_than_champion_by")
        if self.no_worse_than_champion_by is not None and self.direction is None:
            raise ValueError(
                f"nobody knows which values of {self.metric} are better; add better: higher or better: lower"
            )
        return self

    @property
    def direction(self) -> Literal["higher", "lower"] | None:
        """Which values are better; None where neither the policy nor the metric's name says so."""
        return self.better or direction_of(self.metric)


class ChampionRule(Section):
    """The comparison with what serves, of every metric that has a bound and whose direction is known."""

    compare: bool = True
    worse_by_at_most: Annotated[float, Field(ge=0, le=1)] = 0.02


class BiasRule(Section):
    """A bound on one of Clarify's bias metrics, for every value of a facet or for one."""

    metric: BiasMetric
    facet: Annotated[str, StringConstraints(min_length=1)]
    value: Annotated[str, StringConstraints(min_length=1)] | None = None
    within: tuple[Number, Number] | None = Field(default=None, strict=False)
    at_least: Number | None = None
    at_most: Number | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> BiasRule:
        if sum(bound is not None for bound in (self.within, self.at_least, self.at_most)) != 1:
            raise ValueError("give exactly one of within, at_least and at_most")
        if self.within and self.within[0] > self.within[1]:
            raise ValueError("within is [smallest, largest]")
        return self

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Smallest and largest value that passes; None for no bound."""
        return self.within or (self.at_least, self.at_most)


class ExplainabilityRule(Section):
    """The ranking of the features' attributions, held against the champion's."""

    minimum_ndcg: Annotated[float, Field(ge=0, le=1)] = 0.9


class DataQualityRule(Section):
    """How many violations of each kind the data-quality report may have; of a kind that is not named, none."""

    at_most: dict[DataCheck, Annotated[int, Field(ge=0)]] = {}


class ProvenanceRule(Section):
    """What the registry has to say about where a version comes from."""

    metadata: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = Field(default=(), strict=False)
    model_card: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = Field(default=(), strict=False)
    lineage: tuple[Literal["CommitId", "Repository", "GeneratedBy", "ProjectId"], ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _asks_something(self) -> ProvenanceRule:
        if not (self.metadata or self.model_card or self.lineage):
            raise ValueError("name something under metadata, model_card or lineage, or leave provenance out")
        return self


class Reports(Section):
    """Where evidence is that the registry does not name; `{group}` and `{version}` are filled in."""

    model_quality: S3Uri | None = None
    bias: S3Uri | None = None
    explainability: S3Uri | None = None
    data_quality: S3Uri | None = None
