"""Something says that production drifts: keep it once with a decision, and start the retraining that it deserves, once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from lockkeeper.domain.drift import DriftSignal, signal_id_of
from lockkeeper.domain.drift_hints import ReleaseTold, drift_hint
from lockkeeper.domain.drift_rules import ALARM, Retrain, filled_in
from lockkeeper.domain.errors import TryAgain
from lockkeeper.domain.events import Unusable
from lockkeeper.domain.policy import Policy
from lockkeeper.domain.retraining import (
    UNTRIED,
    WAITING,
    Answer,
    Decision,
    Head,
    Kept,
    Retraining,
    Serving,
    Stage,
    Standing,
    come_again,
    decide,
    said,
)
from lockkeeper.ports import Champion, World
from lockkeeper.use_cases.braked import freeze_of
from lockkeeper.use_cases.follow_retraining import (
    end_retraining,
    follow_if_ended,
    follow_release,
    give_up_if_useless,
    start_wanted,
)
from lockkeeper.use_cases.pinned import iso
from lockkeeper.use_cases.see_drift import policy_in_force, see_drift

TRIES = 20
"""How often a decision is made anew since somebody else's was faster."""
FAR_BACK = 200
"""Retrainings that a decision looks back at: more than a policy lets start within a period, or give up after."""
TOLD_AGAIN = timedelta(days=1)
"""How long the same answer of a group is not told a second time: signals come in storms."""


@dataclass(frozen=True)
class Followed:
    """The end of a release, and what it said of a retraining."""

    what: str


def react_to_drift(event: dict[str, Any], world: World) -> list[Kept] | Followed | Unusable:
    """Read the event as a hint, and production as the truth. Repeating it changes nothing."""
    hint = drift_hint(event, world.accounts)
    if isinstance(hint, Unusable):
        return hint
    if isinstance(hint, ReleaseTold):
        what = follow_release(hint.group, hint.version, world)
        return Followed(what) if what else Unusable(f"version {hint.version} of {hint.group} is no retraining's")
    signals = see_drift(hint, world)
    return signals if isinstance(signals, Unusable) else [take_signal(signal, world) for signal in signals]


def take_signal(signal: DriftSignal, world: World, *, anew: bool = False) -> Kept:
    """The signal with its answer, kept; what it starts is started. `anew` decides once more on what started nothing so far."""
    for _ in range(TRIES):
        try:
            kept = _keep(signal, world, anew=anew)
        except TryAgain:
            continue  # Two were writing the same record at the same moment; one of them has.
        if kept is not None:
            _bring_about(kept, world)
            return kept
    raise TryAgain(f"others decide on drift of {signal.group} all the time")


def decide_anew(head: Head, world: World) -> Kept | None:
    """The signal that waits, decided on once more; None where it does not wait any more."""
    kept = world.ledger.signal(head.group, head.waiting)
    signal = _still_said(kept, world) if kept else None
    if signal is None:
        world.ledger.let_wait(head.group, "")
        return None
    if policy_in_force(head.group, world) is None:
        return None  # It waits for a policy that can be read, too.
    again = take_signal(signal, world, anew=True)
    if not again.waits and world.ledger.retraining_head(head.group).waiting == head.waiting:
        world.ledger.let_wait(head.group, "")  # It waited under its first name.
    return again


def _still_said(kept: Kept, world: World) -> DriftSignal | None:
    """What is decided anew: the signal; where it has started a retraining that did not help, the same under another name, since its own has
    its answer. None where nobody says it any more."""
    if not kept.number:
        return kept.signal
    began = world.ledger.retraining(kept.signal.group, kept.number)
    if not kept.waits or began is None or began.stage is Stage.HELPED:
        return None
    return replace(kept.signal, signal_id=signal_id_of(ALARM, kept.signal.signal_id, kept.number))


def _keep(signal: DriftSignal, world: World, *, anew: bool) -> Kept | None:
    """None where somebody else was faster, so that everything has to be read again."""
    known = world.ledger.signal(signal.group, signal.signal_id)
    if known and (known.number or not anew):
        return known
    policy = policy_in_force(signal.group, world)
    if policy is None:
        raise TryAgain(f"{signal.group} had a policy a moment ago")
    standing = _standing(policy, world)
    decision = _decided(signal, standing, world)
    if anew and decision.starts and signal.source == ALARM:
        decision = _of_alarm_now(signal, policy, world) or decision
    now = iso(world.clock.now())
    if decision.starts:
        kept = Kept(signal, decision.answer, decision.reason, now, standing.head.number + 1)
        begun = world.ledger.begin_retraining(kept, _retraining(kept, standing, world), standing.head)
        return kept if begun else None
    if decision.answer in WAITING and _began_meanwhile(standing.head, world):
        return None  # What holds it back is that one: it does not wait, but is in flight.
    if known and known.answer is decision.answer:
        return known  # It waits for the same; since when, the first time tells.
    kept = Kept(signal, decision.answer, decision.reason, now)
    written = world.ledger.answer_anew(kept) if known else world.ledger.keep_signal(kept)
    return kept if written else None


