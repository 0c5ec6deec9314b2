"""The roles and statements of the translated templates: all of them have to be deployed by some test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from checks.roles.grants import Role, label_of
from checks.roles.recordings import Document
from checks.translate import PROJECT, translate

ROLE = "AWS::IAM::Role"


def templates(project: Path = PROJECT) -> list[Document]:
    """Every template of the project as CloudFormation gets it."""
    files = [project / "template.yaml", *sorted((project / "environments").glob("*.yaml"))]
    return [translate(yaml_parse(path.read_text())) for path in files]


def never_deployed(roles: Iterable[Role], documents: Iterable[Document] | None = None) -> list[tuple[str, str]]:
    """Role and statement of everything that a template has and no recording."""
    deployed = {
        (role.deployed.template.partition("\n")[0], role.deployed.logical_id, label_of(statement))
        for role in roles
        for policy in role.deployed.policies.values()
        for statement in policy["Statement"]
    }
    return sorted(
        (logical_id, label)
        for document in (templates() if documents is None else documents)
        for logical_id, label in labels_in(document)
        if (document.get("Description", ""), logical_id, label) not in deployed
    )


def labels_in(document: Document) -> Iterator[tuple[str, str]]:
    """Logical id and statement label of every role, whatever conditions say."""
    for logical_id, resource in document["Resources"].items():
        if resource["Type"] == ROLE:
            for policy in resource["Properties"].get("Policies", []):
                for statement in _statements(policy["PolicyDocument"]):
                    yield logical_id, label_of(statement)


def _statements(document: Document) -> Iterator[Document]:
    stated = document["Statement"]
    for statement in stated if isinstance(stated, list) else [stated]:
        yield from _chosen(statement)


def _chosen(value: Any) -> Iterator[Document]:
    """A statement, or both statements that a condition chooses between."""
    if "Fn::If" in value:
        for branch in value["Fn::If"][1:]:
            if branch != {"Ref": "AWS::NoValue"}:
                yield from _chosen(branch)
    else:
        yield value
