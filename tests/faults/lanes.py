"""Lanes of crashes: one kind of release after the other, each with its functions cut at the next call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum

from cli.story.letter import open_page, press
from localcloud.fault_plan import Fault, When
from tests.faults.fresh_cuts import cut_what_else_comes
from tests.faults.told import letters_left, wait_for_last_tries, wait_until_quiet
from tests.faults.training import Trainer
from tests.faults.yard import Yard
from tests.patience import ALL_DAY


class Side(StrEnum):
    """Which calls a lane cuts one after the other: every other one, before it, that is after the one before, up to the end. Or none."""

    ODD = "odd"
    EVEN = "even"
    NEVER = "never"

    @property
    def when(self) -> When:
        return When.NEVER if self is Side.NEVER else When.BEFORE

    @property
    def of_role(self) -> When:
        """The same of the call that takes a role, which comes within another."""
        return When.AFTER if self is Side.EVEN else self.when

    @property
    def calls(self) -> range:
        """The numbers of these calls; no function makes as many."""
        return range(2, 162, 2) if self is Side.EVEN else range(1, 161, 2)

    @property
    def rounds(self) -> Iterator[tuple[int, int]]:
        """The rounds of a lane, from 1, and the call that is cut in each."""
        return enumerate(self.calls, 1)


def prepare(yard: Yard, group: str, side: Side, **policy: str) -> None:
    """A lane's group, whose functions also die at what else they come to, unless it is a round in which nothing is cut."""
    yard.prepare(group, **policy)
    if side is not Side.NEVER:
        cut_what_else_comes(yard, group)


def forget(yard: Yard, group: str, prefix: str) -> list[str]:
    """What was planned under such names will not happen any more; once nothing is tried again that it is, or was, planned for.

    What is never made up for, in words.
    """
    try:
        wait_for_last_tries(yard, group)
    except AssertionError as error:
        return [str(error)]
    finally:
        yard.plan.drop(prefix)
    return []


def leave(yard: Yard, group: str) -> list[str]:
    """A lane is over: nothing of it goes on in the next; what is left, in words."""
    wait_until_quiet(yard, group)
    problems = forget(yard, group, f"{group}.")
    return problems + letters_left(yard, group) + yard.nothing_left(group)


def promote_with_cuts(yard: Yard, side: Side) -> list[str]:
    """One release after the other, each with every function cut at the next call, until no function makes that many.

    Like every lane it ends at its first problem: whoever comes after a release that is stuck would only wait for it.
    """
    group, problems = f"cut-{side}", []
    prepare(yard, group, side)
    for version, call in side.rounds:
        release_id = f"{group}-v{version}-a1"
        yard.cuts_of_a_promotion(release_id, side.when, call, roles=side.of_role if version == 1 else None)
        yard.register(group, version)
        problems += yard.ends_as(release_id, "promoted")
        # The next version's endpoint has the same name: cuts that did not happen would add up to its event's three tries.
        problems += forget(yard, group, f"{release_id}.production.")
        if yard.production_changes(group) != version:
            problems.append(
                f"{release_id}: production was changed {yard.production_changes(group)} times by {version} releases"
            )
        if problems or not yard.broke(release_id):
            break
    return problems + leave(yard, group)


def roll_back_with_cuts(yard: Yard, side: Side) -> list[str]:
    """First versions whose alarm goes off in the bake: the endpoint has to go. Then a champion, and versions that give way to it."""
    problems = []
    for kind in ("gone", "back"):
        group = f"{kind}-{side}"
        prepare(yard, group, side)
        yard.alarm(f"{group}-5xx", "OK")
        first = 1
        if kind == "back":
            yard.register(group, 1)
            problems += yard.ends_as(f"{group}-v1-a1", "promoted") + yard.changed_as_often(group, "a first promotion")
            first = 2
        yard.apply(group, bake="7d", more=f"  alarms: [{group}-5xx]\n")
        for version, call in enumerate(side.calls, first):
            problems += roll_one_back(
                yard, group, version, side.when, call, roles=side.of_role if version == first else None
            )
            if problems or not yard.broke(f"{group}-v{version}-a1"):
                break
        problems += leave(yard, group)
    return problems


