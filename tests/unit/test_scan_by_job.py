"""An artifact that is too large for a Lambda: a job looks into it, its end is looked at, and what is sealed is what it saw."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lockkeeper.adapters import scan_job
from lockkeeper.adapters.picklescan import dangerous_globals
from lockkeeper.domain.artifact.errand import Looked
from lockkeeper.domain.errors import TryAgain
from lockkeeper.domain.job import JobState
from lockkeeper.domain.release import Outcome, Status, Verdict
from lockkeeper.use_cases.keep_house import Kind, keep_house
from lockkeeper.use_cases.look_into import look_into
from lockkeeper.use_cases.scan_artifact import scan_artifact
from lockkeeper.use_cases.settle_wait import NOBODY

from tests.unit.artifact_corpus import calls, packed
from tests.unit.harbour import IMAGE, IMAGE_DIGEST, Harbour, archive, package_arn, policy_document, release_id
from tests.unit.machine import Machine

JOB = {"image": IMAGE, "above_mb": 0}
NAME = "lockkeeper-wages-v1-a1-scan"
FOLDER = "s3://lockkeeper-bucket/scans/wages-v1-a1"
HOSTILE = packed({"model.pkl": calls("posix", "system")})


def harbour(job: Any = JOB, **rule: Any) -> Harbour:
    port = Harbour()
    document = policy_document()
    document["approval"] = {"before": []}
    document["gates"]["artifact"] = {**rule, **({"job": job} if job else {})}
    port.apply(document)
    return port


def work(port: Harbour, folder: Path, release: str = "wages-v1-a1") -> Looked:
    """Do what the job does: get its folder, look, leave the report; returns what it saw."""
    stored, prefix = port.world.objects.stored, f"s3://lockkeeper-bucket/scans/{release}"
    for uri in [one for one in stored if one.startswith(f"{prefix}/job/")]:
        path = folder / release / uri.removeprefix(f"{prefix}/job/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stored[uri])
    looked = look_into(folder / release, dangerous_globals)
    stored[f"{prefix}/report/report.json"] = looked.to_bytes()
    return looked


def vouched(looked: Looked) -> JobState:
    return JobState("Completed", exit_message=hashlib.sha256(looked.to_bytes()).hexdigest() + "\n")


def end(port: Harbour, state: JobState, name: str = NAME, *, told: bool = True) -> None:
    port.world.scan_jobs.end(name, state)
    if told:
        port.tell(job_event(port, name))
        port.settle()


def job_event(port: Harbour, name: str = NAME) -> dict[str, Any]:
    arn = port.world.scan_jobs.arn_of(name)
    return {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Processing Job State Change",
        "account": arn.split(":")[4],
        "detail": {"ProcessingJobName": name, "ProcessingJobArn": arn, "ProcessingJobStatus": "Completed"},
    }


def verdict(port: Harbour) -> Verdict:
    return next(one for one in port.release(1).verdicts if one.gate == "artifact")


def copies(port: Harbour) -> list[str]:
    """What is kept of artifacts beside what was sealed."""
    stored = port.world.objects.stored
    kept = ("/asked.json", "/scan.zip", "/report.json")
    return [uri for uri in stored if ("/scans/" in uri and not uri.endswith(kept)) or "/incoming/" in uri]


def sealed(port: Harbour) -> list[str]:
    return [uri for uri in port.world.objects.stored if "/artifacts/" in uri]


def register_folder(port: Harbour, files: dict[str, bytes], **further: bytes) -> None:
    """A version whose first container's model is a folder; `further` are archives of more containers."""
    port.register(1, told=False)
    for name, body in files.items():
        port.world.objects.stored[f"s3://models/wages/folder/{name}"] = body
    addresses = ["s3://models/wages/folder/"]
    for name, body in further.items():
        addresses.append(f"s3://models/wages/{name}/model.tar.gz")
        port.world.objects.stored[addresses[-1]] = body
    specification = port.world.registry.packages[package_arn(1)]["InferenceSpecification"]
    specification["Containers"] = [{"Image": IMAGE, "ImageDigest": IMAGE_DIGEST, **_data(one)} for one in addresses]
    port.tell_registry(1)
    port.settle()


