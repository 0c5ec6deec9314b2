"""Taking over an endpoint that is there already: what is recorded of it, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass

from lockkeeper.domain.batch import BATCH
from lockkeeper.domain.deployed import Deployed, why_not_taken_on
from lockkeeper.domain.errors import AdoptionRefused

LARGEST_BYTES = 300_000
"""Of a configuration's description: it is kept in one item of the ledger, which takes 400 KB."""


@dataclass(frozen=True)
class Adoption:
    """What was taken over, exactly, by whom and when (ISO 8601).

    `identity` is the caller's ARN; `taken_from` the CloudFormation stack that the endpoint belonged to, empty for none;
    `described` DescribeEndpointConfig's answer as JSON.
    """

    group: str
    endpoint_name: str
    config_name: str
    by: str
    identity: str
    at: str
    taken_from: str
    described: str

    @property
    def words(self) -> str:
        """What was done, as the group's history says it."""
        taken = f", taken over from CloudFormation stack {self.taken_from}" if self.taken_from else ""
        return f"endpoint {self.endpoint_name} as it serves, configuration {self.config_name}{taken}"


def permit_adoption(name: str, deployed: Deployed | None, target: str, *, take_over: bool) -> Deployed:
    """The endpoint, if it can be a champion.

    Args:
        name: The endpoint that the policy names.
        deployed: What was found of it; None where there is none.
        target: What kind of endpoint the policy wants.
        take_over: Whether the caller takes it from the CloudFormation stack that it belongs to.

    Raises:
        AdoptionRefused: with what is in the way, and what to do about it.
    """
    if target == BATCH:
        raise AdoptionRefused(
            "there is no endpoint to adopt with target batch",
            cure="register a version; the first release makes it known to jobs",
        )
    if deployed is None:
        raise AdoptionRefused(
            f"there is no endpoint {name}; the first release creates it",
            cure="mend production.endpoint_name if another endpoint is meant",
        )
    found = why_not_taken_on(deployed, target)
    if found:
        raise AdoptionRefused(
            f"endpoint {name} cannot be taken on: {'; '.join(found)}",
            cure="name an endpoint of the policy's target with one variant and one model that is InService",
        )
    if deployed.stack and not take_over:
        raise AdoptionRefused(
            f"endpoint {name} belongs to CloudFormation stack {deployed.stack}, whose next deployment would undo a release",
            cure="take it out of that stack as docs/adopting.md says, or take it over with --take-over",
        )
    if len(deployed.described.encode()) > LARGEST_BYTES:
        raise AdoptionRefused(
            f"the description of configuration {deployed.config_name} has more than {LARGEST_BYTES:,} bytes",
            cure="give the endpoint a configuration with less in it",
        )
    return deployed