def roll_one_back(yard: Yard, group: str, version: int, when: When, call: int, *, roles: When | None) -> list[str]:
    release_id = f"{group}-v{version}-a1"
    yard.cut(release_id, "RollBack", when, call, f'"{release_id}"')
    if roles:
        yard.cut_role(release_id, "RollBack", roles, f'"{release_id}"')
        yard.cut_role(release_id, "ResumeRelease", roles, f"{group}-5xx", "ALARM")
        yard.cut_role(release_id, "CloseRelease", roles, f'"{release_id}"')
    yard.cut(release_id, "ResumeRelease", when, call, f"{group}-5xx", "ALARM")
    yard.cut(f"{release_id}.back", "CloseRelease", when, call, f'"{release_id}"')
    yard.alarm(f"{group}-5xx", "OK")
    yard.register(group, version)
    yard.is_(release_id, "baking")
    # An alarm that the first look sees is no event's business, and the cuts of ResumeRelease would wait for the next version.
    yard.recorded(release_id, "looked at production")
    yard.alarm(f"{group}-5xx")
    problems = yard.ends_as(release_id, "rolled-back")
    # A later version's alarm is another event to the same function: cuts that did not happen would add up to its three tries.
    problems += forget(yard, group, f"{release_id}.")
    problems += yard.changed_as_often(
        group, "a way back" if version > 1 and "back" in group else "a first version's way back"
    )
    serving = "back" in group
    endpoints = yard.cloud.client("sagemaker").list_endpoints(NameContains=group)["Endpoints"]
    if bool([one for one in endpoints if one["EndpointStatus"] != "Deleting"]) != serving:
        problems.append(f"{release_id}: endpoints are {endpoints}")
    return problems


def decide_with_cuts(yard: Yard, side: Side) -> list[str]:
    """People say no, through the page and under their AWS identity in turn, and the function dies at the next call."""
    group, broke, problems = f"asked-{side}", False, []
    person = yard.cloud.person(f"Person-{side}")
    principal = f"arn:aws:iam::111122223333:role/Person-{side}"
    approvers = f"[{{name: Ada, email: ada-{side}@example.com, aws_principal: '{principal}'}}]"
    prepare(yard, group, side, approval=f"{{before: [staging], approvers: {approvers}}}")
    for version, call in enumerate((call for call in side.calls for _ in ("page", "command")), 1):
        release_id = f"{group}-v{version}-a1"
        yard.register(group, version)
        yard.is_(release_id, "awaiting-approval")
        link = yard.link(release_id, f"ada-{side}@example.com")
        if version % 2:
            yard.cut(release_id, "ServeWeb", side.when, call, link.rsplit("/", 1)[1], '"POST"')
            page = open_page(link)
            for _ in range(2):
                press(page, "reject", {"comment": "no"})
        else:
            yard.cut(release_id, "ServeWeb", side.when, call, release_id, '"POST"')
            for _ in range(2):
                decide_by_principal(yard, release_id, "reject", person)
        problems += yard.ends_as(release_id, "rejected")
        problems += yard.changed_as_often(group, "a rejection")
        broke = yard.broke(release_id) or (version % 2 == 0 and broke)
        decisions = yard.release(release_id).approvals
        if len(decisions) != 1:
            problems.append(f"{release_id} was decided {len(decisions)} times")
        if problems or (version % 2 == 0 and not broke):
            break
    return problems + leave(yard, group)


def decide_by_principal(yard: Yard, release_id: str, word: str, person: dict[str, str]) -> bool:
    """`lockkeeper approve` or `reject`; whether the command says that it went well."""
    with suppress(AssertionError):
        yard.cloud.lockkeeper(word, release_id, "--comment", "as always", person=person)
        return True
    return False