def _data(address: str) -> dict[str, Any]:
    if not address.endswith("/"):
        return {"ModelDataUrl": address}
    source = {"S3Uri": address, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {"ModelDataSource": {"S3DataSource": source}}


def test_a_large_artifact_is_looked_into_by_a_job_and_sealed_at_its_end(tmp_path: Path) -> None:
    port = harbour()
    port.register(1)
    assert port.release(1).stage == "ScanArtifact"
    wanted = port.world.scan_jobs.jobs[NAME].wanted
    assert (wanted.folder, wanted.archive, wanted.image, wanted.isolated) == (FOLDER, "scan.zip", IMAGE, True)
    assert (wanted.instance_type, wanted.seconds, wanted.volume_gb) == ("ml.m5.xlarge", 3600, 11)
    assert sealed(port) == []

    end(port, vouched(work(port, tmp_path)))

    source = archive(b"weights of 1")
    (pin,) = port.release(1).pins.artifacts
    assert (pin.sha256, pin.bytes) == (hashlib.sha256(source).hexdigest(), len(source))
    assert pin.pinned == f"s3://lockkeeper-bucket/artifacts/{pin.sha256}/model.tar.gz"
    assert port.world.objects.stored[pin.pinned] == source
    assert (verdict(port).verdict, verdict(port).measured) == (Outcome.PASSED, 0.0)
    assert "1 members" in verdict(port).reason
    assert port.release(1).status is Status.BAKING, port.release(1).reason
    assert copies(port) == []
    assert port.world.ledger.waits_on(port.world.scan_jobs.arn_of(NAME)) == []


@pytest.mark.parametrize("job", [None, {**JOB, "above_mb": 1}])
def test_a_smaller_artifact_is_looked_into_at_once(job: Any) -> None:
    port = harbour(job)
    port.register(1)
    assert (port.release(1).status, port.world.scan_jobs.jobs) == (Status.BAKING, {})


def test_a_hostile_artifact_is_refused_in_the_same_words_as_without_a_job(tmp_path: Path) -> None:
    at_once, port = harbour(None), harbour()
    for one in (at_once, port):
        one.register(1, artifact=HOSTILE)
    end(port, vouched(work(port, tmp_path)))
    assert port.release(1).status is at_once.release(1).status is Status.FAILED
    assert verdict(port) == verdict(at_once)
    assert "posix.system" in port.release(1).reason == at_once.release(1).reason
    assert (sealed(port), copies(port)) == ([], [])
    assert port.world.registry.packages[package_arn(1)]["ModelApprovalStatus"] == "Rejected"
    assert release_id(1) in str(port.world.objects.read_own(f"dossiers/{release_id(1)}/judged.json"))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (JobState("Failed", "AlgorithmError: the scan needs Python 3.10"), "is Failed: AlgorithmError: the scan needs"),
        (JobState("Stopped"), "is Stopped: no reason given"),
        (JobState("Completed", exit_message="e" * 64), "not the one that it vouches for"),
        (JobState("Completed"), "not the one that it vouches for"),
    ],
)
def test_a_job_that_brings_nothing_to_rely_on_is_inconclusive(state: JobState, said: str, tmp_path: Path) -> None:
    port = harbour()
    port.register(1)
    work(port, tmp_path)
    end(port, state)
    assert (port.release(1).status, verdict(port).verdict) == (Status.FAILED, Outcome.INCONCLUSIVE)
    assert said in port.release(1).reason
    assert sealed(port) == []
    # Nothing was found about the model: the registry's status is left alone.
    assert port.world.registry.packages[package_arn(1)]["ModelApprovalStatus"] == "PendingManualApproval"


def test_a_job_that_left_no_report_is_inconclusive() -> None:
    port = harbour()
    port.register(1)
    end(port, JobState("Completed", exit_message=hashlib.sha256(b"").hexdigest()))
    assert verdict(port).verdict is Outcome.INCONCLUSIVE


