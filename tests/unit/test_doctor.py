"""What the doctor says of quotas."""

from __future__ import annotations

from pathlib import Path

from lockkeeper.domain.gates.preflight import fleets_of
from lockkeeper.domain.policy import parse_policy

from cli.doctor import State, judge_quotas

WAGES = Path(__file__).resolve().parents[2] / "examples" / "wages" / "policy.yaml"
USAGE = "ml.m5.large for endpoint usage"


def test_an_update_takes_both_fleets_and_staging() -> None:
    text = WAGES.read_text()
    assert fleets_of(parse_policy(text, source="wages"), serves=True, staging_here=True) == {"ml.m5.large": 5}
    other = text.replace("staging:\n  instance_type: ml.m5.large", "staging:\n  instance_type: ml.t2.medium")
    assert fleets_of(parse_policy(other, source="wages"), serves=True, staging_here=True) == {
        "ml.m5.large": 4,
        "ml.t2.medium": 1,
    }


def test_a_quota_is_enough_or_too_small_or_not_listed() -> None:
    def judged(allowed: dict[str, float]) -> tuple[State, str]:
        (finding,) = judge_quotas("wages", {"ml.m5.large": 3}, allowed)
        return finding.state, finding.cure

    assert judged({USAGE: 3.0}) == (State.OK, "")
    assert judged({USAGE: 2.0}) == (State.PROBLEM, f"ask for 3 in Service Quotas: {USAGE}")
    assert judged({})[0] is State.UNKNOWN
