"""What the use cases look at in the production account before anything is changed there, under a role that can change nothing."""

from __future__ import annotations

from typing import Protocol

from lockkeeper.domain.deployed import Deployed
from lockkeeper.ports_of_retraining import DriftLook


class ProductionLook(DriftLook, Protocol):
    """Production as it is. What AWS does not answer, or does not let be seen, is `None`; what is not there is said to be missing."""

    def deployed(self, endpoint_name: str) -> Deployed | None:
        """An endpoint with its configuration, its model and its tags; None where there is none of that name."""
        ...

    def alarm_states(self, names: tuple[str, ...]) -> dict[str, str]:
        """The state of each alarm; `missing` where there is none of that name."""
        ...

    def role_trust(self, role_arn: str) -> str | None:
        """A role's trust policy as text; empty where there is no such role, None where it may not be looked at."""
        ...

    def may(self, role_arn: str, action: str, resource: str) -> bool | None:
        """Whether a role's own policies allow it an action; None where nobody may ask, or there is no such role."""
        ...

    def key_state(self, key: str) -> str | None:
        """`Enabled`, or what else KMS says of a key; empty where there is no such key, None where it may not be looked at."""
        ...

    def quotas(self) -> dict[str, float] | None:
        """SageMaker's quotas by their names; None where Service Quotas does not answer."""
        ...