def _began_meanwhile(seen: Head, world: World) -> bool:
    now = world.ledger.retraining_head(seen.group)
    return (now.number, now.open) != (seen.number, seen.open)


def _standing(policy: Policy, world: World) -> Standing:
    group = policy.model_package_group
    # The head first: what begins after it was read changes it, and this decision is refused.
    head = world.ledger.retraining_head(group)
    champion = world.ledger.champion(group)
    history = tuple(world.ledger.retrainings(group, FAR_BACK))
    return Standing(policy, _serving(champion), freeze_of(policy, world), head, history)


def _serving(champion: Champion | None) -> Serving | None:
    if champion is None:
        return None
    return Serving(champion.version, champion.release_id, champion.endpoint_name, champion.since)


def _decided(signal: DriftSignal, standing: Standing, world: World) -> Decision:
    """Also with what nobody wants to ask SageMaker unless a retraining is to start."""
    decision, rules = decide(signal, standing, world.clock.now()), _rules(standing)
    if decision.answer in UNTRIED or rules is None:
        return decision
    again = come_again(signal, standing.history, standing.serving, rules)
    if again is not None:
        outcome = f"version {again.version} was promoted, and then {said(signal)} once more"
        end_retraining(again, Stage.DID_NOT_HELP, outcome, world)
        decision = decide(signal, _standing(standing.policy, world), world.clock.now())
    if not decision.starts:
        return decision
    look = world.pipelines.look(rules.pipeline)
    if not look.exists:
        missing = f"{said(signal)}; there is no pipeline {rules.pipeline} in the registry's account: create it"
        return Decision(Answer.NO_PIPELINE, missing)
    if look.running:
        return Decision(Answer.PIPELINE_BUSY, f"{said(signal)}; {rules.pipeline} runs already, as {look.running}")
    return decision


def _of_alarm_now(signal: DriftSignal, policy: Policy, world: World) -> Decision | None:
    """What it says if it is not in ALARM any more (should it come back to that, CloudWatch tells of it anew), or says no drift by now."""
    name = signal.evidence.partition(":alarm:")[2]
    if policy.drift is None or name not in policy.drift.alarms:
        return Decision(Answer.OFF, f"{said(signal)}; the policy names {name} no more")
    state = world.production.alarm_states((name,))[name]
    return None if state == "ALARM" else Decision(Answer.OFF, f"{said(signal)}; alarm {name} is {state} by now")


def _rules(standing: Standing) -> Retrain | None:
    return standing.policy.drift.retrain if standing.policy.drift else None


def _retraining(kept: Kept, standing: Standing, world: World) -> Retraining:
    signal, serving, rules = kept.signal, standing.serving, _rules(standing)
    version = serving.version if serving else 0
    release = world.ledger.get(serving.release_id) if serving and serving.release_id else None
    facts = {
        "reason": kept.reason,
        "signal": signal.signal_id,
        "group": signal.group,
        "champion": release.model_package_arn if release else "",
        "champion_version": str(version),
        "window_from": signal.window_from,
        "window_to": signal.window_to,
        "retraining": f"{signal.group}-r{kept.number}",
    }
    return Retraining(
        group=signal.group,
        number=kept.number,
        at=kept.at,
        signal_id=signal.signal_id,
        why=kept.reason,
        pipeline=rules.pipeline if rules else "",
        drifted=tuple(sorted(signal.names)),
        parameters={name: filled_in(text, facts) for name, text in (rules.parameters if rules else {}).items()},
        champion_version=version,
    )


def _bring_about(kept: Kept, world: World) -> None:
    """Everything after the answer was kept; each part can be repeated, by whoever comes after a crash."""
    group = kept.signal.group
    if kept.number:
        start_wanted(group, kept.number, world)
    elif kept.waits:
        world.ledger.let_wait(group, kept.signal.signal_id)
    elif world.ledger.retraining_head(group).waiting == kept.signal.signal_id:
        world.ledger.let_wait(group, "")
    _tell(kept, world)
    if kept.number:
        follow_if_ended(group, kept.number, world)


def _tell(kept: Kept, world: World) -> None:
    group = kept.signal.group
    if kept.answer is Answer.NOT_HEARD:
        return
    if kept.answer is Answer.GIVEN_UP:
        give_up_if_useless(group, world)
    told = f"drift of {group}: {kept.answer} {kept.number}"
    if world.ledger.remembers(told):
        return
    facts = {key: value for key, value in kept.to_json().items() if key != "group"}
    world.publisher.publish("Drift Observed", {"model_package_group": group, **facts})
    # Afterwards: who dies between the two tells it once more, and not never.
    world.ledger.remember(told, world.clock.now() + TOLD_AGAIN)
