"""Lockkeeper on a laptop's AWS, for tests: deployed for a while, and then nothing of it stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from localcloud import deploy
from localcloud.fault_plan import FaultPlan
from localcloud.sign_in_app import sign_in_parameters
from localcloud.slack_app import slack_parameters
from tests.e2e import leftovers
from tests.e2e.harness import Cloud, parameters_of
from tests.e2e.retiring import retire, unsubscribe
from tests.tidiness import watched


@contextmanager
def tidy_cloud(
    folder: Path,
    joined: Mapping[str, str] | None = None,
    joined_parameters: Mapping[str, Mapping[str, str]] | None = None,
    clock_scale: float = 120,
    slack: bool = False,
    client_secret: bool = False,
    faults: bool = False,
    **parameters: str,
) -> Iterator[Cloud]:
    """Lockkeeper on a laptop's AWS; it is an error when something is left: in an account at the end, or on this machine after it.

    With `faults` its functions obey a fault plan, from their first call on: a schedule calls some before the stack is deployed.
    """
    with watched(folder, clock_scale) as laptop:
        if faults:
            FaultPlan(laptop.running.run_folder)
        given = {**parameters_of(laptop.running), **parameters}
        if slack:
            given |= slack_parameters(laptop.running)
        if client_secret:
            given |= sign_in_parameters(laptop.running, with_secret=True)
        outputs = deploy.deploy_hub(
            laptop.running.endpoint_url, given, joined or {}, joined_parameters=joined_parameters or {}
        )
        cloud = Cloud(laptop.running, outputs, dict(joined or {}))
        furniture = set(leftovers.everything(cloud))
        yield cloud
        while cloud.made:
            retire(cloud, *cloud.made.pop())
        for remove in cloud.at_the_end:
            remove()
        unsubscribe(cloud)
        laptop.things = leftovers.after_a_while(lambda: sorted(set(leftovers.everything(cloud)) - furniture))
