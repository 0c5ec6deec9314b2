"""Models of several containers, and models that are folders in S3: what is scanned is what is served, and nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.domain.artifact.findings import Limits, Report
from lockkeeper.domain.artifact.folder import find_bad_names
from lockkeeper.domain.folder import Listed, difference
from lockkeeper.domain.release import Status
from lockkeeper.ports import Stream

from tests.unit.artifact_corpus import SYSTEM, packed
from tests.unit.harbour import GROUP, IMAGE, IMAGE_DIGEST, Harbour, archive, package_arn, policy_document

FILES = {"code/inference.py": b"import os\n", "weights/part": b"weights", "model.json": b"{}"}
SOURCE = f"s3://models/{GROUP}/folder/"


def folder_container(**more: Any) -> dict[str, Any]:
    source = {"S3Uri": SOURCE, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {"Image": IMAGE, "ImageDigest": IMAGE_DIGEST, "ModelDataSource": {"S3DataSource": source}, **more}


def archive_container(name: str, body: bytes, harbour: Harbour, **more: Any) -> dict[str, Any]:
    uri = f"s3://models/{GROUP}/{name}/model.tar.gz"
    harbour.world.objects.stored[uri] = body
    return {"Image": IMAGE, "ImageDigest": IMAGE_DIGEST, "ModelDataUrl": uri, **more}


def register(harbour: Harbour, *containers: dict[str, Any]) -> None:
    """Version 1 with these containers instead of the usual one."""
    tell = harbour.tell_registry

    def described(version: int) -> Any:
        package = harbour.world.registry.packages[package_arn(version)]
        package["InferenceSpecification"]["Containers"] = list(containers)
        return tell(version)

    harbour.tell_registry = described  # type: ignore[method-assign]
    harbour.register(1)


def with_folder(files: dict[str, bytes]) -> Harbour:
    harbour = Harbour()
    harbour.world.objects.stored |= {SOURCE + path: body for path, body in files.items()}
    return harbour


def served(harbour: Harbour) -> list[dict[str, Any]]:
    """The containers of production's model."""
    (model,) = harbour.world.production.models.values()
    return list(model["containers"])


def test_every_container_is_scanned_pinned_and_served_in_its_order() -> None:
    harbour = Harbour()
    first = archive_container("scaler", archive(b"scaler"), harbour, Environment={"STEP": "1"})
    second = archive_container("model", archive(b"model"), harbour, Image=IMAGE.replace("1.4-2", "1.2-1"))
    register(harbour, first, second)
    harbour.approve()
    pins = harbour.release(1).pins
    assert [pin.source for pin in pins.artifacts] == [first["ModelDataUrl"], second["ModelDataUrl"]]
    assert pins.environments == ({"STEP": "1"}, {})
    (verdict,) = [one for one in harbour.release(1).verdicts if one.gate == "artifact"]
    assert verdict.reason.startswith("container 1: ")
    assert "; container 2: " in verdict.reason
    assert [one["ModelDataUrl"] for one in served(harbour)] == [pin.pinned for pin in pins.artifacts]
    assert [one["Image"] for one in served(harbour)] == list(pins.images)


def test_a_hostile_second_container_is_refused_under_its_number() -> None:
    harbour = Harbour()
    first = archive_container("scaler", archive(b"scaler"), harbour)
    register(harbour, first, archive_container("model", packed({"model.joblib": SYSTEM}), harbour))
    release = harbour.release(1)
    assert release.status is Status.FAILED
    assert (
        "container 2: s3://models/wages/model/model.tar.gz: model.joblib: the pickle names os.system" in release.reason
    )


def test_an_image_that_is_not_allowed_stops_a_series_at_any_place() -> None:
    harbour = Harbour()
    rule = {"images": [IMAGE]}
    harbour.apply({**policy_document(), "gates": {**policy_document()["gates"], "artifact": rule}})
    first = archive_container("scaler", archive(b"scaler"), harbour)
    register(harbour, first, archive_container("model", archive(b"model"), harbour, Image=f"{IMAGE}-gpu"))
    assert f"image {IMAGE}-gpu is not allowed" in harbour.release(1).reason


