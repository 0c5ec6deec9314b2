"""A policy that `extends:` a shared base, made whole: what is stored, and pinned by a release, depends on no other file."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from lockkeeper.domain.errors import PolicyInvalid
from lockkeeper.domain.policy import Policy, fingerprint, policy_from, rules_fingerprint
from lockkeeper.domain.policy_nodes import document_of, laid_over, nodes_of, place, place_of, text_of

MOST_FILES = 6
"""The file itself and five bases: who has to open more to know a rule does not know it."""

ReadBase = Callable[[str], str]
"""Text of a file by its path as seen from the first file; `LookupError` says in words why it cannot be had."""


@dataclass(frozen=True)
class Whole:
    """A policy and the text to be stored: of a file that extends nothing its own, byte for byte."""

    text: str
    policy: Policy


@dataclass(frozen=True)
class _File:
    path: str
    text: str
    nodes: yaml.MappingNode


def make_whole(text: str, *, source: str, read: ReadBase) -> Whole:
    """Read a policy and every file that it extends; `PolicyInvalid` with the file and line of each mistake.

    Mappings are merged key by key, with what is nearer to the first file on top; lists and single values replace.
    """
    name = posixpath.basename(source)
    folder = source.removesuffix(name)
    files = [_File(name, text, nodes_of(text, source))]
    while (base := _base_of(files)) is not None:
        path, asked_at = base
        try:
            base_text = read(path)
        except LookupError as error:
            raise PolicyInvalid(f"{asked_at}: extends: {path}: {error.args[0]}", cure="look at its name") from error
        files.append(_File(path, base_text, nodes_of(base_text, folder + path)))
    if len(files) == 1:
        return Whole(text, policy_from(files[0].nodes))
    return _merged(files)


def _base_of(files: list[_File]) -> tuple[str, str] | None:
    """Path of what the last file extends, and where it says so; None where it extends nothing."""
    last = files[-1]
    value = next((value for key, value in last.nodes.value if key.value == "extends"), None)
    if value is None:
        return None
    asked_at = place_of(last.nodes, ("extends",))
    if not isinstance(value, yaml.ScalarNode) or value.tag != "tag:yaml.org,2002:str" or not value.value:
        raise PolicyInvalid(
            f"{asked_at}: extends: not the name of a file", cure="write one, such as extends: base.yaml"
        )
    if "://" in value.value or value.value.startswith("/") or "\\" in value.value:
        raise PolicyInvalid(
            f"{asked_at}: extends: {value.value}: not a path from this file", cure="name a file beside it: base.yaml"
        )
    path = _beside(last.path, value.value)
    known = [file.path for file in files]
    if path in known:
        raise PolicyInvalid(
            f"{asked_at}: extends: {' -> '.join([*known, path])}: a circle", cure="let the last extend nothing"
        )
    if len(files) == MOST_FILES:
        raise PolicyInvalid(
            f"{asked_at}: extends: more than {MOST_FILES - 1} bases, one behind the other", cure="merge some of them"
        )
    return path, asked_at


def _beside(path: str, other: str) -> str:
    """`other`, as written in `path`, as seen from the first file."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), other))


def _merged(files: list[_File]) -> Whole:
    nodes = _rules_of(files[-1])
    for file in reversed(files[:-1]):
        nodes = laid_over(nodes, _rules_of(file))
    policy_from(nodes)
    record = {
        "files": [{"file": file.path, "sha256": fingerprint(file.text)} for file in files],
        "rules": rules_fingerprint(document_of(nodes)),
    }
    about = f"# Written by `lockkeeper policy apply` from {files[0].path} and what it extends: change those files, not this.\n"
    text = about + yaml.safe_dump({"resolved_from": record}, sort_keys=False, width=120) + text_of(nodes)
    return Whole(text, policy_from(nodes_of(text, files[0].nodes.start_mark.name)))


def _rules_of(file: _File) -> yaml.MappingNode:
    """What a file adds, without the key that leads to its base."""
    record = next((key for key, _ in file.nodes.value if key.value == "resolved_from"), None)
    if record is not None:
        raise PolicyInvalid(
            f"{place(record)}: resolved_from: a policy that was made whole neither extends nor is extended",
            cure="use the files that it names",
        )
    kept = [(key, value) for key, value in file.nodes.value if key.value != "extends"]
    return yaml.MappingNode(
        file.nodes.tag, kept, file.nodes.start_mark, file.nodes.end_mark, flow_style=file.nodes.flow_style
    )
