"""What `lockkeeper policy apply` does: a validated policy into Lockkeeper's bucket, its approvers onto the topic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockkeeper.domain.errors import PolicyInvalid, PolicyMissing
from lockkeeper.domain.policy import Policy, fingerprint, parse_policy
from lockkeeper.domain.policy_extends import Whole, make_whole

from cli.stack import Stack
from cli.subscriptions import Others, Subscribed, mend_others, subscribe

if TYPE_CHECKING:
    from lockkeeper.ports import StoredPolicy


@dataclass(frozen=True)
class AppliedPolicy:
    """A policy in force.

    `changed` is False when the same text was in force before (its version stays). `others` are all other
    subscriptions that were not as they should be.
    """

    policy: Policy
    stored: StoredPolicy
    sha256: str
    changed: bool
    subscribed: tuple[Subscribed, ...]
    others: Others


def read_policy(path: Path) -> Whole:
    """Rules of a policy file and of those that it extends, and the text to store; `PolicyInvalid` names every mistake."""
    return make_whole(_text(path), source=path.as_posix(), read=lambda base: _base(path.parent / base))


def _text(path: Path) -> str:
    try:
        # Bytes first: line ends stay as they are, and the hash is the file's own.
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise PolicyInvalid(f"{path}:{line}: not UTF-8: {error.reason}", cure="save the file as UTF-8") from error


def _base(path: Path) -> str:
    try:
        return _text(path)
    except (OSError, ValueError) as error:
        # ValueError: a name that no file can have.
        raise LookupError(f"{path} cannot be read: {getattr(error, 'strerror', error)}") from error


def apply_policy(path: Path, stack: Stack) -> AppliedPolicy:
    """Validate a policy file and put it in force: the newest policy counts for every release opened from now on."""
    whole = read_policy(path)
    text, policy = whole.text, whole.policy
    group, approvers = policy.model_package_group, policy.approval.approvers
    before = _in_force(group, stack)
    changed = before is None or before.text != text
    stored = stack.world.policies.save(group, text, stack.caller()) if before is None or changed else before
    sns, topic = stack.session.client("sns"), stack.outputs["PersonalTopicArn"]
    subscribed = subscribe(sns, topic, approvers)
    return AppliedPolicy(
        policy=policy,
        stored=stored,
        sha256=fingerprint(text),
        changed=changed,
        subscribed=tuple(subscribed),
        others=mend_others(sns, topic),
    )


def sources_of(text: str) -> list[tuple[str, str]]:
    """File and SHA-256 of everything that a stored policy was made from; none where it was one file, or is unreadable."""
    try:
        record = parse_policy(text, source="in force").resolved_from
    except PolicyInvalid:
        return []
    return [(one.file, one.sha256) for one in record.files] if record else []


def _in_force(group: str, stack: Stack) -> StoredPolicy | None:
    try:
        return stack.world.policies.load(group)
    except PolicyMissing:
        return None