def test_a_folder_is_copied_file_by_file_and_pinned_by_its_manifest() -> None:
    harbour = with_folder(FILES)
    register(harbour, folder_container())
    harbour.approve()
    (pin,) = harbour.release(1).pins.artifacts
    stored = harbour.world.objects.stored
    manifest = json.loads(stored[pin.manifest])
    assert hashlib.sha256(stored[pin.manifest]).hexdigest() == pin.sha256
    assert (pin.source, pin.objects, pin.bytes) == (SOURCE, 3, sum(map(len, FILES.values())))
    assert {one["path"]: one["sha256"] for one in manifest["objects"]} == {
        path: hashlib.sha256(body).hexdigest() for path, body in FILES.items()
    }
    assert {key.removeprefix(pin.pinned): body for key, body in stored.items() if key.startswith(pin.pinned)} == FILES
    source = served(harbour)[0]["ModelDataSource"]["S3DataSource"]
    assert source == {"S3Uri": pin.pinned, "S3DataType": "S3Prefix", "CompressionType": "None"}
    assert [key for key in stored if "/incoming/" in key] == []
    assert "own code: code/inference.py" in next(
        one.reason for one in harbour.release(1).verdicts if one.gate == "artifact"
    )


def test_the_same_files_have_the_same_place_in_every_release() -> None:
    places = []
    for _ in range(2):
        harbour = with_folder(FILES)
        register(harbour, folder_container())
        places.append(harbour.release(1).pins.artifacts[0].pinned)
    assert places[0] == places[1]


def test_files_that_change_at_their_source_after_the_scan_change_nothing() -> None:
    harbour = with_folder(FILES)
    register(harbour, folder_container())
    harbour.world.objects.stored[f"{SOURCE}model.json"] = b"somebody overwrote it"
    harbour.world.objects.stored[f"{SOURCE}more.pkl"] = SYSTEM
    harbour.approve()
    (pin,) = harbour.release(1).pins.artifacts
    assert harbour.world.objects.stored[f"{pin.pinned}model.json"] == b"{}"
    assert harbour.world.production.models


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"model.pkl": SYSTEM}, "model.pkl: the pickle names os.system"),
        ({"inner.tar.gz": packed({"model.pkl": SYSTEM})}, "inner.tar.gz!gzip!model.pkl: the pickle names os.system"),
        ({"weights": b"", "weights/part": b""}, "one of its folders is a file"),
        ({"empty/": b""}, "delete the object empty/"),
        ({"a//b": b""}, "a part of it is empty"),
        ({"../x": b""}, "it leaves the archive"),
        ({"x" * 256: b""}, "longer than 255 bytes"),
    ],
)
def test_a_folder_with_something_wrong_is_refused_and_nothing_of_it_is_kept(
    files: dict[str, bytes], words: str
) -> None:
    harbour = with_folder({**FILES, **files})
    register(harbour, folder_container())
    assert harbour.release(1).status is Status.FAILED
    assert words in harbour.release(1).reason
    assert [key for key in harbour.world.objects.stored if "/incoming/" in key or "/artifacts/" in key] == []


@pytest.mark.parametrize(
    ("rule", "files", "words"),
    [
        ({"max_members": 2}, FILES, "more than 2 objects"),
        ({"max_mb": 1}, {"weights": b"\1" * 1_100_000}, "1 MB, more than the 1 MB"),
        ({"max_members": 4}, {**FILES, "inner.tar.gz": packed({"a": b"", "b": b""})}, "more than 4 members"),
    ],
)
def test_the_policys_caps_hold_for_folders(rule: dict[str, int], files: dict[str, bytes], words: str) -> None:
    harbour = with_folder(files)
    harbour.apply({**policy_document(), "gates": {**policy_document()["gates"], "artifact": rule}})
    register(harbour, folder_container())
    assert words in harbour.release(1).reason


