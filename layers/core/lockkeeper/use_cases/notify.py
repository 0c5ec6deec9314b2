"""Tell everybody what became of a release: by mail, and in Slack where it is used."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lockkeeper.domain.events import TOLD, Announcement, GroupTold, Unusable, announcement, group_told, is_about_group
from lockkeeper.domain.words import one_line
from lockkeeper.ports import World
from lockkeeper.use_cases.show_in_slack import show_in_slack, whisper_refusal

REMEMBERED = timedelta(days=15)
"""Longer than a dead letter is kept: what is brought back must not be mailed again."""


def notify(event: dict[str, Any], world: World) -> Announcement | GroupTold | Unusable:
    """Tell one of Lockkeeper's events in plain words; what is none is not told, for the reason returned.

    Mails go first and once, so that a Slack that is down keeps nobody from theirs; what Slack does not take is raised, and
    Lambda tries again.
    """
    if is_about_group(event):
        braked = group_told(event, world.accounts)
        if isinstance(braked, GroupTold):
            _call(event, braked, world)
        return braked
    told = announcement(event, world.accounts)
    if isinstance(told, Unusable):
        return told
    if world.slack is None:
        if told.detail_type not in TOLD:
            return Unusable(f"{told.detail_type} is told in Slack, which is not used")
        _broadcast(told, world)
        return told
    if told.detail_type in TOLD:
        _broadcast_once(f"mail of event {event.get('id')} {told.detail_type} {told.release_id}", told, world)
    if told.detail_type == "Approval Refused":
        whisper_refusal(told.detail, world.slack)
    show_in_slack(told.release_id, world, world.slack)
    return told


def _broadcast_once(name: str, told: Announcement, world: World) -> None:
    """What fails after the mail is tried again without it."""
    if not world.ledger.remembers(name):
        _broadcast(told, world)
        world.ledger.remember(name, world.clock.now() + REMEMBERED)


def _call(event: dict[str, Any], braked: GroupTold, world: World) -> None:
    """By mail alone: a message in Slack is a release's. Where Slack is used, the ledger remembers what was mailed."""
    detail = braked.detail
    subject = f"{'URGENT: ' if braked.urgent else ''}{braked.group}: {braked.detail_type}"
    lines = [one_line(f"{subject}: {detail.get('reason', '')}"), ""]
    lines += (f"{key}: {one_line(str(detail[key]))}" for key in sorted(detail))
    name = f"mail of event {event.get('id')} {braked.detail_type} {braked.group}"
    if world.slack and world.ledger.remembers(name):
        return
    world.mail.broadcast(subject, "\n".join(lines), urgent=braked.urgent)
    if world.slack:
        world.ledger.remember(name, world.clock.now() + REMEMBERED)


def _broadcast(told: Announcement, world: World) -> None:
    detail = told.detail
    subject = f"{detail['model_package_group']} version {detail['version']}: {told.detail_type}"
    told_first = one_line(": ".join(part for part in (subject, str(detail.get("reason", ""))) if part))
    lines = [told_first, "", *(f"{key}: {one_line(str(detail[key]))}" for key in sorted(detail))]
    world.mail.broadcast(subject, "\n".join(lines))
