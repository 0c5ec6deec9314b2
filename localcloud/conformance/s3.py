"""S3: conditional copies."""

from typing import Any

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


def install() -> None:
    """Apply every patch of this service."""
    honour_conditions_on_copies()
