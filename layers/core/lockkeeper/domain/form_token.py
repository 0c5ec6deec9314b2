"""The token in a form of ours: a page that somebody else wrote cannot know it, so its form is not taken."""

from __future__ import annotations

import hashlib
import hmac


def form_token(secret: str, *about: str) -> str:
    """HMAC-SHA256 (hex) of what the form is about, under a secret that its reader has and no other page."""
    return hmac.new(secret.encode(), "\n".join(about).encode(), hashlib.sha256).hexdigest()


def is_form_token(given: str, secret: str, *about: str) -> bool:
    """Whether a form came from a page with this secret, about these very things; compared in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), form_token(secret, *about).encode())
