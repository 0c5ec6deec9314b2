"""What a version is hosted with: the policy where it speaks, what serves where it does not."""

from __future__ import annotations

from typing import Any

import pytest
from lockkeeper.domain.hosting import Hosting, hosting_from, hosting_of, staging_hosting
from lockkeeper.domain.policy import Production, parse_policy

from tests.unit.settled import CAPTURE, KEY, VPC, foreign
from tests.unit.test_policy import GOOD, refusal

CAPTURED = "s3://ours/captured"
EVERYTHING: dict[str, Any] = {
    "instance_type": "ml.m5.large",
    "initial_instances": 2,
    "capture": {"percent": 50, "to": "s3://team/captured"},
    "vpc": {"subnets": ["subnet-9"], "security_groups": ["sg-9"]},
    "kms_key": "alias/ours",
    "network_isolation": False,
    "tags": {"team": "ours"},
}


def production(**said: Any) -> Production:
    return Production.model_validate({"endpoint_name": "wages", **said})


def test_what_the_policy_leaves_out_is_kept_as_it_serves() -> None:
    found = hosting_of(production(), foreign("wages", scaled_to=5), CAPTURED)
    assert found == Hosting(
        instance_type="ml.c5.large",
        initial_instances=5,
        variant="primary",
        variant_settings={"VolumeSizeInGB": 30, "ContainerStartupHealthCheckTimeoutInSeconds": 600},
        kms_key=KEY,
        capture=CAPTURE,
        vpc=VPC,
        network_isolation=True,
        tags={"team": "wages"},
        config_name="by-hand",
        kept=found.kept,
    )
    assert len(found.kept) == 9
    assert found.words.endswith(" as in by-hand")


def test_what_the_policy_says_is_so_whatever_serves() -> None:
    found = hosting_of(production(**EVERYTHING), foreign("wages"), CAPTURED)
    alone = hosting_of(production(**EVERYTHING), None, CAPTURED)
    for name in ("instance_type", "initial_instances", "kms_key", "capture", "vpc", "network_isolation", "tags"):
        assert getattr(found, name) == getattr(alone, name), name
    assert (found.vpc, found.kms_key) == ({"Subnets": ["subnet-9"], "SecurityGroupIds": ["sg-9"]}, "alias/ours")
    assert (found.capture["InitialSamplingPercentage"], found.capture["EnableCapture"]) == (50, True)
    assert found.network_isolation is False
    # The variant goes on as it is called: no policy names it.
    assert (found.variant, alone.variant) == ("primary", "AllTraffic")
    assert set(found.kept) == {"VolumeSizeInGB", "ContainerStartupHealthCheckTimeoutInSeconds"}


@pytest.mark.parametrize("name", ["capture", "vpc", "kms_key", "network_isolation", "tags"])
def test_what_the_policy_sets_to_null_is_taken_off(name: str) -> None:
    found = hosting_of(production(**{name: None}), foreign("wages"), CAPTURED)
    assert not getattr(found, name)
    assert name not in found.kept


def test_where_nothing_serves_the_policy_is_all_there_is() -> None:
    assert hosting_of(production(instance_type="ml.m5.large"), None, CAPTURED) == Hosting("ml.m5.large")
    assert hosting_of(production(), None, CAPTURED).instance_type == ""


def test_it_comes_back_as_it_was_pinned() -> None:
    found = hosting_of(production(), foreign("wages"), CAPTURED)
    assert hosting_from(found.to_json()) == found


def test_staging_is_on_productions_network_where_it_has_it_and_never_captured() -> None:
    hosting = hosting_of(production(), foreign("wages"), CAPTURED)
    same, other = staging_hosting(hosting, False, True), staging_hosting(hosting, False, False)
    assert (same.vpc, same.kms_key, same.network_isolation) == (VPC, KEY, True)
    assert (other.vpc, other.kms_key, other.network_isolation) == ({}, "", True)
    assert (same.capture, other.capture) == ({}, {})
    assert same.variant == "AllTraffic"
    assert staging_hosting(hosting, True, True) == Hosting(tags={"team": "wages"})


def test_a_policy_has_the_instances_of_what_serves_where_it_says_none() -> None:
    said = parse_policy(GOOD, source="x")
    bare = parse_policy(GOOD.replace("  instance_type: ml.m5.large\n", ""), source="x")
    hosting = hosting_of(bare.production, foreign("wages"), CAPTURED)
    assert bare.hosted(hosting).production.instance_type == "ml.c5.large"
    assert bare.hosted(hosting).production.initial_instances == 3
    assert bare.hosted(hosting).staging_fleet.instance_type == "ml.c5.large"
    assert said.hosted(hosting).production.instance_type == "ml.m5.large"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("tags: {aws:made: x}", "theirs; choose another key"),
        ("tags: {lockkeeper:release: x}", "theirs; choose another key"),
        ("tags: {'a#b': x}", "no key of a tag"),
        ("vpc: {subnets: [subnet-1], security_groups: []}", "at least 1 item"),
        ("vpc: {subnets: [vpc-1], security_groups: [sg-1]}", "subnet-"),
        ("capture: {percent: 101, to: s3://team/captured}", "less than or equal to 100"),
        ("capture: {percent: 5, to: team/captured}", "s3://"),
        ("kms_key: 'a key'", "pattern"),
    ],
)
def test_a_setting_that_sagemaker_would_refuse_is_refused_with_its_line(written: str, said: str) -> None:
    assert said in refusal(GOOD.replace("production:\n", f"production:\n  {written}\n"))


def test_what_is_captured_goes_to_lockkeepers_bucket_where_the_policy_names_none() -> None:
    found = hosting_of(production(capture={"percent": 20}), None, CAPTURED)
    assert (found.capture["DestinationS3Uri"], found.capture["InitialSamplingPercentage"]) == (CAPTURED, 20)
