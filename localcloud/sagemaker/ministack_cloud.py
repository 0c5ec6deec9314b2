"""The emulator as the Cloud that SageMaker needs. Runs inside the emulator's process, on threads of SageMaker's own."""

import json
import logging
import os
import queue
import secrets
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ministack.core import iam_evaluator
from ministack.core.responses import request_scope
from ministack.services import cloudwatch, ecr, eventbridge, iam, s3, sts

from localcloud.sagemaker import images
from localcloud.sagemaker.cloud import JsonObject, Place, StoredObject, split_uri

SERVICE_PRINCIPAL = "sagemaker.amazonaws.com"
SESSION_SECONDS = 12 * 3600.0

logger = logging.getLogger(__name__)

Event = tuple[Place, JsonObject]


class MinistackCloud:
    """Implements `cloud.Cloud`. Bucket names are global, so a bucket is looked up wherever its owner is."""

    def __init__(self) -> None:
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

    def may(self, place: Place, role_arn: str, action: str, uri: str) -> bool:
        bucket, key = split_uri(uri)
        owner = s3._bucket_owner_account(bucket)
        account, role_name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
        context = iam_evaluator.EvalContext(
            principal_arn=f"arn:aws:sts::{account}:assumed-role/{role_name}/SageMaker",
            principal_type="AssumedRole",
            principal_account=account,
            action=action,
            resource_arn=f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}",
            region=place.region,
            # As everywhere on the laptop, the loopback interface stands in for TLS.
            secure_transport=True,
        )
        identity = iam_evaluator.evaluate(context, iam_evaluator._gather_role_policies(role_name, account))
        policy = s3._bucket_policies.get_scoped(owner, None, bucket) if owner else None
        return bool(iam_evaluator.combine_resource_policy(identity, context, policy, owner).decision == "Allow")

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
        entry = {
            "Source": "aws.sagemaker",
            "DetailType": detail_type,
            # Text at once: the detail may hold documents that change before the event leaves.
            "Detail": json.dumps(detail, default=str),
            "Resources": list(resources),
        }
        self._events.put((place, entry))

    def _send_events(self) -> None:
        while (event := self._events.get()) is not None:
            place, entry = event
            try:
                with request_scope(place.account, place.region):
                    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
            except Exception:
                logger.exception("the event %s was not delivered", entry["DetailType"])

    def put_metric(self, place: Place, name: str, value: float, unit: str, dimensions: dict[str, str]) -> None:
        with request_scope(place.account, place.region):
            cloudwatch.record_metric("AWS/SageMaker", name, value, unit, dimensions)
