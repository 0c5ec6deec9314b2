"""What a stack is deployed with so that people sign in at the laptop's own provider."""

from __future__ import annotations

from localcloud.identity_provider import CLIENT_SECRET, CONFIDENTIAL_CLIENT, PUBLIC_CLIENT
from localcloud.secrets_of_hub import keep_secret
from localcloud.supervisor import Running

SECRET_NAME = "lockkeeper/sign-in"


def sign_in_parameters(running: Running, *, with_secret: bool = False) -> dict[str, str]:
    """The template's parameters: for a public client, or for one whose secret is kept where AWS keeps secrets."""
    access = {"WebAccess": "sign-in", "OidcIssuer": running.sign_in_url}
    if not with_secret:
        return {**access, "OidcClientId": PUBLIC_CLIENT}
    arn = keep_secret(running, SECRET_NAME, CLIENT_SECRET)
    return {**access, "OidcClientId": CONFIDENTIAL_CLIENT, "OidcClientSecretArn": arn}
