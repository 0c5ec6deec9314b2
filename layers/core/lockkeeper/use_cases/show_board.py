"""What the board and the JSON API show: read, never decided on, and in pieces of bounded size."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lockkeeper.domain.approval import RequestStatus, asked_by, must_approve
from lockkeeper.domain.brakes import Brake
from lockkeeper.domain.errors import QueryRefused, UnknownGroup
from lockkeeper.domain.events import GROUP_NAME
from lockkeeper.domain.quality_series import QualitySeries, first_quality_series
from lockkeeper.domain.release import ENDED, Release, Status
from lockkeeper.domain.retraining import Kept, Retraining
from lockkeeper.ports import World
from lockkeeper.ports_of_web import Champion, Page
from lockkeeper.use_cases.braked import brakes_on, frozen_group
from lockkeeper.use_cases.read_dossiers import Dossier, read_dossiers, to_json
from lockkeeper.use_cases.request_approval import newest_question

MOST_UNDER_WAY = 100
MOST_GROUPS = 100
RECENT = 15
HISTORY = 20
LARGEST_DOSSIERS = 4_000_000
"""Characters. A function answers with 6 MB at most; what is larger is read in the bucket."""


@dataclass(frozen=True)
class UnderWay:
    """A release that has not ended: for whom or what it waits, and until when (ISO 8601); both empty where it is at work."""

    release: Release
    waits_for: str = ""
    until: str = ""


@dataclass(frozen=True)
class Front:
    under_way: tuple[UnderWay, ...]
    more_under_way: int
    serving: tuple[tuple[str, Champion | None], ...]
    more_groups: bool
    ended: tuple[Release, ...]


@dataclass(frozen=True)
class GroupView:
    group: str
    champion: Champion | None
    served: tuple[Champion, ...]
    holds: tuple[Brake, ...]
    frozen: Brake | None
    braked: tuple[Brake, ...]
    """What was done with holds and freezes, newest first."""
    retrainings: tuple[Retraining, ...]
    signals: tuple[Kept, ...]
    """What was said about drift, newest first, with its answers."""
    page: Page
    quality: QualitySeries | None


@dataclass(frozen=True)
class ReleaseView:
    under_way: UnderWay
    dossiers: tuple[Dossier, ...]
    retraining: Retraining | None
    """The one that made its version."""

    @property
    def release(self) -> Release:
        return self.under_way.release


def show_front(world: World) -> Front:
    """Everything at a glance."""
    ids = world.ledger.unfinished()
    releases = (world.ledger.get(release_id) for release_id in reversed(ids[-MOST_UNDER_WAY:]))
    under_way = tuple(_under_way(one, world) for one in releases if not one.ended)
    groups = world.policies.groups()
    serving = tuple((group, world.ledger.champion(group)) for group in groups[:MOST_GROUPS])
    page = world.ledger.page(limit=2 * RECENT)
    ended = tuple(release for release in page.releases if release.ended)[:RECENT]
    return Front(under_way, max(0, len(ids) - MOST_UNDER_WAY), serving, len(groups) > MOST_GROUPS, ended)


def show_group(group: str, after: str, world: World) -> GroupView:
    """A group's champions, releases and holds; `UnknownGroup` where it has neither a policy nor a release."""
    page = world.ledger.page(group=group, limit=HISTORY, after=after)
    served = tuple(world.ledger.served(group, HISTORY))
    if not page.releases and not served and not after and not _has_policy(group, world):
        raise UnknownGroup(f"there is no group {group[:100]!r}", cure="the board lists every group that has a policy")
    return GroupView(
        group=group,
        champion=world.ledger.champion(group),
        served=served,
        holds=tuple(world.ledger.holds(group)),
        frozen=frozen_group(group, world),
        braked=tuple(world.ledger.brake_history(group, HISTORY)),
        retrainings=tuple(world.ledger.retrainings(group, HISTORY)),
        signals=tuple(world.ledger.signals(group, HISTORY)),
        page=page,
        quality=first_quality_series(page.releases),
    )


def show_release(release_id: str, world: World) -> ReleaseView:
    """A release with the evidence that was sealed about it."""
    release = world.ledger.get(release_id)
    retraining = world.ledger.retraining_of(release.model_package_group, release.version)
    return ReleaseView(_under_way(release, world), read_dossiers(release, world), retraining)


