"""What roles grant, and whether recorded decisions need it.

A grant is one action of one statement on one of its resources. It is used when it alone allows something that was asked for. A
mutant is a role with a statement, an action or a resource dropped; it is noticed when something that was asked for is denied.
Policies are evaluated with the emulator's evaluator, which is the one that decided while the tests ran.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ministack.core import iam_evaluator

from checks.roles.recordings import DeployedRole, Document, Recording

ALLOW = "Allow"


@dataclass(frozen=True)
class Statement:
    """One statement that allows something. `label` names it alike in every deployment of its template."""

    policy: str
    label: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Document = field(default_factory=dict)

    def document(self) -> Document:
        stated = {"Effect": ALLOW, "Action": list(self.actions), "Resource": list(self.resources)}
        return stated | ({"Condition": self.condition} if self.condition else {})


@dataclass(frozen=True)
class Grant:
    """One action of a statement on one of its resources, by the resource's position."""

    role: str
    statement: str
    action: str
    position: int
    resource: str

    @property
    def key(self) -> tuple[str, str, str, int]:
        return (self.role, self.statement, self.action, self.position)


@dataclass(frozen=True)
class Mutant:
    """A role with less in it: all of a statement, or one of its actions or resources by its position."""

    role: str
    statement: str
    dropped: str
    kind: str = "statement"
    position: int = -1

    @property
    def key(self) -> tuple[str, str, str, int]:
        return (self.role, self.statement, self.kind, self.position)


@dataclass(frozen=True)
class Asked:
    """A decision about a role's request, as it was recorded."""

    context: Any
    identity: str
    decision: str


@dataclass
class Role:
    """A deployed role and everything that was asked of it."""

    name: str
    deployed: DeployedRole
    asked: list[Asked]

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """What its policies allow, in their order."""
        seen: Counter[str] = Counter()
        found = []
        for policy, document in sorted(self.deployed.policies.items()):
            stated = document["Statement"]
            for raw in stated if isinstance(stated, list) else [stated]:
                if raw["Effect"] != ALLOW:
                    raise ValueError(f"{self.name}: the checks know no statement that denies")
                actions = _listed(raw["Action"])
                label = label_of(raw)
                seen[label] += 1
                numbered = label if seen[label] == 1 else f"{label} #{seen[label]}"
                found.append(Statement(policy, numbered, actions, _listed(raw["Resource"]), raw.get("Condition", {})))
        return tuple(found)

    @cached_property
    def allowed(self) -> list[Asked]:
        """What its own policies allowed."""
        return [asked for asked in self.asked if asked.identity == ALLOW and asked.decision == ALLOW]

    def grants(self) -> Iterator[Grant]:
        """Every grant of its statements."""
        for statement in self.statements:
            for action in statement.actions:
                for position, resource in enumerate(statement.resources):
                    yield Grant(self.name, statement.label, action, position, self.readable(resource))

    def uses(self, grant: Grant) -> bool:
        """Whether the grant alone allows something that was asked for."""
        statement = self._statement(grant.statement)
        if statement is None or grant.position >= len(statement.resources):
            return False
        alone = replace(statement, actions=(grant.action,), resources=(statement.resources[grant.position],))
        return any(permits([alone], asked.context) for asked in self.allowed)

    def mutants(self) -> Iterator[Mutant]:
        """Every way in which one thing can be dropped from its statements."""
        for statement in self.statements:
            yield Mutant(self.name, statement.label, "the whole statement")
            if len(statement.actions) > 1:
                for position, action in enumerate(statement.actions):
                    yield Mutant(self.name, statement.label, action, "action", position)
            if len(statement.resources) > 1:
                for position, resource in enumerate(statement.resources):
                    yield Mutant(self.name, statement.label, self.readable(resource), "resource", position)

    def notices(self, mutant: Mutant) -> bool:
        """Whether something that was allowed is not, once the mutant's drop is made."""
        left = [
            without
            for statement in self.statements
            if (without := _dropped(statement, mutant) if statement.label == mutant.statement else statement)
        ]
        return left != list(self.statements) and any(not permits(left, asked.context) for asked in self.allowed)

    def readable(self, arn: str) -> str:
        """An ARN with the names of the stack's resources in place of what they were called by chance."""
        for physical, logical in self.deployed.names.items():
            name = re.escape(physical.rpartition("/")[2] if physical.startswith("http") else physical)
            arn = re.sub(rf"(?<![\w-]){name}(?![\w-])", f"${{{logical}}}", arn)
        return arn

    def _statement(self, label: str) -> Statement | None:
        return next((statement for statement in self.statements if statement.label == label), None)


