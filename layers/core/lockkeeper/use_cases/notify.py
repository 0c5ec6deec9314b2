"""Tell everybody what became of a release."""

from __future__ import annotations

from typing import Any

from lockkeeper.ports import World


def notify(event: dict[str, Any], world: World) -> str:
    """Broadcast one of Lockkeeper's events in plain words; returns the subject."""
    detail = event.get("detail") or {}
    name = f"{detail.get('model_package_group')} version {detail.get('version')}"
    subject = f"{name}: {event.get('detail-type')}"
    lines = [subject, "", *(f"{key}: {detail[key]}" for key in sorted(detail))]
    world.mail.broadcast(subject, "\n".join(lines))
    return subject
