"""What the control plane of one release costs, from what was metered.

List prices of us-east-1 in November 2026 (AWS price pages): Step Functions Standard transitions, Lambda arm64, DynamoDB on demand,
custom EventBridge events.
"""

from __future__ import annotations

USD_PER_TRANSITION = 25.0 / 1_000_000
USD_PER_INVOCATION = 0.20 / 1_000_000
USD_PER_GB_SECOND = 0.0000133334


def cost_of(meters: dict[str, float]) -> dict[str, float]:
    """Return `transitions`, `invocations`, `gb_seconds` as metered and `usd` at list prices."""
    transitions = meters.get("transitions", 0)
    invocations = meters.get("invocations", 0)
    gb_seconds = meters.get("gb_seconds", 0.0)
    usd = transitions * USD_PER_TRANSITION + invocations * USD_PER_INVOCATION + gb_seconds * USD_PER_GB_SECOND
    return {
        "transitions": int(transitions),
        "invocations": int(invocations),
        "gb_seconds": round(gb_seconds, 6),
        "usd": round(usd, 8),
    }
