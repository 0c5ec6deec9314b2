"""Make personal links void: one that went to the wrong place, or all of a question."""

from __future__ import annotations

from lockkeeper.domain.approval import ApprovalRequest, approver_of_principal, permit_revoking, revoke
from lockkeeper.domain.errors import AlreadyDecided
from lockkeeper.ports import World
from lockkeeper.use_cases.decide_approval import question_about
from lockkeeper.use_cases.pinned import iso


def revoke_links(release_id: str, principal: str, whose: str, world: World) -> ApprovalRequest:
    """As the AWS identity that called; `whose` names an approver, or is empty for the links of all. Repeating it does no harm."""
    world.ledger.get(release_id)
    request = question_about(release_id, world)
    by = permit_revoking(request, approver_of_principal(request.approvers, principal))
    revoked = revoke(request, whose, by.name, iso(world.clock.now()))
    if not world.ledger.decide(request, revoked, None):
        raise AlreadyDecided(
            f"somebody decided on {release_id} at the same moment; no link was revoked", cure="look again"
        )
    world.ledger.record(release_id, "links revoked", f"{whose or 'all'}, by {by.name}")
    return revoked