def test_a_prefix_without_objects_is_missing() -> None:
    harbour = Harbour()
    register(harbour, folder_container())
    assert f"nothing is below {SOURCE}" in harbour.release(1).reason


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("model.json", b"[]", "changed"),
        ("weights/part", None, "is not there"),
        ("a-new-file", b"", "added: a-new-file"),
    ],
)
def test_a_folder_that_changes_while_it_is_scanned_is_refused(path: str, body: bytes | None, words: str) -> None:
    harbour = with_folder(FILES)
    objects, stream = harbour.world.objects, harbour.world.objects.stream

    def meanwhile(uri: str, *, etag: str = "") -> Stream:
        if uri.endswith("code/inference.py"):
            objects.stored.pop(SOURCE + path, None)
            objects.stored |= {} if body is None else {SOURCE + path: body}
        return stream(uri, etag=etag)

    objects.stream = meanwhile  # type: ignore[method-assign]
    register(harbour, folder_container())
    assert harbour.release(1).status is Status.FAILED
    assert words in harbour.release(1).reason


def added(world: InMemoryWorld, pinned: str) -> None:
    world.objects.stored[f"{pinned}sitecustomize.py"] = b"import os\n"


def removed(world: InMemoryWorld, pinned: str) -> None:
    del world.objects.stored[f"{pinned}model.json"]


def changed(world: InMemoryWorld, pinned: str) -> None:
    world.objects.stored[f"{pinned}model.json"] = b"[]"


def forged(world: InMemoryWorld, pinned: str) -> None:
    (manifest,) = [key for key in world.objects.stored if "/manifests/" in key]
    world.objects.stored[manifest] += b" "


def lost(world: InMemoryWorld, pinned: str) -> None:
    (manifest,) = [key for key in world.objects.stored if "/manifests/" in key]
    del world.objects.stored[manifest]


TAMPERED = [
    (added, "added: sitecustomize.py"),
    (removed, "removed: model.json"),
    (changed, "changed: model.json"),
    (forged, "not the one this release is pinned to"),
    (lost, "not the one this release is pinned to"),
]


@pytest.mark.parametrize(("tamper", "words"), TAMPERED)
def test_a_sealed_folder_that_somebody_changed_is_not_deployed_to_staging(tamper: Any, words: str) -> None:
    harbour = with_folder(FILES)
    register(harbour, folder_container())
    tamper(harbour.world, harbour.release(1).pins.artifacts[0].pinned)
    harbour.approve()
    assert harbour.release(1).status is Status.FAILED
    assert words in harbour.release(1).reason
    assert harbour.world.staging.models == harbour.world.production.models == {}
    # It says nothing about the model.
    assert harbour.world.registry.stamps[-1][1] is None


@pytest.mark.parametrize(("tamper", "words"), TAMPERED)
def test_nor_to_production(tamper: Any, words: str) -> None:
    harbour = with_folder(FILES)
    document = policy_document()
    harbour.apply({**document, "approval": {**document["approval"], "before": ["production"]}})
    register(harbour, folder_container())
    tamper(harbour.world, harbour.release(1).pins.artifacts[0].pinned)
    harbour.approve()
    assert words in harbour.release(1).reason
    assert harbour.world.production.models == harbour.world.production.endpoints == {}


def test_something_else_at_the_sealed_place_stops_the_scan() -> None:
    harbour = with_folder(FILES)
    register(harbour, folder_container())
    place = harbour.release(1).pins.artifacts[0].pinned
    other = with_folder(FILES)
    other.world.objects.stored[f"{place}left-before.py"] = b""
    register(other, folder_container())
    assert "not what was scanned (added: left-before.py)" in other.release(1).reason


def test_a_difference_names_what_was_added_removed_and_changed() -> None:
    before = [Listed("a", 1, "x"), Listed("b", 1, "x"), Listed("c", 1, "x")]
    after = [Listed("b", 1, "y"), Listed("c", 1, "x"), *(Listed(f"n{number}", 1, "x") for number in range(7))]
    assert difference(before, after) == "added: n0, n1, n2, n3, n4 and 2 more; removed: a; changed: b"
    assert difference(before, reversed(before)) == ""


def test_plain_names_are_fine() -> None:
    report = Report(Limits(1, 1))
    find_bad_names(report, [Listed(path, 0, "") for path in ("a", "b/c", "b/d.e", "ä ö/ü", ".hidden/x")])
    assert report.findings == []
