"""A suite that is too large for a Lambda: a job sends it, its end is looked at, and nothing of it outlives its release."""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from lockkeeper.adapters import replay_job
from lockkeeper.domain.errors import TryAgain
from lockkeeper.domain.job import JobState
from lockkeeper.domain.online.rows import Answered, Replayed, labelled_rows
from lockkeeper.domain.release import Outcome, Status, Verdict
from lockkeeper.use_cases.keep_house import Kind, keep_house
from lockkeeper.use_cases.send_rows import send_rows
from lockkeeper.use_cases.settle_wait import NOBODY
from lockkeeper.use_cases.test_staging import test_staging as run_staging_tests

from tests.unit.harbour import Harbour, policy_document, release_id

SUITE = "label,a\n" + "".join(f"1,{row}\n" for row in range(120))
IMAGE = "683313688378.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
JOB = {"image": IMAGE, "above_rows": 100}
NAME = "lockkeeper-wages-v1-a1-replay"


def harbour(job: Any = JOB, **tests: Any) -> Harbour:
    """A harbour with a suite of 120 rows, and a model that is right on every one."""
    port = Harbour()
    port.world.objects.stored["s3://models/suite.csv"] = SUITE.encode()
    port.world.staging.serving = lambda body, _: Answered(200, "text/csv", "\n".join("1" for _ in body.splitlines()))
    document = policy_document()
    document["approval"] = {"before": []}
    replay = {"dataset": "s3://models/suite.csv", "at_least": {"accuracy": 0.5}, **({"job": job} if job else {})}
    document["staging"] = {"tests": {"replay": replay, **tests}}
    port.apply(document)
    return port


def work(port: Harbour, name: str = NAME) -> str:
    """Do what the job does: read its folder, ask the endpoint, leave the answers; returns their hash."""
    job, stored = port.world.replay_jobs.jobs[name].wanted, port.world.objects.stored
    suite = stored[f"{job.folder}/job/suite.csv"]
    replayed = send_rows(
        labelled_rows(suite.decode(), source="suite.csv"),
        hashlib.sha256(suite).hexdigest(),
        lambda body: port.world.staging.invoke(job.options["endpoint"], body, "text/csv", "text/csv"),
    )
    # What it took is another figure each time, and a seal is over it.
    raw = replace(replayed, milliseconds_median=1.0).to_bytes()
    stored[f"{job.folder}/answers/answers.json"] = raw
    return hashlib.sha256(raw).hexdigest()


def end(port: Harbour, state: JobState, name: str = NAME, *, told: bool = True) -> None:
    port.world.replay_jobs.end(name, state)
    if told:
        port.tell(job_event(port, name))
        port.settle()


def job_event(port: Harbour, name: str = NAME, status: str = "Completed") -> dict[str, Any]:
    arn = port.world.replay_jobs.arn_of(name)
    return {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Processing Job State Change",
        "account": arn.split(":")[4],
        "detail": {"ProcessingJobName": name, "ProcessingJobArn": arn, "ProcessingJobStatus": status},
    }


def verdict(port: Harbour, gate: str = "replay: accuracy", version: int = 1) -> Verdict:
    return next(one for one in port.release(version).verdicts if one.gate == gate)


def promoted(port: Harbour, version: int = 1) -> None:
    name = f"lockkeeper-wages-v{version}-a1-replay"
    port.register(version)
    end(port, JobState("Completed", exit_message=work(port, name)), name)
    port.traffic()
    port.pass_time(minutes=11)
    assert port.release(version).status is Status.PROMOTED, port.release(version).reason


def test_a_large_suite_is_sent_by_a_job_and_judged_at_its_end() -> None:
    port = harbour()
    port.register(1)
    assert port.release(1).status is Status.TESTING
    job = port.world.replay_jobs.jobs[NAME].wanted
    assert (job.options["endpoint"], job.folder) == (
        "lockkeeper-wages-v1-a1-staging",
        "s3://lockkeeper-bucket/tests/wages-v1-a1",
    )
    assert (job.image, job.seconds) == (IMAGE, 3600)
    assert not port.world.staging.requests

    end(port, JobState("Completed", exit_message=work(port)))

    assert port.release(1).status is Status.BAKING, port.release(1).reason
    assert (verdict(port).verdict, verdict(port).measured) == (Outcome.PASSED, 1.0)
    sealed = port.world.objects.stored[f"s3://lockkeeper-bucket/dossiers/{release_id(1)}/tested.json"]
    assert port.release(1).pins.seals["tested"] == hashlib.sha256(sealed).hexdigest()
    evidence = json.loads(sealed)["evidence"]
    assert (evidence["replay"]["rows"], evidence["replay"]["job"]) == (120, NAME)
    assert evidence["judged"] == port.release(1).pins.seals["judged"]


