"""A decision is written down, and its function dies around the delivery: one look of KeepHouse delivers it, once."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeVar

import boto3

from cli.story.letter import open_page, press
from localcloud.fault_plan import Fault, When
from tests.conftest import Figure
from tests.e2e.test_nothing_stranded import eventually, letters
from tests.faults.yard import Yard

LANES = 3
"""How many releases go their way side by side: more would only start more sandboxes of each function."""
ROLE = "OutboxApprover"
ADDRESS = "outbox@example.com"
ASKS = (
    f"{{before: [staging], approvers: [{{name: Ada, email: {ADDRESS}, studio_profile: d-local/ada, "
    f"aws_principal: 'arn:aws:iam::111122223333:role/{ROLE}'}}]}}"
)
Result = TypeVar("Result")
STATE = "RequestStagingApproval"
TRIES = 3
"""How often Lambda tries an event. All are cut: a try that is left would deliver, and nothing would be left for KeepHouse."""
DECIDES = {"link": "ServeWeb", "cli": "ServeWeb", "registry": "ReactToRegistry"}
"""Which function writes down what is decided through a channel."""
TELLS = {"approve": "SendTaskSuccess", "reject": "SendTaskFailure"}
STATUSES = {"approve": "Approved", "reject": "Rejected"}


@dataclass(frozen=True)
class Case:
    """One version, and the decision about it: through which channel, which answer, and where its function is cut."""

    channel: str
    answer: str
    when: When

    @property
    def group(self) -> str:
        return f"outbox-{self.channel}-{self.answer}-{self.when}"

    @property
    def release_id(self) -> str:
        return f"{self.group}-v1-a1"

    @property
    def bakes(self) -> bool:
        """It was told, goes on, and has to be under way still when somebody looks after it."""
        return (self.answer, self.when) == ("approve", When.AFTER)

    @property
    def comes_to(self) -> str:
        if self.answer == "reject":
            return "rejected"
        return "baking" if self.bakes else "promoted"

    @property
    def tries(self) -> int:
        return TRIES if self.channel == "registry" else 1


CASES = [Case(*one) for one in product(DECIDES, TELLS, (When.BEFORE, When.AFTER))]
DECIDERS = ("ServeWeb", "ReactToRegistry")


def on_all(do: Callable[[Case], Result], cases: list[Case] = CASES, lanes: int = LANES) -> list[Result]:
    """Do something with many releases, side by side."""
    with ThreadPoolExecutor(lanes) as pool:
        return list(pool.map(do, cases))


class Ada:
    """Decides through each channel, once, whatever comes of it."""

    def __init__(self, yard: Yard) -> None:
        self._yard = yard
        self._person = yard.cloud.person(ROLE)
        user = yard.cloud.person(f"{ROLE}InStudio", "studio-ada", ("sagemaker:UpdateModelPackage",))
        session = boto3.Session(*user.values(), region_name="us-east-1")
        self._studio: Any = session.client("sagemaker", endpoint_url=yard.cloud.running.endpoint_url)

    def known_by(self, case: Case) -> str:
        """What the event of her decision contains."""
        if case.channel == "link":
            return self._link(case).rsplit("/", 1)[1]
        return case.release_id if case.channel == "cli" else f'model-package/{case.group}/1"'

    def decides(self, case: Case) -> None:
        if case.channel == "link":
            assert press(open_page(self._link(case)), case.answer, {"comment": "once"}).status >= 500
        elif case.channel == "cli":
            how = (case.answer, case.release_id, "--comment", "once")
            self._yard.cloud.lockkeeper(*how, person=self._person, expect=1)
        else:
            arn = self._yard.release(case.release_id).model_package_arn
            self._studio.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=STATUSES[case.answer])

    def _link(self, case: Case) -> str:
        return self._yard.link(case.release_id, ADDRESS)


def decide_and_cut(yard: Yard, case: Case, ada: Ada) -> None:
    """Ada decides, and the function dies around the delivery, at each of its tries."""
    yard.prepare(case.group, approval=ASKS)
    if case.bakes:
        yard.apply(case.group, bake="7d", approval=ASKS)
    yard.register(case.group, 1)
    yard.is_(case.release_id, "awaiting-approval")
    function, operation = yard.functions[DECIDES[case.channel]], f"sfn:{TELLS[case.answer]}"
    fault = Fault(
        case.release_id, function, case.when, (ada.known_by(case),), call=1, operation=operation, times=case.tries
    )
    yard.plan.add(fault)
    ada.decides(case)
    yard.happened(fault)
    eventually(lambda: given_up(yard, case))
    if case.when is When.BEFORE:
        yard.happened(fault, case.tries)


def after_the_cut(yard: Yard, case: Case) -> list[str]:
    """Wait until a release that was told has gone on as far as it goes before the look; what is wrong, in words."""
    if case.when is When.AFTER:
        yard.is_(case.release_id, case.comes_to)
    return wrong(yard, case, answers=int(case.when is When.AFTER))


def given_up(yard: Yard, case: Case) -> bool:
    """Whether the decision's event is not tried any more: it was tried as often as it is, or found its release ended."""
    meant = [one for one in yard.plan.invocations() if case.release_id in one["faults"]]
    event = next((one["event"] for one in meant if one["cut"]), None)
    tries = [one for one in meant if one["event"] == event]
    return bool(tries) and (len(tries) == case.tries or not tries[-1]["cut"])


