"""What the use cases need of Application Auto Scaling in the account of an environment."""

from __future__ import annotations

from typing import Protocol

from lockkeeper.domain.hosting import VARIANT
from lockkeeper.domain.scaling import Scaled


class Scaling(Protocol):
    """The scalable target of an endpoint's one variant, and Lockkeeper's scaling policy on it."""

    def scaling(self, endpoint_name: str, variant: str = VARIANT) -> Scaled | None:
        """How an endpoint is scaled; None where it is not."""
        ...

    def scale(self, endpoint_name: str, wanted: Scaled, variant: str = VARIANT) -> None:
        """Register the endpoint with these bounds and this scaling policy, or set both to this again."""
        ...

    def stop_scaling(self, endpoint_name: str, variant: str = VARIANT) -> None:
        """Deregister the endpoint, with every scaling policy on it; not registered is fine."""
        ...

    def instance_type_of(self, config_name: str) -> str:
        """The instance type of a configuration's first variant; empty where there is no such configuration."""
        ...
