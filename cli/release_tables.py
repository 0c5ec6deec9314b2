"""Releases as tables that fit a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from lockkeeper.domain.cost import cost_of
from lockkeeper.domain.release import Release
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cli.terminal import age, moment, outcome_text, plain, shorten, status_text, table

REASON_CHARACTERS = 100


def draw_releases(releases: Iterable[Release], now: datetime) -> Table:
    """One release a row; status above stage, and how long ago it came there."""
    drawn = table("release", "status / stage", "since", "reason")
    drawn.columns[2].no_wrap = True
    for release in releases:
        where = status_text(release.status)
        if not release.ended:
            where = Text.assemble(where, "\n", plain(release.stage, "dim"))
        drawn.add_row(
            plain(release.release_id, "bold"),
            where,
            age(_since(release), now),
            shorten(release.reason, REASON_CHARACTERS),
        )
    return drawn


def draw_release(release: Release, now: datetime) -> Iterator[RenderableType]:
    """Everything about a release, a table for each kind of fact; kinds without facts are left out."""
    yield _draw_head(release, now)
    if release.verdicts:
        yield _draw_verdicts(release)
    if release.approvals:
        yield _draw_approvals(release)
    if release.timeline:
        yield _draw_timeline(release)
    if release.pins.policy or release.pins.artifacts:
        yield _draw_pins(release)
    if any(release.endpoints.values()):
        yield _draw_endpoints(release)
    yield _draw_cost(release)


def _since(release: Release) -> str:
    last = release.timeline[-1].at if release.timeline else release.opened_at
    return release.ended_at or last


def _draw_head(release: Release, now: datetime) -> Table:
    drawn = table("", "", header=False, title=release.release_id)
    status = Text.assemble(status_text(release.status), f" since {age(_since(release), now)}")
    if not release.ended:
        status = Text.assemble(status, ", in ", plain(release.stage))
    drawn.add_row("status", status)
    if release.reason:
        drawn.add_row("reason", plain(release.reason))
    drawn.add_row("version", plain(f"{release.version} of {release.model_package_group}, attempt {release.attempt}"))
    drawn.add_row("package", plain(release.model_package_arn))
    if release.author:
        drawn.add_row("made by", plain(release.author))
    drawn.add_row("opened", f"{moment(release.opened_at)} UTC")
    if release.ended_at:
        drawn.add_row("ended", f"{moment(release.ended_at)} UTC")
    return drawn


def _draw_verdicts(release: Release) -> Table:
    drawn = table("verdict", "gate", "measured", "required", title="Verdicts")
    for verdict in release.verdicts:
        measured = f"{verdict.measured:.4g}" if isinstance(verdict.measured, float) else verdict.measured
        drawn.add_row(
            outcome_text(verdict.verdict),
            Text.assemble(plain(verdict.gate), "\n", plain(verdict.reason, "dim")),
            plain("-" if measured is None else measured),
            plain(verdict.required or "-"),
        )
    return drawn


def _draw_approvals(release: Release) -> Table:
    drawn = table("at (UTC)", "before", "who", "answer", title="Approvals")
    for one in release.approvals:
        style = "green" if one["answer"] == "approve" else "bold red"
        said = f"{one['answer']} ({one['channel']})"
        comment = f"\n{one['comment']}" if one["comment"] else ""
        drawn.add_row(
            moment(one["at"]),
            plain(one["before"]),
            plain(one["approver"]),
            Text.assemble(plain(said, style), plain(comment)),
        )
    return drawn


def _draw_timeline(release: Release) -> Table:
    drawn = table("at (UTC)", "what, and why", title="Timeline")
    for entry in release.timeline:
        drawn.add_row(moment(entry.at), Text.assemble(plain(entry.what, "bold"), "\n", plain(entry.why, "dim")))
    return drawn


def _draw_pins(release: Release) -> Table:
    pins = release.pins
    drawn = table("", "", header=False, title="Pins")
    for artifact in pins.artifacts:
        drawn.add_row("artifact", plain(artifact.sha256))
        drawn.add_row("  from", plain(artifact.source))
        drawn.add_row("  kept as", plain(artifact.pinned))
    for image in pins.images:
        drawn.add_row("image", plain(image))
    for name, value in pins.policy.items():
        drawn.add_row("policy" if name == "sha256" else "  version", plain(value))
    for name, value in pins.seals.items():
        drawn.add_row(f"{name} seal", plain(value))
    return drawn


def _draw_endpoints(release: Release) -> Table:
    drawn = table("", "", header=False, title="Endpoints")
    for environment, endpoint in release.endpoints.items():
        facts = [f"{name.replace('_', ' ')} {value}" for name, value in (endpoint or {}).items() if value is not None]
        if facts:
            drawn.add_row(environment, plain("\n".join(facts)))
    return drawn


def _draw_cost(release: Release) -> Table:
    cost = cost_of(release.meters)
    drawn = table("", "", header=False, title="Cost of the control plane")
    drawn.add_row(
        f"${cost['usd']:.6f}",
        f"{cost['transitions']:.0f} transitions, {cost['invocations']:.0f} invocations, {cost['gb_seconds']:.3g} GB-s",
    )
    return drawn
