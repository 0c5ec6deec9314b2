"""One API call, and the shape of the functions that answer it."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localcloud.sagemaker.cloud import JsonObject, Place


@dataclass(frozen=True)
class Call:
    """A validated request: who asks for what, where."""

    place: Place
    operation: str
    parameters: JsonObject
    caller_arn: str

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter, or the default."""
        return self.parameters.get(name, default)

    def user_context(self) -> JsonObject:
        """The caller as CreatedBy and LastModifiedBy show it.

        `UserProfileName` is there for Studio users only. SageMaker knows them by their Studio session; here a role
        session named `studio-PROFILE` stands for one.
        """
        context: JsonObject = {"IamIdentity": {"Arn": self.caller_arn, "PrincipalId": principal_id(self.caller_arn)}}
        kind, _, name = self.caller_arn.rpartition(":")[2].partition("/")
        session = name.rpartition("/")[2]
        if kind == "assumed-role" and session.startswith("studio-"):
            context |= {"DomainId": DOMAIN, "UserProfileName": session.removeprefix("studio-")}
        return context


DOMAIN = "d-local"
"""The only Studio domain of the laptop's AWS."""
Operation = Callable[[Call], JsonObject]


def principal_id(arn: str) -> str:
    """The principal's identifier: the account of a root user, else one derived from the name; roles add their session."""
    account, resource = arn.split(":")[4], arn.rpartition(":")[2]
    if resource == "root":
        return account
    kind, _, name = resource.partition("/")
    prefix = "AROA" if kind == "assumed-role" else "AIDA"
    role, _, session = name.partition("/")
    stable = base64.b32encode(hashlib.sha256(f"{account}/{role}".encode()).digest()).decode()[:17]
    return f"{prefix}{stable}:{session}" if kind == "assumed-role" else f"{prefix}{stable}"
