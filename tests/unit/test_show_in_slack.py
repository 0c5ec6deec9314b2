"""One message for each release, whatever tells of it: in any order, twice, at once, and while Slack is down."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from lockkeeper.adapters.in_memory import InMemorySlack
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.errors import (
    AlreadyDecided,
    DecisionRefused,
    NotPermitted,
    RequestClosed,
    SlackRefused,
    UnknownRelease,
)
from lockkeeper.domain.events import Unusable
from lockkeeper.domain.release import Status
from lockkeeper.domain.slack_press import Press, Shown
from lockkeeper.ports_of_slack import PostedMessage
from lockkeeper.use_cases.decide_approval import decide_by_slack
from lockkeeper.use_cases.notify import notify
from lockkeeper.use_cases.show_in_slack import TAKEN

from tests.conftest import Figure
from tests.unit.harbour import Harbour, release_id
from tests.unit.slack_stage import (
    ADA,
    GRACE,
    STRANGER,
    button_of,
    event_of,
    events_of,
    newest_message,
    press_on,
    said_in,
    tell_all,
    with_slack,
)


@pytest.fixture
def harbour() -> Harbour:
    return Harbour()


@pytest.fixture
def slack(harbour: Harbour) -> InMemorySlack:
    return with_slack(harbour)


@pytest.fixture
def asked(harbour: Harbour, slack: InMemorySlack) -> InMemorySlack:
    """Version 1 waits for a decision, and its message says so."""
    harbour.register(1)
    tell_all(harbour)
    return slack


def test_the_message_is_posted_when_people_are_asked(asked: InMemorySlack) -> None:
    (message,) = asked.messages.values()
    assert button_of(message) is not None
    assert "may it go to staging?" in said_in(message)


def test_nothing_is_posted_before_somebody_is_asked(harbour: Harbour, slack: InMemorySlack) -> None:
    harbour.register(1)
    opened = [event for event in events_of(harbour) if event["detail-type"] == "Release Opened"]
    harbour.world.ledger._requests.clear()  # As it is while the release is judged.
    notify(opened[0], harbour.inside)
    assert slack.messages == {}


def test_what_ends_without_a_question_is_told_at_its_end(harbour: Harbour, slack: InMemorySlack) -> None:
    harbour.register(1, accuracy=0.1)
    tell_all(harbour)
    (message,) = slack.messages.values()
    assert "✖ failed" in said_in(message)
    assert button_of(message) is None


def test_one_message_follows_a_release_to_its_end(harbour: Harbour, asked: InMemorySlack) -> None:
    decide_by_slack(press_on(newest_message(asked), ADA), harbour.inside)
    harbour.settle()
    tell_all(harbour)
    assert "▷ serves, and is watched" in said_in(newest_message(asked))
    assert "✓ approved by Ada" in said_in(newest_message(asked))
    assert button_of(newest_message(asked)) is None
    harbour.traffic()
    harbour.pass_time(minutes=11)
    tell_all(harbour)
    assert "✔ promoted" in said_in(newest_message(asked))
    assert len(asked.messages) == 1
    assert harbour.release(1).approvals[0]["channel"] == "slack"


def test_the_same_event_again_changes_nothing(harbour: Harbour, asked: InMemorySlack) -> None:
    for _ in range(3):
        tell_all(harbour)
    assert len(asked.history) == 1


def test_every_order_of_events_ends_with_what_is_true(figure: Figure) -> None:
    harbour = Harbour()
    slack = with_slack(harbour)
    harbour.register(1)
    harbour.approve()
    harbour.traffic()
    harbour.pass_time(minutes=11)
    events = events_of(harbour)
    assert len(events) >= 4
    wrong, orders = 0, 0
    for order in itertools.permutations([*events, events[-1]]):
        harbour.world.ledger._messages.clear()
        slack.messages.clear()
        for event in order:
            notify(event, harbour.inside)
        orders += 1
        (message,) = slack.messages.values()
        wrong += "✔ promoted" not in said_in(message)
    figure("Messages in Slack that show an earlier state, over every order of events", f"{wrong} of {orders}", "0")
    assert wrong == 0


def test_a_late_event_never_brings_the_button_back(harbour: Harbour, asked: InMemorySlack) -> None:
    question = [event for event in events_of(harbour) if event["detail-type"] == "Approval Requested"]
    harbour.decide(Answer.REJECT)
    tell_all(harbour)
    notify(question[0], harbour.inside)
    assert button_of(newest_message(asked)) is None


def at_once(actions: list[Callable[[], Any]]) -> None:
    barrier = Barrier(len(actions))

    def begin(action: Callable[[], Any]) -> None:
        barrier.wait()
        action()

    with ThreadPoolExecutor(len(actions)) as pool:
        list(pool.map(begin, actions))


def test_events_at_the_same_moment_post_one_message(figure: Figure) -> None:
    posted, rounds, stale = 0, 40, 0
    for _ in range(rounds):
        harbour = Harbour()
        slack = with_slack(harbour)
        harbour.register(1)
        harbour.decide(Answer.REJECT)
        events = events_of(harbour)
        at_once([lambda event=event, harbour=harbour: notify(event, harbour.inside) for event in events * 2])
        posted += len(slack.messages)
        stale += "✖ rejected" not in said_in(newest_message(slack))
    figure(
        "Messages of a release told by several at once",
        f"{posted} in {rounds} rounds, {stale} stale",
        "1 each, 0 stale",
    )
    assert (posted, stale) == (rounds, 0)


class ChangingSlack(InMemorySlack):
    """While a message is posted, something happens."""

    happens: Callable[[], None] | None = None

    def post(self, message: dict[str, Any]) -> PostedMessage:
        posted = super().post(message)
        happens, self.happens = self.happens, None
        if happens:
            happens()
        return posted


def test_what_happens_while_a_message_is_posted_is_shown_by_who_posts_it(harbour: Harbour) -> None:
    with_slack(harbour)
    slack = harbour.world.slack = ChangingSlack(harbour.world.clock)
    harbour.register(1)

    def somebody_rejects() -> None:
        harbour.decide(Answer.REJECT)
        notify(events_of(harbour)[-1], harbour.inside)

    slack.happens = somebody_rejects
    notify(events_of(harbour)[-1], harbour.inside)
    assert len(slack.messages) == 1
    assert "✖ rejected" in said_in(newest_message(slack))


def test_who_dies_with_the_message_holds_it_for_a_while_only(harbour: Harbour, slack: InMemorySlack) -> None:
    harbour.register(1)
    now = harbour.world.clock.now()
    harbour.world.ledger.want_slack_message(release_id(1))
    assert harbour.world.ledger.take_slack_message(release_id(1), now + TAKEN)
    tell_all(harbour)
    assert slack.messages == {}
    harbour.world.clock.advance(TAKEN)
    tell_all(harbour)
    assert len(slack.messages) == 1


def test_a_crash_between_posting_and_noting_leaves_one_message_more_at_most(
    harbour: Harbour, slack: InMemorySlack
) -> None:
    harbour.register(1)
    posted = slack.post
    slack.post = lambda message: (posted(message), _die())[0]  # type: ignore[method-assign]
    with pytest.raises(SystemError):
        tell_all(harbour)
    slack.post = posted  # type: ignore[method-assign]
    tell_all(harbour)
    tell_all(harbour)
    assert len(slack.messages) == 2


def _die() -> None:
    raise SystemError("the sandbox is gone")


def test_a_message_that_somebody_deleted_is_posted_anew(harbour: Harbour, asked: InMemorySlack) -> None:
    asked.messages.clear()
    harbour.decide(Answer.REJECT)
    tell_all(harbour)
    (message,) = asked.messages.values()
    assert "✖ rejected" in said_in(message)


def test_a_slack_that_is_down_keeps_nobody_from_mails_and_no_release_from_its_way(
    harbour: Harbour, slack: InMemorySlack
) -> None:
    slack.down = True
    harbour.promote(1)
    assert harbour.release(1).status is Status.PROMOTED
    before = len(harbour.world.mail.letters)
    told = [event for event in events_of(harbour) if event["detail-type"].startswith("Release ")]
    for event in told:
        for _ in range(3):  # Lambda's tries.
            with pytest.raises(SlackRefused, match="Slack is down"):
                notify(event, harbour.inside)
    assert len(harbour.world.mail.letters) == before + len(told)
    slack.down = False
    notify(told[0], harbour.inside)
    assert len(harbour.world.mail.letters) == before + len(told)
    assert "✔ promoted" in said_in(newest_message(slack))


def test_without_slack_mails_are_sent_and_the_ledger_is_not_asked(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.world.ledger.remembers = None  # type: ignore[assignment, method-assign]
    before = len(harbour.world.mail.letters)
    answers = [notify(event, harbour.inside) for event in events_of(harbour)]
    refused = [one.reason for one in answers if isinstance(one, Unusable)]
    assert refused == [f"Approval {what} is told in Slack, which is not used" for what in ("Requested", "Decided")]
    assert len(harbour.world.mail.letters) == before + 2


REFUSED = [
    (STRANGER, {}, NotPermitted, "you are no approver of this release"),
    (ADA, {"author": ADA}, NotPermitted, "Ada made this version"),
    (ADA, {"author": "ada@example.com"}, NotPermitted, "Ada made this version"),
]


@pytest.mark.parametrize(("user", "facts", "error", "reason"), REFUSED, ids=["a stranger", "by Slack id", "by e-mail"])
def test_who_may_not_decide_is_told_so_alone(
    harbour: Harbour,
    slack: InMemorySlack,
    user: str,
    facts: dict[str, Any],
    error: type[DecisionRefused],
    reason: str,
) -> None:
    harbour.register(1, **facts)
    tell_all(harbour)
    with pytest.raises(error, match=reason):
        decide_by_slack(press_on(newest_message(slack), user), harbour.inside)
    assert harbour.release(1).approvals == ()
    tell_all(harbour)
    ((whom, whisper),) = slack.whispers
    assert whom == user
    assert reason in said_in(whisper)
    assert "Nothing was changed" in said_in(whisper)
    assert button_of(newest_message(slack)) is not None


def test_the_second_approver_is_told_who_decided(harbour: Harbour, asked: InMemorySlack) -> None:
    seen = newest_message(asked)
    decide_by_slack(press_on(seen, ADA), harbour.inside)
    for user, said in ((GRACE, "was approved by Ada"), (ADA, "Ada has decided already")):
        with pytest.raises(AlreadyDecided, match=said):
            decide_by_slack(press_on(seen, user), harbour.inside)
    assert len(harbour.release(1).approvals) == 1


def test_a_superseded_release_says_what_became_of_it(harbour: Harbour, asked: InMemorySlack) -> None:
    seen = newest_message(asked)
    harbour.register(2)
    assert harbour.release(1).status is Status.SUPERSEDED
    with pytest.raises(RequestClosed):
        decide_by_slack(press_on(seen, ADA), harbour.inside)
    told = harbour.published("Approval Refused")[-1]
    assert "the release is superseded: superseded by wages-v2-a1" in told["reason"]
    assert harbour.release(1).approvals == ()


def test_an_expired_question_is_closed(harbour: Harbour, asked: InMemorySlack) -> None:
    seen = newest_message(asked)
    harbour.pass_time(hours=73)
    with pytest.raises(RequestClosed):
        decide_by_slack(press_on(seen, ADA), harbour.inside)


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (Shown("wages-v1-a1", "staging", "ab"), "showed other evidence"),
        (Shown("wages-v1-a1", "production", "ab"), "nobody is asked"),
    ],
)
def test_a_message_that_is_not_about_the_question_counts_for_nothing(
    harbour: Harbour, asked: InMemorySlack, shown: Shown, reason: str
) -> None:
    with pytest.raises(RequestClosed, match=reason):
        decide_by_slack(Press(ADA, shown), harbour.inside)
    assert harbour.release(1).approvals == ()


def test_a_release_that_is_not_known_is_nobodys(harbour: Harbour, slack: InMemorySlack) -> None:
    with pytest.raises(UnknownRelease):
        decide_by_slack(Press(ADA, Shown("nobody-v1-a1", "staging", "ab")), harbour.inside)


def test_two_must_approve_and_the_message_counts_them(harbour: Harbour) -> None:
    slack = with_slack(harbour, quorum=2)
    harbour.register(1)
    tell_all(harbour)
    assert "2 must approve" in said_in(newest_message(slack))
    decide_by_slack(press_on(newest_message(slack), ADA), harbour.inside)
    tell_all(harbour)
    assert "✓ approved by Ada" in said_in(newest_message(slack))
    assert button_of(newest_message(slack)) is not None
    decide_by_slack(press_on(newest_message(slack), GRACE), harbour.inside)
    harbour.settle()
    tell_all(harbour)
    assert button_of(newest_message(slack)) is None
    assert [one["approver"] for one in harbour.release(1).approvals] == ["Ada", "Grace"]


def test_a_refusal_is_whispered_to_members_alone(harbour: Harbour, asked: InMemorySlack) -> None:
    decide = Press(STRANGER, Shown(release_id(1), "staging", "ab"))
    with pytest.raises(RequestClosed):
        decide_by_slack(decide, harbour.inside)
    told = harbour.published("Approval Refused")[-1]
    for person in ("", "everybody", "<!channel>", None):
        notify(event_of(99, "Approval Refused", {**told, "person": person}), harbour.inside)
    assert asked.whispers == []


def test_shuffled_repeated_events_of_many_releases_leave_one_message_each() -> None:
    harbour = Harbour()
    slack = with_slack(harbour)
    for version in range(1, 6):
        harbour.register(version)
    events = [event for event in events_of(harbour) for _ in range(3)]
    random.Random(7).shuffle(events)
    for event in events:
        notify(event, harbour.inside)
    assert len(slack.messages) == 5
