"""What production is asked and answers, written into Lockkeeper's own bucket by SageMaker under the model's role."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.harness import Cloud
from tests.e2e.test_a_promotion import answer_of, prepare, register
from tests.e2e.test_nothing_stranded import eventually
from tests.patience import ALL_DAY

pytestmark = pytest.mark.full

CAPTURES = f"{ALL_DAY['production']}  capture: {{percent: 100}}\n"


def captured(cloud: Cloud, endpoint: str) -> list[str]:
    """The files of an endpoint's requests in Lockkeeper's bucket."""
    found = cloud.client("s3").list_objects_v2(Bucket=cloud.outputs["BucketName"], Prefix=f"captured/{endpoint}/")
    return [one["Key"] for one in found.get("Contents", [])]


def is_captured(cloud: Cloud, group: str, folder: Path) -> None:
    prepare(cloud, group, folder, production=CAPTURES)
    register(cloud, group, 7.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    assert answer_of(cloud, group) == "7.0"
    (key, *_) = eventually(lambda: captured(cloud, group))
    written = cloud.client("s3").get_object(Bucket=cloud.outputs["BucketName"], Key=key)["Body"].read().decode()
    (line, *_) = written.splitlines()
    assert json.loads(line)["captureData"]["endpointOutput"]["data"].strip() == "7.0"


def test_what_production_answers_is_captured(cloud: Cloud, tmp_path: Path) -> None:
    is_captured(cloud, "captive", tmp_path)


def test_another_account_writes_what_it_captured_into_the_hubs_bucket(joined_cloud: Cloud, tmp_path: Path) -> None:
    is_captured(joined_cloud, "captive-abroad", tmp_path)
