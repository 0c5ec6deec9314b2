"""What happens in a town: releases are asked about, baked, stopped and rolled back, and drift trains anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from cli.story.letter import open_page, press
from localcloud.fault_plan import Fault, When
from tests.faults.fresh_cuts import TOLD, cut_more
from tests.faults.lanes import decide_by_principal, roll_one_back
from tests.faults.told import (
    LONG_ENOUGH,
    LOOKS,
    ROUNDS,
    TIMES_TOLD,
    News,
    at_once,
    keep_house,
    keep_house_until,
    missed,
    tell,
    told,
    told_at_once,
    unheard,
    wait_until_through,
)
from tests.faults.training import Trainer
from tests.faults.yard import Yard
from tests.patience import ALL_DAY

PRESSED = 8
"""How often somebody presses a button at most."""
OTHER_GROUPS = 3
"""Of how many more a decision is delivered by who keeps the house."""
BROKEN = 500
"""Where the statuses of a page begin that broke."""
SLOW = 3.0
"""Seconds in which a release begins that somebody else is slow to ask about."""
STEPS = "sagemaker:ListPipelineExecutionSteps"
"""How a version is known as that of a retraining."""
QUEUES = "dynamodb:PutItem"
"""How a release says that it waits for the lock, before it tries to have that."""
BETWEEN_TRIES = 6.0
"""Seconds in which somebody reads a mail and answers."""
SENDS = "sfn:SendTaskSuccess"
"""How a state that waits is told to go on."""


def a_question(person: dict[str, str], yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """A question gives way to a newer one, which is approved; two more wait for its lock; it fails, and the newest is rejected."""
    yard.alarm(f"{group}-5xx", "OK")
    older = yard.register(group, next(versions))
    yard.is_(older, "awaiting-approval")
    chosen = yard.register(group, next(versions))
    problems = yard.ends_as(older, "superseded")
    yard.is_(chosen, "awaiting-approval")
    for _ in range(PRESSED):
        if decide_by_principal(yard, chosen, "approve", person):
            break
    yard.is_(chosen, "baking")
    yard.recorded(chosen, "looked at production")
    passed_over = yard.register(group, next(versions))
    yard.is_(passed_over, "waiting-for-lock")
    newest = yard.register(group, next(versions))
    yard.is_(newest, "waiting-for-lock")
    keep_house(yard, group)
    yard.alarm(f"{group}-5xx")
    problems += yard.ends_as(chosen, "rolled-back") + yard.ends_as(passed_over, "superseded")
    return problems + reject(yard, newest)


def a_drift(trainer: Trainer, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """The house is kept while a pipeline takes its time and while its version waits; that, and two training jobs', are rejected."""
    number = trainer.held_drift()
    keep_house(yard, group)
    trainer.let_go()
    retrained = f"{group}-v{next(versions)}-a1"
    yard.is_(retrained, "awaiting-approval")
    keep_house(yard, group, housekeeping={"cleanup": True})
    problems = reject(yard, retrained) + trainer.comes_to(number, "did not help") + resume_retraining(yard, group)
    for job in (2 * number, 2 * number + 1):
        trainer.train(job)
        problems += reject(yard, f"{group}-v{next(versions)}-a1")
    return problems + trainer.looks(f"{group}-{number}")