def test_reports_of_something_else_are_not_believed(tmp_path: Path) -> None:
    def another_errand(looked: Looked) -> Looked:
        return replace(looked, asked_sha256="0" * 64)

    def another_file(looked: Looked) -> Looked:
        return replace(looked, seen=(replace(looked.seen[0], sha256=("0" * 64,)),))

    def nothing(looked: Looked) -> Looked:
        return replace(looked, seen=())

    told = {another_errand: "asked something else", another_file: "looked into something else", nothing: "0 of 1"}
    for number, (change, said) in enumerate(told.items()):
        port = harbour()
        port.register(1)
        changed = change(work(port, tmp_path / str(number)))
        port.world.objects.stored[f"{FOLDER}/report/report.json"] = changed.to_bytes()
        end(port, vouched(changed))
        assert (verdict(port).verdict, said in port.release(1).reason) == (Outcome.INCONCLUSIVE, True)
        assert sealed(port) == []


@pytest.mark.parametrize("raw", [b"[]", b"no JSON", b'{"seen": [{"report": {}}], "asked_sha256": ""}'])
def test_a_report_that_is_none_is_inconclusive(raw: bytes) -> None:
    port = harbour()
    port.register(1)
    port.world.objects.stored[f"{FOLDER}/report/report.json"] = raw
    end(port, JobState("Completed", exit_message=hashlib.sha256(raw).hexdigest()))
    assert (verdict(port).verdict, "no report of a scan" in verdict(port).reason) == (Outcome.INCONCLUSIVE, True)


def test_an_errand_that_was_changed_meanwhile_is_not_believed(tmp_path: Path) -> None:
    port = harbour()
    port.register(1)
    port.world.objects.stored[f"{FOLDER}/job/asked.json"] += b" "
    end(port, vouched(work(port, tmp_path)))
    assert (verdict(port).verdict, "as it was left there" in verdict(port).reason) == (Outcome.INCONCLUSIVE, True)


def test_what_is_sealed_is_what_was_copied_whatever_was_put_over_it_since(tmp_path: Path) -> None:
    port = harbour()
    port.register(1)
    looked = work(port, tmp_path)
    port.world.objects.write_version("scans/wages-v1-a1/job/1/0", HOSTILE)
    end(port, vouched(looked))
    (pin,) = port.release(1).pins.artifacts
    assert port.world.objects.stored[pin.pinned] == archive(b"weights of 1")


def test_a_copy_that_was_changed_before_the_job_read_it_is_not_believed(tmp_path: Path) -> None:
    port = harbour()
    port.register(1, artifact=HOSTILE)
    port.world.objects.write_version("scans/wages-v1-a1/job/1/0", archive(b"harmless"))
    end(port, vouched(work(port, tmp_path)))
    assert (verdict(port).verdict, sealed(port)) == (Outcome.INCONCLUSIVE, [])


def test_folders_and_several_containers_are_looked_into_by_one_job(tmp_path: Path) -> None:
    port = harbour()
    register_folder(port, {"a/model.txt": b"tree", "code/inference.py": b"pass"}, second=archive(b"second"))
    end(port, vouched(work(port, tmp_path)))
    folder, second = port.release(1).pins.artifacts
    assert (folder.objects, second.sha256) == (2, hashlib.sha256(archive(b"second")).hexdigest())
    assert port.world.objects.stored[f"{folder.pinned}a/model.txt"] == b"tree"
    assert verdict(port).reason.startswith("container 1: 2 members")
    assert "own code: code/inference.py" in verdict(port).reason
    assert (port.release(1).status, copies(port)) == (Status.BAKING, [])


def test_of_several_containers_the_one_that_is_refused_is_named(tmp_path: Path) -> None:
    port = harbour()
    register_folder(port, {"model.txt": b"tree"}, second=HOSTILE, third=archive(b"never seen"))
    looked = work(port, tmp_path)
    assert len(looked.seen) == 2
    end(port, vouched(looked))
    assert port.release(1).reason.startswith("container 2: s3://models/wages/second/model.tar.gz: model.pkl")
    assert copies(port) == []


def test_a_folder_is_looked_into_up_to_what_is_found(tmp_path: Path) -> None:
    port = harbour()
    register_folder(port, {"1.pkl": b"text", "2.pkl": calls("posix", "system"), "3.pkl": b"text"})
    looked = work(port, tmp_path)
    assert len(looked.seen[0].sha256) == 2
    end(port, vouched(looked))
    assert "posix.system" in port.release(1).reason