def permits(statements: Sequence[Statement], context: Any) -> bool:
    """Whether these statements allow what is asked."""
    document = {"Statement": [statement.document() for statement in statements]}
    return bool(iam_evaluator.evaluate(context, [iam_evaluator.parse_policy_document(document)]).decision == ALLOW)


def label_of(statement: Document) -> str:
    """What a statement is called: its Sid, or else its actions without their service."""
    return statement.get("Sid") or " ".join(action.partition(":")[2] for action in _listed(statement["Action"]))


def _dropped(statement: Statement, mutant: Mutant) -> Statement | None:
    if mutant.kind == "statement":
        return None
    name = f"{mutant.kind}s"
    kept: tuple[str, ...] = getattr(statement, name)
    if mutant.position >= len(kept):
        return statement
    left = kept[: mutant.position] + kept[mutant.position + 1 :]
    return replace(statement, actions=left) if mutant.kind == "action" else replace(statement, resources=left)


def _listed(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def roles_in(recordings: Iterable[Recording]) -> list[Role]:
    """Every role of every recording, with what was asked of it, each question once."""
    return [role for recording in recordings for role in _roles_of(recording)]


def _roles_of(recording: Recording) -> Iterator[Role]:
    by_principal: dict[tuple[str, str], dict[Any, Asked]] = defaultdict(dict)
    for decision in recording.decisions:
        place = session_of(decision["principal"])
        if place and decision.get("kind") != "trust":
            asked = _asked(decision)
            question = (
                decision["action"],
                decision["resource"],
                str(decision["context"]),
                asked.identity,
                asked.decision,
            )
            by_principal[place].setdefault(question, asked)
    for deployed in recording.roles:
        place = (deployed.arn.split(":")[4], deployed.arn.rpartition("/")[2])
        yield Role(deployed.name, deployed, list(by_principal.get(place, {}).values()))


def session_of(principal: str) -> tuple[str, str] | None:
    """Account and name of the role whose session this is; None for every other principal."""
    if ":assumed-role/" not in principal:
        return None
    return principal.split(":")[4], principal.split("/")[1]


def _asked(decision: Document) -> Asked:
    context = iam_evaluator.EvalContext(
        principal_arn=decision["principal"],
        principal_type=decision["principal_type"],
        principal_account=decision["account"],
        action=decision["action"],
        resource_arn=decision["resource"],
        region=decision["region"],
        secure_transport=True,
        service_context=decision["context"],
        principal_keys=decision["principal_keys"],
    )
    return Asked(context, decision["identity"], decision["decision"])


def unused_grants(roles: Iterable[Role]) -> tuple[list[Grant], int]:
    """The grants that no deployment of their role needed, and how many grants there are."""
    grants: dict[Any, Grant] = {}
    used: set[Any] = set()
    for role in roles:
        for grant in role.grants():
            grants.setdefault(grant.key, grant)
            if grant.key not in used and role.uses(grant):
                used.add(grant.key)
    return [grant for key, grant in grants.items() if key not in used], len(grants)


def survivors(roles: Iterable[Role]) -> tuple[list[Mutant], int]:
    """The mutants that no deployment of their role notices, and how many mutants there are."""
    mutants: dict[Any, Mutant] = {}
    killed: set[Any] = set()
    for role in roles:
        for mutant in role.mutants():
            mutants.setdefault(mutant.key, mutant)
            if mutant.key not in killed and role.notices(mutant):
                killed.add(mutant.key)
    return [mutant for key, mutant in mutants.items() if key not in killed], len(mutants)


def denials(roles: Iterable[Role]) -> list[tuple[str, str, str]]:
    """Role, action and resource of everything that was asked for and is not allowed."""
    found = {
        (role.name, asked.context.action, role.readable(asked.context.resource_arn))
        for role in roles
        for asked in role.asked
        if asked.decision != ALLOW or (asked.identity == ALLOW and not permits(role.statements, asked.context))
    }
    return sorted(found)
