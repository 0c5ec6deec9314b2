"""Endpoints of before Lockkeeper: taken over as they are, promoted over without losing anything, and brought back."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from lockkeeper.domain.errors import AdoptionRefused, PolicyInvalid, RequestClosed, UnknownGroup
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.adopt_endpoint import adopt_endpoint
from lockkeeper.use_cases.ask_for_rollback import ask_for_rollback
from lockkeeper.use_cases.clean_up import clean_up
from lockkeeper.use_cases.show_board import group_document

from tests.unit.harbour import ENDPOINT, GROUP, Harbour, policy_document
from tests.unit.settled import CAPTURE, KEY, VPC, foreign, serve

OPERATOR = "arn:aws:iam::111111111111:user/operator"
NEW = "lockkeeper-wages-v1-a1-production"


@pytest.fixture
def harbour() -> Harbour:
    harbour = Harbour()
    serve(harbour.world, foreign(ENDPOINT))
    return harbour


def adopt(harbour: Harbour, *, take_over: bool = False) -> dict[str, Any]:
    return adopt_endpoint(GROUP, OPERATOR, harbour.inside, take_over=take_over)


def policy_of_little() -> dict[str, Any]:
    """A policy that says of production only what nobody else can."""
    document = policy_document()
    del document["production"]["instance_type"]
    return document


def test_what_serves_becomes_the_champion_as_it_is(harbour: Harbour) -> None:
    before = harbour.world.production.endpoints[ENDPOINT]
    done = adopt(harbour)
    assert (done["config_name"], done["by"], done["did"]) == ("by-hand", OPERATOR, "endpoint adopted")
    champion = harbour.world.ledger.champion(GROUP)
    assert champion is not None
    assert (champion.adopted, champion.config_name, champion.version) == (True, "by-hand", 0)
    adoption = harbour.world.ledger.adoption(GROUP)
    assert adoption is not None
    assert json.loads(adoption.described) == foreign(ENDPOINT).config
    assert harbour.world.production.endpoints[ENDPOINT] is before
    assert [one["config_name"] for one in harbour.published("Endpoint Adopted")] == ["by-hand"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"AsyncInferenceConfig": {}, "ProductionVariants": [{"ModelName": "a"}] * 2}, "2 production variants"),
        ({"ShadowProductionVariants": [{}]}, "shadow variants"),
        ({"AsyncInferenceConfig": {"OutputConfig": {}}}, "asynchronous"),
        ({"ProductionVariants": [{"VariantName": "a", "InstanceType": "ml.m5.large"}]}, "inference components"),
        ({"Note": "x" * 300_001}, "more than 300,000 bytes"),
    ],
)
def test_what_no_release_can_replace_is_refused_by_name(harbour: Harbour, config: dict[str, Any], said: str) -> None:
    serve(harbour.world, foreign(ENDPOINT, **config))
    with pytest.raises(AdoptionRefused, match=said) as refused:
        adopt(harbour)
    assert refused.value.cure
    assert harbour.world.ledger.champion(GROUP) is None


def test_what_is_not_there_or_not_in_service_is_refused() -> None:
    harbour = Harbour()
    with pytest.raises(AdoptionRefused, match=f"there is no endpoint {ENDPOINT}"):
        adopt(harbour)
    serve(harbour.world, foreign(ENDPOINT))
    harbour.world.production_look.foreign["by-hand"].endpoint["EndpointStatus"] = "Updating"
    with pytest.raises(AdoptionRefused, match="it is Updating, not InService"):
        adopt(harbour)


def test_without_a_policy_that_can_be_read_nothing_is_adopted(harbour: Harbour) -> None:
    with pytest.raises(UnknownGroup):
        adopt_endpoint("wagse", OPERATOR, harbour.inside, take_over=False)
    harbour.world.policies.save(GROUP, "gates: 7", OPERATOR)
    with pytest.raises(PolicyInvalid):
        adopt(harbour)


def test_what_cloudformation_owns_is_refused_until_it_is_taken_over(harbour: Harbour) -> None:
    serve(harbour.world, foreign(ENDPOINT, stack="platform"))
    with pytest.raises(AdoptionRefused, match="belongs to CloudFormation stack platform") as refused:
        adopt(harbour)
    assert "--take-over" in refused.value.cure
    assert "taken over from CloudFormation stack platform" in adopt(harbour, take_over=True)["reason"]
    adoption = harbour.world.ledger.adoption(GROUP)
    assert adoption is not None
    assert adoption.taken_from == "platform"


def test_what_cloudformation_owns_is_not_released_over_until_it_is_taken_over(harbour: Harbour) -> None:
    serve(harbour.world, foreign(ENDPOINT, stack="platform"))
    harbour.register(1)
    assert harbour.release(1).status is Status.FAILED
    assert "belongs to CloudFormation stack platform" in harbour.release(1).reason
    adopt(harbour, take_over=True)
    harbour.register(2)
    assert harbour.release(2).status is Status.AWAITING_APPROVAL


def test_a_group_with_a_champion_adopts_nothing_more(harbour: Harbour) -> None:
    adopt(harbour)
    with pytest.raises(AdoptionRefused, match="has a champion: what was adopted, configuration by-hand"):
        adopt(harbour)
    harbour.promote(1)
    with pytest.raises(AdoptionRefused, match="has a champion: version 1"):
        adopt(harbour)


def test_while_a_release_changes_production_nothing_is_adopted(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.approve()
    assert harbour.release(1).status is Status.BAKING
    with pytest.raises(AdoptionRefused, match="wages-v1-a1 is changing production"):
        adopt(harbour)


@pytest.mark.parametrize("adopted", [True, False])
def test_a_promotion_keeps_all_that_the_policy_leaves_out(harbour: Harbour, adopted: bool) -> None:
    harbour.apply(policy_of_little())
    if adopted:
        adopt(harbour)
    harbour.promote(1)
    assert harbour.release(1).status is Status.PROMOTED
    made = harbour.world.production.configs[NEW]["hosting"]
    assert (made.instance_type, made.initial_instances, made.variant) == ("ml.c5.large", 3, "primary")
    assert (made.capture, made.kms_key, made.vpc) == (CAPTURE, KEY, VPC)
    assert harbour.world.production.models[NEW]["hosting"].network_isolation
    assert any("kept: ContainerStartup" in entry.why for entry in harbour.release(1).timeline)
    harbour.promote(2)
    assert harbour.world.production.configs["lockkeeper-wages-v2-a1-production"]["hosting"].capture == CAPTURE


def test_what_is_changed_by_hand_while_people_think_is_not_what_they_approved(harbour: Harbour) -> None:
    harbour.apply(policy_of_little())
    harbour.register(1)
    serve(harbour.world, foreign(ENDPOINT, "by-hand-again", scaled_to=9, KmsKeyId="another"))
    harbour.approve()
    made = harbour.world.production.configs[NEW]["hosting"]
    assert (made.initial_instances, made.kms_key) == (3, KEY)


def test_what_was_adopted_comes_back_and_is_the_champion_again(harbour: Harbour) -> None:
    adopt(harbour)
    with pytest.raises(RequestClosed, match="no release has changed it"):
        ask_for_rollback(GROUP, OPERATOR, "nothing to take back", harbour.inside)
    harbour.promote(1)
    assert harbour.serving() == NEW
    told = ask_for_rollback(GROUP, OPERATOR, "customers complain", harbour.inside)
    assert "back to what was adopted, configuration by-hand" in told["note"]
    harbour.reap(1)
    harbour.settle()
    assert harbour.serving() == "by-hand"
    assert harbour.release(1).status is Status.ROLLED_BACK
    champion = harbour.world.ledger.champion(GROUP)
    assert champion is not None
    assert champion.adopted
    assert [one["back_to_version"] for one in harbour.published("Promotion Withdrawn")] == [0]


def test_a_bake_that_fails_over_it_brings_it_back(harbour: Harbour) -> None:
    adopt(harbour)
    harbour.register(1)
    harbour.approve()
    harbour.world.production.change_alarm("wages-errors", "ALARM")
    harbour.pass_time(minutes=11)
    assert (harbour.serving(), harbour.release(1).status) == ("by-hand", Status.ROLLED_BACK)


def test_what_was_adopted_has_no_evidence_that_a_version_is_held_against(harbour: Harbour) -> None:
    adopt(harbour)
    harbour.register(1)
    release = harbour.release(1)
    assert release.status is Status.AWAITING_APPROVAL
    assert release.weakened == ()
    compared = [one.reason for one in release.verdicts if "no_worse" in one.gate or "champion" in one.gate]
    assert compared
    assert set(compared) == {"no champion yet: nothing to compare with"}


def test_the_board_says_what_was_adopted_by_whom(harbour: Harbour) -> None:
    adopt(harbour)
    told = group_document(GROUP, harbour.inside)
    champion = told["champion"]
    assert (champion["adopted"], champion["version"], champion["release_id"]) == (True, None, None)
    assert [(one["did"], one["by"]) for one in told["braked"]] == [("endpoint adopted", OPERATOR)]


def test_what_was_adopted_is_never_tidied_away(harbour: Harbour) -> None:
    document = policy_document()
    document["cleanup"] = {"idle_after": "7d", "remove": ["idle-endpoint", "leftovers"]}
    harbour.apply(document)
    adopt(harbour)
    harbour.world.clock.advance(timedelta(days=400))
    assert list(clean_up(GROUP, harbour.inside)) == []
    assert harbour.serving() == "by-hand"
