"""What is fuzzed: each target takes bytes and returns nothing; whatever it raises is a finding.

Errors that Lockkeeper raises itself, with a cure, are answers. So is every verdict, as long as it has a reason and the dossier
that it stands in can be sealed.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from contextlib import suppress

from lockkeeper.adapters.picklescan import dangerous_globals
from lockkeeper.domain.artifact.allowed import Allowed
from lockkeeper.domain.artifact.findings import Limits
from lockkeeper.domain.artifact.scan import scan
from lockkeeper.domain.dossier import dossier, seal
from lockkeeper.domain.errors import EvidenceMissing, PolicyInvalid
from lockkeeper.domain.evidence import ChampionEvidence, Evidence, Source, collect, parse_report, sources_of
from lockkeeper.domain.gates import judge_offline
from lockkeeper.domain.gates.provenance import judge_author
from lockkeeper.domain.online.replay import Bounds, ServedAnswers, judge_against_champion, judge_replay
from lockkeeper.domain.online.rows import Answered, Replayed, Row, labelled_rows, predictions_in
from lockkeeper.domain.online.safety import hostile_cases, judge_safety
from lockkeeper.domain.policy import Gates, parse_policy
from lockkeeper.domain.policy_extends import make_whole
from lockkeeper.domain.release import Release, Verdict
from lockkeeper.domain.staging_tests import contract_cases, judge_contract

Target = Callable[[bytes], None]
BETWEEN = b"\n---\n"
"""Stands between two inputs of a target that takes two."""

ACCURACY = "binary_classification_metrics.accuracy.value"
GATES = Gates.model_validate(
    {
        "quality": [
            {"metric": ACCURACY, "at_least": 0.7, "minimum_rows": 3},
            {"metric": ACCURACY, "at_least": 0.5, "slices": "sex", "minimum_rows": 3},
            {"metric": "regression_metrics.mae.value", "at_most": 9, "better": "lower"},
            {"metric": "regression_metrics.r2.value", "no_worse_than_champion_by": 0.1, "slices": "sex"},
            {"metric": "a.b", "no_worse_than_champion_by": 0, "better": "higher"},
        ],
        "bias": [
            {"metric": "DPPL", "facet": "sex", "within": [-0.2, 0.2]},
            {"metric": "CI", "facet": "sex", "value": "female", "at_most": 0.1},
        ],
        "explainability": {},
        "data_quality": {"at_most": {"baseline_drift_check": 1}},
        "provenance": {"metadata": ["ticket"], "model_card": ["a.b"], "lineage": ["CommitId"]},
    }
)
RELEASE = Release("wages-v2-a1", "wages", 2, 1, "arn:aws:sagemaker:eu-west-1:123456789012:model-package/wages/2")


def gates(data: bytes) -> None:
    """Every offline gate on one document, as a report of every kind, against another as the champion's."""
    ours, _, theirs = data.partition(BETWEEN)
    sources = {
        kind: Source("the fuzzer", ("s3://bucket/report.json",))
        for kind in ("model_quality", "bias", "explainability", "data_quality")
    }
    reports, missing = collect(sources, tuple(sources), lambda _uri: ours)
    kept = None
    with suppress(ValueError, RecursionError):
        kept = parse_report(theirs)
    evidence = Evidence(reports, missing)
    for champion in (None, ChampionEvidence(1, dict.fromkeys(sources, kept))):
        _hold(judge_offline(GATES, evidence, champion), reports)


def registry(data: bytes) -> None:
    """What a registry says of a version: where its reports are, its model card, its metadata."""
    try:
        description = parse_report(data)
    except (ValueError, RecursionError):
        return
    described = [{"ModelCard": {"ModelCardContent": data.decode("utf-8", "replace")}}]
    described += [description] if isinstance(description, dict) else []
    for one in described:
        reports, missing = collect(sources_of(one, GATES.reports, "wages", 2), ("model_quality", "bias"), _nowhere)
        evidence = Evidence(reports, missing, one)
        _hold((*judge_offline(GATES, evidence, None), *judge_author("metadata.author", evidence)), reports)


