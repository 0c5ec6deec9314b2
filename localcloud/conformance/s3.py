"""S3: conditional copies, and what is told to whom about objects that are not there."""

from typing import Any

from ministack.core import iam_evaluator, router
from ministack.core.responses import get_region
from ministack.services import s3

from localcloud.conformance.patching import wraps


def honour_conditions_on_copies() -> None:
    """The emulator checks IfNoneMatch and IfMatch on PutObject and CompleteMultipartUpload, but not on CopyObject."""

    @wraps(s3, "_copy_object")
    def copy(original: Any, bucket_name: str, key: str, headers: dict[str, str]) -> Any:
        bucket = s3._buckets.get(bucket_name) or {}
        return s3._check_put_preconditions(headers, bucket.get("objects", {}).get(key)) or original(
            bucket_name, key, headers
        )


def hide_missing_objects() -> None:
    """The emulator tells everybody that an object is missing; AWS says so only to who may list the bucket.

    Others get AccessDenied, so that nobody learns names by trying them.
    """

    @wraps(s3, "_get_object")
    def get(original: Any, bucket: str, key: str, headers: dict[str, str], query: Any = None) -> Any:
        return _hidden(original(bucket, key, headers, query), bucket, key, headers, query)

    @wraps(s3, "_head_object")
    def head(original: Any, bucket: str, key: str, headers: Any = None, query: Any = None) -> Any:
        return _hidden(original(bucket, key, headers, query), bucket, key, headers or {}, query)


def _hidden(answer: Any, bucket: str, key: str, headers: dict[str, str], query: dict[str, Any] | None) -> Any:
    caller = router.extract_access_key_id(headers, query or {})
    missing = answer[0] == 404 and bucket in s3._buckets and "versionId" not in (query or {})
    if not missing or not caller:
        return answer
    bucket_arn = f"arn:aws:s3:::{bucket}"
    if iam_evaluator.enforce(caller, "s3:ListBucket", "s3", get_region(), resource_arn=bucket_arn) is None:
        return answer
    return s3._error("AccessDenied", "Access Denied", 403, f"/{bucket}/{key}")


def install() -> None:
    """Apply every patch of this service."""
    honour_conditions_on_copies()
    hide_missing_objects()
