"""A laptop's AWS for the end-to-end tests: the real templates, deployed once, with minutes that pass in a fraction of a second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from checks.roles import recordings
from localcloud import deploy, supervisor
from localcloud.settings import HUB_ACCOUNT_ID
from tests.e2e.harness import Cloud, models_own_role

WALKED: set[str] = set()
"""The tests of this process that have run so far, as `file::function`."""
JOINED = {"registry": "444455556666", "staging": "222233334444", "production": "333344445555"}


@contextmanager
def deployed(folder: Path, joined: Mapping[str, str]) -> Iterator[Cloud]:
    """Lockkeeper in the hub's account, and in each account that joins it."""
    sources = recordings.sources_digest()
    running = supervisor.start(0, clock_scale=120, state_folder=folder)
    try:
        parameters = {
            "ExternalId": "an-external-id-of-the-tests",
            "ModelBuckets": "*",
            "FurtherModelRoles": models_own_role(HUB_ACCOUNT_ID),
            "WebUrl": running.web_url,
        }
        own_roles = {
            kind: {"FurtherModelRoles": models_own_role(account_id)}
            for kind, account_id in joined.items()
            if kind != "registry"
        }
        outputs = deploy.deploy_hub(running.endpoint_url, parameters, joined, joined_parameters=own_roles)
        yield Cloud(running, outputs, dict(joined))
        # What the roles did, for `make mutate-roles`.
        accounts = [HUB_ACCOUNT_ID, *joined.values()]
        recordings.keep(running.endpoint_url, running.logs, accounts, sources, sorted(WALKED))
    finally:
        supervisor.stop(running, running.state_folder)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Everything in one account."""
    with deployed(tmp_path_factory.mktemp("local"), {}) as one_account:
        yield one_account


@pytest.fixture(scope="session")
def joined_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Hub, registry, staging and production, an account each."""
    with deployed(tmp_path_factory.mktemp("joined"), JOINED) as four_accounts:
        yield four_accounts


@pytest.fixture(autouse=True)
def walked(request: pytest.FixtureRequest) -> None:
    """Note which tests a recording is of."""
    WALKED.add(f"{request.path.name}::{request.node.originalname}")
