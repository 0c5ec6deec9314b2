"""`lockkeeper policy`: what is refused, what is put in force, who gets mails from then on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber
from lockkeeper.domain.approval import ApprovalRequest
from lockkeeper.domain.errors import PolicyInvalid
from lockkeeper.domain.policy import Approver, fingerprint, parse_policy
from lockkeeper.use_cases.letters import letters_about, post
from typer.testing import CliRunner

from cli.main import app
from cli.policies import apply_policy
from cli.policy_table import in_words, rules
from cli.stack import Stack
from cli.subscriptions import Others, mend_others, subscribe
from tests.unit.cli_stage import deployed, shared_session, waiting_release

runner = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})

EARLY = "2026-11-24T10:00:00.000Z"

POLICY = """\
model_package_group: wages
gates:
  quality:
    - {metric: accuracy.value, at_least: 0.7}
approval:
  approvers:
    - {name: Ada Lindqvist, email: ada@example.com}
    - {name: Bo, aws_principal: "arn:aws:iam::123456789012:role/Bo"}
production:
  endpoint_name: wages
  instance_type: ml.m5.large
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    with deployed() as found:
        monkeypatch.setattr("cli.stack.find_stack", lambda _name: found)
        yield found


def filters(stack: Stack) -> dict[str, Any]:
    """What each address of the personal topic lets through."""
    sns, topic = stack.session.client("sns"), stack.outputs["PersonalTopicArn"]
    found = {}
    for one in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        attributes = sns.get_subscription_attributes(SubscriptionArn=one["SubscriptionArn"])["Attributes"]
        found[one["Endpoint"]] = json.loads(attributes.get("FilterPolicy", "null"))
    return found


def test_a_valid_policy_is_told_as_rules_in_80_columns(file: Path) -> None:
    result = runner.invoke(app, ["policy", "validate", str(file)])
    assert (result.exit_code, result.stderr) == (0, "")
    assert max(map(len, result.stdout.splitlines())) <= 80
    for words in ("accuracy.value at least 0.7", "1 of 2 (Ada Lindqvist, Bo), within 3 d", "1 x ml.m5.large"):
        assert words in result.stdout


def test_every_mistake_is_said_with_its_line(file: Path) -> None:
    file.write_text(POLICY.replace("at_least: 0.7", "at_leest: 0.7") + "surprise: 1\n", encoding="utf-8")
    result = runner.invoke(app, ["policy", "validate", str(file)])
    assert (result.exit_code, result.stdout) == (1, "")
    refusals = [line for line in result.stderr.splitlines() if line.startswith(f"{file}:")]
    assert [line.removeprefix(f"{file}:").split(":")[0] for line in refusals] == ["4", "12"]
    assert f"{file}:12: surprise: unknown key" in result.stderr


@pytest.mark.parametrize("body", [b"\xff\xfe", b"", b"- 1\n", b"a: [\n", b"a: 2026-13-45\n", b"a: &a [*a]\n"])
def test_what_is_no_policy_is_refused_without_a_traceback(file: Path, body: bytes) -> None:
    file.write_bytes(body)
    result = runner.invoke(app, ["policy", "validate", str(file)])
    assert result.exit_code == 1
    assert f"{file}:" in result.stderr


@pytest.mark.parametrize("timeout", ["0s", "59s", "25h", "soon"])
def test_a_startup_timeout_that_the_state_machine_cannot_keep_is_refused(file: Path, timeout: str) -> None:
    file.write_text(f"{POLICY}  startup_timeout: {timeout}\n", encoding="utf-8")
    result = runner.invoke(app, ["policy", "validate", str(file)])
    assert result.exit_code == 1
    assert f"{file}:12: production.startup_timeout:" in result.stderr


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    assert runner.invoke(app, ["policy", "validate", str(tmp_path / "none.yaml")]).exit_code == 2


def test_an_invalid_policy_changes_nothing(file: Path, stack: Stack) -> None:
    file.write_text(POLICY + "surprise: 1\n", encoding="utf-8")
    assert runner.invoke(app, ["policy", "apply", str(file)]).exit_code == 1
    assert filters(stack) == {}
    assert runner.invoke(app, ["policy", "show", "wages"]).exit_code == 1


def test_an_applied_policy_is_in_force_with_its_version_and_author(file: Path, stack: Stack) -> None:
    result = runner.invoke(app, ["policy", "apply", str(file)])
    assert (result.exit_code, result.stderr) == (0, "")
    stored = stack.world.policies.load("wages")
    assert stored.text == POLICY
    assert stored.changed_by == stack.caller()
    for words in (stored.version_id, fingerprint(POLICY), "ada@example.com (new) for Ada Lindqvist", "Bo decides with"):
        assert words in result.stdout


def test_applying_the_same_text_again_keeps_the_version(file: Path, stack: Stack) -> None:
    first, second = apply_policy(file, stack), apply_policy(file, stack)
    assert (first.changed, second.changed) == (True, False)
    assert first.stored.version_id == second.stored.version_id
    assert [one.change for one in second.subscribed] == ["unchanged"]
    file.write_text(POLICY + "# a comment\n", encoding="utf-8")
    assert apply_policy(file, stack).stored.version_id != first.stored.version_id