def policy(data: bytes) -> None:
    """A policy, and one that extends another."""
    text = data.decode("utf-8", "replace")
    ours, _, base = text.partition(BETWEEN.decode())

    def read(_path: str) -> str:
        if not base:
            raise LookupError("there is none")
        return base

    with suppress(PolicyInvalid):
        parse_policy(text, source="policy.yaml")
    with suppress(PolicyInvalid):
        parse_policy(make_whole(ours, source="policy.yaml", read=read).text, source="policy.yaml")


NAMES = ("model.joblib", "model.npy", "model.pt", "model.h5", "model.onnx", "model.zip", "model.keras", "m.tar.gz", "m")


def artifact(data: bytes) -> None:
    """An artifact whose member has these bytes (the first chooses its name), and these bytes as the archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(NAMES[data[0] % len(NAMES)] if data else "empty")
        member.size = len(data[1:])
        archive.addfile(member, io.BytesIO(data[1:]))
    for plain in (packed.getvalue(), data):
        body = gzip.compress(plain, compresslevel=1, mtime=0)
        limits = Limits.of(len(body), 100, 10_000_000, 100)
        report = scan(io.BytesIO(body).read, limits, Allowed(()), dangerous_globals)
        assert report.reason
        assert report.cure
    scan(io.BytesIO(data).read, Limits.of(len(data), 100, 10_000_000, 100), Allowed(()))


def staging(data: bytes) -> None:
    """Suites that a team wrote, and what an endpoint answers to them."""
    text, _, body = data.decode("utf-8", "replace").partition(BETWEEN.decode())
    answers = [Answered(200, kind, body) for kind in ("application/json", "text/csv", body[:20])]
    with suppress(EvidenceMissing):
        for answer in answers:
            cases = contract_cases(text, source="contract.jsonl")
            _hold((judge_contract(cases, [answer] * len(cases)),), {})
    with suppress(EvidenceMissing):
        hostile = hostile_cases(text, source="safety.jsonl")
        _hold(judge_safety(hostile, [answers[0]] * len(hostile), alive=False, search=_undecided), {})
    rows: list[Row] = []
    with suppress(EvidenceMissing):
        rows = labelled_rows(text, source="holdout.csv")
    for answer in answers:
        said: list[object] = []
        with suppress(ValueError):
            said = predictions_in(answer, len(rows))
        # As far as there are both: a model may answer anything to any row.
        _replay(Replayed("suite", tuple((row.key, row.label, one) for row, one in zip(rows, said, strict=False))))
    with suppress(ValueError):
        _replay(Replayed.from_bytes(data))


def _replay(replayed: Replayed) -> None:
    if replayed.answers:
        bounds = {"accuracy": 0.5, "mae": 1.0, "rmse": 1.0}
        champion = ServedAnswers(1, replayed)
        _hold(judge_replay(replayed, Bounds(bounds, bounds, 1)), {})
        _hold(judge_against_champion(replayed, champion, tuple(bounds), 0.02, 1), {})


def _undecided(pairs: Sequence[tuple[str, str]]) -> list[bool | None]:
    """Patterns of the fuzzer's own would take for ever; that none was decided in time is an answer, too."""
    return [None] * len(pairs)


def _nowhere(uri: str) -> bytes:
    raise EvidenceMissing(f"{uri} is not there")


def _hold(verdicts: tuple[Verdict, ...], evidence: dict[str, object]) -> None:
    """A verdict says why, inconclusive ones of reports measure nothing that is no number, and all of it can be sealed."""
    for verdict in verdicts:
        assert verdict.reason, verdict
    seal(dossier(RELEASE, verdicts, evidence, "judged"))
    json.dumps([verdict.reason for verdict in verdicts]).encode()


TARGETS: dict[str, Target] = {one.__name__: one for one in (gates, registry, policy, artifact, staging)}
