"""The emulator as the Cloud that SageMaker needs. Runs inside the emulator's process, on threads of SageMaker's own."""

import contextlib
import heapq
import json
import logging
import os
import queue
import re
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ministack.core import iam_evaluator
from ministack.core.responses import request_scope
from ministack.services import cloudwatch, ecr, eventbridge, iam, kms, s3, sts

from localcloud import decision_log
from localcloud.clock import CLOCK
from localcloud.sagemaker import images, quirks
from localcloud.sagemaker.cloud import JsonObject, Place, StoredObject, split_uri

SERVICE_PRINCIPAL = "sagemaker.amazonaws.com"
SESSION_SECONDS = 12 * 3600.0

logger = logging.getLogger(__name__)

Event = tuple[Place, str, JsonObject, list[str]]
Late = tuple[float, int, Event]
"""When a copy of an event is due, a number that tells copies apart, and the event."""


OF_THE_KEY = {"s3:GetObject": "kms:Decrypt", "s3:PutObject": "kms:GenerateDataKey"}
"""What an object of an encrypted bucket takes of its key."""


def _key_of(bucket: str, owner: str) -> str:
    """ARN of the KMS key that a bucket encrypts with, or nothing."""
    configuration = s3._bucket_encryption.get_scoped(owner, None, bucket) or ""
    found = re.search(r"<KMSMasterKeyID>(arn:[^<]+)</KMSMasterKeyID>", configuration)
    return found[1] if found else ""


def _may_use_key(place: Place, role_arn: str, key_arn: str, action: str) -> bool:
    """Whether the role may read or write through S3 what the key encrypts. Its key policy is asked also in the key's own account."""
    owner, region = key_arn.split(":")[4], key_arn.split(":")[3]
    with request_scope(owner, region):
        found = kms.key_policy_for_arn(key_arn)
    via = {"kms:viaservice": f"s3.{region}.amazonaws.com", "kms:calleraccount": role_arn.split(":")[4]}
    policy = found[0] if found else None
    return _allows(place, role_arn, action, key_arn, policy, owner, required=True, service_context=via)


def _allows(
    place: Place,
    role_arn: str,
    action: str,
    resource_arn: str,
    policy: str | None,
    owner: str | None,
    *,
    required: bool = False,
    service_context: dict[str, str] | None = None,
) -> bool:
    """Whether a role that SageMaker works with may do this, by its own policies and by the resource's."""
    account, role_name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{role_name}/SageMaker",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource_arn,
        region=place.region,
        # As everywhere on the laptop, the loopback interface stands in for TLS.
        secure_transport=True,
        service_context=service_context or {},
    )
    identity = iam_evaluator.evaluate(context, iam_evaluator._gather_role_policies(role_name, account))
    decided = iam_evaluator.combine_resource_policy(identity, context, policy, owner, required)
    decision_log.note(context, identity.decision, decided.decision)
    return bool(decided.decision == "Allow")