def reap_with_cuts(yard: Yard, side: Side) -> list[str]:
    """Executions that are stopped in their bake, and a function that dies twice while it cleans up after each."""
    group, problems = f"reaped-{side}", []
    prepare(yard, group, side)
    yard.apply(group, bake="7d")
    for version, calls in enumerate(zip(side.calls[::2], side.calls[1::2], strict=True), 1):
        release_id = f"{group}-v{version}-a1"
        yard.register(group, version)
        yard.is_(release_id, "baking")
        for call in calls:
            yard.cut(f"{release_id}.{call}", "ReapRelease", side.when, call, f'"{release_id}"', "ABORTED")
        if version == 1:
            yard.cut_role(release_id, "ReapRelease", side.of_role, f"lockkeeper-{release_id}-")
        yard.stop(release_id)
        problems += yard.ends_as(release_id, "failed") + yard.changed_as_often(group, "a stopped bake")
        problems += yard.nothing_left(group)
        if problems or not yard.broke(release_id):
            break
    return problems + leave(yard, group)


def keep_house_with_cuts(yard: Yard, side: Side) -> list[str]:
    """A decision that was not delivered, and a keeper of the house that dies at the next call; its next round comes."""
    group, problems = f"kept-{side}", []
    address = f"kept-{side}@example.com"
    prepare(yard, group, side, approval=f"{{before: [staging], approvers: [{{name: Ada, email: {address}}}]}}")
    for version, call in side.rounds:
        release_id = f"{group}-v{version}-a1"
        yard.register(group, version)
        yard.is_(release_id, "awaiting-approval")
        link = yard.link(release_id, address)
        yard.plan.add(
            Fault(
                f"{release_id}.web",
                yard.functions["ServeWeb"],
                When.BEFORE,
                (link.rsplit("/", 1)[1],),
                1,
                "sfn:SendTaskFailure",
            )
        )
        press(open_page(link), "reject", {"comment": "no"})
        yard.cut(release_id, "KeepHouse", side.when, call, release_id)
        for _ in range(2):
            yard.keep_house(round=release_id)
        problems += yard.ends_as(release_id, "rejected") + yard.changed_as_often(group, "a rejection")
        if problems or not yard.plan.fired(f"{release_id}.KeepHouse"):
            break
    return problems + leave(yard, group)


def train_with_cuts(yard: Yard, side: Side) -> list[str]:
    """Drift that trains anew and a training job, a version each; every function that hears of them dies at the next call."""
    group, problems = f"trained-{side}", []
    trainer = Trainer(yard, group, yard.folder_of(group))
    prepare(yard, group, side, production=f"{ALL_DAY['production']}{trainer.policy}")
    yard.register(group, 1)
    problems += yard.ends_as(f"{group}-v1-a1", "promoted") + yard.changed_as_often(group, "a first promotion")
    with trainer.pipeline():
        for this, call in side.rounds:
            name, retrained, trained = f"{group}.{this}", f"{group}-v{2 * this}-a1", f"{group}-v{2 * this + 1}-a1"
            yard.cut(name, "ReactToDrift", side.when, call, f'"{group}-finding-{this}"')
            yard.cut(f"{name}.pipeline", "ReactToTraining", side.when, call, f"pipeline/{group}-train")
            yard.cut(f"{name}.promoted", "ReactToDrift", side.when, call, f'"{retrained}"')
            yard.cut(f"{name}.promoted", "StartDriftMonitor", side.when, call, f'"{retrained}"')
            yard.cut(f"{name}.job", "ReactToTraining", side.when, call, f"training-job/{group}-job-{this}")
            yard.cut(f"{name}.look", "StartDriftMonitor", side.when, call, f'"{name}"')
            number = trainer.held_drift()
            trainer.let_go()
            problems += yard.ends_as(retrained, "promoted") + trainer.comes_to(number, "helped")
            problems += trainer.looks(name)
            trainer.train(this)
            problems += yard.ends_as(trained, "promoted")
            made = (trainer.executions(), trainer.versions())
            if made != (this, 2 * this + 1):
                problems.append(f"{name}: {made[0]} executions and {made[1]} versions")
            problems += yard.changed_as_often(group, "a training")
            problems += forget(yard, group, f"{name}.")
            if problems or not yard.broke(name):
                break
    return problems + leave(yard, group)
