"""A candidate's evidence: which reports there are, where, and what of them could be read. Nothing in a report can raise."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lockkeeper.domain.errors import EvidenceMissing
from lockkeeper.domain.gate_rules import Reports

KINDS = ("model_quality", "bias", "explainability", "data_quality")
"""The kinds of reports, as `gates.reports` names them."""

BIAS_REPORTS = ("Report", "PreTrainingReport", "PostTrainingReport")
NUMBER = re.compile(r"-?\d{1,400}(\.\d{1,400})?([eE][-+]?\d{1,3})?", re.ASCII)
METRIC_BLOCKS = ("binary_classification_metrics", "multiclass_classification_metrics", "regression_metrics")


@dataclass(frozen=True)
class Source:
    """Where a report is: addresses to be read and laid over each other, or a document that is here; `where` in words."""

    where: str
    uris: tuple[str, ...] = ()
    document: Any = None


@dataclass(frozen=True)
class Evidence:
    """Reports by kind (parsed JSON of any shape) and, of those that there are not, why not; what the registry says."""

    reports: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    description: dict[str, Any] = field(default_factory=dict)

    def why_missing(self, kind: str) -> str:
        """Why a kind of report is not there, with what to do about it."""
        return self.missing.get(kind) or f"there is no {kind} report"


@dataclass(frozen=True)
class ChampionEvidence:
    """The version that serves, and the reports that it was judged on."""

    version: int
    reports: dict[str, Any]


def sources_of(description: dict[str, Any], named: Reports, group: str, version: int) -> dict[str, Source]:
    """Where each kind of report is, of those that there are: the registry first, then the model card, then the policy's place."""
    found: dict[str, Source] = {}
    for kind in KINDS:
        uris = tuple(_registered(description.get("ModelMetrics"), kind))
        place = getattr(named, kind)
        if uris:
            found[kind] = Source("ModelMetrics of the model package", uris)
        elif kind == "model_quality" and (card := metrics_of_card(description)):
            found[kind] = Source("the model card", document=card)
        elif place:
            uri = place.replace("{group}", group).replace("{version}", str(version))
            found[kind] = Source(f"gates.reports.{kind} of the policy", (uri,))
    return found


CURES = {
    "model_quality": "register the version with ModelMetrics={ModelQuality: {Statistics: {ContentType, S3Uri}}}, with a "
    "model card that has evaluation metrics, or name a place in gates.reports.model_quality",
    "bias": "register the version with ModelMetrics={Bias: {Report: {ContentType, S3Uri}}}, or name a place in "
    "gates.reports.bias",
    "explainability": "register the version with ModelMetrics={Explainability: {Report: {ContentType, S3Uri}}}, or name a "
    "place in gates.reports.explainability",
    "data_quality": "name the place of constraint_violations.json in gates.reports.data_quality",
}
"""What to do where a kind of report is nowhere."""


def _registered(metrics: Any, kind: str) -> Iterator[str]:
    if kind == "model_quality":
        places = [_at(metrics, "ModelQuality", "Statistics", "S3Uri")]
    elif kind == "bias":
        places = [_at(metrics, "Bias", name, "S3Uri") for name in BIAS_REPORTS]
    elif kind == "explainability":
        places = [_at(metrics, "Explainability", "Report", "S3Uri")]
    else:
        # The registry has a place for constraints, not for what violates them.
        places = []
    yield from (place for place in places if isinstance(place, str) and place)


def _at(document: Any, *path: str) -> Any:
    for part in path:
        document = document.get(part) if isinstance(document, dict) else None
    return document


def card_of(description: dict[str, Any]) -> Any:
    """The model card's content as it is in the model package, or None."""
    content = _at(description, "ModelCard", "ModelCardContent")
    try:
        # NaN is no number here either: a card that has it is kept in a dossier like any report.
        return parse_report(content) if isinstance(content, str) else None
    except (ValueError, RecursionError):
        return None


