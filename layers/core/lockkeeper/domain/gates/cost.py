"""The gate of money: what the production endpoint costs a month, against the policy's budget."""

from __future__ import annotations

from lockkeeper.domain.batch import BATCH
from lockkeeper.domain.gates.verdicts import decided, inconclusive
from lockkeeper.domain.policy import Production
from lockkeeper.domain.prices import BatchCost, Cost, ServerlessCost, endpoint_cost
from lockkeeper.domain.release import Verdict

GATE = "cost: budget"


def cost_of_production(production: Production) -> Cost:
    """Of a scaled endpoint what it costs at most: a budget that only holds while nobody asks is none."""
    if production.target == BATCH:
        return BatchCost()
    if production.serverless:
        return ServerlessCost(production.serverless)
    scaling = production.autoscaling
    most, least = (scaling.max, scaling.min) if scaling else (production.initial_instances, None)
    return endpoint_cost(production.instance_type or "", most, production.hourly_usd, least)


def judge_budget(production: Production) -> tuple[Verdict, ...]:
    """No verdict without a budget; a price that nobody knows is inconclusive."""
    budget = production.monthly_budget_usd
    if budget is None:
        return ()
    cost, required = cost_of_production(production), f"<= {budget:g}"
    if cost.monthly_usd is None:
        return (inconclusive(GATE, f"what the endpoint costs is {cost.words}", required),)
    within = cost.monthly_usd <= budget
    verb = "is within" if within else "is more than"
    verdict = decided(GATE, cost.monthly_usd, required, within)
    cure = "" if within else ": raise production.monthly_budget_usd, or let fewer or cheaper instances serve"
    reason = f"{cost.words}; that {verb} ${budget:,.2f}{cure}"
    return (Verdict(GATE, verdict.verdict, reason, verdict.measured, required),)
