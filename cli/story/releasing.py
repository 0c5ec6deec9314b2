"""What every story of the demo has: a team's policy, people who decide, staging, production, versions that are turned back."""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from cli.story import channel, letter, training
from cli.story.chapters import Book, Chapter
from cli.story.second_look import second_look
from cli.story.stage import Stage
from cli.story.training import Team
from cli.story.watch import Watch, has_ended, told

APPROVER = "Ada Lindqvist"
MAIL_ADDRESS = "ada@example.com"
COMMENT = "Evaluation and tests look right to me"
YOUR_ROLE = "arn:aws:iam::444455556666:role/your-jobs"
"""Stands in an example's policy for the role of the team's jobs."""
PIPELINE_STEPS = 3
PIPELINE_SECONDS = 600
STATE_SECONDS = 300
PERSON_SECONDS = 1800
SLACK_USER = "U0ADA0ADA"
"""The approver's member id, as the policy says."""
SEE_OTHER = 303
MOST_TRANSITIONS = 12
"""Ten of a promotion without faults, however long its waits last, and two for a retry."""


class Releasing(ABC):
    """Chapters about versions of one group, whatever their model is about; `title` and `summary` begin the report."""

    title: str
    summary: str

    def __init__(self, team: Team, stage: Stage, book: Book, interactive: bool, everything: bool = False) -> None:
        self.team = team
        self.stage = stage
        self.book = book
        self.interactive = interactive
        self.everything = everything
        self.watch = Watch(book.console, stage.step_functions, stage.read_release)
        self.package_arns: dict[int, str] = {}
        self.evaluations: dict[int, dict[str, Any]] = {}
        self.policy_text = ""
        self.role_arn = ""
        self.finished = False

    @abstractmethod
    def play(self) -> None:
        """Play every chapter; `StoryEnded` at the first that does not end as it should."""

    @property
    @abstractmethod
    def latencies_ms(self) -> tuple[float, ...]:
        """How long answers of production took."""

    @abstractmethod
    def headline(self, report: dict[str, Any]) -> dict[str, str]:
        """The report's first figure, from the evaluation of version 1: `value` and `label`."""

    @abstractmethod
    def pictures(self) -> dict[str, Any]:
        """What the report's pictures are drawn from: `quality`, `traffic`, `takeovers`, `drift`, as far as there is any."""

    @abstractmethod
    def prepare_data(self, folder: Path) -> tuple[str, int, int]:
        """Write what the team brings, laid out as it goes to its bucket; returns what was counted in it, found and expected."""

    @abstractmethod
    def read_report(self, chapter: Chapter, version: int, report: dict[str, Any]) -> None:
        """Check what the pipeline's evaluation says of a version."""

    def prepare_team(self) -> None:
        """Data and code in the team's bucket, a pipeline and a model package group."""
        sagemaker, team = self.stage.sagemaker, self.team
        with self.book.chapter("A team brings its data, its training code and a pipeline") as chapter:
            training.create_bucket(self.stage.s3, team.bucket)
            training.let_in(self.stage.s3, team, self.stage.production.account_id)
            with tempfile.TemporaryDirectory() as folder:
                what, found, expected = self.prepare_data(Path(folder))
                files = training.upload_folder(self.stage.s3, Path(folder), team.bucket, team.group)
            self.role_arn = training.create_job_role(self.stage.iam, team)
            sagemaker.create_model_package_group(ModelPackageGroupName=team.group)
            training.create_pipeline(sagemaker, team, self.role_arn)
            stored = self.stage.s3.list_objects_v2(Bucket=team.bucket)["KeyCount"]
            chapter.check("files in the team's bucket", stored, stored == files)
            chapter.check(what, found, found == expected)
            pipeline = sagemaker.describe_pipeline(PipelineName=team.pipeline)
            chapter.check("pipeline", pipeline["PipelineStatus"], pipeline["PipelineStatus"] == "Active")

    def train_version(self, version: int, parameters: dict[str, str]) -> None:
        """One run of the pipeline: train, evaluate, register."""
        with self.book.chapter(f"The pipeline trains, evaluates and registers version {version}") as chapter:
            run = training.run_pipeline(self.stage.sagemaker, self.team, self.role_arn, parameters, PIPELINE_SECONDS)
            chapter.check("pipeline execution", f"{run.status} {run.failure_reason}".strip(), run.status == "Succeeded")
            steps = [f"{name} {status}" for name, status in run.steps]
            chapter.check("its steps", ", ".join(steps), len(run.steps) == PIPELINE_STEPS)
            package = self.stage.sagemaker.describe_model_package(ModelPackageName=run.model_package_arn)
            chapter.check("registered", run.model_package_arn, package["ModelPackageVersion"] == version)
            report = self.stage.read_json(package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"])
            self.package_arns[version] = run.model_package_arn
            self.evaluations[version] = report
            self.read_report(chapter, version, report)

    def apply_policy(self) -> None:
        """The rules of the group, through the same function as `lockkeeper policy apply`."""
        with self.book.chapter("The team applies its policy") as chapter:
            text = (self.team.example / "policy.yaml").read_text(encoding="utf-8")
            self.policy_text = text.replace("sagemaker-your-team", self.team.bucket).replace(YOUR_ROLE, self.role_arn)
            applied = self.stage.apply_policy(self.policy_text)
            stored = self.stage.read_policy(self.team.group)
            chapter.check("policy in force", f"version {applied.stored.version_id}", stored == self.policy_text)
            addresses = [one.address for one in applied.subscribed if one.confirmed]
            chapter.check("who gets mails", ", ".join(addresses), addresses == [MAIL_ADDRESS])

    def wait_for_question(self) -> None:
        """Lockkeeper noticed the registration, judged it and asks."""
        with self.book.chapter(f"Lockkeeper judges version 1 and asks {APPROVER}") as chapter:
            release = self.watch.until(self.release_id(1), is_in("awaiting-approval"), STATE_SECONDS)
            chapter.check("release", told(release), release["status"] == "awaiting-approval")
            passed = [verdict["gate"] for verdict in release["verdicts"] if verdict["verdict"] == "passed"]
            chapter.check("gates passed", ", ".join(passed), len(passed) == len(release["verdicts"]) >= 2)
            mail, link = letter.wait_for_link(self.stage.mailbox, MAIL_ADDRESS)
            chapter.check("mail", mail.name, True)
            seen = {letter.open_page(link).status for _ in range(3)}
            after = self.stage.read_release(release["release_id"])
            decided = len(after["approvals"]) if after else -1
            found = f"status {sorted(seen)}, {decided} decisions"
            chapter.check("opening the link three times", found, seen == {200} and decided == 0)

    def decide(self, version: int) -> None:
        """The approver reads the page behind the link and presses a button, or a person at the keyboard does."""
        title = f"{APPROVER} approves version {version} for staging, on the page behind the link"
        with self.book.chapter(title) as chapter:
            self.wait_for_decision_on(version, chapter)
            _, link = letter.wait_for_link(self.stage.mailbox, MAIL_ADDRESS, f"version {version} ")
            if self.interactive:
                self.hand_over(link)
            else:
                answer = letter.press(letter.open_page(link), "approve", {"comment": COMMENT})
                chapter.check("answer to the form", answer.status, answer.status in (200, 303))
            self.see_decision(version, chapter, "link")

    def decide_in_slack(self, version: int) -> None:
        """The approver reads the message in the channel and presses its button, or a person at the keyboard does."""
        with self.book.chapter(f"{APPROVER} approves version {version} for staging, in Slack") as chapter:
            self.wait_for_decision_on(version, chapter)
            message = channel.wait_for_button(self.stage.slack_url, self.release_id(version))
            chapter.check("message", message["text"], True)
            if self.interactive:
                self.hand_over(self.stage.slack_url)
            else:
                pressed = channel.press_button(self.stage.slack_url, message, SLACK_USER)
                chapter.check("answer to the button", pressed, pressed == SEE_OTHER)
            self.see_decision(version, chapter, "slack")
            told_in_slack = channel.read_messages(self.stage.slack_url)
            ours = [one for one in told_in_slack if one["ts"] == message["ts"]]
            chapter.check("messages about it", len(ours), len(ours) == 1)

    def wait_for_decision_on(self, version: int, chapter: Chapter) -> None:
        """The version's release asks people."""
        asked = self.watch.until(self.release_id(version), is_in("awaiting-approval"), STATE_SECONDS)
        chapter.check("release", told(asked), asked["status"] == "awaiting-approval")

    def hand_over(self, address: str) -> None:
        """Whoever sits at the keyboard decides; a browser opens for them where there is one."""
        how = "your browser shows it" if has_screen() and webbrowser.open(address) else "open it in a browser"
        self.book.console.print(f"   Your turn, {how}: {address}", soft_wrap=True)

    def see_decision(self, version: int, chapter: Chapter, usual: str) -> None:
        """Somebody approved; unattended, in the channel that is usual."""
        timeout = PERSON_SECONDS if self.interactive else STATE_SECONDS
        release = self.watch.until(self.release_id(version), lambda found: bool(found["approvals"]), timeout)
        decision = release["approvals"][0]
        said = f"{decision['approver']}: {decision['answer']} ({decision['channel']}): {decision['comment']}"
        expected = decision["answer"] == "approve" and (self.interactive or decision["channel"] == usual)
        chapter.check("decision on record", said, expected)

    def test_in_staging(self) -> None:
        """The version serves in staging and answers recorded requests and held-out rows."""
        with self.book.chapter("Staging serves version 1 and is tested") as chapter:
            release = self.watch.until(self.release_id(1), has_seal("tested"), STATE_SECONDS)
            chapter.check("release", told(release), "tested" in release["pins"]["seals"])
            for verdict in release["verdicts"]:
                if verdict["gate"].startswith(("contract", "replay")):
                    chapter.check(verdict["gate"], verdict["reason"], verdict["verdict"] == "passed")
            chapter.check("evidence sealed", release["pins"]["seals"]["tested"], True)

    def reach_production(self) -> None:
        """The production endpoint exists and runs exactly what was pinned."""
        with self.book.chapter("Production serves version 1") as chapter:
            release = self.watch.until(self.release_id(1), is_in("baking", "promoted"), STATE_SECONDS)
            chapter.check("release", told(release), release["status"] in ("baking", "promoted"))
            endpoint, container = self.serving()
            found = f"{endpoint['EndpointStatus']} in account {self.stage.production.account_id}"
            chapter.check(f"endpoint {self.team.group}", found, endpoint["EndpointStatus"] == "InService")
            pins = release["pins"]
            chapter.check("image by digest", container["Image"], container["Image"] == pins["images"][0])
            pinned = pins["artifacts"][0]
            chapter.check("artifact", container["ModelDataUrl"], container["ModelDataUrl"] == pinned["pinned"])
            digests = {self.stage.sha256(uri) for uri in (pinned["source"], pinned["pinned"])}
            chapter.check("SHA-256 of trained and served bytes", pinned["sha256"], digests == {pinned["sha256"]})

    def close(self) -> None:
        """The bake ended, staging is gone, the registry says what happened."""
        with self.book.chapter("The watch ends well: version 1 is promoted") as chapter:
            release, execution = self.watch.until_ended(self.release_id(1), STATE_SECONDS)
            chapter.check("state machine execution", execution, execution == "SUCCEEDED")
            chapter.check("release", told(release), release["status"] == "promoted")
            status, description = self.registry_entry(1)
            chapter.check("registry", f"{status}: {description}", status == "Approved")
            left = self.endpoint_names()
            chapter.check(
                "endpoints left", ", ".join(left), left == [f"{self.stage.production.account_id}/{self.team.group}"]
            )
            transitions = release["cost"]["transitions"]
            chapter.check("billed transitions", transitions, transitions <= MOST_TRANSITIONS)

    def turn_back(self, version: int, title: str, gates: list[str], decisions: int = 0) -> None:
        """Gates of these kinds stop a version; production does not notice."""
        with self.book.chapter(title) as chapter:
            before = self.serving()
            release, execution = self.watch.until_ended(self.release_id(version), STATE_SECONDS)
            chapter.check("state machine execution", execution, execution == "SUCCEEDED")
            chapter.check("release", told(release), release["status"] == "failed")
            failed = [verdict for verdict in release["verdicts"] if verdict["verdict"] == "failed"]
            for verdict in failed:
                chapter.check(verdict["gate"], verdict["reason"], verdict["gate"].split(":")[0] in gates)
            chapter.check("gates that said no", len(failed), len(failed) == len(gates))
            self.look_again(chapter, version)
            status, description = self.registry_entry(version)
            chapter.check("registry", f"{status}: {description}", status == "Rejected")
            asked = len(release["approvals"])
            chapter.check("decisions", asked, asked == decisions)
            after = self.serving()
            same = after[1] == before[1] and after[0]["EndpointConfigName"] == before[0]["EndpointConfigName"]
            chapter.check("production serves", after[0]["EndpointConfigName"], same)
            left = self.endpoint_names()
            chapter.check(
                "endpoints", ", ".join(left), left == [f"{self.stage.production.account_id}/{self.team.group}"]
            )

    def look_again(self, chapter: Chapter, version: int) -> None:
        """`lockkeeper simulate` comes to the same verdicts from the release's dossier and its artifact."""
        simulated = second_look(self.stage, self.release_id(version), self.policy_text)
        same = simulated.differences == () and not simulated.goes_on
        differ = "; ".join(simulated.differences or ()) or simulated.why
        found = f"the same {len(simulated.verdicts)} verdicts, without AWS" if same else differ
        chapter.check("lockkeeper simulate", found, same)

    def release_id(self, version: int) -> str:
        """Name of the first attempt to release a version."""
        return f"{self.team.group}-v{version}-a1"

    def serving(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The production endpoint and the container of the model that it runs, as SageMaker describes them."""
        sagemaker = self.stage.production.sagemaker
        endpoint = sagemaker.describe_endpoint(EndpointName=self.team.group)
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
        return endpoint, model["PrimaryContainer"]

    def registry_entry(self, version: int) -> tuple[str, str]:
        """ModelApprovalStatus and ApprovalDescription of a version."""
        package = self.stage.sagemaker.describe_model_package(ModelPackageName=self.package_arns[version])
        return package["ModelApprovalStatus"], package.get("ApprovalDescription", "")

    def endpoint_names(self) -> list[str]:
        """Every endpoint of every account, as ACCOUNT/NAME."""
        return sorted(
            f"{account.account_id}/{one['EndpointName']}"
            for account in self.stage.accounts
            for one in account.sagemaker.list_endpoints()["Endpoints"]
        )


def has_screen() -> bool:
    """Whether a browser could open a window here; without a screen one for terminals would take this terminal."""
    return sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ))


def is_in(*statuses: str) -> Any:
    """A condition on a release: its status is one of these, or it has ended otherwise, so that nobody waits in vain."""
    return lambda release: release["status"] in statuses or has_ended(release)


def has_seal(kind: str) -> Any:
    """A condition on a release: this evidence is sealed, or it has ended."""
    return lambda release: kind in release["pins"]["seals"] or has_ended(release)