def metrics_of_card(description: dict[str, Any]) -> dict[str, Any]:
    """The evaluation metrics of a model card in the shape of a model-quality report; empty when it has none.

    A card has names without the block that the report has them in, so every block holds them. A name that the card gives
    two values is no number: nobody can say which is meant.
    """
    values: dict[str, Any] = {}
    for name, value in _card_metrics(card_of(description)):
        if name in values and values[name] != value:
            value = f"{values[name]} and {value}"
        values[name] = value
    blocks = {name: {"value": value} for name, value in values.items()}
    return {**dict.fromkeys(METRIC_BLOCKS, blocks), "metrics": blocks} if blocks else {}


def _card_metrics(card: Any) -> Iterator[tuple[str, Any]]:
    for detail in _items(_at(card, "evaluation_details")):
        for group in _items(_at(detail, "metric_groups")):
            for metric in _items(_at(group, "metric_data")):
                name = _at(metric, "name")
                if isinstance(name, str) and _at(metric, "type") == "number":
                    yield name, _as_number(_at(metric, "value"))


def _as_number(value: Any) -> Any:
    """The value of a card's metric. SageMaker's MLflow writes numbers as texts; a text that is none stays as it is."""
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return float(value)
    return value


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def collect(
    sources: dict[str, Source], kinds: tuple[str, ...], read: Callable[[str], bytes]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The reports of these kinds and, of those that cannot be had, why not. `read` raises `EvidenceMissing`."""
    reports: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for kind in kinds:
        if kind not in sources:
            missing[kind] = f"the version has no {kind.replace('_', '-')} report; {CURES[kind]}"
            continue
        try:
            reports[kind] = _document_of(sources[kind], read)
        except EvidenceMissing as error:
            missing[kind] = str(error)
    return reports, missing


def _document_of(source: Source, read: Callable[[str], bytes]) -> Any:
    if source.document is not None:
        return source.document
    documents = []
    for uri in source.uris:
        try:
            documents.append(parse_report(read(uri)))
        except (ValueError, RecursionError) as error:
            raise EvidenceMissing(
                f"{uri} ({source.where}) is no JSON: {error}", cure="write it again and register the version again"
            ) from error
    if None in documents:
        nothing = source.uris[documents.index(None)]
        raise EvidenceMissing(
            f"{nothing} ({source.where}) is no report but null", cure="write it again and register it"
        )
    return laid_over(documents)


def parse_report(raw: bytes | str) -> Any:
    """A report's JSON. NaN, Infinity and 1e999 are no numbers of JSON: they become texts, which a gate finds inconclusive.

    Raises ValueError or RecursionError when it is none.
    """

    def finite(text: str) -> float | str:
        number = float(text)
        return number if math.isfinite(number) else text

    return json.loads(raw, parse_constant=finite, parse_float=finite)


def laid_over(documents: list[Any]) -> Any:
    """Several parts of one report as one: of two mappings the second's keys count where both have them."""
    merged: Any = None
    for document in documents:
        both = isinstance(merged, dict) and isinstance(document, dict)
        merged = {**merged, **document} if both else document
    return merged


def number_at(document: Any, path: str) -> float | str:
    """The finite number at a dotted path, or a sentence that says why there is none."""
    value = document
    walked: list[str] = []
    for part in path.split("."):
        walked.append(part)
        if not isinstance(value, dict) or part not in value:
            return f"the report has nothing at {'.'.join(walked)}"
        value = value[part]
    return number(value, path)


def number(value: Any, path: str) -> float | str:
    """A value as a finite number, or a sentence that says why it is none."""
    if value is None:
        return f"the report has null at {path}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"the report has {str(value)[:60]!r} at {path}, which is no number"
    try:
        converted = float(value)
    except OverflowError:
        return f"the report has a number out of range at {path}"
    return converted if math.isfinite(converted) else f"the report has {converted} at {path}"