@pytest.mark.parametrize(("job", "asked"), [({**JOB, "above_rows": 120}, 5), (None, 5)])
def test_a_smaller_suite_is_sent_at_once(job: Any, asked: int) -> None:
    port = harbour(job)
    port.register(1)
    assert port.release(1).status is Status.BAKING
    assert (port.world.replay_jobs.jobs, len(port.world.staging.requests)) == ({}, asked)


def test_a_large_suite_without_an_image_for_its_job_is_inconclusive() -> None:
    port = harbour(None)
    port.world.objects.stored["s3://models/suite.csv"] = ("label,a\n" + "1,2\n" * 10_001).encode()
    port.register(1)
    assert verdict(port).verdict is Outcome.INCONCLUSIVE
    assert "10001 rows are more than the 10000" in port.release(1).reason
    assert "staging.tests.replay.job" in port.release(1).reason
    assert not port.world.staging.requests


def test_the_other_gates_have_spoken_before_and_are_in_the_dossier() -> None:
    port = harbour(latency={"p50_ms": 5000, "requests": 10})
    port.register(1)
    end(port, JobState("Completed", exit_message=work(port)))
    assert {one.gate for one in port.release(1).verdicts} >= {"latency: p50", "replay: accuracy"}
    assert port.release(1).status is Status.BAKING


def test_a_gate_that_failed_before_stops_the_release_at_the_end() -> None:
    port = harbour(latency={"p50_ms": 0.000001, "requests": 10})
    port.register(1)
    end(port, JobState("Completed", exit_message=work(port)))
    assert port.release(1).status is Status.FAILED
    assert "latency: p50" in port.release(1).reason
    assert verdict(port).verdict is Outcome.PASSED


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (JobState("Failed", "AlgorithmError: exit code: 1"), "is Failed: AlgorithmError: exit code: 1"),
        (JobState("Stopped"), "is Stopped: no reason given"),
        (JobState("Completed", exit_message="e" * 64), "not those that it vouches for"),
        (JobState("Completed"), "not those that it vouches for"),
    ],
)
def test_a_job_that_brings_nothing_to_rely_on_is_inconclusive(state: JobState, said: str) -> None:
    port = harbour()
    port.register(1)
    work(port)
    end(port, state)
    assert port.release(1).status is Status.FAILED
    assert (verdict(port).verdict, said in port.release(1).reason) == (Outcome.INCONCLUSIVE, True), port.release(
        1
    ).reason


def test_answers_to_another_suite_or_to_nothing_are_not_believed() -> None:
    for raw, said in ((Replayed("another").to_bytes(), "another suite"), (b"[]", "no answers to a replay")):
        port = harbour()
        port.register(1)
        port.world.objects.stored["s3://lockkeeper-bucket/tests/wages-v1-a1/answers/answers.json"] = raw
        end(port, JobState("Completed", exit_message=hashlib.sha256(raw).hexdigest()))
        assert (verdict(port).verdict, said in port.release(1).reason) == (Outcome.INCONCLUSIVE, True)


def test_what_was_found_before_and_changed_since_is_not_believed() -> None:
    port = harbour()
    port.register(1)
    port.world.objects.stored["s3://lockkeeper-bucket/tests/wages-v1-a1/before.json"] += b" "
    end(port, JobState("Completed", exit_message=work(port)))
    assert port.release(1).status is Status.FAILED
    assert "as it was left there" in port.release(1).reason


def test_an_event_of_a_job_that_goes_on_ends_nothing() -> None:
    port = harbour()
    port.register(1)
    assert "still InProgress" in port.tell(job_event(port, status="InProgress"))[0]
    assert "is InProgress" in port.tell(job_event(port))[0]  # What the event says is a hint only.
    assert port.tell(job_event(port, "lockkeeper-other-v1-a1-replay"))[0].startswith("ignored")
    assert port.release(1).status is Status.TESTING


def test_the_same_event_twice_ends_the_wait_once() -> None:
    port = harbour()
    port.register(1)
    end(port, JobState("Completed", exit_message=work(port)))
    assert port.tell(job_event(port))[0].startswith("ignored")
    assert len([one for one in port.published("Gate Judged") if one["gate"] == "replay: accuracy"]) == 1


def test_a_lost_event_is_found_by_the_look_around() -> None:
    port = harbour()
    port.register(1)
    end(port, JobState("Completed", exit_message=work(port)), told=False)
    assert port.release(1).status is Status.TESTING
    port.world.clock.advance(timedelta(minutes=5))
    (found,) = keep_house(timedelta(minutes=3), port.world)
    assert (found.kind, found.what) == (Kind.OVERDUE, f"wages-v1-a1/TestStaging: {NAME} is Completed")
    port.settle()
    assert port.release(1).status is Status.BAKING


