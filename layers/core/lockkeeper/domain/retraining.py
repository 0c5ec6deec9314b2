"""Whether a drift signal starts a retraining: a decision with a reason that a person understands, also where it does nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from lockkeeper.domain.brakes import Brake, moment
from lockkeeper.domain.drift import DriftSignal
from lockkeeper.domain.drift_rules import ALARM, Retrain
from lockkeeper.domain.policy import Policy
from lockkeeper.domain.release import Status
from lockkeeper.domain.violations import FORM, KNOWN, TRAINABLE, told_of


class Answer(StrEnum):
    """What became of a signal."""

    STARTED = "retraining started"
    NOT_HEARD = "not heard"
    OBSERVED = "observed"
    UNREAD = "evidence not read"
    OTHER_FORM = "input of another form"
    NOT_TRAINABLE = "nothing that training mends"
    NOTHING_SERVES = "nothing serves"
    ELSEWHERE = "another endpoint"
    STALE = "about an older version"
    NO_RETRAINING = "no retraining in the policy"
    FROZEN = "frozen"
    GIVEN_UP = "given up"
    IN_FLIGHT = "a retraining is in flight"
    COOLING = "cooling down"
    ENOUGH = "enough for now"
    OVER_BUDGET = "over budget"
    NO_PIPELINE = "no such pipeline"
    PIPELINE_BUSY = "the pipeline runs already"
    OFF = "the alarm is off by now"


WAITING = frozenset(
    {
        Answer.FROZEN,
        Answer.GIVEN_UP,
        Answer.COOLING,
        Answer.ENOUGH,
        Answer.OVER_BUDGET,
        Answer.NO_PIPELINE,
        Answer.PIPELINE_BUSY,
    }
)
"""Answers that may be another one later: the newest such signal of a group is decided anew when the house is kept."""


UNTRIED = frozenset(
    {
        Answer.NOT_HEARD,
        Answer.OBSERVED,
        Answer.UNREAD,
        Answer.OTHER_FORM,
        Answer.NOT_TRAINABLE,
        Answer.NOTHING_SERVES,
        Answer.ELSEWHERE,
        Answer.STALE,
        Answer.NO_RETRAINING,
    }
)
"""Answers to signals that say nothing of what serves, or nothing that a retraining is for."""


@dataclass(frozen=True)
class Decision:
    """What a signal gets, and why."""

    answer: Answer
    reason: str

    @property
    def starts(self) -> bool:
        return self.answer is Answer.STARTED


class Stage(StrEnum):
    """Where a retraining stands."""

    WANTED = "wanted"
    RUNNING = "running"
    REGISTERED = "registered"
    HELPED = "helped"
    DID_NOT_HELP = "did not help"
    NO_MATTER = "ended otherwise"
    """It says neither that training helps nor that it does not: superseded by a newer version, or nobody decided in time."""


OPEN = frozenset({Stage.WANTED, Stage.RUNNING, Stage.REGISTERED})


@dataclass(frozen=True)
class Retraining:
    """One retraining. `at` is when it was decided on, `why` the signal in words, `outcome` what came of it, in words.

    `revision` counts what was written about it; `version` is 0 until the pipeline has registered one.
    """

    group: str
    number: int
    at: str
    signal_id: str
    why: str
    pipeline: str
    drifted: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)
    champion_version: int = 0
    stage: Stage = Stage.WANTED
    execution_arn: str = ""
    version: int = 0
    release_id: str = ""
    outcome: str = ""
    registered_at: str = ""
    ended_at: str = ""
    revision: int = 0

    @property
    def retraining_id(self) -> str:
        return f"{self.group}-r{self.number}"

    @property
    def token(self) -> str:
        """SageMaker's ClientRequestToken: the same for every try to start the same retraining."""
        return hashlib.sha256(f"lockkeeper {self.retraining_id} {self.at}".encode()).hexdigest()

    @property
    def open(self) -> bool:
        return self.stage in OPEN

    @property
    def cause(self) -> str:
        """Why there is the version that it makes, as the people are told who decide on that."""
        return f"{self.retraining_id}: {self.why}"

    @property
    def words(self) -> str:
        """The whole of it in one sentence: what drifted, what was done, what came of it."""
        made = f"; it made version {self.version}" if self.version else ""
        came = self.outcome or f"it is {self.stage}"
        return f"{self.why}; {self.pipeline} was started on {moment(self.at)}{made}; {came}"

    def to_json(self) -> dict[str, Any]:
        document = {**asdict(self), "stage": str(self.stage), "drifted": list(self.drifted)}
        del document["revision"]
        return {"retraining_id": self.retraining_id, **document}

    def changed(self, **changes: Any) -> Retraining:
        return replace(self, **changes, revision=self.revision + 1)


