"""The release machine, played in memory: states, retries and catches are read from the real definition."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from lockkeeper.adapters.in_memory.messages import BEGINNING
from lockkeeper.domain.ending import Ending
from lockkeeper.domain.errors import LockkeeperError, TryAgain
from lockkeeper.ports import World
from lockkeeper.use_cases import test_staging as staging_tests
from lockkeeper.use_cases.close_release import close_release
from lockkeeper.use_cases.deploy_to_staging import deploy_to_staging
from lockkeeper.use_cases.judge_candidate import judge_candidate
from lockkeeper.use_cases.open_release import open_release
from lockkeeper.use_cases.promote_to_production import promote_to_production
from lockkeeper.use_cases.request_approval import request_approval
from lockkeeper.use_cases.roll_back import roll_back
from lockkeeper.use_cases.scan_artifact import scan_artifact
from lockkeeper.use_cases.watch_production import watch_production

DEFINITION = yaml.safe_load(
    (Path(__file__).parents[2] / "statemachines" / "release.asl.yaml").read_text(encoding="utf-8")
)
STATES: dict[str, dict[str, Any]] = DEFINITION["States"]
VARIABLE = re.compile(r"^\{% \$timeouts\.(\w+) %\}$")


def waits(state: str) -> bool:
    """Whether a state holds a task token."""
    return str(STATES[state]["Resource"]).endswith(".waitForTaskToken")


def _retrier(state: str, error: str) -> dict[str, Any]:
    """The first that takes an error."""
    return next(one for one in STATES[state]["Retry"] if {error, "States.ALL"} & set(one["ErrorEquals"]))


@dataclass
class Execution:
    """One run of the machine: where it is, its variables, and what it went through."""

    release_id: str
    payload: dict[str, Any]
    state: str = "OpenRelease"
    token: str = ""
    entered_at: datetime = BEGINNING
    tries: int = 0
    woken: int = 0
    timeouts: dict[str, int] = field(default_factory=dict)
    ending: dict[str, Any] = field(default_factory=dict)
    visited: list[str] = field(default_factory=list)
    ended: bool = False


class Machine:
    """Plays executions that `world.tasks` was asked to start. `inside` is the world the functions are given."""

    def __init__(self, world: Any, inside: World | None = None) -> None:
        self.world = world
        self.inside: World = inside or world
        self.executions: dict[str, Execution] = {}
        self._tokens = 0
        self._stops: dict[str, tuple[str, bool]] = {}

    def run(self) -> bool:
        """Go on as far as possible; True when anything moved."""
        moved = False
        for release_id, payload in list(self.world.tasks.started.items()):
            execution = self.executions.setdefault(release_id, Execution(release_id, payload))
            while not execution.ended and self._step(execution):
                moved = True
        return moved

    def stop_at(self, release_id: str, state: str, *, called: bool) -> None:
        """Somebody will stop an execution when it enters a state: before its function is called, or right after."""
        self._stops[release_id] = (state, called)

    def stop(self, release_id: str) -> None:
        """Somebody stops an execution: no Catch runs, and its token is worth nothing."""
        execution = self.executions[release_id]
        self.world.tasks.withdraw(execution.token)
        execution.ended = True
        self.world.tasks.states[release_id] = "ABORTED"

    def _step(self, execution: Execution) -> bool:
        if execution.token:
            return self._look_at_token(execution)
        if execution.tries == execution.woken == 0:
            execution.visited.append(execution.state)
        self._tokens += 1
        token = f"token-{self._tokens}-{execution.state}"
        execution.entered_at = self.world.clock.now()
        if waits(execution.state):
            self.world.tasks.issue(token)
        state, called = self._stops.get(execution.release_id, ("", False))
        if state == execution.state:
            if called:
                self._call(execution, token)
            execution.token = token
            self.stop(execution.release_id)
            return True
        try:
            self._call(execution, token)
        except TryAgain as passing:
            return self._try_again(execution, token, passing)
        except LockkeeperError as stopped:
            self.world.tasks.withdraw(token)
            self._catch(execution, type(stopped).__name__, str(stopped))
        except Exception as unforeseen:
            return self._try_again(execution, token, TryAgain(f"{type(unforeseen).__name__}: {unforeseen}"))
        else:
            if waits(execution.state):
                execution.token = token
            else:
                self._leave(execution, {})
        return True

    def _look_at_token(self, execution: Execution) -> bool:
        result = self.world.tasks.results.get(execution.token)
        if result is None:
            limit = self._limit(execution)
            if self.world.clock.now() < execution.entered_at + timedelta(seconds=limit):
                return False
            self.world.tasks.withdraw(execution.token)
            result = {"error": "States.Timeout", "cause": ""}
        execution.token = ""
        if "error" in result and self._enters_again(execution, result["error"]):
            return True
        if "error" in result:
            self._catch(execution, result["error"], result["cause"])
        else:
            self._leave(execution, result["output"])
        return True

    def _enters_again(self, execution: Execution, error: str) -> bool:
        """Whether a retrier that is for nothing else takes this error of a token."""
        own = [one for one in STATES[execution.state].get("Retry", []) if one["ErrorEquals"] == [error]]
        execution.woken += len(own)
        return bool(own) and execution.woken <= own[0]["MaxAttempts"]

    def _try_again(self, execution: Execution, token: str, error: TryAgain) -> bool:
        """A retry comes when the world had time to move: False makes the caller let it. One that was stopped has none."""
        self.world.tasks.withdraw(token)
        if execution.ended:
            return False
        execution.tries += 1
        if execution.tries > _retrier(execution.state, "TryAgain")["MaxAttempts"]:
            self._catch(execution, "TryAgain", str(error))
            return True
        return False

    def _leave(self, execution: Execution, result: dict[str, Any]) -> None:
        if execution.state == "OpenRelease":
            execution.timeouts = result["timeouts"]
        if execution.state == "RollBack":
            execution.ending = {**execution.ending, **result}
        execution.tries = execution.woken = 0
        if STATES[execution.state].get("End"):
            execution.ended = True
            self.world.tasks.states[execution.release_id] = "SUCCEEDED"
        else:
            execution.state = STATES[execution.state]["Next"]

    def _catch(self, execution: Execution, error: str, cause: str) -> None:
        if "Catch" not in STATES[execution.state]:
            if _retrier(execution.state, error)["MaxAttempts"] == 0:
                execution.ended = True
                self.world.tasks.states[execution.release_id] = "FAILED"
                return
            raise AssertionError(f"{execution.release_id} died in {execution.state}: {error}: {cause}")
        execution.ending = {"error": error, "cause": cause, "state": execution.state}
        execution.tries = execution.woken = 0
        execution.state = STATES[execution.state]["Catch"][0]["Next"]

    def _limit(self, execution: Execution) -> int:
        limit = STATES[execution.state]["TimeoutSeconds"]
        named = VARIABLE.match(str(limit))
        return execution.timeouts[named.group(1)] if named else int(limit)

    def _call(self, execution: Execution, token: str) -> None:
        release_id, world = execution.release_id, self.inside
        match execution.state:
            case "OpenRelease":
                arn, attempt = execution.payload["model_package_arn"], execution.payload["attempt"]
                open_release(release_id, arn, attempt, f"execution/{release_id}", token, world)
            case "ScanArtifact":
                scan_artifact(release_id, token, world)
            case "JudgeCandidate":
                judge_candidate(release_id, world)
            case "RequestStagingApproval":
                request_approval(release_id, "staging", token, world)
            case "DeployToStaging":
                deploy_to_staging(release_id, token, world)
            case "TestStaging":
                staging_tests.test_staging(release_id, token, world)
            case "RequestProductionApproval":
                request_approval(release_id, "production", token, world)
            case "PromoteToProduction":
                promote_to_production(release_id, token, world)
            case "WatchProduction":
                watch_production(release_id, token, world)
            case "RollBack":
                roll_back(release_id, token, Ending(**execution.ending), world)
            case "CloseRelease":
                close_release(release_id, Ending(**execution.ending), world)
