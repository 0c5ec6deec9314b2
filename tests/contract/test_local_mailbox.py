"""SNS e-mail becomes files."""

import email
import email.policy
import json
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lockkeeper.adapters.aws import TopicMail
from lockkeeper.domain.approval import ApprovalRequest
from lockkeeper.domain.policy import Approver
from lockkeeper.domain.release import Release
from lockkeeper.use_cases.letters import letters_about, post

from cli.subscriptions import subscribe


def mails(folder: Path) -> list[EmailMessage]:
    return [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted(folder.glob("*.eml"))
    ]


def test_mail_reaches_only_readers_whose_filter_matches(cloud: Any, unique: str) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=unique[:60])["TopicArn"]
    for name in ("ana", "ben"):
        address = f"{name}-{unique}@example.org"
        policy = json.dumps({"approver": [address]})
        answer = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address, Attributes={"FilterPolicy": policy})
        assert answer["SubscriptionArn"].startswith(topic)
    link = f"http://127.0.0.1/approvals/{'x' * 120}"
    ana = f"ana-{unique}@example.org"
    attributes = {"approver": {"DataType": "String", "StringValue": ana}}
    sns.publish(
        TopicArn=topic, Subject="Approval needed: wages 7", Message=f"Décision: {link}", MessageAttributes=attributes
    )
    (mail,) = mails(cloud.running.mailbox / ana)
    assert (mail["To"], mail["Subject"]) == (ana, "Approval needed: wages 7")
    assert mail.get_content().strip() == f"Décision: {link}"
    assert mail["X-Amz-Sns-Topic-Arn"] == topic
    assert not (cloud.running.mailbox / f"ben-{unique}@example.org").exists()


def test_approvers_of_two_groups_who_share_a_name_get_their_own_links_alone(cloud: Any, unique: str) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=unique[:60])["TopicArn"]
    mail = TopicMail(sns, personal_topic_arn=topic, broadcast_topic_arn=topic)
    world: Any = SimpleNamespace(mail=mail, web_url="http://127.0.0.1")
    people = {group: Approver(name="Risk", email=f"Risk-{group}-{unique}@example.org") for group in ("wages", "prices")}
    for one in people.values():
        subscribe(sns, topic, [one])
    for group, one in people.items():
        release, at = Release(f"{group}-v7-a1", group, 7, 1, "arn"), "2026-11-26T07:00:00.000Z"
        request = ApprovalRequest(release.release_id, "staging", "seal", 1, (one,), "somebody", at, at)
        post(letters_about(release.release_id, request, at), release, request, world)
    for group, one in people.items():
        (letter,) = mails(cloud.running.mailbox / str(one.email))
        assert letter["Subject"] == f"Approve {group} version 7 for staging?"


def test_mails_sort_by_time_and_none_is_lost(cloud: Any, unique: str, eventually: Callable[..., Any]) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=unique[:60])["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=f"{unique}@example.org")
    for number in range(5):
        sns.publish(TopicArn=topic, Subject="same", Message=str(number))
    folder = cloud.running.mailbox / f"{unique}@example.org"
    assert [mail.get_content().strip() for mail in mails(folder)] == ["0", "1", "2", "3", "4"]
    assert not list(folder.glob("*.partial"))


def test_an_address_cannot_leave_the_mailbox(cloud: Any, unique: str) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=unique[:60])["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=f"../../{unique}@example.org")
    sns.publish(TopicArn=topic, Message="hello")
    assert list(cloud.running.mailbox.rglob("*.eml"))
    assert not list(cloud.running.run_folder.glob(f"*{unique}*"))