def retraining_from(document: dict[str, Any]) -> Retraining:
    """A retraining as the ledger keeps it."""
    known = {name: document[name] for name in Retraining.__dataclass_fields__ if name in document}
    return Retraining(**{**known, "drifted": tuple(known.get("drifted", ())), "stage": Stage(known["stage"])})


@dataclass(frozen=True)
class Head:
    """Where a group's retrainings stand: how many there were, which one is open (0: none), which signal waits, since when the
    breaker is closed again (empty: it never was opened by a person)."""

    group: str
    number: int = 0
    open: int = 0
    waiting: str = ""
    resumed_at: str = ""


@dataclass(frozen=True)
class Kept:
    """A signal as it was kept, with its answer; `number` is that of the retraining that it started, else 0."""

    signal: DriftSignal
    answer: Answer
    reason: str
    at: str
    number: int = 0

    @property
    def waits(self) -> bool:
        """Whether it is decided anew later. An alarm goes off once and stays on: it waits also for the end of the retraining that
        is in flight, be it its own."""
        alarm = self.signal.source == ALARM and self.answer in (Answer.IN_FLIGHT, Answer.STARTED)
        return alarm or self.answer in WAITING

    def to_json(self) -> dict[str, Any]:
        retraining = f"{self.signal.group}-r{self.number}" if self.number else ""
        decided = {
            "answer": str(self.answer),
            "reason": self.reason,
            "decided_at": self.at,
            "retraining_id": retraining,
        }
        return {**self.signal.to_json(), **decided}


@dataclass(frozen=True)
class Serving:
    """What serves a group: version 0 and no release where it was adopted."""

    version: int
    release_id: str
    endpoint: str
    since: str


@dataclass(frozen=True)
class Standing:
    """What a decision needs to know of a group. `history` are its retrainings, newest first."""

    policy: Policy
    serving: Serving | None
    frozen: Brake | None
    head: Head
    history: tuple[Retraining, ...] = ()


def decide(signal: DriftSignal, standing: Standing, now: datetime) -> Decision:
    """Whether a signal starts a retraining; the first thing that speaks against it is the reason."""
    return (
        _worth_hearing(signal, standing)
        or _about_what_serves(signal, standing)
        or _braked(signal, standing, now)
        or Decision(Answer.STARTED, said(signal))
    )


def said(signal: DriftSignal) -> str:
    """A signal in words: who says what drifted, how far, on how much data, of when."""
    rows = f" on {signal.rows:,} rows" if signal.rows is not None else ""
    window = (
        f" of {moment(signal.window_from)} to {moment(signal.window_to)}"
        if signal.window_from and signal.window_to
        else ""
    )
    return f"{signal.source} says that {told_of(signal.drifted) or 'something'} drifted{rows}{window}"


def _worth_hearing(signal: DriftSignal, standing: Standing) -> Decision | None:
    drift = standing.policy.drift
    if drift is None or signal.source not in drift.signals:
        heard = ", ".join(drift.signals) if drift and drift.signals else "nothing"
        return Decision(
            Answer.NOT_HEARD,
            f"{said(signal)}; the policy listens to {heard}: add {signal.source} to drift.signals if it counts",
        )
    if standing.policy.mode == "observe":
        return Decision(Answer.OBSERVED, f"{said(signal)}; the policy only observes")
    if not signal.drifted:
        why = signal.unread or "it does not say what drifted"
        return Decision(Answer.UNREAD, f"{signal.source} found drift, and nobody knows what: {why}")
    checks = {one.check for one in signal.drifted}
    broken = [one for one in signal.drifted if one.check in FORM]
    if broken:
        return Decision(
            Answer.OTHER_FORM,
            f"{said(signal)}; {told_of(broken)}: what is asked has another form than what the model learned from. "
            "Training on it mends nothing: look at who asks the endpoint",
        )
    if not checks & TRAINABLE:
        unknown = ", ".join(sorted(checks - KNOWN))
        why = f"violations of kinds that Lockkeeper does not know ({unknown})" if unknown else "values that are missing"
        return Decision(
            Answer.NOT_TRAINABLE,
            f"{said(signal)}; there are only {why}, which training does not mend: look at {signal.evidence}",
        )
    return None


def _about_what_serves(signal: DriftSignal, standing: Standing) -> Decision | None:
    serving = standing.serving
    if serving is None:
        return Decision(Answer.NOTHING_SERVES, f"{said(signal)}; no version of {signal.group} serves")
    if signal.endpoint and signal.endpoint != serving.endpoint:
        return Decision(
            Answer.ELSEWHERE, f"{said(signal)}; it is about endpoint {signal.endpoint}, and {serving.endpoint} serves"
        )
    known = serving.release_id if signal.release else str(serving.version)
    named = signal.release or (str(signal.version) if signal.version is not None else "")
    if named and named != known and (signal.release or serving.version):
        return Decision(
            Answer.STALE, f"{said(signal)}; it is about {named}, and {known or 'what was adopted'} serves by now"
        )
    if signal.about <= serving.since:
        return Decision(
            Answer.STALE,
            f"{said(signal)}; it is about what was asked until {moment(signal.about)}, and version {serving.version} "
            f"serves since {moment(serving.since)}",
        )
    return None


