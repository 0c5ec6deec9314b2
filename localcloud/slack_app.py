"""What a stack is deployed with so that it tells its releases in the laptop's stand-in of Slack."""

from __future__ import annotations

import json

from localcloud.secrets_of_hub import keep_secret
from localcloud.slack import BOT_TOKEN, CHANNEL, SIGNING_SECRET
from localcloud.supervisor import Running

SECRET_NAME = "lockkeeper/slack"


def slack_parameters(running: Running) -> dict[str, str]:
    """Keep the app's token and signing secret where AWS keeps secrets; returns the template's parameters that say so."""
    text = json.dumps({"bot_token": BOT_TOKEN, "signing_secret": SIGNING_SECRET})
    arn = keep_secret(running, SECRET_NAME, text)
    return {"SlackChannel": CHANNEL, "SlackSecretArn": arn, "SlackApiUrl": f"{running.slack_url}/api/"}
