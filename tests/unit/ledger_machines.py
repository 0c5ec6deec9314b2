"""The ledger, the lock and the approval as state machines: hypothesis looks for a sequence of steps that breaks what always holds.

`test_ledger_machines.py` plays them over the ledger in memory, `tests/faults/test_machines_over_dynamodb.py` over DynamoDB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.domain.approval import Answer, ApprovalRequest, RequestStatus
from lockkeeper.domain.errors import LockkeeperError, ReleaseSuperseded
from lockkeeper.domain.lock import Lock
from lockkeeper.domain.policy import Approver
from lockkeeper.domain.release import Release
from lockkeeper.ports import Ledger, Wait
from lockkeeper.use_cases.decide_approval import decide_by_principal
from lockkeeper.use_cases.open_release import interrupt
from lockkeeper.use_cases.settle_wait import deliver, give_up_waits

OPENED = "2026-11-24T09:00:00.000Z"
EXPIRES = "2026-11-27T09:00:00.000Z"
STATES = ("OpenRelease", "DeployToStaging", "WatchProduction")
VERSIONS = st.integers(1, 4)
_numbers = count(1)
"""Every run has names of its own: the machines of one process share one table."""


class OverALedger(RuleBasedStateMachine):
    """`ledger_of_a_run` gives the ledger; a subclass says which."""

    ledger_of_a_run: ClassVar[Callable[[], Ledger]]

    def __init__(self) -> None:
        super().__init__()
        self.ledger = type(self).ledger_of_a_run()
        self.group = f"group-{next(_numbers)}"

    def name(self, version: int) -> str:
        return f"{self.group}-v{version}-a1"


class LockMachine(OverALedger):
    """A group has one owner at most, and each new owner a higher fencing number.

    Only the owner begins production or passes the lock on. Who was superseded never begins production; who has begun is never
    superseded, and no old look at the lock supersedes anybody. The queue holds each waiting version once, the newest first.
    """

    looks = Bundle("looks")

    def __init__(self) -> None:
        super().__init__()
        self.lock = Lock(self.group, "", 0, 0)
        self.queue: set[tuple[int, str]] = set()
        self.numbers: list[int] = []

    @rule(version=VERSIONS)
    def wait_in_the_queue(self, version: int) -> None:
        self.ledger.queue_for_lock(self.group, self.name(version), version)
        self.queue.add((version, self.name(version)))

    @rule(version=VERSIONS)
    def leave_the_queue(self, version: int) -> None:
        self.ledger.leave_queue(self.group, self.name(version), version)
        self.queue.discard((version, self.name(version)))

    @rule(target=looks, version=VERSIONS)
    def take(self, version: int) -> Lock:
        if not self.lock.owner:
            self._owned_by(self.name(version), version)
        assert self.ledger.take_lock(self.group, self.name(version), version) == self.lock
        return self.lock

    @rule(seen=looks, version=VERSIONS)
    def supersede(self, seen: Lock, version: int) -> None:
        same = (seen.owner, seen.fencing) == (self.lock.owner, self.lock.fencing)
        wanted = same and not self.lock.production_begun
        assert self.ledger.supersede(seen, self.name(version)) == wanted
        if wanted:
            self.lock = replace(self.lock, superseded_by=self.name(version))

    @rule(version=VERSIONS)
    def begin_production(self, version: int) -> None:
        if self.lock.owner == self.name(version) and not self.lock.superseded_by:
            self.lock = replace(self.lock, production_begun=True)
        found = self.ledger.begin_production(self.group, self.name(version))
        assert found == (self.lock if self.lock.owner else Lock(self.group, "", 0, 0))

    @rule(version=VERSIONS)
    def pass_on_to_the_newest(self, version: int) -> None:
        waiting = self.ledger.queue(self.group)
        heir_version, heir = waiting[0] if waiting else (0, None)
        wanted = self.lock.owner == self.name(version)
        assert self.ledger.pass_lock(self.group, self.name(version), heir, heir_version) == wanted
        if wanted:
            self._owned_by(heir or "", heir_version)

    def _owned_by(self, owner: str, version: int) -> None:
        self.lock = Lock(self.group, owner, version, self.lock.fencing + 1)
        self.numbers.append(self.lock.fencing)

    @invariant()
    def there_is_one_owner_with_a_growing_number(self) -> None:
        assert self.ledger.lock_of(self.group) == (self.lock if self.lock.owner else None)
        assert self.numbers == sorted(set(self.numbers))
        assert not (self.lock.production_begun and self.lock.superseded_by)

    @invariant()
    def the_queue_has_the_newest_first(self) -> None:
        assert self.ledger.queue(self.group) == sorted(self.queue, reverse=True)


class LedgerMachine(OverALedger):
    """A wait is decided once, by whoever has its present token, and its first result stays.

    It is open until its result was delivered, and events find exactly the open ones. A release is unfinished from its opening to
    its last step, whatever is written about it; each version has one release for every attempt, and the latest is its release.
    """

    waits = Bundle("waits")

    def __init__(self) -> None:
        super().__init__()
        self.opened: dict[str, int] = {}
        self.finished: set[str] = set()
        self.stored: dict[tuple[str, str], Wait] = {}
        self.tokens = 0

    @rule(version=VERSIONS, attempt=st.integers(1, 3))
    def open(self, version: int, attempt: int) -> None:
        release_id = f"{self.group}-v{version}-a{attempt}"
        arn = f"arn:aws:sagemaker:eu-central-1:111111111111:model-package/{self.group}/{version}"
        latest = max((a for one, a in self.opened.items() if f"-v{version}-" in one), default=0)
        release = Release(release_id, self.group, version, attempt, arn, opened_at=OPENED)
        assert self.ledger.open(release) == (attempt > latest)
        if attempt > latest:
            self.opened[release_id] = attempt
        assert self.ledger.release_of(self.group, version) == f"{self.group}-v{version}-a{max(attempt, latest)}"

    @rule(target=waits, version=VERSIONS, state=st.sampled_from(STATES))
    def store(self, version: int, state: str) -> Wait:
        self.tokens += 1
        resource = f"arn:aws:sagemaker:::endpoint/{self.group}-{state}"
        wait = Wait(self.name(version), state, f"token-{self.tokens}", resources=(resource,))
        self.ledger.store_wait(wait)
        self.stored[wait.release_id, state] = wait
        return wait

    @rule(wait=waits, number=st.integers(0, 9))
    def settle(self, wait: Wait, number: int) -> None:
        known = self.stored[wait.release_id, wait.state]
        wanted = known.token == wait.token and not known.settled
        assert self.ledger.settle_wait(wait, {"output": {"number": number}}) == wanted
        if wanted:
            self.stored[wait.release_id, wait.state] = replace(
                known, settled=True, result={"output": {"number": number}}
            )

    @rule(wait=waits)
    def deliver(self, wait: Wait) -> None:
        known = self.stored[wait.release_id, wait.state]
        self.ledger.wait_delivered(wait)
        if known.token == wait.token:
            self.stored[wait.release_id, wait.state] = replace(known, delivered=True)

    @rule(wait=waits)
    def act(self, wait: Wait) -> None:
        known = self.stored[wait.release_id, wait.state]
        self.ledger.wait_acted(wait)
        if known.token == wait.token:
            self.stored[wait.release_id, wait.state] = replace(known, acted=True)

    @rule(version=VERSIONS)
    def give_up(self, version: int) -> None:
        """What closing does with whatever is still open."""
        world = InMemoryWorld()
        world.ledger = self.ledger  # type: ignore[assignment]
        give_up_waits(self.name(version), world)
        for place, wait in self.stored.items():
            if wait.release_id == self.name(version) and not wait.delivered:
                told = {"error": "States.TaskFailed", "cause": f"{wait.state} has ended otherwise"}
                result = wait.result if wait.settled else told
                self.stored[place] = replace(wait, settled=True, delivered=True, result=result)

    @rule(version=VERSIONS)
    def finish(self, version: int) -> None:
        self.ledger.finish(self.name(version))
        if self.name(version) in self.opened:
            self.finished.add(self.name(version))

    @invariant()
    def open_waits_are_those_not_delivered(self) -> None:
        for version in range(1, 5):
            mine = [wait for (one, _), wait in self.stored.items() if one == self.name(version) and not wait.delivered]
            assert self.ledger.open_waits(self.name(version)) == sorted(mine, key=lambda wait: wait.state)

    @invariant()
    def events_find_the_open_waits_and_no_other(self) -> None:
        for state in STATES:
            found = self.ledger.waits_on(f"ARN:aws:sagemaker:::endpoint/{self.group}-{state}")
            wanted = [wait for (_, one), wait in self.stored.items() if one == state and not wait.delivered]
            assert sorted(found, key=lambda wait: wait.release_id) == sorted(wanted, key=lambda wait: wait.release_id)

    @invariant()
    def unfinished_is_what_was_opened_and_not_finished(self) -> None:
        mine = {one for one in self.ledger.unfinished() if one.startswith(f"{self.group}-v")}
        assert mine == set(self.opened) - self.finished


PEOPLE = ("Ada", "Grace", "Linus")
PRINCIPAL = "arn:aws:iam::111111111111:role/{}"


@dataclass
class Asked:
    """What was asked about one release, and what came of it."""

    request: ApprovalRequest
    token: str
    counted: list[tuple[str, Answer]] = field(default_factory=list)
    ended: bool = False


class ApprovalMachine(OverALedger):
    """People, time and newer versions decide at any moment; the state machine is told one thing, once.

    Approved means that as many different people as the quorum asks for said yes, and nobody no; none of them made the version. One
    no ends it. What came after the end, after the expiry or from somebody else changes nothing and is refused. What the ledger has
    as the result is what the state machine was told.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = InMemoryWorld()
        self.world.ledger = self.ledger  # type: ignore[assignment]
        self.asked: dict[int, Asked] = {}

    @rule(version=VERSIONS, quorum=st.integers(1, 2), author=st.sampled_from(["", *PEOPLE]))
    def ask(self, version: int, quorum: int, author: str) -> None:
        if version in self.asked:
            return
        release_id = self.name(version)
        arn = f"arn:aws:sagemaker:eu-central-1:111111111111:model-package/{self.group}/{version}"
        self.ledger.open(Release(release_id, self.group, version, 1, arn, opened_at=OPENED, author=author))
        approvers = tuple(Approver(name=one, aws_principal=PRINCIPAL.format(one)) for one in PEOPLE)
        request = ApprovalRequest(release_id, "staging", "seal", quorum, approvers, author, OPENED, EXPIRES)
        token = f"token of {release_id}"
        self.world.tasks.issue(token)
        self.ledger.store_wait(Wait(release_id, "RequestStagingApproval", token, interruptible=True))
        assert self.ledger.ask(request, [])
        self.asked[version] = Asked(request, token)

    @rule(version=VERSIONS, person=st.sampled_from([*PEOPLE, "Mallory"]), answer=st.sampled_from(Answer))
    def decide(self, version: int, person: str, answer: Answer) -> None:
        asked = self.asked.get(version)
        try:
            decide_by_principal(self.name(version), PRINCIPAL.format(person), answer, "", self.world)
        except LockkeeperError:
            assert asked is None or asked.ended or not self._may(asked, person), (person, asked)
            return
        assert asked is not None
        assert not asked.ended
        assert self._may(asked, person)
        asked.counted.append((person, answer))
        asked.ended = answer is Answer.REJECT or len(asked.counted) >= asked.request.quorum

    def _may(self, asked: Asked, person: str) -> bool:
        known = person in PEOPLE and person != asked.request.author
        return known and person not in [one for one, _ in asked.counted]

    @rule(version=VERSIONS)
    def a_newer_version_supersedes(self, version: int) -> None:
        interrupt(self.name(version), "superseded by a newer version", self.world)
        self._ends(version)

    @rule(version=VERSIONS)
    def its_time_is_over(self, version: int) -> None:
        """The state ended with States.Timeout and its release was closed: the token is worth nothing, and no question is open."""
        if version in self.asked:
            self.world.tasks.withdraw(self.asked[version].token)
            self.ledger.close_requests(self.name(version))
            give_up_waits(self.name(version), self.world)
        self._ends(version)

    @rule(version=VERSIONS)
    def the_house_is_kept(self, version: int) -> None:
        for wait in self.ledger.open_waits(self.name(version)):
            if wait.settled:
                deliver(wait, wait.result, self.world)

    def _ends(self, version: int) -> None:
        if version in self.asked:
            self.asked[version].ended = True

    @invariant()
    def what_counts_is_what_was_accepted(self) -> None:
        for version, asked in self.asked.items():
            kept = self.ledger.request_of(self.name(version), "staging")
            assert kept is not None
            assert [(one.approver, one.answer) for one in kept.decisions] == asked.counted
            shown = [(one["approver"], one["answer"]) for one in self.ledger.get(self.name(version)).approvals]
            assert shown == [(person, str(answer)) for person, answer in asked.counted]

    @invariant()
    def approved_means_enough_different_people_and_no_no(self) -> None:
        for version, asked in self.asked.items():
            kept = self.ledger.request_of(self.name(version), "staging")
            assert kept is not None
            yes = {person for person, answer in asked.counted if answer is Answer.APPROVE}
            if kept.status is RequestStatus.APPROVED:
                assert len(yes) == len(asked.counted) == asked.request.quorum
                assert asked.request.author not in yes

    @invariant()
    def the_state_machine_was_told_what_the_ledger_says(self) -> None:
        for version, asked in self.asked.items():
            wait = self.ledger.wait_of(self.name(version), "RequestStagingApproval")
            assert wait is not None
            told: dict[str, Any] | None = self.world.tasks.results.get(asked.token)
            if told is not None:
                assert {name: told[name] for name in wait.result} == wait.result
            assert wait.settled == asked.ended
            if told == {"output": {}}:
                assert sum(answer is Answer.APPROVE for _, answer in asked.counted) == asked.request.quorum
            elif told is not None and told["error"] != ReleaseSuperseded.__name__:
                assert Answer.REJECT in [answer for _, answer in asked.counted]
