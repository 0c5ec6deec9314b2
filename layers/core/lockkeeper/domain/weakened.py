"""Which rules of a policy ask for less than those that the version in production had to keep: people decide knowing that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from lockkeeper.domain.alarms import BELOW
from lockkeeper.domain.gate_rules import BiasRule, ChampionRule, QualityRule
from lockkeeper.domain.policy import ArtifactRule, Gates, Policy
from lockkeeper.domain.shadow import Shadow
from lockkeeper.domain.staging_rules import Replay, StagingTests
from lockkeeper.domain.strategy import Shift


def weakened(before: Policy, after: Policy) -> tuple[str, ...]:
    """One sentence for each rule that is gone or asks for less; none where the policy is as strict or stricter."""
    return (
        *_gates(before.gates, after.gates),
        *_approval(before, after),
        *_staging(before, after),
        *_watch(before, after),
        *_freeze(before, after),
    )


def _lower(what: str, before: float | None, after: float | None) -> Iterator[str]:
    """A smallest allowed value (or a count that is asked for) that came down or is gone."""
    if before is not None and (after is None or after < before):
        yield f"{what}: {before:g} before, {'nothing' if after is None else f'{after:g}'} now"


def _higher(what: str, before: float | None, after: float | None) -> Iterator[str]:
    """A largest allowed value that went up or is gone."""
    if before is not None and (after is None or after > before):
        yield f"{what}: {before:g} before, {'no bound' if after is None else f'{after:g}'} now"


def _gone(what: str, before: Any, after: Any) -> Iterator[str]:
    """Names that were asked for and are not any more."""
    yield from (f"{what} {name} is not asked for any more" for name in before if name not in after)


def _gates(before: Gates, after: Gates) -> Iterator[str]:
    yield from _rules(_quality(before), _quality(after))
    yield from _champion("", before.champion, after.champion)
    yield from _rules(_bias(before), _bias(after))
    if before.explainability:
        now = after.explainability.minimum_ndcg if after.explainability else None
        yield from _lower("explainability", before.explainability.minimum_ndcg, now)
    if before.data_quality:
        allowed = after.data_quality.at_most if after.data_quality else None
        if allowed is None:
            yield "data quality is not asked for any more"
        for check in sorted(allowed or {}):
            was = before.data_quality.at_most.get(check, 0)
            yield from _higher(f"data quality, {check}", was, (allowed or {})[check])
    yield from _provenance(before, after)
    yield from _artifact(before.artifact, after.artifact)


def _artifact(before: ArtifactRule, after: ArtifactRule) -> Iterator[str]:
    yield from _higher("largest artifact, MB", before.max_mb, after.max_mb)
    yield from _higher("members of an artifact", before.max_members, after.max_members)
    yield from _higher("times that an artifact may grow when unpacked", before.max_ratio, after.max_ratio)
    for pattern in _beyond(before.images, after.images, fnmatchcase):
        yield f"images {pattern} are allowed now"
    for pattern in _beyond(before.allow_globals, after.allow_globals, _is_named_by):
        yield f"pickles may name {pattern} now"


def _beyond(before: tuple[str, ...], after: tuple[str, ...], covered: Callable[[str, str], bool]) -> Iterator[str]:
    """Patterns that let in something that none of those before let in."""
    return (one for one in after if not any(covered(one, known) for known in before))


def _is_named_by(name: str, pattern: str) -> bool:
    """As `domain.artifact.allowed` reads them: `*` stands for one name, and for no dot."""
    return bool(re.fullmatch(re.escape(pattern).replace(r"\*", r"[\w*]*"), name))


def _champion(where: str, before: ChampionRule, after: ChampionRule) -> Iterator[str]:
    if before.compare and not after.compare:
        yield f"{where}metrics are not held against the champion any more"
    elif before.compare:
        yield from _higher(f"{where}loss against the champion", before.worse_by_at_most, after.worse_by_at_most)


Bounds = dict[str, tuple[float | None, float | None]]
"""Smallest and largest allowed value by what they are about."""


def _rules(before: Bounds, after: Bounds) -> Iterator[str]:
    for what, (smallest, largest) in before.items():
        now = after.get(what, (None, None))
        yield from _lower(what, smallest, now[0])
        yield from _higher(what, largest, now[1])


def _quality(gates: Gates) -> Bounds:
    found: Bounds = {}
    for rule in gates.quality:
        name = _name(rule)
        smallest, largest = found.get(name, (None, None))
        found[name] = (
            rule.at_least if rule.at_least is not None else smallest,
            rule.at_most if rule.at_most is not None else largest,
        )
        if rule.no_worse_than_champion_by is not None:
            found[f"{name} against the champion"] = (None, rule.no_worse_than_champion_by)
        if rule.minimum_rows:
            found[f"rows behind {name}"] = (float(rule.minimum_rows), None)
    return found


def _name(rule: QualityRule) -> str:
    return f"{rule.metric}{f' by {rule.slices}' if rule.slices else ''}"


def _bias(gates: Gates) -> Bounds:
    return {_bias_name(rule): rule.bounds for rule in gates.bias}


def _bias_name(rule: BiasRule) -> str:
    return f"bias {rule.metric} of {rule.facet}{f' = {rule.value}' if rule.value else ''}"


def _provenance(before: Gates, after: Gates) -> Iterator[str]:
    if before.provenance is None:
        return
    for name in ("metadata", "lineage", "model_card"):
        now = getattr(after.provenance, name) if after.provenance else ()
        yield from _gone(f"provenance: {name.replace('_', ' ')}", getattr(before.provenance, name), now)


def _approval(before: Policy, after: Policy) -> Iterator[str]:
    yield from _gone("an approval before", before.approval.before, after.approval.before)
    yield from _lower("quorum", before.approval.people, after.approval.people)
    if before.approval.links_are_authenticated and after.approval.before and not after.approval.links_are_authenticated:
        yield "links decide for whoever holds them, without a sign-in"
    yield from _gone("an approval by one of the role", before.approval.one_of_each, after.approval.one_of_each)
    if before.approval.author_from and after.approval.author_from != before.approval.author_from:
        yield f"the author is not taken from {before.approval.author_from} any more"


def _staging(before: Policy, after: Policy) -> Iterator[str]:
    old, new = before.staging.tests, after.staging.tests
    if old.contract and not new.contract:
        yield "the contract test is gone"
    if old.replay and not new.replay:
        yield "the replay test is gone"
    if old.replay and new.replay:
        yield from _rules(_replay(old.replay), _replay(new.replay))
        yield from _champion("replay: ", old.replay.champion, new.replay.champion)
    yield from _rules(_online(old), _online(new))
    if old.safety and not new.safety:
        yield "the safety test is gone"
    if old.safety and new.safety:
        yield from _gone("safety: the forbidden pattern", old.safety.forbid, new.safety.forbid)
        yield from _gone("safety: the required pattern", old.safety.require, new.safety.require)
        yield from _lower("safety: times that each request is sent", old.safety.times, new.safety.times)


def _online(tests: StagingTests) -> Bounds:
    found: Bounds = {}
    if tests.latency:
        found |= {f"latency p{share * 100:g}": (None, bound) for share, bound in tests.latency.bounds.items()}
    if tests.load:
        found["requests a second"] = (tests.load.requests_per_second, None)
        found["errors under load"] = (None, tests.load.errors_below)
    return found


def _replay(replay: Replay) -> Bounds:
    names = {**replay.at_least, **replay.at_most}
    bounds: Bounds = {
        f"replay: {name}": (replay.at_least.get(name), replay.at_most.get(name)) for name in sorted(names)
    }
    return {**bounds, "rows of the replay": (float(replay.minimum_rows), None)}


def _watch(before: Policy, after: Policy) -> Iterator[str]:
    old, new = before.production.strategy, after.production.strategy
    yield from _lower("seconds of bake", old.bake, new.bake)
    yield from _lower("invocations during the bake", old.minimum_invocations, new.minimum_invocations)
    yield from _higher("monthly budget, USD", before.production.monthly_budget_usd, after.production.monthly_budget_usd)
    yield from _shadow(old.shadow, new.shadow)
    yield from _shift(old.shift, new.shift)
    yield from _gone("alarm", before.production.named_alarms, after.production.named_alarms)
    watched, now = _made(before), _made(after)
    yield from _rules(
        {what: bounds for what, (bounds, _) in watched.items()}, {what: bounds for what, (bounds, _) in now.items()}
    )
    for what in sorted(watched.keys() & now.keys()):
        yield from _higher(f"seconds until the {what} goes off", watched[what][1], now[what][1])


def _shadow(before: Shadow | None, after: Shadow | None) -> Iterator[str]:
    if before and after is None:
        yield "there is no shadow any more"
    elif before and after:
        yield from _lower("seconds of shadow", before.wait, after.wait)
        yield from _lower("requests of the shadow", before.minimum_requests, after.minimum_requests)
        yield from _lower("answers as by the champion", before.agree_at_least, after.agree_at_least)
        yield from _higher("difference between answers that are the same", before.tolerance, after.tolerance)
        yield from _higher("slowness against the champion", before.slower_at_most, after.slower_at_most)


def _shift(before: Shift | None, after: Shift | None) -> Iterator[str]:
    if before and after is None:
        yield f"traffic moves all at once, before it was {before.in_words}"
    elif before and after:
        yield from _higher("percent of the traffic that a shift begins with", before.percent, after.percent)
        yield from _lower("seconds that a shift is watched", before.waits, after.waits)


def _made(policy: Policy) -> dict[str, tuple[tuple[float | None, float | None], float]]:
    """What each alarm that is made allows, and how long it takes to go off."""
    found: dict[str, tuple[tuple[float | None, float | None], float]] = {}
    for made in policy.production.made_alarms:
        bounds: tuple[float | None, float | None] = (
            (made.bound, None) if made.comparison == BELOW else (None, made.bound)
        )
        found[f"alarm {made.what}"] = (bounds, float(made.seconds))
    return found


def _freeze(before: Policy, after: Policy) -> Iterator[str]:
    """By when it begins: a window that begins at another time is another."""
    now = {f"freeze window {one.cron} ({one.time_zone})": one.lasts for one in after.freeze}
    for one in before.freeze:
        name = f"freeze window {one.cron} ({one.time_zone})"
        yield from _lower(f"{name}, seconds", one.lasts, now.get(name))
