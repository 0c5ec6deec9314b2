"""Tell everybody what became of a release."""

from __future__ import annotations

from typing import Any

from lockkeeper.domain.events import Announcement, Unusable, announcement
from lockkeeper.ports import World


def notify(event: dict[str, Any], world: World) -> Announcement | Unusable:
    """Broadcast one of Lockkeeper's events in plain words; what is none is not told, for the reason returned."""
    told = announcement(event, world.accounts)
    if isinstance(told, Unusable):
        return told
    detail = told.detail
    subject = f"{detail['model_package_group']} version {detail['version']}: {told.detail_type}"
    lines = [subject, "", *(f"{key}: {detail[key]}" for key in sorted(detail))]
    world.mail.broadcast(subject, "\n".join(lines))
    return told
