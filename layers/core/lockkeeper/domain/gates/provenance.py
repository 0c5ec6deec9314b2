"""Does anybody know where the version comes from: metadata, model card, lineage, author."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lockkeeper.domain.evidence import Evidence, card_of
from lockkeeper.domain.gate_rules import ProvenanceRule
from lockkeeper.domain.gates.verdicts import inconclusive
from lockkeeper.domain.release import Outcome, Verdict

REQUIRED = "present"


def judge_provenance(rule: ProvenanceRule | None, evidence: Evidence) -> tuple[Verdict, ...]:
    """One verdict for each thing that has to be there. What is not there is missing evidence, not a bad model."""
    return tuple(_verdicts(rule, evidence)) if rule else ()


def judge_author(author_from: str | None, evidence: Evidence) -> tuple[Verdict, ...]:
    """Where the policy says who made a version by its metadata, a version without it has an author that nobody knows."""
    if author_from is None:
        return ()
    key = author_from.removeprefix("metadata.")
    author = _get(evidence.description.get("CustomerMetadataProperties"), key)
    cure = f"register the version with CustomerMetadataProperties={{{key!r}: ...}}"
    return (_present("provenance: author", author, cure),)


def _verdicts(rule: ProvenanceRule, evidence: Evidence) -> Iterator[Verdict]:
    metadata = evidence.description.get("CustomerMetadataProperties")
    for key in rule.metadata:
        cure = f"register the version with CustomerMetadataProperties={{{key!r}: ...}}"
        yield _present(f"provenance: metadata {key}", _get(metadata, key), cure)
    lineage = evidence.description.get("MetadataProperties")
    for name in rule.lineage:
        cure = f"register the version with MetadataProperties={{{name}: ...}}"
        yield _present(f"provenance: lineage {name}", _get(lineage, name), cure)
    card = card_of(evidence.description)
    for path in rule.model_card:
        yield _present(f"provenance: model card {path}", _field(card, path), "write it into the model card")


def _present(gate: str, value: Any, cure: str) -> Verdict:
    if value in (None, "", [], {}):
        return inconclusive(gate, f"it is missing; {cure}", REQUIRED)
    shown = str(value)[:80]
    return Verdict(gate, Outcome.PASSED, f"it is there: {shown}", shown, REQUIRED)


def _get(mapping: Any, key: str) -> Any:
    return mapping.get(key) if isinstance(mapping, dict) else None


def _field(document: Any, path: str) -> Any:
    for part in path.split("."):
        document = _get(document, part)
    return document
