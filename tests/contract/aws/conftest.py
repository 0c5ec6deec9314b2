"""The same tests against the laptop's AWS and, with `pytest -m aws` and credentials, against AWS."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from localcloud.settings import HUB_ACCOUNT_ID, REGION, SECRET_ACCESS_KEY
from tests.contract.aws.target import PREFIX, STEPS, Target, sweep
from tests.patience import PATIENCE
from tests.tidiness import watched

ENDPOINTS = "LOCKKEEPER_CONTRACT_ENDPOINTS"
"""Set to 1, the tests against AWS start endpoints too, which cost by the minute."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """AWS is asked by those who say so, however else they choose their tests; what costs money, by those who say that too."""
    asked = "aws" in config.option.markexpr
    paid = os.environ.get(ENDPOINTS) == "1"
    left_out = [
        item
        for item in items
        if item.get_closest_marker("aws") and (not asked or (item.get_closest_marker("costs") and not paid))
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session", params=["laptop", pytest.param("aws", marks=pytest.mark.aws)])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    if request.param == "aws":
        yield from on_aws()
        return
    with watched(tmp_path_factory.mktemp("state"), 60.0) as laptop:
        session = boto3.Session(
            aws_access_key_id=HUB_ACCOUNT_ID, aws_secret_access_key=SECRET_ACCESS_KEY, region_name=REGION
        )
        account = Target(session, laptop.running.endpoint_url, patience=PATIENCE)
        yield account
        laptop.things = sweep(account, account.name) + left_of(account)


def on_aws() -> Iterator[Target]:
    """The account of the credentials in the environment. What an earlier run left when it was killed goes first."""
    aws = Target(boto3.Session(), None, patience=PATIENCE)
    try:
        assert aws.caller
    except (BotoCoreError, ClientError) as error:
        pytest.exit(f"`pytest -m aws` needs credentials and a region of a test account: {error}", returncode=4)
    assert sweep(aws, PREFIX) == []
    try:
        yield aws
    finally:
        problems = swept(aws)
        assert problems == [], f"delete by hand what begins with {aws.name}: {problems}"


def swept(aws: Target) -> list[str]:
    """Sweep until nothing is left: what is still being made or deleted wants another try."""
    for pause in (0, 20, 60):
        time.sleep(pause if not aws.endpoint_url else 0)
        problems = sweep(aws, aws.name)
        if not problems:
            break
    return problems


def left_of(target: Target) -> list[str]:
    """What a second look still finds; on AWS deletions take their time."""
    return [step.__name__ for step in STEPS if list(step(target, target.name))]
