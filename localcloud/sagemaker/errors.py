"""What the local SageMaker refuses with: AWS's error codes, and its wording where other people's code reads it."""


class ApiError(Exception):
    """An API call was refused.

    `code` is the AWS error code, `message` what AWS says, `status` the HTTP status; `details` are further members of
    the error document, such as `OriginalStatusCode` of a ModelError.
    """

    def __init__(self, code: str, message: str, status: int = 400, details: dict[str, object] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.details = details or {}


def invalid(message: str) -> ApiError:
    """SageMaker's answer to nearly everything that cannot be done."""
    return ApiError("ValidationException", message)


def already_existing(kind: str, arn: str) -> ApiError:
    """A model, endpoint configuration or endpoint of this name exists."""
    return invalid(f'Cannot create already existing {kind} "{arn}".')


def could_not_find(kind: str, arn: str) -> ApiError:
    """There is no model, endpoint configuration or endpoint of this name."""
    return invalid(f'Could not find {kind} "{arn}".')


def not_found(message: str) -> ApiError:
    """The answer of the newer operations (pipelines) to an unknown name."""
    return ApiError("ResourceNotFound", message)


def conflict(message: str) -> ApiError:
    """The resource's state does not allow it."""
    return ApiError("ConflictException", message)


def in_use(message: str) -> ApiError:
    """The name is taken, or the resource is needed by another one."""
    return ApiError("ResourceInUse", message)


class WorkFailedError(Exception):
    """A container, a job or a step did not succeed; the text becomes its FailureReason."""
