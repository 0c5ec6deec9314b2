"""Production: what an endpoint's state means for a wait, and what a look at the end of a bake says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lockkeeper.domain.batch import is_parameter, place_in_words
from lockkeeper.domain.release import Outcome, Verdict
from lockkeeper.domain.strategy import Strategy

INVOCATIONS = "bake: invocations"


@dataclass(frozen=True)
class EndpointState:
    """DescribeEndpoint's answer, as far as it matters. `status` is the API's spelling (`InService`).

    Of target batch it is the parameter that jobs read: it has no configuration, and `config_name` is the model that it names.
    `pending_config` is the configuration that a running update leads to; empty where it is scaled or patched.
    """

    name: str
    arn: str
    status: str
    config_name: str
    failure_reason: str = ""
    target: str = "real-time"
    pending_config: str = ""

    def is_changed_by_others(self, wanted_config: str) -> bool:
        """Whether it is being scaled, patched or updated, and what comes of that is not this configuration."""
        busy = self.status in {"Updating", "SystemUpdating"}
        return busy and (self.pending_config or self.config_name) != wanted_config


@dataclass(frozen=True)
class Deployment:
    """How an update moves traffic to another configuration, and the alarms that take it back."""

    strategy: Strategy
    alarms: tuple[str, ...]


class Step(StrEnum):
    """What to do about a wait after a look."""

    DONE = "done"
    FAILED = "failed"
    STILL = "still"


@dataclass(frozen=True)
class Seen:
    """A look's result and why."""

    step: Step
    reason: str


def look_at_endpoint(state: EndpointState | None, wanted_config: str) -> Seen:
    """Whether an endpoint that was told to run `wanted_config` does (`None`: there is no such endpoint)."""
    if state is None:
        return Seen(Step.FAILED, "it does not exist")
    where = place_in_words(state.name)
    if state.status == "InService":
        if state.config_name == wanted_config:
            how = "names" if is_parameter(state.name) else "is InService with"
            return Seen(Step.DONE, f"{where} {how} {wanted_config}")
        if is_parameter(state.name):
            return Seen(Step.FAILED, f"{where} names {state.config_name}, not {wanted_config}")
        why = state.failure_reason or "SageMaker rolled the update back"
        return Seen(Step.FAILED, f"{where} serves {state.config_name}, not {wanted_config}: {why}")
    if state.status in {"Failed", "UpdateRollbackFailed", "OutOfService"}:
        return Seen(Step.FAILED, f"{where} is {state.status}: {state.failure_reason or 'no reason given'}")
    return Seen(Step.STILL, f"{where} is {state.status}")


def serves(state: EndpointState | None, wanted_config: str) -> bool:
    """Whether an endpoint answers with a configuration. While it is scaled or patched it is Updating, and does."""
    steady = {"InService", "Updating", "SystemUpdating"}
    return state is not None and state.config_name == wanted_config and state.status in steady


@dataclass(frozen=True)
class AlarmLook:
    """One alarm at the time of the look: its state now, and whether it was in ALARM since the bake began."""

    name: str
    state: str
    alarmed_since_start: bool


def judge_bake(
    strategy: Strategy,
    alarms: tuple[AlarmLook, ...],
    endpoint: EndpointState | None,
    wanted_config: str,
    invocations: int | None,
) -> tuple[Verdict, ...]:
    """The look at a bake's deadline: alarms and their history, what serves, how often it was asked (None where nobody counts)."""
    verdicts = [_judge_alarm(alarm) for alarm in alarms]
    serving = Outcome.PASSED if serves(endpoint, wanted_config) else Outcome.FAILED
    reason = look_at_endpoint(endpoint, wanted_config).reason
    verdicts.append(
        Verdict("bake: serving", serving, reason, endpoint.config_name if endpoint else None, wanted_config)
    )
    if invocations is None:
        return tuple(verdicts)
    wanted = strategy.minimum_invocations
    if invocations >= wanted:
        reason = f"{invocations} requests since the bake began"
        reason += "" if wanted else " (the policy asks for no minimum)"
        verdicts.append(Verdict(INVOCATIONS, Outcome.PASSED, reason, float(invocations), f">= {wanted}"))
    else:
        reason = f"{invocations} requests are too few to judge by; {wanted} are required"
        verdicts.append(Verdict(INVOCATIONS, Outcome.INCONCLUSIVE, reason, float(invocations), f">= {wanted}"))
    return tuple(verdicts)


def too_thin(verdicts: tuple[Verdict, ...]) -> bool:
    """Whether nothing is wrong with production but that it was asked too seldom to know."""
    return [one.gate for one in verdicts if one.verdict is not Outcome.PASSED] == [INVOCATIONS]


def uneasy(states: dict[str, str]) -> str:
    """Why production is left alone, by the states of alarms that are there already; empty where all are calm."""
    found = [
        f"there is no alarm {name}" if state == "missing" else f"alarm {name} is in ALARM already"
        for name, state in states.items()
        if state in {"missing", "ALARM"}
    ]
    return "; ".join(found)


def _judge_alarm(alarm: AlarmLook) -> Verdict:
    gate = f"bake: alarm {alarm.name}"
    if alarm.state == "missing":
        return Verdict(gate, Outcome.INCONCLUSIVE, "there is no such alarm; create it or mend the policy", None, "OK")
    if alarm.state == "ALARM" or alarm.alarmed_since_start:
        return Verdict(gate, Outcome.FAILED, "it was in ALARM during the bake", alarm.state, "OK")
    return Verdict(gate, Outcome.PASSED, f"{alarm.state} throughout", alarm.state, "OK")