def test_an_approver_with_an_address_gets_the_mails_in_their_name_alone(file: Path, stack: Stack) -> None:
    apply_policy(file, stack)
    assert filters(stack) == {"ada@example.com": {"address": ["ada@example.com"]}}


def test_who_approves_for_several_groups_has_one_subscription(file: Path, stack: Stack) -> None:
    apply_policy(file, stack)
    other = POLICY.replace("group: wages", "group: computers").replace("Ada Lindqvist", "Ada").replace("ada@", "Ada@")
    file.write_text(other, "utf-8")
    applied = apply_policy(file, stack)
    assert [(one.change, one.names) for one in applied.subscribed] == [("unchanged", ("Ada",))]
    assert filters(stack) == {"ada@example.com": {"address": ["ada@example.com"]}}


def ask(stack: Stack, group: str) -> None:
    """Mail the question about a version of a group to those whom its policy names."""
    release = waiting_release(group)
    policy = parse_policy(stack.world.policies.load(group).text, source="in force")
    request = ApprovalRequest(
        release.release_id, "staging", "seal", 1, policy.approval.approvers, "somebody", EARLY, EARLY
    )
    post(letters_about(release.release_id, request, EARLY), release, request, stack.world)


def heard(stack: Stack) -> dict[str, list[str]]:
    """The subjects of what each address gets: a queue beside each, with the same filter, hears the same."""
    sns, topic, sqs = stack.session.client("sns"), stack.outputs["PersonalTopicArn"], stack.session.client("sqs")
    queues = {}
    for number, (address, kept) in enumerate(filters(stack).items()):
        queues[address] = url = sqs.create_queue(QueueName=f"heard-{number}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"FilterPolicy": json.dumps(kept)})
    for group in ("wages", "computers"):
        ask(stack, group)
    found = {}
    for address, url in queues.items():
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        found[address] = [json.loads(one["Body"])["Subject"] for one in messages]
    return found


def of_two_groups(folder: Path) -> list[Path]:
    """Policies of two groups, each of which calls somebody else Risk."""
    files = []
    for group in ("wages", "computers"):
        text = POLICY.replace("group: wages", f"group: {group}").replace("Ada Lindqvist", "Risk")
        files.append(folder / f"{group}.yaml")
        files[-1].write_text(text.replace("ada@", f"risk-{group}@"), "utf-8")
    return files


OWN_LETTERS = {
    f"risk-{group}@example.com": [f"Approve {group} version 2 for staging?"] for group in ("wages", "computers")
}


def test_approvers_of_two_groups_who_share_a_name_get_their_own_links_alone(tmp_path: Path, stack: Stack) -> None:
    for file in of_two_groups(tmp_path):
        assert "warning" not in runner.invoke(app, ["policy", "apply", str(file)]).stdout
    assert heard(stack) == OWN_LETTERS


@pytest.mark.parametrize("mended", [False, True])
def test_a_subscription_of_an_earlier_version_gets_nothing_until_any_policy_is_applied(
    tmp_path: Path, stack: Stack, mended: bool
) -> None:
    sns, topic = stack.session.client("sns"), stack.outputs["PersonalTopicArn"]
    files = of_two_groups(tmp_path)
    for file in files:
        stack.world.policies.save(file.stem, file.read_text("utf-8"), "somebody")
    for address in OWN_LETTERS:
        named = {"FilterPolicy": json.dumps({"approver": ["Risk"]})}
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address, Attributes=named)
    assert stack.world.mail.confirmed(frozenset(OWN_LETTERS)) == frozenset()
    if mended:
        said = " ".join(runner.invoke(app, ["policy", "apply", str(files[0])]).stdout.split())
        assert "risk-computers@example.com (changed), whom an earlier version subscribed by name" in said
        assert "AWS may take 15 minutes to go by a changed filter" in said
        assert "warning" not in said
        assert stack.world.mail.confirmed(frozenset(OWN_LETTERS)) == set(OWN_LETTERS)
    assert heard(stack) == (OWN_LETTERS if mended else {address: [] for address in OWN_LETTERS})


def test_a_subscription_that_reads_other_peoples_mails_is_a_warning(file: Path, stack: Stack) -> None:
    sns, topic = stack.session.client("sns"), stack.outputs["PersonalTopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="everything@example.com")
    mine = json.dumps({"address": ["ada@example.com"]})
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="other@example.com", Attributes={"FilterPolicy": mine})
    result = runner.invoke(app, ["policy", "apply", str(file)])
    assert result.exit_code == 0
    for address in ("everything@example.com", "other@example.com"):
        assert f"warning: {address} may get other people's mails" in result.stdout


