"""A policy as a table of rules that people can check against what they meant."""

from __future__ import annotations

from collections.abc import Iterator

from lockkeeper.domain.alarms import ABOVE, AT_LEAST, BELOW, MadeAlarm
from lockkeeper.domain.batch import BATCH
from lockkeeper.domain.gate_rules import QualityRule
from lockkeeper.domain.gates.verdicts import bound_text
from lockkeeper.domain.policy import Approval, Gates, Policy, Production, Staging
from lockkeeper.domain.scaling import wanted_scaling
from lockkeeper.domain.staging_rules import StagingTests
from rich.table import Table

from cli.terminal import plain, table

COMPARED = {AT_LEAST: ">=", ABOVE: ">", BELOW: "<"}


def draw_policy(policy: Policy) -> Table:
    """What the policy asks for, one rule a row, in the order in which a release meets them."""
    drawn = table("rule", "asks for")
    for rule, asks_for in rules(policy):
        drawn.add_row(rule, plain(asks_for))
    return drawn


def rules(policy: Policy) -> Iterator[tuple[str, str]]:
    """Pairs of a rule and what it asks for, durations in words."""
    if policy.resolved_from:
        yield "extends", ", ".join(one.file for one in policy.resolved_from.files[1:])
    yield from _gate_rules(policy.gates)
    artifact = policy.gates.artifact
    yield "artifact", f"at most {artifact.max_mb} MB; images {', '.join(artifact.images) or 'none'}"
    if artifact.allow_globals:
        yield "pickles may name", ", ".join(artifact.allow_globals)
    yield from _approval_rules(policy.approval)
    yield from _staging_rules(policy.staging, policy)
    yield from _production_rules(policy.production)


def _gate_rules(gates: Gates) -> Iterator[tuple[str, str]]:
    for rule in gates.quality:
        by = f", each {rule.slices} by itself" if rule.slices else ""
        rows = f", on {rule.minimum_rows} rows or more" if rule.minimum_rows else ""
        yield "quality gate", f"{rule.metric} {_bound(rule)}{by}{rows}"
    if gates.champion.compare:
        lost = f"no metric with a bound loses more than {gates.champion.worse_by_at_most:.0%} of the champion's"
        yield "champion", lost
    for bias in gates.bias:
        facet = f"{bias.facet} = {bias.value}" if bias.value else bias.facet
        yield "bias gate", f"{bias.metric} of {facet}: {bound_text(*bias.bounds)}"
    if gates.explainability:
        yield "explainability", f"nDCG of the features' ranking at least {gates.explainability.minimum_ndcg:g}"
    if gates.data_quality:
        allowed = [f"{name} up to {count}" for name, count in gates.data_quality.at_most.items()]
        yield "data quality", f"violations: {', '.join([*allowed, 'no other' if allowed else 'none'])}"
    if gates.provenance:
        asked = gates.provenance
        yield "provenance", ", ".join([*asked.metadata, *asked.lineage, *asked.model_card])


def in_words(seconds: int) -> str:
    """`72 h` of 259200: in the largest unit that divides it."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _bound(rule: QualityRule) -> str:
    if rule.at_least is not None:
        return f"at least {rule.at_least:g}"
    if rule.at_most is not None:
        return f"at most {rule.at_most:g}"
    return f"no worse than the champion by {rule.no_worse_than_champion_by:g}"


def _approval_rules(approval: Approval) -> Iterator[tuple[str, str]]:
    if not approval.before:
        yield "approval", "nobody is asked"
        return
    names = ", ".join(approver.name for approver in approval.approvers)
    yield (
        "approval",
        f"before {' and '.join(approval.before)}: {approval.people} of {len(approval.approvers)} ({names}), "
        f"within {in_words(approval.expires_after)}",
    )
    if approval.one_of_each:
        yield "one of each", ", ".join(approval.one_of_each)
    if approval.author_from:
        yield "author", f"{approval.author_from} says who made a version, and may not decide on it"


def _staging_rules(staging: Staging, policy: Policy) -> Iterator[tuple[str, str]]:
    yield "staging", f"{policy.staging_fleet.in_words}, {policy.staging_target}"
    if staging.tests.contract:
        yield "contract test", staging.tests.contract
    replay = staging.tests.replay
    if replay:
        bounds = [f"{name} at least {value:g}" for name, value in replay.at_least.items()]
        bounds += [f"{name} at most {value:g}" for name, value in replay.at_most.items()]
        yield "replay test", f"{', '.join(bounds)} on {replay.minimum_rows} rows or more of {replay.dataset}"
    yield from _online_rules(staging.tests)


def _online_rules(tests: StagingTests) -> Iterator[tuple[str, str]]:
    if tests.latency:
        bounds = [f"p{share * 100:g} at most {bound:g} ms" for share, bound in tests.latency.bounds.items()]
        yield "latency test", f"{', '.join(bounds)} in {tests.latency.requests} requests"
    if tests.load:
        rate = f"{tests.load.requests_per_second:g} requests a second for {tests.load.seconds} s"
        yield "load test", f"{rate}, errors below {tests.load.errors_below:g}"
    if tests.safety:
        yield "safety test", tests.safety.suite


def _production_rules(production: Production) -> Iterator[tuple[str, str]]:
    if production.target == BATCH:
        yield "production", f"a model for jobs, named in parameter {production.endpoint_name}"
    else:
        where = f"endpoint {production.endpoint_name}: {production.fleet.in_words}"
        yield "production", f"{where}, {production.target}"
    if scaled := wanted_scaling(production.autoscaling):
        yield "autoscaling", scaled.in_words
    strategy = production.strategy
    traffic = f", with {strategy.minimum_invocations} invocations or more" if strategy.minimum_invocations else ""
    yield "strategy", strategy.in_words
    longest = f", up to {in_words(strategy.longest_bake)} for want of them" if strategy.minimum_invocations else ""
    yield "bake", f"{in_words(strategy.bake)}{traffic}{longest}"
    if production.alarms:
        yield "alarms", "; ".join([*production.named_alarms, *(_alarm(made) for made in production.made_alarms)])


def _alarm(made: MadeAlarm) -> str:
    times = f", {made.evaluation_periods} times in a row" if made.evaluation_periods > 1 else ""
    return f"{made.what} {COMPARED[made.comparison]} {made.bound:g} in {in_words(made.period)}{times}"
