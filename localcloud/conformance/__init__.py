"""Where the emulator differs from AWS in a way that the application would notice, and what makes it agree.

One module per service, one function per gap; each says what the emulator does and what AWS does. The functions replace
private ones of the emulator, so they fit exactly one release of it, and `install` refuses any other.
"""

from importlib.metadata import version

from localcloud.settings import EMULATOR_VERSION


def install(web_port: int) -> None:
    """Apply every patch. `web_port` is the port at whose root the HTTP API answers.

    Raises RuntimeError when another release of the emulator is installed.
    """
    installed = version("ministack")
    if installed != EMULATOR_VERSION:
        raise RuntimeError(
            f"ministack {installed} is installed, but the patches of localcloud/conformance fit {EMULATOR_VERSION} only: "
            f"pip install ministack=={EMULATOR_VERSION}"
        )
    # The emulator reads its environment when it is imported; the server prepares that first.
    from localcloud.conformance import (
        bus_policies,
        cloudformation,
        cloudwatch,
        events,
        http_api,
        identity,
        lambda_service,
        s3,
        scheduler,
        service_quotas,
        service_roles,
        step_functions,
        transport,
    )

    transport.install()
    step_functions.install()
    service_roles.install()
    events.install()
    bus_policies.install()
    scheduler.install()
    lambda_service.install()
    cloudwatch.install()
    s3.install()
    cloudformation.install()
    http_api.install(web_port)
    identity.install()
    service_quotas.install()
