"""The wages story: a trained model is released with a person's approval; one that learned nothing is turned back."""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

from cli.story import channel, letter, takeovers, training
from cli.story.chapters import Book, Chapter
from cli.story.second_look import second_look
from cli.story.stage import Stage
from cli.story.takeovers import Takeover
from cli.story.traffic import Traffic, send_rows
from cli.story.watch import Watch, has_ended, told
from examples.wages import prepare as example
from examples.wages.data import read_wages

EXAMPLE = Path(example.__file__).parent
APPROVER = "Ada Lindqvist"
MAIL_ADDRESS = "ada@example.com"
COMMENT = "Evaluation and tests look right to me"
YEAR_AFTER_TRAINING = 1979
PIPELINE_STEPS = 3
PIPELINE_SECONDS = 600
STATE_SECONDS = 300
PERSON_SECONDS = 1800
SLACK_USER = "U0ADA0ADA"
"""The approver's member id, as the policy says."""
SEE_OTHER = 303
NARROW, BIASED, SLOW, HOSTILE = 2, 3, 4, 5
"""The versions that the gates turn back: one that learned too little, one that learned what it must not, one that takes too
long to answer, and one whose artifact would run a command where it is loaded."""
BIASED_FEATURES = "exp,wks,bluecol,ind,south,smsa,union,ed,sex,married,black"
MOST_TRANSITIONS = 12
"""Ten of a promotion without faults, however long its waits last, and two for a retry."""


