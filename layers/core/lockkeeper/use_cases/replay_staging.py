"""The replay's answers: kept with the dossier, judged, and held against those that the champion gave when it was tested."""

from __future__ import annotations

import hashlib
import json

from lockkeeper.domain.errors import UnknownRelease
from lockkeeper.domain.online.replay import Bounds, ServedAnswers, judge_against_champion, judge_replay
from lockkeeper.domain.online.rows import Replayed
from lockkeeper.domain.release import Release
from lockkeeper.domain.staging_rules import Replay
from lockkeeper.ports import World
from lockkeeper.use_cases.probe_staging import Measured
from lockkeeper.use_cases.send_rows import ROWS_PER_REQUEST


def judge_answers(
    release: Release, replay: Replay, replayed: Replayed, served: ServedAnswers | None, world: World
) -> Measured:
    """Verdicts on the answers, which are kept: the dossier has their hash, and the next version is held against them."""
    raw = replayed.to_bytes()
    world.objects.write(_key(release.release_id), raw, "application/json")
    verdicts = judge_replay(replayed, Bounds(replay.at_least, replay.at_most, replay.minimum_rows))
    if replay.champion.compare:
        share = replay.champion.worse_by_at_most
        verdicts += judge_against_champion(replayed, served, replay.metrics, share, replay.minimum_rows)
    return verdicts, {
        "rows": len(replayed.answers),
        "requests": replayed.requests,
        "rows_per_request": ROWS_PER_REQUEST,
        "milliseconds_median": replayed.milliseconds_median,
        "suite_sha256": replayed.suite_sha256,
        "answers_sha256": hashlib.sha256(raw).hexdigest(),
    }


def champions_answers(group: str, world: World) -> ServedAnswers | None:
    """What serves now and what it answered, as its sealed dossier vouches for it; None where nothing that was tested serves."""
    champion = world.ledger.champion(group)
    if champion is None or champion.adopted:
        return None
    raw = world.objects.read_own(_key(champion.release_id))
    if raw is None:
        return ServedAnswers(champion.version, missing="was tested without a replay whose answers were kept")
    if hashlib.sha256(raw).hexdigest() != _sealed_hash(champion.release_id, world):
        return ServedAnswers(champion.version, missing="has answers that are not those its dossier was sealed with")
    try:
        return ServedAnswers(champion.version, Replayed.from_bytes(raw))
    except ValueError as error:
        return ServedAnswers(champion.version, missing=f"has {error}")


def _sealed_hash(release_id: str, world: World) -> str:
    """The hash of the answers in a dossier, if the dossier is the one whose seal the ledger has; else empty."""
    try:
        known = world.ledger.get(release_id).pins.seals.get("tested", "")
    except UnknownRelease:
        return ""
    raw = world.objects.read_own(f"dossiers/{release_id}/tested.json") or b""
    if hashlib.sha256(raw).hexdigest() != known:
        return ""
    replay = json.loads(raw)["evidence"].get("replay", {})
    return str(replay.get("answers_sha256", ""))


def _key(release_id: str) -> str:
    return f"dossiers/{release_id}/replay.json"