def list_releases(group: str, status: str, limit: str, after: str, world: World) -> dict[str, Any]:
    """A page of releases in the form of `lockkeeper releases --json`; `next` is what to go on after, or null."""
    if group and not GROUP_NAME.fullmatch(group):
        raise QueryRefused(f"{group[:100]!r} is no name of a group", cure="letters, digits and hyphens; 63 at most")
    if status and status not in set(Status):
        raise QueryRefused(f"there is no status {status[:40]!r}", cure=f"one of {', '.join(Status)}")
    if limit and not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= 100):
        raise QueryRefused(f"limit is {limit[:40]!r}", cure="a number from 1 to 100")
    page = world.ledger.page(group=group, status=status, limit=int(limit or 50), after=after)
    return {"releases": [release.to_json() for release in page.releases], "next": page.after or None}


def release_document(release_id: str, world: World) -> dict[str, Any]:
    """A release in the form of `lockkeeper show --json`. Where its dossiers are too large to send, they stay in the bucket."""
    release = world.ledger.get(release_id)
    dossiers = read_dossiers(release, world)
    size = sum(len(str(one.document)) for one in dossiers)
    document = to_json(release, dossiers, brakes_on(release, world))
    if size > LARGEST_DOSSIERS:
        for kind, one in document["dossiers"].items():
            one["document"] = None
            one["left_out"] = world.objects.address_of(f"dossiers/{release_id}/{kind}.json")
    return document


def list_groups(after: str, world: World) -> dict[str, Any]:
    """The groups that have a policy, by name, with what serves each."""
    names = [name for name in world.policies.groups() if name > after]
    groups = [{"model_package_group": name, "champion": _champion(name, world)} for name in names[:MOST_GROUPS]]
    return {"groups": groups, "next": names[MOST_GROUPS - 1] if len(names) > MOST_GROUPS else None}


def group_document(group: str, world: World) -> dict[str, Any]:
    """A group: what serves, what served, what is held or frozen, and who braked."""
    served = world.ledger.served(group, 100)
    if not served and not _has_policy(group, world) and not world.ledger.page(group=group, limit=1).releases:
        raise UnknownGroup(f"there is no group {group[:100]!r}", cure="GET /api/groups lists those that have a policy")
    frozen, braked = frozen_group(group, world), world.ledger.brake_history(group, HISTORY)
    return {
        "model_package_group": group,
        "champion": _champion(group, world),
        "served": [_to_json(one) for one in served],
        "holds": [_with_version(brake) for brake in world.ledger.holds(group)],
        "frozen": frozen.to_json() if frozen else None,
        "braked": [{"did": str(brake.did), **_with_version(brake)} for brake in braked],
        "retrainings": [one.to_json() for one in world.ledger.retrainings(group, HISTORY)],
        "signals": [kept.to_json() for kept in world.ledger.signals(group, HISTORY)],
    }


def _with_version(brake: Brake) -> dict[str, Any]:
    return {"version": brake.version or None, **brake.to_json()}


def _has_policy(group: str, world: World) -> bool:
    return bool(GROUP_NAME.fullmatch(group)) and group in world.policies.groups()


def _champion(group: str, world: World) -> dict[str, Any] | None:
    champion = world.ledger.champion(group)
    return _to_json(champion) if champion else None


def _to_json(champion: Champion) -> dict[str, Any]:
    document = asdict(champion)
    del document["group"]
    # No version and no release brought there what was adopted.
    told = {"version": champion.version or None, "release_id": champion.release_id or None}
    return {**document, **told, "adopted": champion.adopted}


def _under_way(release: Release, world: World) -> UnderWay:
    """What a release waits for, in words."""
    if release.status in ENDED:
        return UnderWay(release)
    if release.status is Status.AWAITING_APPROVAL:
        return _asked(release, world)
    if release.status is Status.WAITING_FOR_LOCK:
        lock = world.ledger.lock_of(release.model_package_group)
        return UnderWay(release, f"the lock of {release.model_package_group}, which {lock.owner} has" if lock else "")
    if release.status is Status.BAKING:
        wait = world.ledger.wait_of(release.release_id, "WatchProduction")
        return UnderWay(release, "the end of its bake", wait.deadline if wait else "")
    return UnderWay(release)


def _asked(release: Release, world: World) -> UnderWay:
    request = newest_question(release.release_id, world)
    if request is None or request.status is not RequestStatus.PENDING:
        return UnderWay(release)
    decided = {decision.approver for decision in request.decisions}
    names = [approver.name for approver in asked_by(request) if approver.name not in decided]
    who = f"{', '.join(names)} before {request.before}; {must_approve(request)}"
    return UnderWay(release, who, request.expires_at)
