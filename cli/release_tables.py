"""Releases as tables that fit a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from lockkeeper.domain.batch import BATCH
from lockkeeper.domain.cost import cost_of
from lockkeeper.domain.release import Release, Verdict
from lockkeeper.use_cases.read_dossiers import Dossier
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cli.plots import draw_latency, draw_measured, draw_slices
from cli.terminal import age, moment, outcome_text, plain, shorten, status_text, table

REASON_CHARACTERS = 120
OF_JOBS = {"endpoint_name": "parameter", "config_name": "model", "previous_config_name": "previous_model"}
"""What a release keeps of production, as it is called where there is no endpoint."""


def draw_releases(releases: Iterable[Release], now: datetime) -> Table:
    """One release a row: the reason below its name, the stage below its status, how long ago it came there."""
    drawn = table("release", "status", "since")
    drawn.columns[0].ratio = 1
    for column in drawn.columns[1:]:
        column.no_wrap = True
    for release in releases:
        where = [status_text(release.status)]
        if not release.ended:
            where.append(plain(release.stage, "dim"))
        drawn.add_row(
            Text("\n").join(
                [plain(release.release_id, "bold"), plain(shorten(release.reason, REASON_CHARACTERS), "dim")]
            ),
            Text("\n").join(where),
            age(_since(release), now),
        )
    return drawn


def draw_release(release: Release, now: datetime, dossiers: tuple[Dossier, ...] = ()) -> Iterator[RenderableType]:
    """Everything about a release, a table for each kind of fact; kinds without facts are left out.

    An empty line stands between two.
    """
    for number, part in enumerate(_parts(release, now, dossiers)):
        if number:
            yield ""
        yield part


def _parts(release: Release, now: datetime, dossiers: tuple[Dossier, ...]) -> Iterator[RenderableType]:
    yield _draw_head(release, now)
    if release.verdicts:
        yield draw_verdicts(release.verdicts)
        yield from draw_plots(release.verdicts, dossiers)
    for dossier in dossiers:
        if not dossier.seal_holds:
            what = "is not what was sealed" if dossier.document else "is gone or cannot be read"
            yield plain(f"The dossier {dossier.kind} {what}: somebody changed it. Find out who.", "bold red")
    if release.approvals:
        yield _draw_approvals(release)
    if release.timeline:
        yield _draw_timeline(release)
    if release.pins.policy or release.pins.artifacts:
        yield _draw_pins(release)
    if any(release.endpoints.values()):
        yield _draw_endpoints(release)
    yield _draw_cost(release)


def draw_plots(verdicts: tuple[Verdict, ...], dossiers: tuple[Dossier, ...]) -> Iterator[RenderableType]:
    """What was measured against what was required, and the evidence behind it where the dossiers have it."""
    evidence = {key: value for dossier in dossiers for key, value in dossier.evidence.items()}
    drawn = (
        draw_measured(verdicts),
        draw_latency(evidence.get("latency"), verdicts),
        draw_slices(evidence.get("model_quality"), verdicts),
    )
    yield from (one for one in drawn if one is not None)


def _since(release: Release) -> str:
    last = release.timeline[-1].at if release.timeline else release.opened_at
    return release.ended_at or last


def _draw_head(release: Release, now: datetime) -> Table:
    drawn = table("", "", header=False, title=release.release_id)
    since = age(_since(release), now)
    status = Text.assemble(status_text(release.status), f", {since} ago")
    if not release.ended:
        status = Text.assemble(status_text(release.status), f" for {since}, in ", plain(release.stage))
    drawn.add_row("status", status)
    if release.reason:
        drawn.add_row("reason", plain(release.reason))
    drawn.add_row("version", plain(f"{release.version} of {release.model_package_group}, attempt {release.attempt}"))
    drawn.add_row("package", plain(release.model_package_arn))
    if release.author:
        drawn.add_row("made by", plain(release.author))
    if release.weakened:
        drawn.add_row("asks for less", plain("\n".join(release.weakened), "yellow"))
    drawn.add_row("opened", f"{moment(release.opened_at)} UTC")
    if release.ended_at:
        drawn.add_row("ended", f"{moment(release.ended_at)} UTC")
    return drawn


def draw_verdicts(verdicts: Iterable[Verdict]) -> Table:
    """One gate a row, with what was measured and what was required."""
    drawn = table("verdict", "gate", "measured", "required", title="Verdicts")
    drawn.columns[3].max_width = 16
    for verdict in verdicts:
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
        lines = [plain(entry.what, "bold"), *([plain(entry.why, "dim")] if entry.why else [])]
        drawn.add_row(moment(entry.at), Text("\n").join(lines))
    return drawn


def _draw_pins(release: Release) -> Table:
    pins = release.pins
    drawn = table("", "", header=False, title="Pins")
    for number, artifact in enumerate(pins.artifacts):
        if len(pins.artifacts) > 1:
            drawn.add_row(f"container {number + 1}", "")
        drawn.add_row("artifact", plain(artifact.sha256))
        drawn.add_row("  from", plain(artifact.source))
        drawn.add_row("  kept as", plain(artifact.pinned))
        if artifact.manifest:
            drawn.add_row("  manifest", plain(f"{artifact.manifest} ({artifact.objects} files)"))
        # An image has no row of its own: it belongs to the artifact that it serves.
        drawn.add_row("image", plain(pins.images[number]))
    if pins.policy:
        drawn.add_row("policy", plain(pins.policy["sha256"]))
        drawn.add_row("  version", plain(pins.policy["version_id"]))
    for name, value in pins.seals.items():
        drawn.add_row(f"{name} seal", plain(value))
    return drawn


def _draw_endpoints(release: Release) -> Table:
    drawn = table("", "", header=False, title="Endpoints")
    for environment, endpoint in release.endpoints.items():
        named = OF_JOBS if (endpoint or {}).get("target") == BATCH else {}
        facts = [
            f"{named.get(name, name).replace('_', ' ')} {value}"
            for name, value in (endpoint or {}).items()
            if value is not None
        ]
        if facts:
            drawn.add_row(environment, plain("\n".join(facts)))
    return drawn


def _draw_cost(release: Release) -> Table:
    cost = cost_of(release.meters)
    drawn = table("", "", header=False, title="Cost")
    drawn.add_row(
        "control plane",
        f"${cost['usd']:.6f}: {cost['transitions']:.0f} transitions, {cost['invocations']:.0f} invocations, "
        f"{cost['gb_seconds']:.3g} GB-s",
    )
    if money := release.told.get("endpoint cost"):
        drawn.add_row("production", plain(money["words"]))
    return drawn