def test_what_is_no_mail_is_a_warning_and_stays_as_it_is(file: Path, stack: Stack) -> None:
    sns, topic, sqs = stack.session.client("sns"), stack.outputs["PersonalTopicArn"], stack.session.client("sqs")
    url = sqs.create_queue(QueueName="letters")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    named = {"FilterPolicy": json.dumps({"approver": ["Ada Lindqvist"]})}
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=named)["SubscriptionArn"]
    said = runner.invoke(app, ["policy", "apply", str(file)]).stdout
    assert f"warning: {queue} may get other people's mails" in said
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["FilterPolicy"] == named["FilterPolicy"]


def test_an_own_subscription_without_a_filter_gets_one(file: Path, stack: Stack) -> None:
    sns, topic = stack.session.client("sns"), stack.outputs["PersonalTopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ADA@example.com")
    apply_policy(file, stack)
    assert filters(stack) == {"ADA@example.com": {"address": ["ada@example.com"]}}


@pytest.mark.parametrize(("listed", "change"), [("PendingConfirmation", "unchanged"), ("Deleted", "new")])
def test_a_subscription_that_was_never_confirmed_or_was_ended_is_asked_for_again(listed: str, change: str) -> None:
    """SNS lists both without an ARN that anything could be asked about; what a reader has ended, for days."""
    sns, topic, arn = shared_session().client("sns"), "arn:aws:sns:eu-west-1:1:p", "arn:aws:sns:eu-west-1:1:p:s"
    silent = {"Subscriptions": [{"SubscriptionArn": listed, "Protocol": "email", "Endpoint": "ada@example.com"}]}
    with Stubber(sns) as answers:
        answers.add_response("list_subscriptions_by_topic", silent)
        answers.add_response("subscribe", {"SubscriptionArn": arn})
        attributes = {"PendingConfirmation": "true", "FilterPolicy": '{"address": ["ada@example.com"]}'}
        answers.add_response("get_subscription_attributes", {"Attributes": attributes}, {"SubscriptionArn": arn})
        (done,) = subscribe(sns, topic, [Approver(name="Ada", email="ada@example.com")])
        answers.add_response("list_subscriptions_by_topic", silent)
        assert mend_others(sns, topic) == Others((), ())
        answers.assert_no_pending_responses()
    assert (done.change, done.confirmed) == (change, False)


def test_the_shown_policy_is_the_file_that_was_applied(file: Path, stack: Stack) -> None:
    applied = apply_policy(file, stack)
    result = runner.invoke(app, ["policy", "show", "wages"])
    assert (result.exit_code, result.stdout) == (0, POLICY)
    for words in (applied.stored.version_id, fingerprint(POLICY), stack.caller()):
        assert words in result.stderr


def test_a_group_without_a_policy_says_how_to_write_one(stack: Stack) -> None:
    result = runner.invoke(app, ["policy", "show", "nothing"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "lockkeeper policy apply FILE" in result.stderr


def test_a_policy_of_an_older_version_can_be_replaced(file: Path, stack: Stack) -> None:
    stack.world.policies.save("wages", "mode: of-another-time\n", "somebody")
    assert apply_policy(file, stack).changed


def test_every_rule_is_told() -> None:
    text = POLICY.replace(
        "production:\n",
        "staging:\n"
        "  instance_type: ml.c5.xlarge\n"
        "  tests: {contract: s3://data/c.jsonl, replay: {dataset: s3://data/h.csv, at_most: {mae: 200}}}\n"
        "production:\n"
        "  strategy: {canary: {percent: 10, wait: 10m}, bake: 90s, minimum_invocations: 50}\n"
        "  initial_instances: 2\n"
        "  alarms: [errors, {errors_5xx: 5}, {model_latency_ms: {p95: 200}, period: 2m, evaluation_periods: 3}]\n",
    )
    told = dict(rules(parse_policy(text, source="policy.yaml")))
    assert told["staging"] == "1 x ml.c5.xlarge, real-time"
    assert told["contract test"] == "s3://data/c.jsonl"
    assert told["replay test"] == "mae at most 200 on 100 rows or more of s3://data/h.csv"
    assert told["strategy"] == "canary, 10 % for 600 s and then the rest"
    assert told["bake"] == "90 s, with 50 invocations or more, up to 270 s for want of them"
    assert told["alarms"] == ("errors; errors_5xx >= 5 in 1 min; model_latency_ms p95 > 200 in 2 min, 3 times in a row")


def test_a_policy_that_asks_nobody_says_so() -> None:
    text = POLICY.replace("approval:\n", "approval:\n  before: []\n")
    assert dict(rules(parse_policy(text, source="policy.yaml")))["approval"] == "nobody is asked"


def test_durations_are_told_in_their_largest_whole_unit() -> None:
    assert [in_words(seconds) for seconds in (0, 90, 600, 7200, 259200)] == ["0 s", "90 s", "10 min", "2 h", "3 d"]


def test_bytes_that_are_no_text_name_the_file_and_their_line(file: Path, stack: Stack) -> None:
    file.write_bytes(POLICY.encode().replace(b"Ada", b"Ad\xe9"))
    line = POLICY[: POLICY.index("Ada")].count("\n") + 1
    with pytest.raises(PolicyInvalid, match=f"policy.yaml:{line}: not UTF-8"):
        apply_policy(file, stack)