class MinistackCloud:
    """Implements `cloud.Cloud`. Bucket names are global, so a bucket is looked up wherever its owner is."""

    def __init__(self, run_folder: Path) -> None:
        self._run_folder = run_folder
        self._mischief = quirks.Mischief()
        self._late: list[Late] = []
        self._sent = 0
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        # Targets of a rule may call SageMaker, so events leave on a thread that holds none of its locks.
        self._sender = threading.Thread(target=self._send_events, daemon=True, name="sagemaker events")
        self._sender.start()

    def close(self) -> None:
        """Send the events that are left, then no more."""
        self._events.put(None)
        self._sender.join(5)

    def now(self) -> float:
        return time.time()

    def list_objects(self, place: Place, uri: str) -> Sequence[StoredObject]:
        bucket, prefix = split_uri(uri)
        owner = s3._bucket_owner_account(bucket)
        if owner is None:
            return []
        with request_scope(owner, place.region):
            objects = dict(s3._buckets[bucket]["objects"])
        return [StoredObject(key, int(objects[key]["size"])) for key in sorted(objects) if key.startswith(prefix)]

    def read(self, place: Place, uri: str) -> bytes:
        bucket, key = split_uri(uri)
        owner = s3._bucket_owner_account(bucket)
        if owner is None:
            raise FileNotFoundError(uri)
        with request_scope(owner, place.region):
            body: bytes | None = s3._get_object_data(bucket, key)
        if body is None:
            raise FileNotFoundError(uri)
        return body

    def download(self, place: Place, uri: str, target: Path) -> None:
        target.write_bytes(self.read(place, uri))

    def upload(self, place: Place, source: Path, uri: str) -> None:
        bucket, key = split_uri(uri)
        owner = s3._bucket_owner_account(bucket)
        if owner is None:
            raise FileNotFoundError(uri)
        with request_scope(owner, place.region):
            status, _, answer = s3._dispatch("PUT", bucket, key, {}, source.read_bytes(), {})
        if status >= 400:
            raise OSError(f"{uri}: {answer.decode(errors='replace')}")

    def may(
        self, place: Place, role_arn: str, action: str, uri: str, conditions: Mapping[str, str] | None = None
    ) -> bool:
        bucket, key = split_uri(uri)
        owner = s3._bucket_owner_account(bucket)
        arn = f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
        policy = s3._bucket_policies.get_scoped(owner, None, bucket) if owner else None
        if not _allows(place, role_arn, action, arn, policy, owner, service_context=dict(conditions or {})):
            return False
        key_arn = _key_of(bucket, owner) if action in OF_THE_KEY and owner else ""
        return not key_arn or _may_use_key(place, role_arn, key_arn, OF_THE_KEY[action])

    def role_allows(self, place: Place, role_arn: str, action: str, arn: str, conditions: dict[str, str]) -> bool:
        keys = {key.lower(): value for key, value in conditions.items()}
        return _allows(place, role_arn, action, arn, None, None, service_context=keys)

    def may_assume(self, role_arn: str) -> bool:
        account = role_arn.split(":")[4]
        role = iam._roles.get_scoped(account, None, role_arn.rpartition("/")[2])
        if role is None:
            return False
        context = iam_evaluator.EvalContext(
            principal_arn=SERVICE_PRINCIPAL,
            principal_type="Service",
            principal_account="",
            action="sts:AssumeRole",
            resource_arn=role_arn,
            region="",
            service_context={"aws:sourceaccount": account},
        )
        trust = role.get("AssumeRolePolicyDocument", "{}")
        decided = iam_evaluator.evaluate_resource_policy(trust, context, service=SERVICE_PRINCIPAL)
        decision_log.note_trust(context, decided.decision == "Allow")
        return bool(decided.decision == "Allow")

    def policy_allows(self, policy: str, caller_arn: str, action: str, arn: str) -> bool:
        context = iam_evaluator.EvalContext(
            principal_arn=caller_arn,
            principal_type="AssumedRole" if ":assumed-role/" in caller_arn else "User",
            principal_account=caller_arn.split(":")[4],
            action=action,
            resource_arn=arn,
            region=arn.split(":")[3],
        )
        return bool(iam_evaluator.evaluate_resource_policy(policy, context).decision == "Allow")

    def image_digest(self, image: str) -> str | None:
        parts = images.parse(image)
        if parts is None or ".dkr.ecr." not in parts["registry"]:
            return None
        account, region = parts["registry"].split(".")[0], parts["registry"].split(".")[3]
        with request_scope(account, region):
            wanted = {"imageDigest": parts["digest"], "imageTag": parts["tag"]}
            found = ecr._find_image(parts["repository"], wanted)
        return str(found["imageDigest"]) if found else None

    def job_environment(self, place: Place, role_arn: str) -> dict[str, str]:
        account, role_name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
        access_key = f"ASIA{secrets.token_hex(8).upper()}"
        secret, token = secrets.token_urlsafe(30), secrets.token_urlsafe(90)
        role = iam._roles.get_scoped(account, None, role_name) or {}
        sts.register_session(
            access_key,
            {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/SageMaker",
                "UserId": f"{role.get('RoleId', '')}:SageMaker",
                "SecretAccessKey": secret,
                "SessionToken": token,
                "Expiration": time.time() + SESSION_SECONDS,
                "AccountId": account,
                "PrincipalType": "AssumedRole",
            },
        )
        return {
            "AWS_ENDPOINT_URL": os.environ.get("AWS_ENDPOINT_URL", ""),
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_SESSION_TOKEN": token,
            "AWS_REGION": place.region,
            "AWS_DEFAULT_REGION": place.region,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def alarms_in_alarm(self, place: Place, names: Sequence[str]) -> list[str]:
        with request_scope(place.account, place.region):
            alarms = {name: cloudwatch._alarms.get(name) or cloudwatch._composite_alarms.get(name) for name in names}
        return [name for name, alarm in alarms.items() if alarm is None or alarm["StateValue"] == "ALARM"]

    def emit(self, place: Place, detail_type: str, detail: JsonObject, resources: Sequence[str]) -> None:
        # A copy at once: the detail may hold documents that change before the event leaves.
        self._events.put((place, detail_type, json.loads(json.dumps(detail, default=str)), list(resources)))

    def _send_events(self) -> None:
        """Send each event when it is due, until nothing more is asked for; what is late then does not come any more."""
        while True:
            event = self._next_event()
            if event is None:
                return
            place, detail_type, _, resources = event
            for delivery in self._deliveries(event):
                self._sent += 1
                due = time.monotonic() + CLOCK.shorten(delivery.delay)
                heapq.heappush(self._late, (due, self._sent, (place, detail_type, delivery.detail, resources)))

    def _next_event(self) -> Event | None:
        """The next event from SageMaker; in the meantime those that are due leave."""
        while True:
            while self._late and self._late[0][0] <= time.monotonic():
                self._send(heapq.heappop(self._late)[2])
            patience = self._late[0][0] - time.monotonic() if self._late else None
            with contextlib.suppress(queue.Empty):
                return self._events.get(timeout=None if patience is None else max(0.0, patience))

    def _deliveries(self, event: Event) -> list[quirks.Delivery]:
        _, detail_type, detail, resources = event
        try:
            asked = quirks.read(self._run_folder)
        except (ValueError, TypeError) as error:
            logger.error("events come as if nobody had asked for quirks: %s", error)
            asked = quirks.OFF
        return self._mischief.deliveries(asked, detail_type, resources[0], detail)

    def _send(self, event: Event) -> None:
        place, detail_type, detail, resources = event
        entry = {
            "Source": "aws.sagemaker",
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
            "Resources": resources,
        }
        try:
            with request_scope(place.account, place.region):
                eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
        except Exception:
            logger.exception("the event %s was not delivered", detail_type)

    def put_metric(self, place: Place, name: str, value: float, unit: str, dimensions: dict[str, str]) -> None:
        with request_scope(place.account, place.region):
            cloudwatch.record_metric("AWS/SageMaker", name, value, unit, dimensions)
