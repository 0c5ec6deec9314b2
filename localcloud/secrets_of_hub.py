"""Secrets that a stack on the laptop is told of by their ARNs, kept where AWS keeps secrets."""

from __future__ import annotations

import boto3
from botocore.exceptions import ClientError

from localcloud.settings import HUB_ACCOUNT_ID, REGION, SECRET_ACCESS_KEY
from localcloud.supervisor import Running


def keep_secret(running: Running, name: str, text: str) -> str:
    """Keep a secret of the hub's account, once; returns its ARN."""
    session = boto3.Session(
        aws_access_key_id=HUB_ACCOUNT_ID, aws_secret_access_key=SECRET_ACCESS_KEY, region_name=REGION
    )
    secrets = session.client("secretsmanager", endpoint_url=running.endpoint_url)
    try:
        return str(secrets.create_secret(Name=name, SecretString=text)["ARN"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceExistsException":
            raise
        return str(secrets.describe_secret(SecretId=name)["ARN"])
