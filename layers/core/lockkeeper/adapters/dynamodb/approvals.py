"""Approval requests, personal links (by the SHA-256 of their name) and decisions."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime, timedelta

from lockkeeper.adapters.dynamodb.table import Item
from lockkeeper.adapters.dynamodb.waits import Waits
from lockkeeper.domain.approval import Answer, ApprovalRequest, Decision, PersonalLink, RequestStatus, Revocation
from lockkeeper.domain.policy import Approver
from lockkeeper.ports import Wait

READABLE = timedelta(days=30)
"""How long a link still shows its release when nobody can decide with it any more: whoever has the mail can read it."""


class Approvals(Waits):
    """Decisions settle waits in the same transaction, hence the base."""

    def ask(self, request: ApprovalRequest, links: list[PersonalLink]) -> bool:
        kept = self.table.put(
            _item(request),
            "attribute_not_exists(pk) OR #revision = :seen OR #seal <> :seal",
            seen=request.revision,
            seal=request.seal,
        )
        if kept:
            self._keep(links)
        return kept

    def remind(self, request: ApprovalRequest, seen: str, at: str, links: list[PersonalLink]) -> bool:
        # An item of its own: a decision writes the whole request at the same moment.
        keys = {"pk": f"RELEASE#{request.release_id}", "sk": f"REMINDER#{request.before}"}
        first = self.table.put({**keys, "at": at}, "attribute_not_exists(pk) OR #at = :seen", seen=seen)
        if first:
            self._keep(links)
        return first

    def reminded_at(self, release_id: str, before: str) -> str:
        item = self.table.get(f"RELEASE#{release_id}", f"REMINDER#{before}")
        return str(item["at"]) if item else ""

    def _keep(self, links: list[PersonalLink]) -> None:
        for link in links:
            forget_at = int((datetime.fromisoformat(link.expires_at) + READABLE).timestamp())
            self.table.put({"pk": f"LINK#{link.sha256}", "sk": "LINK", **asdict(link), "forget_at": forget_at})

    def request_of(self, release_id: str, before: str) -> ApprovalRequest | None:
        item = self.table.get(f"RELEASE#{release_id}", f"APPROVAL#{before}")
        return _request(item) if item else None

    def link(self, sha256: str) -> PersonalLink | None:
        item = self.table.get(f"LINK#{sha256}", "LINK")
        if item is None:
            return None
        # Links of the previous minor version had no seal of their own.
        return PersonalLink(**{field.name: item.get(field.name, "") for field in fields(PersonalLink)})

    def decide(self, before: ApprovalRequest, after: ApprovalRequest, wait: Wait | None) -> bool:
        requests = [
            {"Put": self.table.put_request(_item(after), UNCHANGED, **_seen(before))},
            {
                "Update": self.table.update_request(
                    f"RELEASE#{after.release_id}",
                    "RELEASE",
                    "SET #approvals = :approvals",
                    "attribute_exists(pk)",
                    approvals={"items": self._approvals_with(after)},
                )
            },
        ]
        if wait is not None:
            requests.append({"Update": self.settle_request(wait, wait.result)})
        return self.table.transact(*requests)

    def _approvals_with(self, request: ApprovalRequest) -> list[Item]:
        """What the release shows: the decisions of its other questions, and these."""
        release = self.table.get(f"RELEASE#{request.release_id}", "RELEASE") or {"approvals": {"items": []}}
        others = [one for one in release["approvals"]["items"] if one["before"] != request.before]
        return [*others, *({"before": request.before, **one.to_json()} for one in request.decisions)]

    def close_requests(self, release_id: str) -> None:
        for item in self.table.query(f"RELEASE#{release_id}", "APPROVAL#"):
            self.table.update(
                item["pk"],
                item["sk"],
                "SET #status = :closed",
                "#status = :pending",
                closed=str(RequestStatus.CLOSED),
                pending=str(RequestStatus.PENDING),
            )


UNCHANGED = "#status = :pending AND #revision = :seen"
"""What is written over a question that was read: nobody decided, closed it or made links void since."""


def _seen(request: ApprovalRequest) -> Item:
    return {"pending": str(RequestStatus.PENDING), "seen": request.revision}


def _item(request: ApprovalRequest) -> Item:
    return {
        "pk": f"RELEASE#{request.release_id}",
        "sk": f"APPROVAL#{request.before}",
        "release_id": request.release_id,
        "before": request.before,
        "seal": request.seal,
        "quorum": request.quorum,
        "approvers": {"items": [approver.model_dump() for approver in request.approvers]},
        "author": request.author,
        "requested_at": request.requested_at,
        "expires_at": request.expires_at,
        "status": str(request.status),
        "decisions": {"items": [decision.to_json() for decision in request.decisions]},
        "one_of_each": {"items": list(request.one_of_each)},
        "remind_every": request.remind_every,
        "links": request.links,
        "revoked": {"items": [one.to_json() for one in request.revoked]},
        "revision": request.revision,
    }


def _request(item: Item) -> ApprovalRequest:
    return ApprovalRequest(
        release_id=item["release_id"],
        before=item["before"],
        seal=item["seal"],
        quorum=item["quorum"],
        approvers=tuple(Approver.model_validate(one) for one in item["approvers"]["items"]),
        author=item["author"],
        requested_at=item["requested_at"],
        expires_at=item["expires_at"],
        status=RequestStatus(item["status"]),
        decisions=tuple(
            Decision(one["approver"], Answer(one["answer"]), one["comment"], one["channel"], one["at"])
            for one in item["decisions"]["items"]
        ),
        one_of_each=tuple(item.get("one_of_each", {"items": []})["items"]),
        remind_every=item.get("remind_every", 0),
        links=item.get("links", "personal"),
        revoked=tuple(Revocation(**one) for one in item.get("revoked", {"items": []})["items"]),
    )