def _braked(signal: DriftSignal, standing: Standing, now: datetime) -> Decision | None:
    rules = standing.policy.drift.retrain if standing.policy.drift else None
    if rules is None:
        return Decision(Answer.NO_RETRAINING, f"{said(signal)}; the policy names no pipeline under drift.retrain")
    if standing.frozen:
        return Decision(Answer.FROZEN, f"{said(signal)}; {signal.group} is frozen: {standing.frozen.words}")
    if standing.head.open:
        return Decision(Answer.IN_FLIGHT, f"{said(signal)}; {_open_one(standing)}")
    useless = useless_in_a_row(standing.history, standing.head.resumed_at)
    if len(useless) >= rules.give_up_after:
        last = useless[0]
        return Decision(
            Answer.GIVEN_UP,
            f"{said(signal)}; {len(useless)} retrainings in a row did not help, the last one {last.retraining_id}: {last.outcome}. "
            f"Look at them, then `lockkeeper resume-retraining {signal.group} --reason WHY`",
        )
    return _paced(signal, standing.history, rules, now)


def _open_one(standing: Standing) -> str:
    current = next((one for one in standing.history if one.number == standing.head.open), None)
    if current is None:
        return f"retraining {standing.head.open} has not ended"
    where = (
        f"version {current.version} is being released" if current.version else f"{current.pipeline} is {current.stage}"
    )
    return f"{current.retraining_id} has not ended: {where}"


def _paced(signal: DriftSignal, history: Sequence[Retraining], rules: Retrain, now: datetime) -> Decision | None:
    last = history[0] if history else None
    if last and now < (until := _time(last.at) + timedelta(seconds=rules.cooldown)):
        return Decision(
            Answer.COOLING,
            f"{said(signal)}; {last.retraining_id} was started on {moment(last.at)}, and none starts before {_told(until)}",
        )
    since = now - timedelta(seconds=rules.at_most.per)
    recent = [one for one in history if _time(one.at) > since]
    if len(recent) >= rules.at_most.count:
        days = rules.at_most.per / 86400
        return Decision(
            Answer.ENOUGH,
            f"{said(signal)}; {len(recent)} retrainings were started within the last {days:g} days, which is as many as may be",
        )
    if rules.budget:
        month = [one for one in history if one.at[:7] == f"{now:%Y-%m}"]
        spent, each, most = len(month) * rules.budget.each_usd, rules.budget.each_usd, rules.budget.monthly_usd
        if spent + each > most:
            return Decision(
                Answer.OVER_BUDGET,
                f"{said(signal)}; {len(month)} retrainings of this month came to {spent:g} USD, one more to {spent + each:g}, "
                f"and {most:g} is the budget",
            )
    return None


def useless_in_a_row(history: Sequence[Retraining], resumed_at: str) -> tuple[Retraining, ...]:
    """The retrainings that did not help since one did, or since a person closed the breaker; newest first."""
    found: list[Retraining] = []
    for one in history:
        if one.stage is Stage.HELPED or (resumed_at and one.at <= resumed_at):
            break
        if one.stage is Stage.DID_NOT_HELP:
            found.append(one)
    return tuple(found)


def come_again(
    signal: DriftSignal, history: Sequence[Retraining], serving: Serving | None, rules: Retrain
) -> Retraining | None:
    """The retraining whose version serves and did not help after all: within a period the same drifts anew."""
    last = history[0] if history else None
    if last is None or serving is None or last.stage is not Stage.HELPED or last.version != serving.version:
        return None
    soon = _time(signal.about) < _time(last.ended_at) + timedelta(seconds=rules.at_most.per)
    return last if soon and signal.about > serving.since and signal.names & set(last.drifted) else None


OUTCOMES = {
    Status.PROMOTED: Stage.HELPED,
    Status.REJECTED: Stage.DID_NOT_HELP,
    Status.FAILED: Stage.DID_NOT_HELP,
    Status.ROLLED_BACK: Stage.DID_NOT_HELP,
    Status.EXPIRED: Stage.NO_MATTER,
    Status.SUPERSEDED: Stage.NO_MATTER,
    Status.OBSERVED: Stage.NO_MATTER,
}
"""What the end of its version's release says about a retraining."""


def _time(iso: str) -> datetime:
    return datetime.fromisoformat(iso)


def _told(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
