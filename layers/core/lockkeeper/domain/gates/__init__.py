"""The offline gates: each a pure function from evidence and policy to verdicts with a reason, the measured and the required value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockkeeper.domain.evidence import ChampionEvidence, Evidence
from lockkeeper.domain.gates.bias import judge_bias
from lockkeeper.domain.gates.data_quality import judge_data_quality
from lockkeeper.domain.gates.explainability import judge_explainability
from lockkeeper.domain.gates.provenance import judge_provenance
from lockkeeper.domain.gates.quality import judge_quality
from lockkeeper.domain.release import Verdict

if TYPE_CHECKING:
    from lockkeeper.domain.policy import Gates


def judge_offline(gates: Gates, evidence: Evidence, champion: ChampionEvidence | None) -> tuple[Verdict, ...]:
    """Every offline gate that the policy asks for, in the order in which people read them."""
    return (
        *judge_quality(gates.quality, gates.champion, evidence, champion),
        *judge_bias(gates.bias, evidence),
        *judge_explainability(gates.explainability, evidence, champion),
        *judge_data_quality(gates.data_quality, evidence),
        *judge_provenance(gates.provenance, evidence),
    )


def kinds_needed(gates: Gates) -> tuple[str, ...]:
    """The kinds of reports that these gates read."""
    asked = {
        "model_quality": True,
        "bias": bool(gates.bias),
        "explainability": gates.explainability is not None,
        "data_quality": gates.data_quality is not None,
    }
    return tuple(kind for kind, needed in asked.items() if needed)
