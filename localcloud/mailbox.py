"""SNS e-mail on a laptop: every mail becomes a file that a person can read.

An e-mail subscription is confirmed at once; on AWS the reader has to follow a link first. Filter policies are honoured
by the emulator's own matching. Nothing is ever sent.
"""

import email.message
import email.policy
import email.utils
import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ministack.services import sns

from localcloud.conformance.patching import wraps

PROTOCOLS = ("email", "email-json")

_counter_lock = threading.Lock()
_count = 0


def install(folder: Path) -> None:
    """Deliver SNS e-mail to `folder`; the emulator only logs that it would have."""
    folder.mkdir(parents=True, exist_ok=True)

    @wraps(sns, "_fanout")
    def fan_out(
        original: Any, topic_arn: str, message_id: str, message: str, subject: str, *rest: Any, **named: Any
    ) -> None:
        original(topic_arn, message_id, message, subject, *rest, **named)
        structure = rest[0] if rest else named.get("message_structure", "")
        attributes = rest[1] if len(rest) > 1 else named.get("message_attributes")
        topic = sns._topic_by_arn_any_scope(topic_arn)
        for subscription in (topic or {}).get("subscriptions", []):
            protocol = subscription.get("protocol", "")
            text = sns._resolve_message_for_protocol(message, structure, protocol)
            if protocol not in PROTOCOLS or not sns._matches_filter_policy(subscription, attributes or {}, text):
                continue
            if protocol == "email-json":
                text = sns._build_envelope(topic_arn, message_id, text, subject, attributes or {}, False)
            keep(folder, compose(subscription["endpoint"], subject, text, topic_arn, subscription["arn"]))


def compose(address: str, subject: str, text: str, topic_arn: str, subscription_arn: str) -> email.message.EmailMessage:
    """The mail as AWS would send it, with the topic and subscription as headers."""
    mail = email.message.EmailMessage(policy=email.policy.default.clone(max_line_length=0))
    mail["From"] = "AWS Notifications <no-reply@sns.amazonaws.com>"
    mail["To"] = address
    mail["Subject"] = one_line(subject) or "AWS Notification Message"
    mail["Date"] = email.utils.format_datetime(datetime.now(UTC))
    mail["X-Amz-Sns-Topic-Arn"] = topic_arn
    mail["X-Amz-Sns-Subscription-Arn"] = subscription_arn
    # Unencoded, so that links stay whole and readable in the file.
    mail.set_content(text + "\n", cte="8bit")
    return mail


def one_line(text: str | None) -> str:
    """A header value: no line breaks, no control characters."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text or "").split())


def file_name(mail: email.message.EmailMessage) -> str:
    """`20261124T101500.123456-0007-approval-needed.eml`: sorts by time, and two mails never share one."""
    global _count
    with _counter_lock:
        _count += 1
        number = _count
    words = re.sub(r"[^a-z0-9]+", "-", str(mail["Subject"]).lower()).strip("-")[:60] or "mail"
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{number:04d}-{words}.eml"


def keep(folder: Path, mail: email.message.EmailMessage) -> Path:
    """Write a mail below its reader's folder, so that a reader of the folder never sees half of it."""
    reader = folder / re.sub(r"[^A-Za-z0-9@._+-]", "_", str(mail["To"])).lstrip(".")
    reader.mkdir(parents=True, exist_ok=True)
    target = reader / file_name(mail)
    partial = target.with_suffix(".partial")
    partial.write_bytes(mail.as_bytes())
    return partial.replace(target)