class WagesStory:
    """Plays the chapters in order and keeps what the report draws."""

    def __init__(self, stage: Stage, book: Book, interactive: bool) -> None:
        self.stage = stage
        self.book = book
        self.interactive = interactive
        self.watch = Watch(book.console, stage.step_functions, stage.read_release)
        self.role_arn = ""
        self.package_arns: dict[int, str] = {}
        self.evaluations: dict[int, dict[str, Any]] = {}
        self.traffic: Traffic | None = None
        self.takeovers: list[Takeover] = []
        self.policy_text = ""
        self.finished = False

    def play(self) -> None:
        """Play every chapter; `StoryEnded` at the first that does not end as it should."""
        self.prepare_team()
        self.apply_policy()
        self.train_version(1, {"Reason": "first model on 1976 to 1978"})
        self.wait_for_question()
        self.decide(1)
        self.test_in_staging()
        self.reach_production()
        self.serve_next_year()
        self.close()
        self.train_version(NARROW, {"Reason": "weeks and region only", "Features": "wks,south"})
        self.turn_back(NARROW, "The quality gate turns version 2 back", ["quality", "quality"])
        self.train_version(BIASED, {"Reason": "sex and marriage and colour too", "Features": BIASED_FEATURES})
        self.turn_back(BIASED, "The bias gate turns version 3 back, which is more accurate", ["bias"])
        self.train_version(SLOW, {"Reason": "two thousand trees", "Estimator": "forest", "Trees": "2000"})
        self.decide_in_slack(SLOW)
        self.turn_back(SLOW, "The latency gate turns version 4 back, in staging", ["latency"])
        self.register_hostile()
        self.turn_back(HOSTILE, "The scan turns version 5 back, before anything has run it", ["artifact"])
        takeovers.play(self)
        self.finished = True

    def prepare_team(self) -> None:
        """Data and code in the team's bucket, a pipeline and a model package group."""
        with self.book.chapter("A team brings its data, its training code and a pipeline") as chapter:
            training.create_bucket(self.stage.s3, training.BUCKET)
            with tempfile.TemporaryDirectory() as folder:
                prepared = example.prepare(Path(folder))
                files = training.upload_folder(self.stage.s3, Path(folder), training.BUCKET, training.PREFIX)
            self.role_arn = training.create_job_role(self.stage.iam, training.BUCKET)
            self.stage.sagemaker.create_model_package_group(ModelPackageGroupName=training.GROUP)
            training.create_pipeline(self.stage.sagemaker, EXAMPLE / "pipeline.json", self.role_arn)
            stored = self.stage.s3.list_objects_v2(Bucket=training.BUCKET)["KeyCount"]
            chapter.check("files in the team's bucket", stored, stored == files)
            chapter.check("rows to train on, people of 1976 to 1978", prepared.train_rows, prepared.train_rows == 1071)
            pipeline = self.stage.sagemaker.describe_pipeline(PipelineName=training.PIPELINE)
            chapter.check("pipeline", pipeline["PipelineStatus"], pipeline["PipelineStatus"] == "Active")

    def apply_policy(self) -> None:
        """The rules of the group, through the same function as `lockkeeper policy apply`."""
        with self.book.chapter("The team applies its policy") as chapter:
            text = (EXAMPLE / "policy.yaml").read_text(encoding="utf-8")
            self.policy_text = text.replace("sagemaker-your-team", training.BUCKET)
            applied = self.stage.apply_policy(self.policy_text)
            stored = self.stage.read_policy(training.GROUP)
            chapter.check("policy in force", f"version {applied.stored.version_id}", stored == self.policy_text)
            addresses = [one.address for one in applied.subscribed if one.confirmed]
            chapter.check("who gets mails", ", ".join(addresses), addresses == [MAIL_ADDRESS])

    def train_version(self, version: int, parameters: dict[str, str]) -> None:
        """One run of the pipeline: train, evaluate, register."""
        with self.book.chapter(f"The pipeline trains, evaluates and registers version {version}") as chapter:
            run = training.run_pipeline(
                self.stage.sagemaker, training.BUCKET, self.role_arn, parameters, PIPELINE_SECONDS
            )
            chapter.check("pipeline execution", f"{run.status} {run.failure_reason}".strip(), run.status == "Succeeded")
            steps = [f"{name} {status}" for name, status in run.steps]
            chapter.check("its steps", ", ".join(steps), len(run.steps) == PIPELINE_STEPS)
            package = self.stage.sagemaker.describe_model_package(ModelPackageName=run.model_package_arn)
            chapter.check("registered", run.model_package_arn, package["ModelPackageVersion"] == version)
            report = self.stage.read_json(package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"])
            metrics = report["binary_classification_metrics"]
            accuracy = metrics["accuracy"]["value"]
            constant = metrics["accuracy_best_constant_classifier"]["value"]
            found = f"{accuracy:.3f} on {report['dataset']['item_count']} rows; always the same answer: {constant:.3f}"
            chapter.check("accuracy on people it never saw", found, (accuracy - constant > 0.02) == (version != NARROW))
            self.package_arns[version] = run.model_package_arn
            self.evaluations[version] = report
            if version == BIASED:
                first = self.evaluations[1]["binary_classification_metrics"]["accuracy"]["value"]
                chapter.check("more accurate than version 1", f"{accuracy:.3f} > {first:.3f}", accuracy > first)

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
            chapter.check("endpoint wages", found, endpoint["EndpointStatus"] == "InService")
            pins = release["pins"]
            chapter.check("image by digest", container["Image"], container["Image"] == pins["images"][0])
            pinned = pins["artifacts"][0]
            chapter.check("artifact", container["ModelDataUrl"], container["ModelDataUrl"] == pinned["pinned"])
            digests = {self.stage.sha256(uri) for uri in (pinned["source"], pinned["pinned"])}
            chapter.check("SHA-256 of trained and served bytes", pinned["sha256"], digests == {pinned["sha256"]})

    def serve_next_year(self) -> None:
        """Everybody's answers of the year after the training years, one request a person."""
        wages = read_wages()
        rows = wages[wages["year"] == YEAR_AFTER_TRAINING]
        with self.book.chapter(f"Production answers for {len(rows)} people of {YEAR_AFTER_TRAINING}") as chapter:
            traffic = send_rows(self.stage.production.sagemaker_runtime, training.GROUP, rows)
            self.traffic = traffic
            chapter.check("answers", len(traffic.answers), len(traffic.answers) == len(rows))
            found = f"{traffic.accuracy:.3f}; always the same answer: {traffic.majority_share:.3f}"
            chapter.check("accuracy a year after training", found, traffic.accuracy > traffic.majority_share)

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
                "endpoints left", ", ".join(left), left == [f"{self.stage.production.account_id}/{training.GROUP}"]
            )
            transitions = release["cost"]["transitions"]
            chapter.check("billed transitions", transitions, transitions <= MOST_TRANSITIONS)

    def register_hostile(self) -> None:
        """Somebody registers version 1 again, with a pickle in it that runs a command when it is loaded."""
        with self.book.chapter("Somebody registers an artifact with a command in it") as chapter:
            package = self.stage.sagemaker.describe_model_package(ModelPackageName=self.package_arns[1])
            trained = self.stage.read_release(self.release_id(1))["pins"]["artifacts"][0]["source"]
            uri = self.stage.upload(
                training.with_command(self.stage.read(trained)), training.BUCKET, "hostile/model.tar.gz"
            )
            arn = training.register_again(self.stage.sagemaker, package, uri, "mallory@example.com")
            chapter.check("registered", arn, arn.endswith(f"/{HOSTILE}"))
            self.package_arns[HOSTILE] = arn

    def turn_back(self, version: int, title: str, gates: list[str]) -> None:
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
            chapter.check("decisions", asked, asked == (version == SLOW))
            after = self.serving()
            same = after[1] == before[1] and after[0]["EndpointConfigName"] == before[0]["EndpointConfigName"]
            chapter.check("production serves", after[0]["EndpointConfigName"], same)
            left = self.endpoint_names()
            chapter.check(
                "endpoints", ", ".join(left), left == [f"{self.stage.production.account_id}/{training.GROUP}"]
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
        return f"{training.GROUP}-v{version}-a1"

    def serving(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The production endpoint and the container of the model that it runs, as SageMaker describes them."""
        sagemaker = self.stage.production.sagemaker
        endpoint = sagemaker.describe_endpoint(EndpointName=training.GROUP)
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
