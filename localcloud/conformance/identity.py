"""IAM: who a caller is, as conditions see it."""

from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam

from localcloud.conformance.patching import wraps


def name_roles_by_their_own_arn() -> None:
    """For a session of a role the emulator gives `aws:PrincipalArn` the session's ARN; AWS gives it the role's.

    A trust policy that names the roles which may take another one would refuse them all.
    """

    @wraps(iam_evaluator, "_resolve_condition_key")
    def resolve(original: Any, key: str, context: Any) -> Any:
        value = original(key, context)
        if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(value):
            return value
        account, name = value.split(":")[4], value.split("/")[1]
        role = iam._roles.get_scoped(account, None, name)
        return role["Arn"] if role else f"arn:{value.split(':')[1]}:iam::{account}:role/{name}"


def install() -> None:
    """Apply the patches of this module."""
    name_roles_by_their_own_arn()
