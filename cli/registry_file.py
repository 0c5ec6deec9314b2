"""What `lockkeeper simulate` is told in files: an event, and what registry and ledger would answer. People write them by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from lockkeeper.domain.errors import EvidenceMissing
from lockkeeper.domain.evidence import ChampionEvidence, parse_report
from lockkeeper.domain.simulation import Known

from cli.problems import CommandRefused

if TYPE_CHECKING:
    from lockkeeper.domain.simulation import Read

S3_SOURCE = {"S3DataSource": {"S3Uri": str}}
PACKAGE = {
    "InferenceSpecification": {
        "Containers": [
            {"Image": str, "ImageDigest": str, "Environment": {}, "ModelDataUrl": str, "ModelDataSource": S3_SOURCE}
        ],
        "SupportedContentTypes": [str],
    },
    "CreatedBy": {"IamIdentity": {}},
    "CustomerMetadataProperties": {},
}
"""What of DescribeModelPackage's answer a release relies on to be of this shape, since AWS gives it no other."""
SHAPES = {dict: "mapping", list: "list", str: "text"}


def read_document(path: Path) -> Any:
    """A JSON or YAML file that holds a mapping; `CommandRefused` says what is wrong with it."""
    is_json = path.suffix == ".json"
    try:
        document = _document_of(path.read_text(encoding="utf-8"), is_json=is_json)
    except OSError as error:
        raise CommandRefused(f"{path} cannot be read: {error.strerror}", cure="look at the file's name") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else getattr(error, "lineno", None)
        place = f"{path}:{line}" if line else str(path)
        raise CommandRefused(
            f"{place}: {'no JSON' if is_json else 'neither JSON nor YAML'}", cure="mend the file's syntax"
        ) from error
    if not isinstance(document, dict):
        raise CommandRefused(f"{path} holds no mapping", cure="write a JSON object")
    return document


def _document_of(text: str, *, is_json: bool) -> Any:
    """JSON first: YAML takes no tabs, and reads 1e-05 as a text."""
    try:
        return parse_report(text)
    except ValueError:
        if is_json:
            raise
        return yaml.safe_load(text)


def what_is_known(event: dict[str, Any], event_file: Path, registry_file: Path | None) -> tuple[Known, Read]:
    """What the file says that the registry knows; without one, the package is what its event says."""
    told = read_document(registry_file) if registry_file else {}
    place = registry_file or event_file
    _check(
        told, {"reports": {}, "champion": {"reports": {}}, "model_package": PACKAGE, "release": "", "held": ""}, place
    )
    detail = event.get("detail")
    if "model_package" not in told and isinstance(detail, dict):
        _check(detail, PACKAGE, event_file, "detail")
    known = Known(
        description=told.get("model_package", detail if isinstance(detail, dict) else None),
        existing_release=told.get("release"),
        champion=_champion(told.get("champion"), place),
        held=str(told.get("held") or ""),
    )
    reports = told.get("reports") or {}

    def read(uri: str) -> bytes:
        if uri not in reports:
            where = registry_file or "no --registry file is given"
            raise EvidenceMissing(f"{uri} is not among the reports ({where})", cure="add it under reports")
        return json.dumps(_report(reports[uri], place, f"reports.{uri}")).encode()

    return known, read


def _champion(served: dict[str, Any] | None, place: Path) -> ChampionEvidence | None:
    if served is None:
        return None
    version = served.get("version", 0)
    if isinstance(version, str) and re.fullmatch(r"[0-9]{1,9}", version, re.ASCII):
        version = int(version)
    if type(version) is not int or not 0 <= version < 10**9:
        raise CommandRefused(
            f"{place}: champion.version is no number of a version", cure="write the version that serves, such as 3"
        )
    reports = served.get("reports") or {}
    return ChampionEvidence(
        version, {kind: _report(one, place, f"champion.reports.{kind}") for kind, one in reports.items()}
    )


def _report(told: Any, place: Path, key: str) -> Any:
    """A report that is in the file, or in a file of its own that it names; `CommandRefused` where JSON cannot say it."""
    document = read_document(place.parent / told) if isinstance(told, str) else told
    try:
        json.dumps(document)
    except (TypeError, ValueError, RecursionError) as error:
        raise CommandRefused(
            f"{place}: {key} holds what no JSON report can: {error}",
            cure="put dates in quotation marks, or write the report as JSON",
        ) from error
    return document


def _check(told: Any, shape: Any, place: Path, key: str = "") -> None:
    """Refuse, by its key, what is of another shape; what is left out or null is nothing."""
    kind = shape if isinstance(shape, type) else type(shape)
    if told is None:
        return
    if not isinstance(told, kind):
        cure = f"write a {SHAPES[kind]}, as docs/commands.md says of the file and AWS of a model package"
        raise CommandRefused(f"{place}: {key} is no {SHAPES[kind]}", cure=cure)
    if isinstance(shape, dict):
        for name, inner in shape.items():
            _check(told.get(name), inner, place, f"{key}.{name}".removeprefix("."))
    if isinstance(shape, list):
        for number, one in enumerate(told):
            # An item that is null is no item: nothing reads a list with holes.
            _check(() if one is None else one, shape[0], place, f"{key}[{number}]")
