"""The artifact is read once, whatever its size: each byte is looked at, hashed and copied; the verdict is kept either way."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
import tracemalloc
from collections.abc import Iterator

import pytest
from lockkeeper.domain.artifact.allowed import Allowed
from lockkeeper.domain.artifact.findings import LEAST_UNPACKED, Limits, Report
from lockkeeper.domain.artifact.passing import Passing
from lockkeeper.domain.artifact.scan import scan
from lockkeeper.domain.release import Outcome, Status

from tests.unit.artifact_corpus import SYSTEM, calls, packed
from tests.unit.harbour import Harbour, archive, policy_document

MEGABYTE = 1_000_000


def in_chunks(body: bytes, size: int = 65_536) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


def copied(body: bytes, size: int = 65_536) -> tuple[Passing, bytes, Report]:
    """The copy, what was written, and what the scan says of it."""
    written = bytearray()
    copy = Passing(in_chunks(body, size), written.extend)
    report = scan(copy.pull, Limits.of(len(body), 100, 500 * MEGABYTE, 1000), Allowed())
    copy.finish()
    return copy, bytes(written), report


@pytest.mark.parametrize("size", [1, 7, 65_536])
def test_every_byte_passes_in_order_and_is_hashed(size: int) -> None:
    body = archive(random.Random(1).randbytes(20_000)) + b"\0" * 512
    copy, written, report = copied(body, size)
    assert report.findings == []
    assert written == body
    assert copy.sha256 == hashlib.sha256(body).hexdigest()
    assert copy.size == len(body)


def test_an_empty_chunk_is_not_the_end() -> None:
    written = bytearray()
    copy = Passing(iter([b"a", b"", b"b"]), written.extend)
    copy.finish()
    assert written == b"ab"


@pytest.mark.parametrize(
    "member",
    [b"\0" * (20 * MEGABYTE), b"\x80\x04\x8e" + (19 * MEGABYTE).to_bytes(8, "little") + b"\1" * (19 * MEGABYTE) + b"."],
    ids=["numbers", "a pickle of one long text"],
)
def test_a_large_member_is_not_held_in_memory(member: bytes) -> None:
    body = gzip.compress(gzip.decompress(archive(member)), compresslevel=0)
    copy = Passing(in_chunks(body), lambda _: None)
    tracemalloc.start()
    report = scan(copy.pull, Limits.of(len(body), 100, 500 * MEGABYTE, 1000), Allowed())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.findings == []
    assert most <= 3 * MEGABYTE


def test_an_archive_that_unpacks_to_much_more_is_refused() -> None:
    body = archive(b"\0" * (LEAST_UNPACKED + 1))
    assert "unpacks to more than 10000000 bytes" in copied(body)[2].reason
    assert copied(archive(b"\0" * (LEAST_UNPACKED - MEGABYTE)))[2].findings == []


def test_it_never_unpacks_to_more_than_ten_times_the_cap() -> None:
    assert Limits.of(900_000, 100, MEGABYTE, 1).unpacked_bytes == 10 * MEGABYTE
    assert Limits.of(900_000, 5, MEGABYTE, 1).unpacked_bytes == 10 * MEGABYTE
    assert Limits.of(9 * MEGABYTE, 5, 50 * MEGABYTE, 1).unpacked_bytes == 45 * MEGABYTE


def test_folders_are_fine() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        folder = tarfile.TarInfo("code")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    assert copied(buffer.getvalue())[2].findings == []


def test_a_harmless_artifact_is_pinned_with_its_verdict() -> None:
    harbour = Harbour()
    harbour.register(1, artifact=packed({"model.pkl": b"\x80\x04].", "code/inference.py": b"import os\n"}))
    release = harbour.release(1)
    (verdict,) = [one for one in release.verdicts if one.gate == "artifact"]
    assert (verdict.verdict, verdict.measured, verdict.required) == (Outcome.PASSED, 0.0, "0 findings")
    assert "own code: code/inference.py" in verdict.reason
    assert release.pins.artifacts[0].pinned.startswith("s3://lockkeeper-bucket/artifacts/")


def test_a_hostile_artifact_ends_the_release_and_nothing_of_it_is_kept() -> None:
    harbour = Harbour()
    harbour.register(1, artifact=packed({"model.joblib": SYSTEM, "two": calls("wages.features", "Ratio")}))
    release = harbour.release(1)
    assert release.status == Status.FAILED
    (verdict,) = [one for one in release.verdicts if one.gate == "artifact"]
    assert (verdict.verdict, verdict.measured) == (Outcome.FAILED, len(verdict.reason.split("; ")))
    assert "model.joblib: the pickle names os.system" in release.reason
    assert [event["verdict"] for event in harbour.published("Gate Judged") if event["gate"] == "artifact"] == ["failed"]
    assert [key for key in harbour.world.objects.stored if "/incoming/" in key or "/artifacts/" in key] == []
    assert harbour.world.registry.stamps[-1][1] == "Rejected"


def test_a_policy_lets_its_own_classes_through() -> None:
    harbour = Harbour()
    harbour.apply(
        {
            **policy_document(),
            "gates": {**policy_document()["gates"], "artifact": {"allow_globals": ["wages.features.*"]}},
        }
    )
    harbour.register(1, artifact=packed({"m": calls("wages.features", "Ratio")}))
    assert harbour.release(1).status == Status.AWAITING_APPROVAL


def test_an_artifact_larger_than_the_policy_allows_is_refused_unread() -> None:
    harbour = Harbour()
    harbour.apply({**policy_document(), "gates": {**policy_document()["gates"], "artifact": {"max_mb": 1}}})
    harbour.register(1, artifact=archive(random.Random(1).randbytes(1_100_000)))
    release = harbour.release(1)
    assert "1 MB, more than the 1 MB" in release.reason
    assert {one.gate: one.verdict for one in release.verdicts} == {
        "artifact: image": Outcome.PASSED,
        "artifact": Outcome.FAILED,
    }
