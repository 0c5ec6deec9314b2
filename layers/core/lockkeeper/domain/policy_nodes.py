"""A policy's YAML as nodes: each knows the file and the line that it stands in, also where one file is laid over another."""

from __future__ import annotations

from typing import Any

import yaml

from lockkeeper.domain.errors import PolicyInvalid

DEEPEST = 20
"""Mappings in mappings that are merged; no key of a policy lies deeper than six, and an alias may contain itself."""


def nodes_of(text: str, source: str) -> yaml.MappingNode:
    """The mapping that a file holds; `PolicyInvalid` where it is no YAML, no mapping, or has a key twice."""
    try:
        loader = yaml.SafeLoader(text)
        # Every node's marks carry this name.
        loader.name = source
        node = loader.get_single_node()
        # Before `<<` is followed: what it brings along may be written again.
        repeated = _repeated_keys(node) if node else []
        if isinstance(node, yaml.MappingNode):
            loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _no_yaml(source, error) from error
    if not isinstance(node, yaml.MappingNode):
        raise PolicyInvalid(f"{source}:1: a policy is a mapping of keys", cure="start with model_package_group: NAME")
    if repeated:
        raise PolicyInvalid("\n".join(f"{source}:{line}: {key}: written twice" for key, line in repeated))
    return node


def document_of(node: yaml.MappingNode) -> dict[str, Any]:
    """What the nodes say, as `yaml.safe_load` would."""
    document: dict[str, Any] = yaml.SafeLoader("").construct_document(node)
    return document


def text_of(node: yaml.MappingNode) -> str:
    """The nodes as YAML again: values as they were written, comments are gone."""
    text: str = yaml.serialize(node, Dumper=yaml.SafeDumper, width=120, allow_unicode=True)
    return text


def laid_over(base: yaml.MappingNode, over: yaml.MappingNode, depth: int = 0) -> yaml.MappingNode:
    """`over` on `base`: mappings are merged key by key, anything else of `over` replaces what `base` has."""
    if depth > DEEPEST:
        raise PolicyInvalid(f"{place(over)}: mappings are nested too deep to be merged", cure="write them flatter")
    inherited, merged = _pairs(base), {}
    for name, (key, value) in _pairs(over).items():
        _, below = inherited.get(name, (None, None))
        if isinstance(value, yaml.MappingNode) and isinstance(below, yaml.MappingNode):
            value = laid_over(below, value, depth + 1)
        merged[name] = (key, value)
    pairs = list({**inherited, **merged}.values())
    return yaml.MappingNode(over.tag, pairs, over.start_mark, over.end_mark, over.flow_style and base.flow_style)


def place(node: yaml.Node) -> str:
    """`file:line` of a node, lines from 1."""
    return f"{node.start_mark.name}:{node.start_mark.line + 1}"


def place_of(root: yaml.Node, path: tuple[object, ...]) -> str:
    """`file:line` of the deepest part of `path` that there is."""
    found = node = root
    for part in path:
        child: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    found, child = key, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = child = node.value[part]
        if child is None:
            break
        node = child
    return place(found)


def _pairs(node: yaml.MappingNode) -> dict[Any, tuple[yaml.Node, yaml.Node]]:
    """Keys and values by the key's text, with what `<<` brings along in its place."""
    yaml.SafeLoader("").flatten_mapping(node)
    return {key.value: (key, value) for key, value in node.value}


def _no_yaml(source: str, error: Exception) -> PolicyInvalid:
    # ValueError: what looks like a date or a number to YAML and is none, such as 2026-13-45.
    mark = getattr(error, "problem_mark", None)
    where = f"{source}:{mark.line + 1}" if mark else source
    problem = getattr(error, "problem", None) or str(error)
    return PolicyInvalid(f"{where}: not YAML: {problem}", cure="mend the file's syntax")


def _repeated_keys(root: yaml.Node) -> list[tuple[str, int]]:
    """Keys that a mapping has twice, with their lines. Each node is looked at once: an alias may repeat or contain itself."""
    found: list[tuple[str, int]] = []
    known: set[int] = set()
    open_nodes = [root]
    while open_nodes:
        node = open_nodes.pop()
        if id(node) in known:
            continue
        known.add(id(node))
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
                if key.value in seen:
                    found.append((key.value, key.start_mark.line + 1))
                seen.add(key.value)
            open_nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            open_nodes += node.value
    return sorted(found, key=lambda one: one[1])
