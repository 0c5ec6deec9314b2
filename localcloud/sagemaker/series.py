"""The containers of one variant, through which a request passes one after another: a serial inference pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from localcloud.sagemaker.fleet import Answer, Fleet


@dataclass
class Series:
    """One fleet or several in a row. Each container's answer is the next one's request, under the type that it gave it."""

    fleets: list[Fleet]

    def wait_until_healthy(self, seconds: float) -> None:
        """Ping all containers. Raises WorkFailedError for the first that ended or is not healthy in time."""
        for fleet in self.fleets:
            fleet.wait_until_healthy(seconds)

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post a request to the first container; the last one's answer, or the first that is no success.

        Only the last container is told what the caller accepts: those before it answer in their own default type, which the
        variable SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT changes. Raises what `Fleet.invoke` raises.
        """
        seconds, kind = 0.0, headers["Content-Type"]
        for fleet in self.fleets:
            accept = headers["Accept"] if fleet is self.fleets[-1] else "*/*"
            answer = fleet.invoke(body, {**headers, "Content-Type": kind, "Accept": accept})
            seconds += answer.seconds
            if answer.status >= 400:
                break
            body, kind = answer.body, answer.content_type
        return replace(answer, seconds=seconds)

    def drain_and_stop(self) -> None:
        """Let the requests in flight end, take no others, then end the processes: from the first, so that no request is cut."""
        for fleet in self.fleets:
            fleet.drain_and_stop()

    def stop(self) -> None:
        """End the processes at once."""
        for fleet in self.fleets:
            fleet.stop()
