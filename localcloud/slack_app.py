"""What a stack is deployed with so that it tells its releases in the laptop's stand-in of Slack."""

from __future__ import annotations

import json

import boto3
from botocore.exceptions import ClientError

from localcloud.settings import HUB_ACCOUNT_ID, REGION, SECRET_ACCESS_KEY
from localcloud.slack import BOT_TOKEN, CHANNEL, SIGNING_SECRET
from localcloud.supervisor import Running

SECRET_NAME = "lockkeeper/slack"


def slack_parameters(running: Running) -> dict[str, str]:
    """Keep the app's token and signing secret where AWS keeps secrets; returns the template's parameters that say so."""
    session = boto3.Session(
        aws_access_key_id=HUB_ACCOUNT_ID, aws_secret_access_key=SECRET_ACCESS_KEY, region_name=REGION
    )
    secrets = session.client("secretsmanager", endpoint_url=running.endpoint_url)
    text = json.dumps({"bot_token": BOT_TOKEN, "signing_secret": SIGNING_SECRET})
    try:
        arn = secrets.create_secret(Name=SECRET_NAME, SecretString=text)["ARN"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceExistsException":
            raise
        arn = secrets.describe_secret(SecretId=SECRET_NAME)["ARN"]
    return {"SlackChannel": CHANNEL, "SlackSecretArn": arn, "SlackApiUrl": f"{running.slack_url}/api/"}
