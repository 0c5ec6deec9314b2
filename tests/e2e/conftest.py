"""A laptop's AWS for the end-to-end tests: the real templates, deployed once, with minutes that pass in a fraction of a second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from checks.roles import recordings
from localcloud.settings import HUB_ACCOUNT_ID
from tests.e2e.harness import Cloud, models_own_role
from tests.e2e.retiring import retire
from tests.e2e.somebodys_role import settlers_role
from tests.e2e.tidy import tidy_cloud

WALKED: set[str] = set()
"""The tests of this process that have run so far, as `file::function`."""
JOINED = {"registry": "444455556666", "staging": "222233334444", "production": "333344445555"}


@contextmanager
def deployed(folder: Path, joined: Mapping[str, str]) -> Iterator[Cloud]:
    """Lockkeeper in the hub's account, and in each account that joins it; what is left in any of them afterwards is an error."""
    sources = recordings.sources_digest()
    own_roles = {
        kind: {"FurtherModelRoles": models_own_role(account_id)}
        for kind, account_id in joined.items()
        if kind != "registry"
    }
    further = f"{models_own_role(HUB_ACCOUNT_ID)},{settlers_role(HUB_ACCOUNT_ID)}"
    # With Slack and a client's secret where everything is in one account, without where each is in its own: both ways have to work.
    alone = not joined
    # Lockkeeper's own bucket is none of these: what is allowed there is not allowed twice.
    given = {"FurtherModelRoles": further, "ModelBuckets": "*-models"}
    with tidy_cloud(folder, joined, own_roles, slack=alone, client_secret=alone, **given) as cloud:
        yield cloud
        # What the roles did, for `make mutate-roles`.
        accounts = [HUB_ACCOUNT_ID, *joined.values()]
        recordings.keep(cloud.running.endpoint_url, cloud.running.logs, accounts, sources, sorted(WALKED))


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


@pytest.fixture(autouse=True)
def tidied(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test made, it removes: groups of versions with all that came of them."""
    names = {"cloud", "joined_cloud"} & set(request.fixturenames)
    clouds = [request.getfixturevalue(name) for name in sorted(names)]
    before = [len(one.made) for one in clouds]
    yield
    for one, kept in zip(clouds, before, strict=True):
        while len(one.made) > kept:
            retire(one, *one.made.pop())