def an_unheard_drift(trainer: Trainer, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """As `a_drift`, and nobody hears of the pipeline's end, of what it registered, of the decision, or of the training job."""
    number, retrained, trained = held_drift(trainer, group, versions)
    name = f"{group}-{number}"
    with (
        unheard(yard, f"{name}.version", "ReactToRegistry", f"model-package/{group}/"),
        unheard(yard, f"{name}.pipeline", "ReactToTraining", f"pipeline/{group}-train"),
        unheard(yard, f"{name}.job", "ReactToTraining", f"training-job/{group}-job-{2 * number}"),
    ):
        trainer.let_go()
        keep_house_until(yard, retrained, "awaiting-approval")
        with unheard(yard, f"{name}.end", "ReactToDrift", f'"{retrained}"'):
            problems = reject(yard, retrained)
            keep_house(yard, group)
            problems += trainer.comes_to(number, "did not help")
        problems += resume_retraining(yard, group)
        trainer.train(2 * number)
        keep_house_until(yard, trained, "awaiting-approval")
        return problems + reject(yard, trained)


def held_drift(trainer: Trainer, group: str, versions: Iterator[int]) -> tuple[int, str, str]:
    """A drift whose pipeline takes its time: its number, and the releases of what it and then a training job register."""
    return trainer.held_drift(), f"{group}-v{next(versions)}-a1", f"{group}-v{next(versions)}-a1"


def resume_retraining(yard: Yard, group: str) -> list[str]:
    """`lockkeeper resume-retraining`, and again where the function behind it died; what is wrong, in words."""
    reason = f"more is to come {next(ROUNDS)}"
    for _ in range(PRESSED):
        with suppress(AssertionError):
            yard.cloud.lockkeeper("resume-retraining", group, "--reason", reason)
            return []
    return [f"{group}: retraining was not resumed"]


def a_first_version(groups: Iterator[int], yard: Yard, group: str, _: Iterator[int]) -> list[str]:
    """The first version of another group, whose alarm goes off in the bake: its endpoint goes."""
    group = f"{group}-first-{next(groups)}"
    yard.prepare(group)
    yard.alarm(f"{group}-5xx", "OK")
    yard.apply(group, bake="7d", more=f"  alarms: [{group}-5xx]\n")
    return roll_one_back(yard, group, 1, When.NEVER, 1, roles=None) + yard.nothing_left(group)


def a_promotion(versions: Iterator[int], yard: Yard, group: str, _: Iterator[int]) -> list[str]:
    """The next version of another group, whose policy asks nobody, is promoted."""
    group = f"{group}-next"
    problems = yard.ends_as(yard.register(group, next(versions)), "promoted")
    return problems + yard.changed_as_often(group, "a promotion of another group")


def others_of(group: str) -> list[str]:
    """Groups whose questions Ada is asked as well: several decisions are left to who keeps the house, who dies at the first of them."""
    return [f"{group}-too-{number}" for number in range(OTHER_GROUPS)]


def undelivered_decisions(others: Iterator[int], yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """Some groups' versions are rejected, and nobody tells their executions but who keeps the house."""
    version, releases = next(others), [yard.register(group, next(versions))]
    releases += [yard.register(other, version) for other in others_of(group)]
    for release_id in releases:
        yard.is_(release_id, "awaiting-approval")
    for release_id in releases:
        reject_unheard(yard, release_id, f"{group}@example.com")
    for release_id in releases:
        keep_house_until(yard, release_id, "rejected")
    return [one for release_id in releases for one in yard.ends_as(release_id, "rejected")]


def an_overtaken_decision(yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """A version is rejected and nobody tells its execution; a newer one that takes its place finds that, and tells it."""
    older = yard.register(group, next(versions))
    yard.is_(older, "awaiting-approval")
    reject_unheard(yard, older, f"{group}@example.com")
    newer = yard.register(group, next(versions))
    return yard.ends_as(older, "rejected") + reject(yard, newer)


def a_crowded_question(yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """Ada says no twice at the same moment: it counts once."""
    asked = yard.register(group, next(versions))
    yard.is_(asked, "awaiting-approval")
    pressed = yard.link(asked, f"{group}@example.com").rsplit("/", 1)[1], '"POST"'
    with LOOKS.none():
        _, raced = at_once(yard, group, "ServeWeb", pressed, 2, partial(answer, yard, asked, "reject", TIMES_TOLD))
    problems = yard.ends_as(asked, "rejected")
    if not raced:
        problems.append(f"{asked}: nobody decided at the same moment")
    if (decided := len(yard.release(asked).approvals)) != 1:
        problems.append(f"{asked}: {decided} decisions count")
    return problems


def a_decision_between_tries(yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """Who asked dies when all is asked, and Ada says no before the next try has begun: that goes by what she said."""
    version = next(versions)
    asked, target = f"{group}-v{version}-a1", yard.functions["RequestApproval"]
    died = Fault(f"{asked}.died", target, When.BEFORE, (f'"{asked}"',), 1, "eventbridge:PutEvents")
    late = Fault(f"{asked}.late", target, When.HELD, (f'"{asked}"',), 1, times=TOLD, seconds=BETWEEN_TRIES)
    yard.plan.add(died, late)
    yard.register(group, version)
    yard.happened(died)
    answer(yard, asked, "reject")
    problems = yard.ends_as(asked, "rejected")
    yard.plan.drop(late.name)
    return problems


def a_lock_for_another(yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """A release comes late to the lock: who keeps the house takes it for the release meanwhile."""
    version = next(versions)
    opened, target = f"{group}-v{version}-a1", yard.functions["OpenRelease"]
    late = Fault(f"{opened}.late", target, When.HELD, (f'"{opened}"',), 1, QUEUES, seconds=LONG_ENOUGH)
    yard.plan.add(late)
    yard.register(group, version)
    yard.happened(late)
    keep_house(yard, group)
    return reject(yard, opened)


def a_stop(yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """One is stopped in its bake, and the one that waits for its lock is asked about and rejected."""
    stopped, heir = baking_with_heir(yard, group, versions)
    yard.stop(stopped)
    return yard.ends_as(stopped, "failed") + a_late_try(yard, stopped) + reject(yard, heir)


def a_crowded_rollback(yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """Several hear of a bake's alarm at the same moment, and who hands on the lock afterwards dies before it tells the heir."""
    baking, heir = baking_with_heir(yard, group, versions)
    wait_until_through(yard, "WatchProduction", baking)  # Who dies looks once more, and would see the alarm by itself.
    telling = Fault(f"{group}.{baking}", yard.functions["CloseRelease"], When.BEFORE, (f'"{baking}"',), 1, SENDS)
    yard.plan.add(telling)
    alarm = f"{group}-5xx", '"ALARM"'
    with LOOKS.none():
        problems = told_at_once(yard, group, missed(yard, group, alarm, partial(yard.alarm, f"{group}-5xx")))
    problems += yard.ends_as(baking, "rolled-back") + reject(yard, heir)
    if not yard.plan.fired(telling.name):
        problems.append(f"{baking}: nobody died before {heir} was told")
    return problems


def a_crowded_promotion(groups: Iterator[int], yard: Yard, group: str, _: Iterator[int]) -> list[str]:
    """Several hear at the same moment that staging of another group's first version is in service; and then that its bake is over."""
    other = f"{group}-crowd-{next(groups)}"
    yard.prepare(other)
    yard.apply(other, bake="7d")
    promoted = f"{other}-v1-a1"
    in_service = f':endpoint/lockkeeper-{promoted}-staging"', '"IN_SERVICE"'
    with LOOKS.none():
        event = missed(yard, group, in_service, partial(yard.register, other, 1))
        # DeployToStaging finds it in service by itself, where it dies after it has started it.
        problems = told_at_once(yard, group, event, by_nobody_else=False)
    wait_until_through(yard, "WatchProduction", promoted)  # Who dies begins the bake once more, and then it ends later.
    wait = yard.ledger.wait_of(promoted, "WatchProduction")
    over = {"release_id": promoted, "state": "WatchProduction", "at": wait.deadline if wait else ""}
    with LOOKS.none():
        problems += told_at_once(yard, group, {"deadline": over})
    problems += yard.ends_as(promoted, "promoted") + yard.changed_as_often(other, "a first version in a crowd")
    return problems + yard.nothing_left(other)


def a_missed_alarm(yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """An alarm goes on when production was changed and nobody waits for it yet: the bake's own first look finds it."""
    yard.alarm(f"{group}-5xx", "OK")
    baking = yard.register(group, next(versions))
    yard.is_(baking, "awaiting-approval")
    begins = Fault(f"{group}.{baking}", yard.functions["WatchProduction"], When.BEFORE, (f'"{baking}"',), 1)
    yard.plan.add(begins)
    answer(yard, baking, "approve")
    yard.happened(begins)
    yard.alarm(f"{group}-5xx")
    return yard.ends_as(baking, "rolled-back")


def a_told_stop(yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """As `a_stop`, and ReapRelease hears by hand that the execution has ended, that production is back, and that staging is gone."""
    stopped, heir = baking_with_heir(yard, group, versions)
    news: list[News] = [
        ("ReapRelease", (f'"{stopped}"', '"ABORTED"'), ""),
        ("ReapRelease", (f':endpoint/{group}"', '"IN_SERVICE"'), ""),
        ("ReapRelease", (f':endpoint/lockkeeper-{stopped}-staging"', '"DELETED"'), ""),
    ]
    problems = an_early_deadline(yard, group, stopped)
    problems += told(yard, group, stopped, news, partial(yard.stop, stopped))
    return problems + yard.ends_as(stopped, "failed") + reject(yard, heir)


def a_told_drift(trainer: Trainer, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """As `a_drift`, and who reacts to its version, its pipeline's end, the decision and a training job hears of it by hand."""
    number, retrained, trained = held_drift(trainer, group, versions)
    name, job = f"{group}-told-{number}", 2 * number
    trains: list[News] = [
        # The release has begun by the time it hears whose version that is.
        ("ReactToRegistry", (f"model-package/{group}/",), STEPS),
        ("ReactToTraining", (f"pipeline/{group}-train", "SageMaker Training Job State Change"), ""),
        ends_of(group),
    ]
    problems = told(yard, group, name, trains, trainer.let_go)
    yard.is_(retrained, "awaiting-approval")
    if not yard.release(retrained).made_by:
        problems.append(f"{retrained} does not know why it was made")
    ends: list[News] = [("ReactToDrift", (f'"{retrained}"', "Release Rejected"), "")]
    problems += told(yard, group, retrained, ends, partial(answer, yard, retrained, "reject"))
    problems += yard.ends_as(retrained, "rejected") + trainer.comes_to(number, "did not help")
    problems += resume_retraining(yard, group)
    trains_again: list[News] = [("ReactToTraining", (f"training-job/{group}-job-{job}",), "")]
    problems += told(yard, group, f"{name}.job", trains_again, partial(trainer.train, job)) + reject(yard, trained)
    for asked in ({"group": group}, {}):
        this = f"{group}-look-{next(ROUNDS)}"
        if not asked:
            trainer.lose_schedules()
        with cut_more(yard, group, "StartDriftMonitor", this):
            problems += tell(yard, "StartDriftMonitor", {"drift_monitor": asked, "round": this})
    return problems


def a_slow_start(trainer: Trainer, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """Who starts the release of a drift's version asks so late whose it is that the release has begun, and did not know; and tells it."""
    number, retrained = trainer.held_drift(), f"{group}-v{next(versions)}-a1"
    about = (f"model-package/{group}/",)
    reacts, name = yard.functions["ReactToRegistry"], f"{group}.{retrained}.late"
    late = Fault(name, reacts, When.HELD, about, 1, STEPS, seconds=SLOW)
    problems: list[str] = []

    def starts_slowly() -> None:
        yard.plan.add(late)
        trainer.let_go()
        yard.happened(late)
        yard.is_(retrained, "awaiting-approval")
        yard.recorded(retrained, "made by a retraining")

    problems += told(yard, group, name, [ends_of(group)], starts_slowly) + reject(yard, retrained)
    return problems + trainer.comes_to(number, "did not help") + resume_retraining(yard, group)


def a_told_end(trainer: Trainer, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """A drift's version is rejected before anybody hears that its pipeline has ended, and whose it is; who does hears that by hand."""
    number, retrained = trainer.held_drift(), f"{group}-v{next(versions)}-a1"
    problems: list[str] = []

    def end() -> None:
        trainer.let_go()
        problems.extend(reject(yard, retrained))

    news: list[News] = [ends_of(group), ("ReactToRegistry", (f"model-package/{group}/",), STEPS)]
    problems += told(yard, group, f"{group}-end-{number}", news, end)
    if not yard.release(retrained).made_by:
        problems.append(f"{retrained} does not know why it was made")
    return problems + trainer.comes_to(number, "did not help") + resume_retraining(yard, group)


def a_told_first_stop(groups: Iterator[int], yard: Yard, group: str, _: Iterator[int]) -> list[str]:
    """The first version of another group is stopped in its bake, and ReapRelease hears by hand of that and of both endpoints' end."""
    other = f"{group}-told-{next(groups)}"
    yard.prepare(other)
    yard.apply(other, bake="7d")
    stopped = yard.register(other, 1)
    yard.is_(stopped, "baking")
    news: list[News] = [
        ("ReapRelease", (f'"{stopped}"', '"ABORTED"'), ""),
        ("ReapRelease", (f':endpoint/{other}"', '"DELETED"'), ""),
        ("ReapRelease", (f':endpoint/lockkeeper-{stopped}-staging"', '"DELETED"'), ""),
    ]
    problems = told(yard, group, stopped, news, partial(yard.stop, stopped))
    problems += yard.ends_as(stopped, "failed") + yard.changed_as_often(other, "a first version's stop")
    return problems + yard.nothing_left(other)


def a_told_promotion(trainer: Trainer, groups: Iterator[int], yard: Yard, group: str, _: Iterator[int]) -> list[str]:
    """The first version of another group is promoted, and who begins to look at its traffic hears of that by hand."""
    other = f"{group}-watched-{next(groups)}"
    yard.prepare(other, production=f"{ALL_DAY['production']}{trainer.policy}")
    promoted = f"{other}-v1-a1"
    news: list[News] = [("StartDriftMonitor", (f'"{promoted}"', "Release Promoted"), "")]
    problems = told(yard, group, promoted, news, partial(yard.register, other, 1))
    yard.apply(other)  # Nobody looks any more.
    problems += tell(yard, "StartDriftMonitor", {"drift_monitor": {}, "round": f"{other} is done"})
    problems += yard.ends_as(promoted, "promoted") + yard.changed_as_often(other, "a first watched version")
    return problems + yard.nothing_left(other)


def ends_of(group: str) -> News:
    """That a pipeline has ended."""
    about = f"pipeline/{group}-train", "SageMaker Model Building Pipeline Execution Status Change"
    return ("ReactToTraining", about, "")


def a_told_finding(trainer: Trainer, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """A drift, and who reacts to it hears by hand of what it has started when that has ended; before anybody hears of the end."""
    retrained, number = f"{group}-v{next(versions)}-a1", trainer.next_number

    def end_soon() -> None:
        trainer.hold()
        assert trainer.drift() == number
        trainer.end_pipeline()
        yard.is_(retrained, "awaiting-approval")

    news: list[News] = [
        ("ReactToDrift", (f'"{trainer.finding(number)}"',), "sagemaker:DescribePipelineExecution"),
        ends_of(group),
    ]
    problems = told(yard, group, f"{group}-finding-{number}", news, end_soon)
    problems += reject(yard, retrained) + trainer.comes_to(number, "did not help")
    return problems + resume_retraining(yard, group)


def an_unheard_stop(yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """As `a_stop`, and only who keeps the house finds out."""
    stopped, heir = baking_with_heir(yard, group, versions)
    with unheard(yard, stopped, "ReapRelease", f'"{stopped}"', '"ABORTED"'):
        yard.stop(stopped)
        keep_house_until(yard, stopped, "failed")
    return yard.ends_as(stopped, "failed") + reject(yard, heir)


def an_unheard_release(operation: str, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """Nobody hears that an endpoint is ready, nor the alarm in the bake; or who does dies before each call of an operation."""
    yard.alarm(f"{group}-5xx", "OK")
    chosen = yard.register(group, next(versions))
    with unheard(yard, chosen, "ResumeRelease", group, operation=operation):
        yard.is_(chosen, "awaiting-approval")
        answer(yard, chosen, "approve")
        keep_house_until(yard, chosen, "baking")
        yard.recorded(chosen, "looked at production")
        heir = yard.register(group, next(versions))
        yard.is_(heir, "waiting-for-lock")
        yard.alarm(f"{group}-5xx")
        keep_house_until(yard, chosen, "rolled-back")
    return yard.ends_as(chosen, "rolled-back") + reject(yard, heir)


def baking_with_heir(yard: Yard, group: str, versions: Iterator[int]) -> tuple[str, str]:
    """A release that bakes, and one that waits for its lock."""
    yard.alarm(f"{group}-5xx", "OK")
    baking = yard.register(group, next(versions))
    yard.is_(baking, "awaiting-approval")
    answer(yard, baking, "approve")
    yard.is_(baking, "baking")
    heir = yard.register(group, next(versions))
    yard.is_(heir, "waiting-for-lock")
    return baking, heir


def an_early_deadline(yard: Yard, group: str, release_id: str) -> list[str]:
    """ResumeRelease is called, until it does not die, at a deadline that was put off since; what is wrong, in words."""
    at = f"2020-01-01T00:00:00.{next(ROUNDS):06d}Z"
    deadline = {"release_id": release_id, "state": "WatchProduction", "at": at}
    with cut_more(yard, group, "ResumeRelease", at):
        return tell(yard, "ResumeRelease", {"deadline": deadline})


def a_late_try(yard: Yard, release_id: str) -> list[str]:
    """WatchProduction was under way when the execution was stopped, and comes when all is over; what is wrong, in words."""
    for _ in range(TIMES_TOLD):
        said = yard.invoke("WatchProduction", {"release_id": release_id, "token": "of nobody"}) or {}
        if said.get("errorType") == "LockLost":
            return []
    return [f"{release_id}: a late try ended with {said}"]


def reject(yard: Yard, release_id: str) -> list[str]:
    """A release comes to its question, and Ada says no; what is wrong, in words."""
    yard.is_(release_id, "awaiting-approval")
    answer(yard, release_id, "reject")
    return yard.ends_as(release_id, "rejected")


def reject_unheard(yard: Yard, release_id: str, address: str) -> None:
    """Ada says no, and the page breaks when that is written and nobody was told."""
    link = yard.link(release_id, address)
    with unheard(yard, release_id, "ServeWeb", link.rsplit("/", 1)[1], operation="sfn:SendTaskFailure"):
        for _ in range(PRESSED):
            page = open_page(link)
            if page.status < BROKEN:
                press(page, "reject", {"comment": "as always"})
            if yard.release(release_id).approvals:
                return
    raise AssertionError(f"{release_id}: the decision was not written in {PRESSED} times")


def answer(yard: Yard, release_id: str, word: str, pressed: int = PRESSED) -> None:
    """Ada presses the button, and again where the page broke."""
    link = yard.link(release_id, f"{release_id.rpartition('-v')[0]}@example.com")
    pages = (open_page(link) for _ in range(pressed))
    page = next(page for page in pages if page.status < BROKEN)
    for _ in range(pressed):
        if press(page, word, {"comment": "as always"}).status < BROKEN:
            return
    raise AssertionError(f"{release_id}: the page broke {pressed} times")
