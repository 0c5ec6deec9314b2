"""What an endpoint costs: list prices and the policy's own, never nothing for what is not known, and a budget that is kept."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from lockkeeper.domain.gates.cost import judge_budget
from lockkeeper.domain.policy import Production
from lockkeeper.domain.prices import FAMILIES, change_in_words, endpoint_cost
from lockkeeper.domain.release import Outcome, Status

from tests.unit.harbour import Harbour, policy_document

ACCELERATED = ("ml.g", "ml.p", "ml.inf")
TYPES = [(f"{family}.{size}", price) for family, sizes in FAMILIES.items() for size, price in sizes.items()]


def production(**more: Any) -> Production:
    return Production.model_validate({"endpoint_name": "wages", "instance_type": "ml.m5.large", **more})


def test_a_month_has_730_hours_of_each_instance() -> None:
    cost = endpoint_cost("ml.m5.large", 2)
    assert cost.monthly_usd == 167.9
    source = "about the list price in us-east-1, November 2026, not checked"
    assert cost.words == f"$167.90 a month: 2 x ml.m5.large at $0.115 an hour ({source})"


def test_the_policys_price_goes_before_the_list() -> None:
    cost = endpoint_cost("ml.m5.large", 2, 0.1)
    assert cost.monthly_usd == 146.0
    assert "the policy's price" in cost.words


@pytest.mark.parametrize("unknown", ["ml.p9.large", "ml.m5.metal", "ml.m5", "", "m5.large"])
def test_a_type_without_a_price_is_not_known_and_never_nothing(unknown: str) -> None:
    cost = endpoint_cost(unknown, 3)
    assert cost.monthly_usd is None
    assert "not known" in cost.words
    assert "production.hourly_usd" in cost.words
    assert endpoint_cost(unknown, 3, 1.0).monthly_usd == 2190.0


def test_larger_instances_of_a_family_cost_more() -> None:
    """A slip in a table that is written by hand shows here."""
    sizes = {"medium": 0.5, "large": 1.0, "xlarge": 2.0}

    def rank(size: str) -> float:
        return sizes[size] if size in sizes else 2.0 * float(size.removesuffix("xlarge"))

    for family, prices in FAMILIES.items():
        ordered = sorted(prices, key=rank)
        assert [prices[size] for size in ordered] == sorted(prices.values()), family
        if family.startswith(ACCELERATED):
            continue  # Their sizes have more accelerators in jumps.
        for smaller, larger in pairwise(ordered):
            growth, price = rank(larger) / rank(smaller), prices[larger] / prices[smaller]
            assert price <= growth * 1.05, (family, larger)


def test_every_price_is_of_a_type_that_policies_take() -> None:
    assert len(TYPES) > 70
    for instance_type, price in TYPES:
        assert production(instance_type=instance_type)
        assert 0.01 < price < 100


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (100.0, 150.5, "+$50.50 a month"),
        (1500.0, 100.0, "-$1,400.00 a month"),
        (100.0, 100.0, "no change"),
        (None, 100.0, ""),
        (100.0, None, ""),
    ],
)
def test_a_change_is_said_where_both_are_known(before: float | None, after: float | None, words: str) -> None:
    assert change_in_words(before, after) == words


@pytest.mark.parametrize(
    ("more", "outcome", "measured"),
    [
        ({"monthly_budget_usd": 83.95}, Outcome.PASSED, 83.95),
        ({"monthly_budget_usd": 83.94}, Outcome.FAILED, 83.95),
        ({"monthly_budget_usd": 400, "initial_instances": 5}, Outcome.FAILED, 419.75),
        ({"monthly_budget_usd": 400, "initial_instances": 5, "hourly_usd": 0.1}, Outcome.PASSED, 365.0),
        ({"monthly_budget_usd": 400, "instance_type": "ml.p9.large"}, Outcome.INCONCLUSIVE, None),
    ],
)
def test_a_budget_is_kept_or_not_or_cannot_be_judged(more: dict[str, Any], outcome: Outcome, measured: Any) -> None:
    (verdict,) = judge_budget(production(**more))
    assert (verdict.verdict, verdict.measured) == (outcome, measured)
    assert verdict.required == f"<= {more['monthly_budget_usd']:g}"


def test_without_a_budget_nobody_judges() -> None:
    assert judge_budget(production()) == ()


def test_what_is_beyond_the_budget_is_stopped_before_anybody_is_asked() -> None:
    harbour = Harbour()
    document = policy_document()
    document["production"]["monthly_budget_usd"] = 50
    harbour.apply(document)
    harbour.register(1)
    release = harbour.release(1)
    assert release.status is Status.FAILED
    assert "cost: budget: $83.95 a month" in release.reason
    assert release.reason.endswith(
        "raise production.monthly_budget_usd, or let fewer or cheaper instances serve — "
        "mend that, then `lockkeeper replay` the release"
    )
    assert harbour.world.registry.packages[release.model_package_arn]["ModelApprovalStatus"] == "PendingManualApproval"
    assert harbour.world.ledger.request_of(release.release_id, "staging") is None
    assert harbour.world.staging.endpoints == {}


@pytest.mark.parametrize(
    ("accuracy", "cure"),
    [
        (0.9, "mend that, then `lockkeeper replay` the release"),
        (0.1, "train a better version and register it"),
        ("unknown", "supply what is missing and register the version again"),
    ],
)
def test_beside_a_budget_the_version_has_to_be_good_and_its_reports_there(accuracy: Any, cure: str) -> None:
    harbour = Harbour()
    document = policy_document()
    document["production"]["monthly_budget_usd"] = 50
    harbour.apply(document)
    harbour.register(1, accuracy=accuracy)
    reason = harbour.release(1).reason
    assert "cost: budget: $83.95 a month" in reason
    assert reason.endswith(cure)


def test_a_price_that_is_not_known_stops_a_budget_and_the_cure_lets_it_on() -> None:
    harbour = Harbour()
    document = policy_document()
    document["production"] |= {"monthly_budget_usd": 5000, "instance_type": "ml.p9.large"}
    harbour.apply(document)
    harbour.register(1)
    assert "production.hourly_usd" in harbour.release(1).reason
    assert harbour.release(1).to_json()["cost"]["endpoint_monthly_usd"] is None
    document["production"]["hourly_usd"] = 5.0
    harbour.apply(document)
    harbour.register(2)
    assert harbour.release(2).status is Status.AWAITING_APPROVAL
    assert harbour.release(2).to_json()["cost"]["endpoint_monthly_usd"] == 3650.0
