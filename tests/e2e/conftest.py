"""One laptop's AWS for all end-to-end tests: the real template, deployed once, with minutes that pass in a fraction of a second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud import deploy, supervisor
from tests.e2e.harness import Cloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    running = supervisor.start(0, clock_scale=120, state_folder=tmp_path_factory.mktemp("local"))
    try:
        outputs = deploy.deploy(
            running.endpoint_url,
            parameters={
                "ExternalId": "an-external-id-of-the-tests",
                "ModelBuckets": "*",
                "WebUrl": running.web_url,
            },
        )
        yield Cloud(running, outputs)
    finally:
        supervisor.stop(running, running.state_folder)
