"""Settings, read once from the environment. The error names the variable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from lockkeeper.domain.accounts import Accounts


class SettingMissing(Exception):
    """A function was deployed without a variable that it needs."""


@dataclass(frozen=True)
class Environment:
    """One joined account: what Lockkeeper does there it does under this role. `external_id` is empty for none."""

    account: str
    region: str
    partition: str
    role_arn: str
    external_id: str


class Settings:
    """Each setting is read when it is asked for, so a function needs only the variables that it uses."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables

    def text(self, name: str) -> str:
        value = self._variables.get(name, "")
        if not value:
            raise SettingMissing(f"environment variable {name} is not set; template.yaml sets it for this function")
        return value

    def optional(self, name: str) -> str:
        return self._variables.get(name, "")

    @property
    def memory_gb(self) -> float:
        """The function's memory in GB, as Lambda tells it."""
        return int(self._variables.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")) / 1024

    @property
    def schedule_target_arn(self) -> str:
        """The function that deadlines call. The one that they call is told `itself`, and knows its name from Lambda."""
        arn = self.text("SCHEDULE_TARGET_ARN")
        if arn != "itself":
            return arn
        place = self.environment("production")
        function = self.text("AWS_LAMBDA_FUNCTION_NAME")
        return f"arn:{place.partition}:lambda:{place.region}:{self.text('HUB_ACCOUNT')}:function:{function}"

    @property
    def accounts(self) -> Accounts:
        """The hub, and the accounts of the roles that Lockkeeper takes in the registry, in staging and in production."""
        registry, staging, production = (
            self.environment(name).account for name in ("registry", "staging", "production")
        )
        return Accounts(self.text("HUB_ACCOUNT"), registry, staging, production)

    def execution_role_arn(self, name: str) -> str:
        """Role of the models of an environment (`staging` or `production`) whose policy names none."""
        return self.text(f"{name.upper()}_EXECUTION_ROLE_ARN")

    def environment(self, name: str) -> Environment:
        """`REGISTRY_ROLE_ARN`, `STAGING_ROLE_ARN` or `PRODUCTION_ROLE_ARN` says which account an environment is.

        `production_look` is production once more, under `PRODUCTION_LOOK_ROLE_ARN`, which can change nothing.
        """
        role_arn = self.text(f"{name.upper()}_ROLE_ARN")
        parts = role_arn.split(":")
        if len(parts) != 6 or parts[2] != "iam":
            raise SettingMissing(f"{name.upper()}_ROLE_ARN is no role ARN: {role_arn!r}")
        return Environment(parts[4], self.text("AWS_REGION"), parts[1], role_arn, self.optional("EXTERNAL_ID"))
