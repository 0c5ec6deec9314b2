"""What every gate says in the same way, and what all of them together come to."""

from __future__ import annotations

from collections.abc import Iterable

from lockkeeper.domain.release import Outcome, Verdict


def bound_text(smallest: float | None, largest: float | None) -> str:
    """A bound as people read it: `>= 0.7`, `<= 0.2`, `-0.2 to 0.2`."""
    if smallest is not None and largest is not None:
        return f"{smallest:g} to {largest:g}"
    return f">= {smallest:g}" if smallest is not None else f"<= {largest:g}"


def holds(measured: float, smallest: float | None, largest: float | None) -> bool:
    """Whether a value is inside bounds; bounds belong to what passes."""
    return (smallest is None or measured >= smallest) and (largest is None or measured <= largest)


def decided(gate: str, measured: float, required: str, passed: bool, about: str = "") -> Verdict:
    """A verdict on a number that was measured."""
    verb = "meets" if passed else "does not meet"
    outcome = Outcome.PASSED if passed else Outcome.FAILED
    return Verdict(gate, outcome, f"{about}{measured:.4g} {verb} {required}", measured, required)


def inconclusive(gate: str, why: str, required: str | None, measured: float | None = None) -> Verdict:
    """A verdict on what could not be decided."""
    return Verdict(gate, Outcome.INCONCLUSIVE, why, measured, required)


def of_a_part(verdict: Verdict, unasked: int) -> Verdict:
    """A verdict where so many requests were not sent any more: what failed has failed, what passed is not decided."""
    if not unasked or verdict.verdict is Outcome.FAILED:
        return verdict
    why = f"{unasked} requests could not be sent before the time of the staging tests was up; ask for fewer"
    return Verdict(verdict.gate, Outcome.INCONCLUSIVE, why, verdict.measured, verdict.required)


def worst(verdicts: Iterable[Verdict]) -> Outcome:
    """Failed if any failed, else inconclusive if any was, else passed. No verdict at all is inconclusive."""
    outcomes = {verdict.verdict for verdict in verdicts}
    if Outcome.FAILED in outcomes:
        return Outcome.FAILED
    return Outcome.PASSED if outcomes == {Outcome.PASSED} else Outcome.INCONCLUSIVE


def explain(verdicts: Iterable[Verdict]) -> str:
    """One sentence that names every gate that did not pass."""
    return (
        "; ".join(f"{v.gate}: {v.reason}" for v in verdicts if v.verdict is not Outcome.PASSED) or "every gate passed"
    )