def test_what_can_be_seen_from_outside_needs_no_job() -> None:
    for files, said in (({"folder/": b""}, "is no file"), ({"a": b"1", "b": b"2", "c": b"3"}, "more than 2 objects")):
        port = harbour(max_members=2)
        register_folder(port, {"x": b"1", **files} if len(files) == 1 else files)
        assert (port.release(1).status, said in port.release(1).reason) == (Status.FAILED, True)
        assert port.world.scan_jobs.jobs == {}


def test_an_archive_larger_than_the_policy_allows_is_not_copied() -> None:
    port = harbour(max_mb=1)
    port.register(1, artifact=b"\0" * 1_000_001)
    assert "more than the 1 MB of the policy" in port.release(1).reason
    assert (port.world.scan_jobs.jobs, copies(port)) == ({}, [])


def test_several_containers_that_are_too_much_together_need_a_job_in_the_policy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lockkeeper.use_cases.scan_by_job.MEGABYTE", 1)
    port = harbour(None)
    register_folder(port, {"model.txt": b"1" * 300}, second=archive(bytes(range(256))))
    assert port.release(1).status is Status.FAILED
    assert "of 2 containers, more than the 500 MB that are looked into at once" in port.release(1).reason
    assert "gates.artifact.job" in port.release(1).reason


def test_a_lost_event_is_found_by_the_look_around(tmp_path: Path) -> None:
    port = harbour()
    port.register(1)
    end(port, vouched(work(port, tmp_path)), told=False)
    assert port.release(1).stage == "ScanArtifact"
    port.world.clock.advance(timedelta(minutes=5))
    (found,) = keep_house(timedelta(minutes=3), port.world)
    assert (found.kind, found.what) == (Kind.OVERDUE, f"wages-v1-a1/ScanArtifact: {NAME} is Completed")
    port.settle()
    assert port.release(1).status is Status.BAKING


def test_a_look_around_leaves_a_job_at_its_work() -> None:
    port = harbour()
    port.register(1)
    port.world.clock.advance(timedelta(minutes=5))
    assert keep_house(timedelta(minutes=3), port.world) == []
    assert "is InProgress" in port.tell(job_event(port))[0]  # What the event says is a hint only.
    assert port.release(1).stage == "ScanArtifact"


def test_the_same_event_twice_ends_the_wait_once(tmp_path: Path) -> None:
    port = harbour()
    port.register(1)
    end(port, vouched(work(port, tmp_path)))
    assert port.tell(job_event(port))[0].startswith("ignored")
    assert len([one for one in port.published("Gate Judged") if one["gate"] == "artifact"]) == 1


def test_a_newer_version_ends_the_scan_of_the_older_and_its_job() -> None:
    port = harbour()
    port.register(1)
    port.register(2)
    assert port.release(1).status is Status.SUPERSEDED
    assert port.world.scan_jobs.jobs[NAME].state.status == "Stopped"
    assert port.release(2).stage == "ScanArtifact"


def test_a_dead_execution_leaves_no_job() -> None:
    port = harbour()
    port.register(1)
    port.machine.stop(release_id(1))
    port.reap(1)
    port.settle()
    assert port.release(1).status is Status.FAILED
    assert port.world.scan_jobs.jobs[NAME].state.status == "Stopped"


def test_a_job_that_takes_for_ever_ends_with_its_state() -> None:
    port = harbour()
    port.register(1)
    port.pass_time(hours=27)
    assert port.release(1).status is Status.FAILED
    assert port.world.scan_jobs.jobs[NAME].state.status == "Stopped"


def broken_once(port: Harbour, what: str) -> None:
    """The ledger is away once, when this is to be recorded."""
    record, left = port.world.ledger.record, [what]

    def recorded(release_id: str, said: str, why: str, **changes: Any) -> bool:
        if said in left:
            left.remove(said)
            raise TryAgain("the ledger was away")
        return record(release_id, said, why, **changes)

    port.world.ledger.record = recorded  # type: ignore[method-assign]


def test_a_state_that_is_tried_again_starts_no_second_job_and_hears_of_the_first(tmp_path: Path) -> None:
    port = harbour()
    broken_once(port, "scan started")
    port.register(1)
    assert len(port.world.scan_jobs.jobs) == 1
    end(port, vouched(work(port, tmp_path)))
    assert port.release(1).status is Status.BAKING


