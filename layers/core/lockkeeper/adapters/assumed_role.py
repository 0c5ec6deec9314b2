"""Sessions under the deploy role of a joined account, renewed before they expire."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.credentials import DeferredRefreshableCredentials
from botocore.session import get_session

from lockkeeper.settings import Environment


def assumed_role_session(base: boto3.Session, environment: Environment) -> boto3.Session:
    """A session whose credentials are the environment's deploy role, taken when first needed and renewed by botocore."""
    sts = base.client("sts")

    def refresh() -> dict[str, str]:
        request: dict[str, Any] = {"RoleArn": environment.role_arn, "RoleSessionName": "lockkeeper"}
        if environment.external_id:
            request["ExternalId"] = environment.external_id
        granted = sts.assume_role(**request)["Credentials"]
        return {
            "access_key": granted["AccessKeyId"],
            "secret_key": granted["SecretAccessKey"],
            "token": granted["SessionToken"],
            "expiry_time": granted["Expiration"].isoformat(),
        }

    session = get_session()
    session._credentials = DeferredRefreshableCredentials(refresh, "assume-role")  # type: ignore[attr-defined]
    session.set_config_variable("region", environment.region)
    return boto3.Session(botocore_session=session)
