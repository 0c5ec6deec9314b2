"""What every ledger does. `test_in_memory_ledger.py` and `tests/contract/test_dynamodb_ledger.py` run all of it over theirs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from lockkeeper.adapters.in_memory.messages import BEGINNING
from lockkeeper.domain.approval import Answer, ApprovalRequest, Decision, PersonalLink, RequestStatus, grant, revoke
from lockkeeper.domain.errors import TryAgain, UnknownRelease
from lockkeeper.domain.lock import Lock
from lockkeeper.domain.policy import Approver
from lockkeeper.domain.release import ENDED, Outcome, Pin, Pins, Release, Status, Verdict
from lockkeeper.ports import Champion, Ledger, Meter, Wait
from lockkeeper.ports_of_slack import PostedMessage, SlackMessage

ARN = "arn:aws:sagemaker:eu-central-1:111111111111:model-package/wages/1"
NOW = "2026-11-24T09:00:00.000Z"
LATER = "2026-11-27T09:00:00.000Z"
FIRST = Release("wages-v1-a1", "wages", 1, 1, ARN, opened_at=NOW, execution_arn="execution/1", author="lin")
WAIT = Wait(
    "wages-v1-a1", "DeployToStaging", "token-1", resources=("arn:Endpoint/A", "arn:endpoint/b"), details={"n": 1}
)
ADA = Approver(name="Ada", email="ada@example.com")
GRACE = Approver(name="Grace", aws_principal="arn:aws:iam::111111111111:role/Grace")
REQUEST = ApprovalRequest("wages-v1-a1", "staging", "seal", 1, (ADA, GRACE), "lin", NOW, LATER)


def decision(approver: str, answer: Answer = Answer.APPROVE) -> Decision:
    return Decision(approver, answer, "looks good", "link", NOW)


def test_a_release_comes_back_as_it_was_opened(ledger: Ledger) -> None:
    assert ledger.open(FIRST)
    kept = ledger.get(FIRST.release_id)
    assert replace(kept, meters={}) == FIRST
    assert kept.meters == {"transitions": 0, "invocations": 0, "gb_seconds": 0}


def test_duplicate_open_is_refused_and_changes_nothing(ledger: Ledger) -> None:
    ledger.open(FIRST)
    ledger.record(FIRST.release_id, "went on", "", status=Status.TESTING)
    assert not ledger.open(replace(FIRST, author="somebody else"))
    assert (ledger.get(FIRST.release_id).author, ledger.get(FIRST.release_id).status) == ("lin", Status.TESTING)


def test_unknown_release_is_named(ledger: Ledger) -> None:
    with pytest.raises(UnknownRelease, match="nobody"):
        ledger.get("nobody")
    with pytest.raises(UnknownRelease, match="nobody"):
        ledger.record("nobody", "what", "why")
    ledger.meter("nobody", Meter(transitions=1))
    with pytest.raises(UnknownRelease, match="nobody"):
        ledger.get("nobody")


@pytest.mark.parametrize("ended", sorted(ENDED))
def test_a_release_that_has_ended_goes_on_no_more(ledger: Ledger, ended: Status) -> None:
    ledger.open(FIRST)
    ledger.record(FIRST.release_id, "went on", "", status=Status.BAKING)
    ledger.record(FIRST.release_id, "ended", "", status=ended)
    with pytest.raises(TryAgain, match=f"it is {ended}"):
        ledger.record(FIRST.release_id, "went on", "", status=Status.BAKING, stage="WatchProduction")
    kept = ledger.get(FIRST.release_id)
    assert (kept.status, kept.stage) == (ended, "OpenRelease")
    assert [entry.what for entry in kept.timeline] == ["went on", "ended"]
    ledger.record(FIRST.release_id, "taken back", "", status=Status.ROLLED_BACK, stage="RollBack")
    assert ledger.get(FIRST.release_id).status is Status.ROLLED_BACK


def test_the_latest_attempt_is_the_release_of_a_version(ledger: Ledger) -> None:
    assert ledger.release_of("wages", 1) is None
    ledger.open(FIRST)
    second = replace(FIRST, release_id="wages-v1-a2", attempt=2)
    assert ledger.open(second)
    assert ledger.release_of("wages", 1) == "wages-v1-a2"
    assert not ledger.open(replace(FIRST, release_id="late-first", attempt=1))
    assert ledger.release_of("wages", 1) == "wages-v1-a2"
    assert ledger.release_of("wages", 2) is None
    assert ledger.versions("wages") == {1}
    assert ledger.versions("others") == set()


def test_releases_are_listed_newest_first(ledger: Ledger) -> None:
    ledger.open(FIRST)
    ledger.open(replace(FIRST, release_id="wages-v2-a1", version=2, opened_at="2026-11-24T10:00:00.000Z"))
    other = replace(FIRST, release_id="prices-v1-a1", model_package_group="prices", opened_at=LATER)
    ledger.open(other)
    assert [one.release_id for one in ledger.releases()] == ["prices-v1-a1", "wages-v2-a1", "wages-v1-a1"]
    assert [one.release_id for one in ledger.releases("wages")] == ["wages-v2-a1", "wages-v1-a1"]


def test_a_record_changes_fields_and_adds_to_the_timeline(ledger: Ledger) -> None:
    ledger.open(FIRST)
    pins = Pins((Pin("s3://a/b", "s3://c/d", "ab", 7),), ("image@sha256:1",), {"version_id": "v"}, {"judged": "s"})
    verdicts = (
        Verdict("quality: a", Outcome.PASSED, "0.8 meets >= 0.7", 0.8, ">= 0.7"),
        Verdict("contract", Outcome.FAILED, "„nein“", "1 of 2", None),
        Verdict("quality: b", Outcome.INCONCLUSIVE, "nothing there"),
    )
    endpoints = {"staging": {"endpoint_name": "e"}, "production": {"previous_config_name": None}}
    ledger.record(FIRST.release_id, "sealed", "because", pins=pins, verdicts=verdicts, endpoints=endpoints)
    ledger.record(
        FIRST.release_id, "ended", "", status=Status.FAILED, reason="no", ended_at=LATER, stage="CloseRelease"
    )
    kept = ledger.get(FIRST.release_id)
    assert (kept.pins, kept.verdicts, kept.endpoints) == (pins, verdicts, endpoints)
    assert (kept.status, kept.reason, kept.ended_at, kept.stage) == (Status.FAILED, "no", LATER, "CloseRelease")
    assert [(entry.what, entry.why) for entry in kept.timeline] == [("sealed", "because"), ("ended", "")]
    assert kept.timeline[0].at.endswith("Z")


def test_what_is_found_out_about_a_release_at_different_times_leaves_each_other_alone(ledger: Ledger) -> None:
    ledger.open(FIRST)
    latency = {"latency": {"p50": 4.0, "p95": 8.0, "requests": 200}}
    for found in ({"made_by": "wages-r1: exp drifted"}, {"about": {"risk": "low"}}, {"measured": latency}):
        ledger.record(FIRST.release_id, "found", "", **found)
    told = {"risk": "low", **latency, "retraining": "wages-r1: exp drifted"}
    assert ledger.get(FIRST.release_id).told == told
    assert ledger.get(FIRST.release_id).to_json()["about"] == told


def test_a_release_is_unfinished_until_it_is_finished_whatever_its_status(ledger: Ledger) -> None:
    ledger.open(FIRST)
    ledger.open(replace(FIRST, release_id="wages-v2-a1", version=2, opened_at="2026-11-24T10:00:00.000Z"))
    ledger.record(FIRST.release_id, "closing", "", ending={"error": "GateFailed", "restored": False})
    ledger.record(FIRST.release_id, "failed", "", status=Status.FAILED)
    assert ledger.unfinished() == ["wages-v1-a1", "wages-v2-a1"]
    assert ledger.get(FIRST.release_id).unfinished
    ledger.finish(FIRST.release_id)
    ledger.finish("nobody")
    assert ledger.unfinished() == ["wages-v2-a1"]
    kept = ledger.get(FIRST.release_id)
    assert (kept.unfinished, kept.ending) == (False, {"error": "GateFailed", "restored": False})


def test_meters_add_up(ledger: Ledger) -> None:
    ledger.open(FIRST)
    ledger.meter(FIRST.release_id, Meter(1, 1, 0.125))
    ledger.meter(FIRST.release_id, Meter(2, 1, 0.0625))
    meters = ledger.get(FIRST.release_id).meters
    assert (meters["transitions"], meters["invocations"]) == (3, 2)
    assert meters["gb_seconds"] == pytest.approx(0.1875)


def test_what_was_read_is_a_copy(ledger: Ledger) -> None:
    ledger.open(FIRST)
    ledger.record(FIRST.release_id, "x", "", endpoints={"staging": {"endpoint_name": "e"}})
    ledger.get(FIRST.release_id).endpoints["staging"]["endpoint_name"] = "changed by the reader"
    assert ledger.get(FIRST.release_id).endpoints["staging"]["endpoint_name"] == "e"


def test_a_wait_is_found_by_its_resources_in_any_case(ledger: Ledger) -> None:
    ledger.store_wait(WAIT)
    assert ledger.wait_of(WAIT.release_id, WAIT.state) == WAIT
    assert ledger.waits_on("ARN:endpoint/a") == ledger.waits_on("arn:endpoint/B") == [WAIT]
    assert ledger.waits_on("arn:endpoint/c") == []
    assert ledger.wait_of(WAIT.release_id, "other") is None


def test_a_wait_is_settled_once(ledger: Ledger) -> None:
    ledger.store_wait(WAIT)
    assert ledger.settle_wait(WAIT, {"output": {"first": True}})
    assert not ledger.settle_wait(WAIT, {"output": {"second": True}})
    kept = ledger.wait_of(WAIT.release_id, WAIT.state)
    assert kept == replace(WAIT, settled=True, result={"output": {"first": True}})
    assert ledger.waits_on("arn:endpoint/a") == [kept]


@pytest.mark.parametrize("ending", ["settled", "stored again"])
def test_what_is_said_of_a_wait_that_has_ended_is_not_written(ledger: Ledger, ending: str) -> None:
    ledger.open(FIRST)
    ledger.store_wait(WAIT)
    assert ledger.record(FIRST.release_id, "waits", "", waiting=WAIT, status=Status.WAITING_FOR_LOCK)
    if ending == "settled":
        ledger.settle_wait(WAIT, {"output": {}})
    else:
        ledger.store_wait(replace(WAIT, token="token-2"))
    assert ledger.record(FIRST.release_id, "went on", "", status=Status.TESTING)
    assert not ledger.record(FIRST.release_id, "is late", "", waiting=WAIT, status=Status.OPEN)
    kept = ledger.get(FIRST.release_id)
    assert (kept.status, [entry.what for entry in kept.timeline]) == (Status.TESTING, ["waits", "went on"])
    ledger.record(FIRST.release_id, "ended", "", status=Status.FAILED)
    with pytest.raises(TryAgain, match="it is failed"):
        ledger.record(FIRST.release_id, "is late", "", waiting=WAIT, status=Status.OPEN)


def test_an_old_token_settles_nothing(ledger: Ledger) -> None:
    assert not ledger.settle_wait(WAIT, {"output": {}})
    ledger.store_wait(WAIT)
    newer = replace(WAIT, token="token-2")
    ledger.store_wait(newer)
    assert not ledger.settle_wait(WAIT, {"output": {}})
    ledger.wait_delivered(WAIT)
    assert ledger.wait_of(WAIT.release_id, WAIT.state) == newer
    assert ledger.settle_wait(newer, {"output": {}})


def test_a_wait_is_postponed_by_one_of_many_and_not_once_it_was_decided(ledger: Ledger) -> None:
    wait = replace(WAIT, deadline=NOW)
    ledger.store_wait(wait)
    assert ledger.postpone_wait(wait, LATER)
    assert not ledger.postpone_wait(wait, "2027-01-01T00:00:00.000Z")
    postponed = replace(wait, deadline=LATER)
    assert ledger.wait_of(wait.release_id, wait.state) == postponed
    assert not ledger.postpone_wait(replace(postponed, token="another"), NOW)
    assert ledger.settle_wait(wait, {"output": {}})
    assert not ledger.postpone_wait(postponed, NOW)


def test_a_plan_goes_on_by_one_of_many_and_not_once_its_wait_was_decided(ledger: Ledger) -> None:
    wait = replace(WAIT, step="shadow up")
    ledger.store_wait(wait)
    after = replace(wait, step="shadowing", details={"config_name": "c", "since": NOW}, deadline=LATER, acted=True)
    assert not ledger.advance_wait(replace(wait, token="another"), after)
    assert ledger.advance_wait(wait, after)
    assert not ledger.advance_wait(wait, after)
    assert ledger.wait_of(wait.release_id, wait.state) == after
    assert ledger.settle_wait(after, {"output": {}})
    assert not ledger.advance_wait(after, replace(after, step="shift"))


def test_what_was_done_for_an_earlier_step_counts_as_done(ledger: Ledger) -> None:
    wait = replace(WAIT, step="shadow up")
    ledger.store_wait(wait)
    ledger.wait_acted(wait)
    assert ledger.advance_wait(wait, replace(wait, step="shift", acted=False))
    stored = ledger.wait_of(wait.release_id, wait.state)
    assert stored is not None
    assert (stored.step, stored.acted) == ("shift", False)


def test_storing_a_wait_again_opens_it_again(ledger: Ledger) -> None:
    ledger.store_wait(WAIT)
    ledger.settle_wait(WAIT, {"output": {}})
    ledger.wait_delivered(WAIT)
    newer = replace(WAIT, token="token-2")
    ledger.store_wait(newer)
    assert ledger.waits_on("arn:endpoint/a") == [newer]


def test_a_wait_is_open_until_it_was_delivered(ledger: Ledger) -> None:
    other = Wait("wages-v1-a1", "WatchProduction", "token-2", deadline=LATER, interruptible=True)
    ledger.store_wait(WAIT)
    ledger.store_wait(other)
    ledger.store_wait(replace(other, release_id="wages-v2-a1"))
    assert ledger.open_waits("wages-v1-a1") == [WAIT, other]
    ledger.settle_wait(WAIT, {"output": {}})
    assert [wait.state for wait in ledger.open_waits("wages-v1-a1")] == ["DeployToStaging", "WatchProduction"]
    ledger.wait_delivered(WAIT)
    assert ledger.open_waits("wages-v1-a1") == [other]
    assert ledger.waits_on("arn:endpoint/a") == ledger.waits_on("arn:endpoint/b") == []


def test_the_lock_has_one_owner(ledger: Ledger) -> None:
    assert ledger.lock_of("wages") is None
    assert ledger.take_lock("wages", "first", 1) == Lock("wages", "first", 1, 1)
    assert ledger.take_lock("wages", "second", 2).owner == "first"
    assert ledger.take_lock("wages", "first", 1) == ledger.lock_of("wages") == Lock("wages", "first", 1, 1)
    assert ledger.take_lock("prices", "other", 7).owner == "other"


def test_only_the_owner_passes_the_lock_and_each_owner_has_a_higher_number(ledger: Ledger) -> None:
    ledger.take_lock("wages", "first", 1)
    assert not ledger.pass_lock("wages", "second", None)
    assert ledger.pass_lock("wages", "first", "second", 2)
    assert ledger.lock_of("wages") == Lock("wages", "second", 2, 2)
    assert ledger.pass_lock("wages", "second", None)
    assert ledger.lock_of("wages") is None
    assert ledger.take_lock("wages", "third", 3).fencing == 4
    assert not ledger.pass_lock("nobody", "first", None)


def test_a_superseded_release_cannot_begin_production(ledger: Ledger) -> None:
    lock = ledger.take_lock("wages", "first", 1)
    assert ledger.supersede(lock, "second")
    after = ledger.begin_production("wages", "first")
    assert (after.production_begun, after.superseded_by) == (False, "second")


def test_a_release_in_production_cannot_be_superseded(ledger: Ledger) -> None:
    lock = ledger.take_lock("wages", "first", 1)
    assert ledger.begin_production("wages", "first").production_begun
    assert ledger.begin_production("wages", "first").production_begun
    assert not ledger.supersede(lock, "second")
    assert ledger.lock_of("wages").superseded_by == ""  # type: ignore[union-attr]


def test_an_old_look_at_the_lock_supersedes_nobody(ledger: Ledger) -> None:
    lock = ledger.take_lock("wages", "first", 1)
    ledger.pass_lock("wages", "first", "second", 2)
    assert not ledger.supersede(lock, "third")
    assert ledger.begin_production("wages", "first").owner == "second"
    assert ledger.begin_production("nobody", "first").owner == ""


def test_a_new_owner_starts_with_a_clean_lock(ledger: Ledger) -> None:
    lock = ledger.take_lock("wages", "first", 1)
    ledger.supersede(lock, "second")
    ledger.pass_lock("wages", "first", "second", 2)
    assert ledger.lock_of("wages") == Lock("wages", "second", 2, 2)


def test_the_queue_has_the_newest_first_and_each_once(ledger: Ledger) -> None:
    for version in (9, 10, 9):
        ledger.queue_for_lock("wages", f"wages-v{version}-a1", version)
    assert ledger.queue("wages") == [(10, "wages-v10-a1"), (9, "wages-v9-a1")]
    ledger.leave_queue("wages", "wages-v10-a1", 10)
    ledger.leave_queue("wages", "wages-v10-a1", 10)
    assert ledger.queue("wages") == [(9, "wages-v9-a1")]
    assert ledger.queue("prices") == []


def test_the_champion_is_who_was_crowned_last(ledger: Ledger) -> None:
    assert ledger.champion("wages") is None
    ledger.crown(Champion("wages", 1, "wages-v1-a1", "wages", "config-1", NOW))
    second = Champion("wages", 2, "wages-v2-a1", "wages", "config-2", LATER)
    ledger.crown(second)
    assert ledger.champion("wages") == second


def test_a_release_that_is_opened_again_is_unfinished_once_more(ledger: Ledger) -> None:
    ledger.open(FIRST)
    ledger.record(FIRST.release_id, "promoted", "", status=Status.PROMOTED, ending={"error": ""})
    ledger.finish(FIRST.release_id)
    assert (ledger.unfinished(), ledger.get(FIRST.release_id).unfinished) == ([], False)
    ledger.record(FIRST.release_id, "promotion withdrawn", "", ending={}, unfinished=True)
    opened = ledger.get(FIRST.release_id)
    assert (ledger.unfinished(), opened.unfinished, opened.ending) == ([FIRST.release_id], True, {})
    ledger.finish(FIRST.release_id)
    assert ledger.unfinished() == []


def test_a_question_and_its_links_come_back(ledger: Ledger) -> None:
    link = PersonalLink("ab12", "wages-v1-a1", "staging", "Ada", LATER, "seal")
    request = replace(REQUEST, one_of_each=("risk", "operations"), remind_every=3600)
    ledger.ask(request, [link])
    assert ledger.request_of("wages-v1-a1", "staging") == request
    assert ledger.request_of("wages-v1-a1", "production") is None
    assert (ledger.link("ab12"), ledger.link("cd34")) == (link, None)


def test_a_reminder_is_taken_once_and_its_links_are_kept(ledger: Ledger) -> None:
    links = [PersonalLink(digest, "wages-v1-a1", "staging", "Ada", LATER, "seal") for digest in ("ab12", "cd34")]
    assert ledger.reminded_at("wages-v1-a1", "staging") == ""
    assert ledger.remind(REQUEST, "", NOW, links[:1])
    assert not ledger.remind(REQUEST, "", LATER, links[1:])
    assert ledger.reminded_at("wages-v1-a1", "staging") == NOW
    assert ledger.remind(REQUEST, NOW, LATER, [])
    assert (ledger.link("ab12"), ledger.link("cd34")) == (links[0], None)


def test_a_decision_settles_the_wait_in_one_write(ledger: Ledger) -> None:
    ledger.open(FIRST)
    ledger.ask(REQUEST, [])
    ledger.store_wait(WAIT)
    approved = grant(REQUEST, decision("Ada"), NOW)
    assert ledger.decide(REQUEST, approved, replace(WAIT, settled=True, result={"output": {"yes": 1}}))
    kept = ledger.wait_of(WAIT.release_id, WAIT.state)
    assert kept == replace(WAIT, settled=True, result={"output": {"yes": 1}})
    assert ledger.request_of("wages-v1-a1", "staging") == approved
    assert ledger.get("wages-v1-a1").approvals == ({"before": "staging", **decision("Ada").to_json()},)


def test_of_two_decisions_on_the_same_question_one_is_refused(ledger: Ledger) -> None:
    ledger.open(FIRST)
    ledger.ask(REQUEST, [])
    ledger.store_wait(WAIT)
    settled = replace(WAIT, settled=True, result={"output": {}})
    assert ledger.decide(REQUEST, grant(REQUEST, decision("Ada"), NOW), settled)
    rejected = grant(REQUEST, decision("Grace", Answer.REJECT), NOW)
    assert not ledger.decide(REQUEST, rejected, replace(settled, result={"error": "ReleaseRejected"}))
    assert [one["approver"] for one in ledger.get("wages-v1-a1").approvals] == ["Ada"]
    assert ledger.wait_of(WAIT.release_id, WAIT.state).result == {"output": {}}  # type: ignore[union-attr]


def test_a_decision_whose_wait_has_ended_is_not_written(ledger: Ledger) -> None:
    ledger.open(FIRST)
    ledger.ask(REQUEST, [])
    ledger.store_wait(WAIT)
    ledger.settle_wait(WAIT, {"error": "ReleaseSuperseded", "cause": ""})
    assert not ledger.decide(REQUEST, grant(REQUEST, decision("Ada"), NOW), replace(WAIT, settled=True, result={}))
    assert ledger.request_of("wages-v1-a1", "staging") == REQUEST
    assert ledger.get("wages-v1-a1").approvals == ()


def test_a_decision_on_what_was_read_before_a_revocation_is_not_written(ledger: Ledger) -> None:
    ledger.open(FIRST)
    ledger.ask(REQUEST, [])
    void = revoke(REQUEST, "Ada", "Grace", NOW)
    assert ledger.decide(REQUEST, void, None)
    assert ledger.request_of("wages-v1-a1", "staging") == void
    assert not ledger.decide(REQUEST, grant(REQUEST, decision("Ada"), NOW), None)
    assert not ledger.ask(REQUEST, []), "whoever asks again has not seen it"
    assert ledger.decide(void, grant(void, decision("Grace"), NOW), None)
    assert [one["approver"] for one in ledger.get("wages-v1-a1").approvals] == ["Grace"]


def test_decisions_of_a_quorum_are_kept_in_order(ledger: Ledger) -> None:
    ledger.open(FIRST)
    both = replace(REQUEST, quorum=2)
    ledger.ask(both, [])
    one = grant(both, decision("Ada"), NOW)
    assert ledger.decide(both, one, None)
    assert not ledger.decide(both, grant(both, decision("Grace"), NOW), None)
    assert ledger.decide(one, grant(one, decision("Grace"), NOW), None)
    assert [kept["approver"] for kept in ledger.get("wages-v1-a1").approvals] == ["Ada", "Grace"]


def test_decisions_before_staging_and_production_are_both_shown(ledger: Ledger) -> None:
    ledger.open(FIRST)
    for before in ("staging", "production"):
        asked = replace(REQUEST, before=before)
        ledger.ask(asked, [])
        assert ledger.decide(asked, grant(asked, decision("Ada"), NOW), None)
    assert [one["before"] for one in ledger.get("wages-v1-a1").approvals] == ["staging", "production"]


def test_closing_ends_open_questions_only(ledger: Ledger) -> None:
    ledger.open(FIRST)
    decided, pending = REQUEST, replace(REQUEST, before="production")
    ledger.ask(decided, [])
    ledger.ask(pending, [])
    ledger.decide(decided, grant(decided, decision("Ada"), NOW), None)
    ledger.close_requests("wages-v1-a1")
    statuses = [ledger.request_of("wages-v1-a1", before).status for before in ("staging", "production")]  # type: ignore[union-attr]
    assert statuses == [RequestStatus.APPROVED, RequestStatus.CLOSED]
    assert not ledger.decide(pending, grant(pending, decision("Ada"), NOW), None)


def test_a_note_is_taken_once(ledger: Ledger) -> None:
    until = BEGINNING + timedelta(minutes=10)
    assert not ledger.remembers("slack v0=ab")
    assert ledger.remember("slack v0=ab", until)
    assert not ledger.remember("slack v0=ab", until)
    assert ledger.remembers("slack v0=ab")
    assert ledger.remember("slack v0=AB", until)
    assert ledger.remember("x" * 10_000, until)


def test_a_slack_message_comes_back_as_it_was_noted(ledger: Ledger) -> None:
    assert ledger.slack_message("wages-v1-a1") == SlackMessage("wages-v1-a1")
    ledger.want_slack_message("wages-v1-a1")
    ledger.want_slack_message("wages-v1-a1")
    posted = PostedMessage("C024BE91L", "1764147600.000001")
    ledger.slack_message_shows("wages-v1-a1", posted, "ab")
    assert ledger.slack_message("wages-v1-a1") == SlackMessage("wages-v1-a1", 2, posted, "ab")
    assert ledger.slack_message("wages-v2-a1") == SlackMessage("wages-v2-a1")


def test_a_slack_message_has_one_writer_until_it_is_left(ledger: Ledger) -> None:
    later = BEGINNING + timedelta(seconds=45)
    ledger.want_slack_message("wages-v1-a1")
    assert ledger.take_slack_message("wages-v1-a1", later)
    assert not ledger.take_slack_message("wages-v1-a1", later)
    assert ledger.take_slack_message("wages-v2-a1", later)
    assert ledger.leave_slack_message("wages-v1-a1", 1)
    assert ledger.take_slack_message("wages-v1-a1", later)
    ledger.drop_slack_message("wages-v1-a1")
    assert ledger.take_slack_message("wages-v1-a1", later)


def test_a_slack_message_that_was_wanted_meanwhile_is_not_left(ledger: Ledger) -> None:
    later = BEGINNING + timedelta(seconds=45)
    ledger.want_slack_message("wages-v1-a1")
    assert ledger.take_slack_message("wages-v1-a1", later)
    ledger.want_slack_message("wages-v1-a1")
    assert not ledger.leave_slack_message("wages-v1-a1", 1)
    assert not ledger.take_slack_message("wages-v1-a1", later)
    assert ledger.leave_slack_message("wages-v1-a1", 2)


def test_a_slack_message_whose_writer_died_is_taken_after_its_time(ledger: Ledger) -> None:
    assert ledger.take_slack_message("wages-v1-a1", BEGINNING)
    assert ledger.take_slack_message("wages-v1-a1", BEGINNING + timedelta(seconds=45))
    assert not ledger.take_slack_message("wages-v1-a1", BEGINNING + timedelta(seconds=45))
