"""What a stack is deployed with so that people sign in at the laptop's own provider."""

from __future__ import annotations

import boto3
from botocore.exceptions import ClientError

from localcloud.identity_provider import CLIENT_SECRET, CONFIDENTIAL_CLIENT, PUBLIC_CLIENT
from localcloud.settings import HUB_ACCOUNT_ID, REGION, SECRET_ACCESS_KEY
from localcloud.supervisor import Running

SECRET_NAME = "lockkeeper/sign-in"


def sign_in_parameters(running: Running, *, with_secret: bool = False) -> dict[str, str]:
    """The template's parameters: for a public client, or for one whose secret is kept where AWS keeps secrets."""
    access = {"WebAccess": "sign-in", "OidcIssuer": running.sign_in_url}
    if not with_secret:
        return {**access, "OidcClientId": PUBLIC_CLIENT}
    session = boto3.Session(
        aws_access_key_id=HUB_ACCOUNT_ID, aws_secret_access_key=SECRET_ACCESS_KEY, region_name=REGION
    )
    secrets = session.client("secretsmanager", endpoint_url=running.endpoint_url)
    try:
        arn = secrets.create_secret(Name=SECRET_NAME, SecretString=CLIENT_SECRET)["ARN"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceExistsException":
            raise
        arn = secrets.describe_secret(SecretId=SECRET_NAME)["ARN"]
    return {**access, "OidcClientId": CONFIDENTIAL_CLIENT, "OidcClientSecretArn": arn}
