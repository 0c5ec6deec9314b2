"""What people are told about a version beside its verdicts: what it is for, why it was made, what it runs on, how fast it was.

Source of the card's fields: SageMaker's model card schema. Nothing in a description or a card can raise.
"""

from __future__ import annotations

from typing import Any

from lockkeeper.domain.evidence import card_of
from lockkeeper.domain.prices import Cost

LONGEST = 600
"""Characters of one text: people decide on a phone, and the registry has the rest."""
CARD = {
    "intended use": (("intended_uses", "intended_uses"), ("intended_uses", "purpose_of_model")),
    "risk": (("intended_uses", "risk_rating"),),
    "ethical considerations": (("additional_information", "ethical_considerations"),),
    "caveats": (("additional_information", "caveats_and_recommendations"),),
}
"""What is told of a model card, and where it may stand; the first that is there counts."""
WHY = ("reason", "drift")
"""Metadata that says why a version was made, alone or after `lockkeeper:`."""


def about_version(description: dict[str, Any], cost: Cost) -> dict[str, Any]:
    """Texts by what they are about; what the registry does not say is left out. `description` is DescribeModelPackage's.

    `endpoint cost` is an object: `monthly_usd`, None where nobody knows, and `words`.
    """
    told = {"runs on": cost.size}
    card = card_of(description)
    for name, places in CARD.items():
        texts = (_text_at(card, place) for place in places)
        told[name] = next((text for text in texts if text), "")
    metadata = description.get("CustomerMetadataProperties")
    for name in WHY:
        told[name] = _text_at(metadata, (f"lockkeeper:{name}",)) or _text_at(metadata, (name,))
    money = {"endpoint cost": {"monthly_usd": cost.monthly_usd, "words": cost.words}}
    return {name: text for name, text in told.items() if text} | money


def about_latency(figures: dict[str, Any]) -> dict[str, Any]:
    """What the staging endpoint took, of the figures that its dossier keeps: `p50` and `p95` in ms, of so many `requests`."""
    measured = figures["milliseconds"]
    return {"latency": {"p50": measured["p50"], "p95": measured["p95"], "requests": figures["requests"]}}


def _text_at(document: Any, path: tuple[str, ...]) -> str:
    for part in path:
        document = document.get(part) if isinstance(document, dict) else None
    text = document.strip() if isinstance(document, str) else ""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
