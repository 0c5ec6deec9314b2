"""Waits, approval requests and decisions, in memory."""

from __future__ import annotations

from dataclasses import replace
from threading import RLock
from typing import Any

from lockkeeper.adapters.in_memory.copies import copied
from lockkeeper.domain.approval import ApprovalRequest, PersonalLink, RequestStatus
from lockkeeper.domain.release import Release
from lockkeeper.ports import Wait


class Decisions:
    """A decision and the wait that it settles are written together or not at all."""

    writing: RLock
    by_id: dict[str, Release]

    def __init__(self) -> None:
        self._waits: dict[tuple[str, str], Wait] = {}
        self._pointers: dict[str, set[tuple[str, str]]] = {}
        self._requests: dict[tuple[str, str], ApprovalRequest] = {}
        self._links: dict[str, PersonalLink] = {}
        self._reminders: dict[tuple[str, str], str] = {}

    def store_wait(self, wait: Wait) -> None:
        place = (wait.release_id, wait.state)
        with self.writing:
            self._waits[place] = copied(wait)
            for resource in wait.resources:
                self._pointers.setdefault(resource.lower(), set()).add(place)

    def wait_of(self, release_id: str, state: str) -> Wait | None:
        with self.writing:
            return copied(self._waits.get((release_id, state)))

    def waits_on(self, resource: str) -> list[Wait]:
        with self.writing:
            places = sorted(self._pointers.get(resource.lower(), set()))
            return [copied(self._waits[place]) for place in places]

    def open_waits(self, release_id: str) -> list[Wait]:
        with self.writing:
            mine = [wait for wait in self._waits.values() if wait.release_id == release_id]
            return [copied(wait) for wait in sorted(mine, key=lambda wait: wait.state) if not wait.delivered]

    def wait_acted(self, wait: Wait) -> None:
        place = (wait.release_id, wait.state)
        with self.writing:
            stored = self._waits.get(place)
            if stored is not None and stored.token == wait.token:
                self._waits[place] = replace(stored, acted=True)

    def postpone_wait(self, wait: Wait, deadline: str) -> bool:
        place = (wait.release_id, wait.state)
        with self.writing:
            stored = self._waits.get(place)
            if stored is None or stored.settled or (stored.token, stored.deadline) != (wait.token, wait.deadline):
                return False
            self._waits[place] = replace(stored, deadline=deadline)
        return True

    def advance_wait(self, wait: Wait, after: Wait) -> bool:
        place = (wait.release_id, wait.state)
        with self.writing:
            stored = self._waits.get(place)
            if stored is None or stored.settled or (stored.token, stored.step) != (wait.token, wait.step):
                return False
            new = replace(stored, step=after.step, deadline=after.deadline, acted=after.acted)
            self._waits[place] = replace(new, details=copied(after.details))
        return True

    def is_open(self, wait: Wait) -> bool:
        """Whether this wait, by its token, is still to be decided."""
        with self.writing:
            stored = self._waits.get((wait.release_id, wait.state))
            return stored is not None and not stored.settled and stored.token == wait.token

    def settle_wait(self, wait: Wait, result: dict[str, Any]) -> bool:
        place = (wait.release_id, wait.state)
        with self.writing:
            if not self.is_open(wait):
                return False
            self._waits[place] = replace(self._waits[place], settled=True, result=copied(result))
        return True

    def wait_delivered(self, wait: Wait) -> None:
        place = (wait.release_id, wait.state)
        with self.writing:
            stored = self._waits.get(place)
            if stored is None or stored.token != wait.token:
                return
            self._waits[place] = replace(stored, delivered=True)
            for resource in wait.resources:
                self._pointers.get(resource.lower(), set()).discard(place)

    def ask(self, request: ApprovalRequest, links: list[PersonalLink]) -> bool:
        with self.writing:
            earlier = self._requests.get((request.release_id, request.before))
            if earlier and earlier.seal == request.seal and earlier.revision != request.revision:
                return False
            self._requests[request.release_id, request.before] = request
            self._links.update({link.sha256: link for link in links})
        return True

    def remind(self, request: ApprovalRequest, seen: str, at: str, links: list[PersonalLink]) -> bool:
        place = (request.release_id, request.before)
        with self.writing:
            if self._reminders.get(place, seen) != seen:
                return False
            self._reminders[place] = at
            self._links.update({link.sha256: link for link in links})
        return True

    def reminded_at(self, release_id: str, before: str) -> str:
        with self.writing:
            return self._reminders.get((release_id, before), "")

    def request_of(self, release_id: str, before: str) -> ApprovalRequest | None:
        with self.writing:
            return self._requests.get((release_id, before))

    def link(self, sha256: str) -> PersonalLink | None:
        with self.writing:
            return self._links.get(sha256)

    def decide(self, before: ApprovalRequest, after: ApprovalRequest, wait: Wait | None) -> bool:
        place = (after.release_id, after.before)
        with self.writing:
            if not self._is_unchanged(before):
                return False
            if after.release_id not in self.by_id or (wait is not None and not self.settle_wait(wait, wait.result)):
                return False
            self._requests[place] = after
            release = self.by_id[after.release_id]
            others = tuple(one for one in release.approvals if one["before"] != after.before)
            these = tuple({"before": after.before, **one.to_json()} for one in after.decisions)
            self.by_id[after.release_id] = replace(release, approvals=(*others, *these))
        return True

    def _is_unchanged(self, seen: ApprovalRequest) -> bool:
        stored = self._requests.get((seen.release_id, seen.before))
        return stored is not None and stored.status is RequestStatus.PENDING and stored.revision == seen.revision

    def close_requests(self, release_id: str) -> None:
        with self.writing:
            for place, request in self._requests.items():
                if request.release_id == release_id and request.status is RequestStatus.PENDING:
                    self._requests[place] = replace(request, status=RequestStatus.CLOSED)
