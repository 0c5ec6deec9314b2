"""What the monitor is asked: `monitor.json`, and the names that are in its environment."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Mapping

from jobs.drift_monitor.capture import Window
from jobs.drift_monitor.data_quality import Limits
from jobs.drift_monitor.distances import CHI_SQUARED, L_INFINITY, ROBUST, SIMPLE
from jobs.drift_monitor.errors import MonitorError
from jobs.drift_monitor.model_quality import ABOVE, BELOW, BiasBound, Bound, Question

DISABLED = "Disabled"


@dataclass(frozen=True)
class Asked:
    """One look at one endpoint's traffic. `said` is how the policy wants it to be judged; what it leaves out is the baseline's."""

    group: str
    release: str
    endpoint: str
    window: Window
    capture: str
    baseline_release: str = ""
    baseline_sha256: Mapping[str, str] = field(default_factory=dict)
    no_baseline: str = ""
    """Why there is none, in words."""
    ground_truth: str = ""
    ground_truth_delay: timedelta = timedelta(0)
    ignore: list[str] = field(default_factory=list)
    minimum_rows: int = 100
    question: Question | None = None
    bounds: list[Bound] = field(default_factory=list)
    bias: list[BiasBound] = field(default_factory=list)
    said: Mapping[str, Any] = field(default_factory=dict)

    def limits(self, config: Mapping[str, Any]) -> Limits:
        """How far is too far: as the policy says, else as the baseline's `monitoring_config`, else as usual."""
        usual = Limits()
        compared = config.get("distribution_constraints") or {}
        said = {name: value for name, value in self.said.items() if value is not None}
        known = {
            "method": compared.get("comparison_method"),
            "categorical_method": compared.get("categorical_drift_method"),
            "distance": _number(compared.get("comparison_threshold")),
            "types": _number(config.get("datatype_check_threshold")),
            "values": _number(config.get("domain_content_threshold")),
            "evaluated": config.get("evaluate_constraints") != DISABLED,
            # Whoever says in the policy how far is too far wants to hear of it.
            "compared": compared.get("perform_comparison") != DISABLED or bool({"distance", "p_value"} & set(said)),
            **_of_texts(compared, said),
            **said,
        }
        if known["method"] not in (SIMPLE, ROBUST):
            known["method"] = usual.method
        if known["categorical_method"] not in (L_INFINITY, CHI_SQUARED):
            known["categorical_method"] = usual.categorical_method
        return replace(usual, **{name: value for name, value in known.items() if value is not None})


def _of_texts(compared: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, float | None]:
    """The thresholds of texts. The baseline's is a p-value or a distance by its own method, whichever the policy asks for."""
    threshold = _number(compared.get("categorical_comparison_threshold"))
    tested = compared.get("categorical_drift_method") == CHI_SQUARED
    # A policy has one distance, for numbers and texts.
    distances = (said.get("distance"), None if tested else threshold, _number(compared.get("comparison_threshold")))
    return {
        "p_value": threshold if tested else None,
        "categorical_distance": next((one for one in distances if one is not None), None),
    }


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def read_asked(path: Path, environment: Mapping[str, str]) -> Asked:
    """Read the two; a MonitorError says what of them is missing."""
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
        window = Window(*(_moment(environment[f"LOCKKEEPER_WINDOW_{end}"]) for end in ("FROM", "TO")))
        question = told.get("question")
        return Asked(
            group=environment["LOCKKEEPER_GROUP"],
            release=environment["LOCKKEEPER_RELEASE"],
            endpoint=environment["LOCKKEEPER_ENDPOINT"],
            window=window,
            capture=str(told["capture"]),
            baseline_release=str(told.get("baseline_release", "")),
            baseline_sha256=told.get("baseline_sha256", {}),
            no_baseline=str(told.get("no_baseline", "")),
            ground_truth=str(told.get("ground_truth") or ""),
            ground_truth_delay=timedelta(seconds=int(told.get("ground_truth_delay", 0))),
            ignore=[str(one) for one in told.get("ignore", [])],
            minimum_rows=int(told.get("minimum_rows", 100)),
            question=Question(**question) if question else None,
            bounds=[*_bounds(told.get("at_least"), BELOW), *_bounds(told.get("at_most"), ABOVE)],
            bias=[BiasBound(**one) for one in told.get("bias", [])],
            said=told.get("limits", {}),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise MonitorError(
            f"the monitor was asked in a way that it does not know: {type(error).__name__}: {error}"
        ) from error


def _bounds(told: Mapping[str, float] | None, comparison: str) -> list[Bound]:
    return [Bound(metric, comparison, float(bound)) for metric, bound in (told or {}).items()]


def _moment(text: str) -> datetime:
    return datetime.strptime(
        text.replace("Z", "+0000"), "%Y-%m-%dT%H:%M:%S.%f%z" if "." in text else "%Y-%m-%dT%H:%M:%S%z"
    )
