"""A local SageMaker over an in-memory cloud, ended after each test with all it started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.sagemaker.service import LocalSageMaker
from tests.contract.sagemaker.account import Account
from tests.contract.sagemaker.in_memory_cloud import InMemoryCloud


@pytest.fixture
def cloud() -> InMemoryCloud:
    return InMemoryCloud()


@pytest.fixture
def service(cloud: InMemoryCloud, tmp_path: Path) -> Iterator[LocalSageMaker]:
    running = LocalSageMaker(cloud, tmp_path, clock_scale=600.0, cache_folder=tmp_path / "environments")
    yield running
    running.close()


@pytest.fixture
def account(service: LocalSageMaker, cloud: InMemoryCloud) -> Account:
    return Account(service, cloud)
