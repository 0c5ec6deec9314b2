"""Who made a version: whether it is one of the approvers, and whether anybody knows."""

from __future__ import annotations

import fnmatch
import re

from lockkeeper.domain.policy import Approver

_ROLE = re.compile(r"arn:[^:]+:(?:iam|sts)::\d+:(?:role|assumed-role)/.+")
_ROOT = re.compile(r"arn:[^:]+:iam::\d+:root")
_USER = re.compile(r"(arn:[^:]+:iam::\d+:user/).+")
_PROFILE = re.compile(r"(?:arn:[^:]+:sagemaker:[^:]*:[^:]*:user-profile/)?(d-[^/]+)/([\w-]+)")
_NAMED = re.compile(r"arn:[^:]+:(?:sts|iam)::[^:]*:(?:assumed-role/[^/]+/|user/(?:.+/)?)([\w+=,.@-]+)")
_PATH = re.compile(r"(arn:[^:]+:iam::[^:]*:role/).*/")


def is_author(approver: Approver, author: str) -> bool:
    """Whether one of the authors (joined by `; `) is this approver: by name, e-mail, Slack user, Studio profile or AWS identity.

    The name of a session, of an IAM user or of a profile in another domain counts as well. In doubt they are: an author who
    decides is worse than one person less.
    """
    known = _names_of(approver)
    return any(
        maker.casefold() in known
        or _name_in(maker) in known
        or stands_for(maker, approver)
        or _may_stand_for(maker, approver)
        for maker in _makers(author)
    )


def is_known(author: str, approvers: tuple[Approver, ...]) -> bool:
    """Whether any of the authors (joined by `; `) is one of the approvers, or can be told from every one of them.

    A role that jobs and pipelines run under says nothing about who made the version. Sessions of people are told by
    AWS's sign-in portal, or by an e-mail address in the session's name.
    """
    return any(_is_known(maker, approvers) for maker in _makers(author))


def _is_known(maker: str, approvers: tuple[Approver, ...]) -> bool:
    if _is_said(maker) or any(stands_for(maker, one) for one in approvers):
        return True
    name = _name_in(maker)
    if _ROLE.fullmatch(maker) and "AWSReservedSSO_" not in maker and "@" not in name:
        return False  # Jobs call their sessions what they like.
    return any(name in _names_of(one) for one in approvers) or all(_is_another(maker, one) for one in approvers)


def _is_said(maker: str) -> bool:
    """Whether the policy's metadata says so, in words of its owner's choice; or it is an account's root user, which no approver is."""
    return bool(_ROOT.fullmatch(maker)) or not (maker.startswith("arn:") or _PROFILE.fullmatch(maker))


def _is_another(maker: str, approver: Approver) -> bool:
    """Whether the policy says who this approver is where the maker comes from: one person seldom is two there."""
    theirs = (approver.name, approver.email, approver.studio_profile, approver.aws_principal)
    return any(_places(maker) & _places(identity) for identity in theirs if identity)


def _places(identity: str) -> set[str]:
    """Where an identity is one of many: a Studio domain, the IAM users of an account, the domain of an e-mail address."""
    profile, user = _PROFILE.fullmatch(identity), _USER.fullmatch(identity)
    name = _name_in(identity) if identity.startswith("arn:") else identity.strip().casefold()
    address, _, domain = name.rpartition("@")
    return {place for place in (profile and profile[1], user and user[1], address and domain) if place}


def _makers(author: str) -> list[str]:
    return [maker.strip() for maker in author.split(";") if maker.strip()]


def _names_of(approver: Approver) -> set[str]:
    """What this person is called, by the policy and as a session or user of AWS, in lower case."""
    profile = approver.studio_profile or ""
    names = (approver.name, approver.email, approver.slack_user, profile, _last(profile))
    return {value.strip().casefold() for value in (*names, _name_in(approver.aws_principal or "")) if value}


def _name_in(identity: str) -> str:
    """The name of a session, an IAM user or a Studio profile, in lower case; empty for other identities."""
    profile, named = _PROFILE.fullmatch(identity), _NAMED.fullmatch(identity)
    name = profile[2] if profile else named[1] if named else ""
    return name.casefold()


def stands_for(principal_arn: str, approver: Approver) -> bool:
    """Whether an AWS identity is this approver's `aws_principal`, or a session of it.

    A role with a path is known by its whole name, which no other role of its account has: a session's ARN has no path.
    A pattern of names under a path stands for no session: elsewhere in the account, roles of such names may be anybody's.
    """
    pattern = approver.aws_principal or ""
    found = (fnmatch.fnmatchcase(one, pattern) or one == _without_path(pattern) for one in _identities(principal_arn))
    return bool(pattern) and any(found)


def _may_stand_for(maker: str, approver: Approver) -> bool:
    """Whether the maker's role may be one that stands for this approver, as far as an ARN without a path tells."""
    pattern = _without_path(approver.aws_principal or "")
    named = _last(pattern).strip("*?")
    return bool(named) and any(fnmatch.fnmatchcase(one, pattern) for one in _identities(maker))


def _identities(principal_arn: str) -> tuple[str, str]:
    return principal_arn, _without_path(role_arn_of_session(principal_arn))


def _without_path(role_arn: str) -> str:
    """`arn:aws:iam::1:role/path/Name`, also as a pattern, is `arn:aws:iam::1:role/Name`: so a session's ARN has it."""
    return _PATH.sub(r"\1", role_arn)


def _last(arn: str) -> str:
    return arn.rpartition("/")[2]


def role_arn_of_session(arn: str) -> str:
    """`arn:aws:sts::1:assumed-role/Name/session` is role `arn:aws:iam::1:role/Name`; other ARNs are themselves."""
    parts = arn.split(":")
    if len(parts) == 6 and parts[2] == "sts" and parts[5].startswith("assumed-role/"):
        role = parts[5].split("/")[1]
        return f"{parts[0]}:{parts[1]}:iam::{parts[4]}:role/{role}"
    return arn
