"""The constants of the laptop's AWS, each in this one place."""

from pathlib import Path

PROJECT_FOLDER = Path(__file__).resolve().parents[1]
BUILD_FOLDER = PROJECT_FOLDER / "build" / "local"

HUB_ACCOUNT_ID = "111122223333"
"""The account the template is deployed to. Twelve digits used as an access key are that account's root."""

JOINED_ACCOUNT_IDS = {"staging": "222233334444", "production": "333344445555"}
"""The accounts that join the hub where the laptop plays three; the registry is the hub's."""

REGION = "us-east-1"

SECRET_ACCESS_KEY = "local"
"""The secret of every account's root user. It guards nothing: the server listens on 127.0.0.1 only."""

EMULATOR_VERSION = "1.5.33"
"""The one ministack release that the conformance patches were written for."""

DEFAULT_PORT = 4566

STOP_POLL_SECONDS = 0.02
"""How often a stand-in looks whether it is to stop; the half second that Python waits by default adds up in tests."""

PAYLOAD_LIMIT_BYTES = 262_144
"""What Step Functions, EventBridge and asynchronous Lambda invocations accept (256 KiB)."""

LOST_WITHOUT_RUNTIME_CLIENT = (
    "awslambdaric is not available on this system: Python Lambdas run in the emulator's own worker, whose "
    "error types, environment variables and sys.path differ from Lambda's, and their metrics stay log lines."
)
"""Said at start on systems other than Linux."""


def client_environment(endpoint_url: str, account_id: str = HUB_ACCOUNT_ID) -> dict[str, str]:
    """The variables that make the AWS CLI, boto3 or any other AWS client talk to the laptop's AWS as `account_id`."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": account_id,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        # boto3 would otherwise put `runtime.` or an account id in front of 127.0.0.1.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