def test_the_next_version_is_held_against_what_the_champions_job_brought() -> None:
    port = harbour()
    promoted(port)
    port.world.staging.serving = lambda body, _: Answered(
        200, "text/csv", "\n".join(str(int(int(row[0]) < 80)) for row in csv.reader(io.StringIO(body)))
    )
    name = "lockkeeper-wages-v2-a1-replay"
    port.register(2)
    end(port, JobState("Completed", exit_message=work(port, name)), name)
    compared = verdict(port, "replay: accuracy against the champion", 2)
    assert (compared.verdict, compared.required) == (Outcome.FAILED, ">= 0.98 (champion 1 on the same 120 rows)")


def test_a_newer_version_ends_the_test_of_the_older_and_its_job() -> None:
    port = harbour()
    port.register(1)
    port.register(2)
    assert port.release(1).status is Status.SUPERSEDED
    assert port.world.replay_jobs.jobs[NAME].state.status == "Stopped"
    assert port.world.staging.look("lockkeeper-wages-v1-a1-staging") is None


def test_a_dead_execution_leaves_no_job() -> None:
    port = harbour()
    port.register(1)
    port.machine.stop(release_id(1))
    port.reap(1)
    port.settle()
    assert port.release(1).status is Status.FAILED
    assert port.world.replay_jobs.jobs[NAME].state.status == "Stopped"
    assert port.tell(job_event(port, status="Stopped"))[0].startswith("ignored")


def test_a_state_that_is_tried_again_starts_no_second_job_and_hears_of_the_first() -> None:
    class Breaking(type(Harbour().world.ledger)):  # type: ignore[misc]
        """The ledger is away when the job was just started."""

        broken = True

        def record(self, release_id: str, what: str, why: str, **changes: Any) -> bool:
            if what == "replay started" and self.broken:
                self.broken = False
                raise TryAgain("the ledger was away")
            return bool(super().record(release_id, what, why, **changes))

    port = harbour()
    port.world.ledger = Breaking(port.world.clock)
    port.register(1)
    assert len(port.world.replay_jobs.jobs) == 1
    assert any(entry.why == f"{NAME} was started before" for entry in port.release(1).timeline)
    end(port, JobState("Completed", exit_message=work(port)))
    assert port.release(1).status is Status.BAKING


def test_a_job_that_takes_for_ever_ends_with_its_state() -> None:
    port = harbour()
    port.register(1)
    port.pass_time(hours=27)
    assert port.release(1).status is Status.FAILED
    assert port.world.replay_jobs.jobs[NAME].state.status == "Stopped"


def test_an_execution_that_gives_no_token_is_not_let_go_on_before_the_suite_was_sent() -> None:
    port = harbour()
    port.register(1)
    run_staging_tests(release_id(1), NOBODY, port.world)
    assert (len(port.world.staging.requests), verdict(port).verdict) == (5, Outcome.PASSED)


@pytest.mark.parametrize("detail", [{}, {"ProcessingJobArn": 3}, {"ProcessingJobArn": "arn:aws:sagemaker:x"}])
def test_an_event_without_a_job_is_ignored(detail: dict[str, Any]) -> None:
    port = harbour()
    event = {**job_event(port), "detail": detail}
    assert port.tell(event) == ["ignored: the event names no ProcessingJobArn"]


def test_an_event_about_a_job_of_another_account_is_ignored() -> None:
    port = harbour()
    event = job_event(port)
    event["account"] = port.world.accounts.production
    assert "is not one whose jobs count" in port.tell(event)[0]
    event["account"] = port.world.accounts.hub
    assert "about another account" in port.tell(event)[0]


def test_the_archive_is_the_same_each_time_and_lacks_nothing() -> None:
    assert replay_job.pack() == replay_job.pack()
    with zipfile.ZipFile(io.BytesIO(replay_job.pack())) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            # The oldest stock image has Python 3.8.
            ast.parse(archive.read(name), name, feature_version=(3, 8))


def test_the_archive_imports_nothing_that_it_does_not_hold(tmp_path: Any) -> None:
    archive = tmp_path / "replay.zip"
    archive.write_bytes(replay_job.pack())
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import lockkeeper.adapters.replay_job as job\n"
        "from lockkeeper.adapters.invocations import invoke\n"
        "from lockkeeper.use_cases.send_rows import send_rows\n"
        "print(all(one.__file__.startswith(sys.argv[1]) for name, one in sys.modules.items() if name.startswith('lockkeeper')))\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'pydantic', 'yaml', 'aws_lambda_powertools'}))"
    )
    # Not `-m`: an editable install of this project must not help out.
    done = subprocess.run([sys.executable, "-P", "-c", code, str(archive)], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["True", "[]"], done.stderr