def test_a_job_that_ended_before_its_state_was_tried_again_is_judged_by_the_next_try(tmp_path: Path) -> None:
    class Prompt(Machine):
        """The job has ended when the state is tried again."""

        def _try_again(self, execution: Any, token: str, error: TryAgain) -> bool:
            port.world.scan_jobs.end(NAME, vouched(work(port, tmp_path)))
            return super()._try_again(execution, token, error)

    port = harbour()
    port.machine = Prompt(port.world)
    broken_once(port, "scan started")
    port.register(1)
    assert port.release(1).status is Status.BAKING
    assert port.world.ledger.waits_on(port.world.scan_jobs.arn_of(NAME)) == []


def test_a_state_that_is_tried_again_after_the_seal_finds_the_seal(tmp_path: Path) -> None:
    port = harbour()
    port.register(1)
    broken_once(port, "artifact pinned")
    end(port, vouched(work(port, tmp_path)))
    assert (port.release(1).status, len(sealed(port)), copies(port)) == (Status.BAKING, 1, [])


def test_a_job_that_ends_while_its_wait_is_stored_anew_is_not_waited_for(tmp_path: Path) -> None:
    port = harbour()
    broken_once(port, "scan started")
    looks = port.world.scan_jobs.look

    def look(name: str) -> JobState | None:
        seen = looks(name)
        if seen and not seen.ended:
            port.world.scan_jobs.end(NAME, vouched(work(port, tmp_path)))
        return seen

    port.world.scan_jobs.look = look  # type: ignore[method-assign]
    port.register(1)
    assert port.release(1).status is Status.BAKING


def test_somebody_elses_job_of_that_name_is_not_believed() -> None:
    port = harbour()
    port.register(1, told=False)
    other = harbour()
    other.register(1)
    port.world.scan_jobs.start(other.world.scan_jobs.jobs[NAME].wanted)
    port.tell_registry(1)
    port.settle()
    assert (port.release(1).status, verdict(port).verdict) == (Status.FAILED, Outcome.INCONCLUSIVE)
    assert "was not started for this release" in port.release(1).reason


def test_an_execution_that_gives_no_token_is_not_let_go_on_before_the_scan() -> None:
    port = harbour()
    port.register(1)
    scan_artifact(release_id(1), NOBODY, port.world)
    assert len(port.release(1).pins.artifacts) == 1


def run(archive_file: Path, given: Path, left: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the archive as the job does, by an interpreter that has nothing but the standard library."""
    told = ["--given", str(given), "--left", str(left), "--message", str(left / "message")]
    code = f"import runpy, sys; {before}sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-S", "-E", "-P", "-c", code, str(archive_file), *told]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_archive_runs_by_itself_and_sees_the_same(tmp_path: Path) -> None:
    port = harbour()
    register_folder(port, {"model.txt": b"tree"}, second=HOSTILE)
    looked = work(port, tmp_path)
    packed_code = tmp_path / "scan.zip"
    packed_code.write_bytes(scan_job.pack())
    done = run(packed_code, tmp_path / release_id(1), tmp_path / "left")
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "left" / "report.json").read_bytes()
    assert Looked.from_bytes(report) == looked
    assert (tmp_path / "left" / "message").read_text() == hashlib.sha256(report).hexdigest()
    assert "picklescan calls it dangerous" in json.dumps(json.loads(report))


def test_an_image_whose_python_is_too_old_says_so(tmp_path: Path) -> None:
    packed_code = tmp_path / "scan.zip"
    packed_code.write_bytes(scan_job.pack())
    done = run(packed_code, tmp_path, tmp_path, before="sys.version_info = (3, 9, 1); sys.version = '3.9.1 (old)'; ")
    assert (done.returncode, done.stderr.strip()) == (
        1,
        "the scan needs Python 3.10, and this image has 3.9.1: name a newer one",
    )


def test_the_archive_is_the_same_each_time() -> None:
    assert scan_job.pack() == scan_job.pack()
    with zipfile.ZipFile(io.BytesIO(scan_job.pack())) as packed_code:
        assert packed_code.testzip() is None
        for name in packed_code.namelist():
            ast.parse(packed_code.read(name), name, feature_version=(3, 10))