def wrong(yard: Yard, case: Case, answers: int) -> list[str]:
    """What is wrong with what was decided about a release, and with how often its execution was answered."""
    decided = [(one["approver"], one["answer"], one["channel"]) for one in yard.release(case.release_id).approvals]
    found = answered(yard, case)
    problems = [] if found == answers else [f"{case.release_id} was answered {found} times, not {answers}"]
    if decided != [("Ada", case.answer, case.channel)]:
        problems.append(f"{case.release_id}: {decided}")
    return problems


def answered(yard: Yard, case: Case) -> int:
    """How often the question's task was answered, as the execution tells."""
    client, arn = yard.cloud.client("stepfunctions"), yard.cloud.execution_arn(case.release_id)
    pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
    state, count = "", 0
    for event in (event for page in pages for event in page["events"]):
        state = event.get("stateEnteredEventDetails", {}).get("name", state)
        count += state == STATE and event["type"] in ("TaskSucceeded", "TaskFailed")
    return count


def accepted(yard: Yard, *functions: str) -> int:
    """How many answers of these functions Step Functions has taken."""
    callers = tuple(f"/{yard.functions[one]}" for one in functions)
    actions = [f"states:{one}" for one in TELLS.values()]
    lines = (yard.cloud.running.logs / "calls.jsonl").read_text().splitlines()
    calls = [json.loads(line) for line in lines if "states:SendTask" in line]
    return sum(one["action"] in actions and one["status"] == 200 and one["caller"].endswith(callers) for one in calls)


def looked(yard: Yard) -> list[str]:
    """What a look of KeepHouse finds about these releases, and has done about it."""
    return sorted(f"{one['kind']}: {one['what']}" for one in yard.keep_house() if "outbox-" in one["what"])


def ends(yard: Yard, case: Case) -> list[str]:
    """What is wrong with the end of a release, or with where it bakes. For one whose flag still stands nobody waits."""
    if case.bakes:
        status = yard.release(case.release_id).status
        return [] if status == "baking" else [f"{case.release_id} is {status}"]
    wait = yard.ledger.wait_of(case.release_id, STATE)
    if wait is None or not wait.delivered:
        return [f"{case.release_id} is not delivered"]
    return yard.ends_as(case.release_id, case.comes_to)


def given_away(yard: Yard, case: Case) -> list[str]:
    """A bake of days is stopped, so that nothing of it stays."""
    yard.stop(case.release_id)
    return yard.ends_as(case.release_id, "failed")


def test_a_decision_whose_delivery_is_cut_is_delivered_by_the_next_look_once(yard: Yard, figure: Figure) -> None:
    ada = Ada(yard)
    earlier = accepted(yard, *DECIDERS), accepted(yard, "KeepHouse")
    on_all(lambda case: decide_and_cut(yard, case, ada))
    problems = on_all(lambda case: after_the_cut(yard, case))
    # Of those that were told and went on the flag still stands: they are told again, and Step Functions takes it no second time.
    flagged = sorted(f"{case.release_id}/{STATE}" for case in CASES if case.when is When.BEFORE or case.bakes)
    found = [one for one in looked(yard) if f"/{STATE}: " in one]
    not_ended = on_all(lambda case: ends(yard, case), lanes=len(CASES))
    again = looked(yard)
    taken = accepted(yard, *DECIDERS) - earlier[0], accepted(yard, "KeepHouse") - earlier[1]
    twice = [case for case in CASES if answered(yard, case) > 1]
    problems += not_ended + [wrong(yard, case, answers=1) for case in CASES]
    problems += on_all(lambda case: given_away(yard, case), [case for case in CASES if case.bakes])
    given_up_for_good = sum(len(yard.plan.fired(case.release_id)) == TRIES for case in CASES)
    eventually(lambda: letters(yard.cloud) >= given_up_for_good)
    yard.throw_letters_away()
    figure(
        "a crash between a decision and its delivery",
        f"{len(CASES)} decisions, {sum(map(bool, not_ended))} stranded, {len(twice)} delivered twice",
        "0 stranded",
    )
    said = [one for some in problems for one in some]
    assert said == [], "\n".join(said)
    assert found == [f"undelivered decision: {one}: delivered" for one in flagged]
    assert taken == (sum(case.when is When.AFTER for case in CASES), sum(case.when is When.BEFORE for case in CASES))
    assert again == []
