"""The local SageMaker: every request is validated, dispatched and answered here."""

import logging
from collections.abc import Mapping
from pathlib import Path

from localcloud.sagemaker import scope, validation
from localcloud.sagemaker.async_invocations import AsyncInvocations
from localcloud.sagemaker.background import Background
from localcloud.sagemaker.call import Call, Operation
from localcloud.sagemaker.capture import Captures
from localcloud.sagemaker.cloud import Cloud, JsonObject, Place
from localcloud.sagemaker.deployments import Deployments, Faults
from localcloud.sagemaker.endpoints import Endpoints
from localcloud.sagemaker.environments import Environments
from localcloud.sagemaker.events import EventPublisher
from localcloud.sagemaker.executions import PipelineExecutions
from localcloud.sagemaker.groups import ModelPackageGroups
from localcloud.sagemaker.invocations import Invocation, Invocations
from localcloud.sagemaker.jobs import JobRunner
from localcloud.sagemaker.models import EndpointConfigs, Models
from localcloud.sagemaker.monitoring import MonitoringSchedules
from localcloud.sagemaker.packages import ModelPackages
from localcloud.sagemaker.pipelines import Pipelines
from localcloud.sagemaker.processing import ProcessingJobs
from localcloud.sagemaker.scaling import Scaling
from localcloud.sagemaker.serving import Launcher
from localcloud.sagemaker.store import Store
from localcloud.sagemaker.tags import Tags
from localcloud.sagemaker.training import TrainingJobs
from localcloud.sagemaker.tuning import TuningJobs
from localcloud.settings import BUILD_FOLDER

logger = logging.getLogger(__name__)


class LocalSageMaker:
    """SageMaker for any number of accounts and regions, each a world of its own.

    `work_folder` holds what containers work on and, below `logs/sagemaker`, what they print. Environments that pip
    fills are kept in `cache_folder` from run to run. `clock_scale` shortens waits (a bake, a canary's interval), not
    work.
    """

    def __init__(
        self,
        cloud: Cloud,
        work_folder: Path,
        clock_scale: float,
        cache_folder: Path = BUILD_FOLDER / "cache" / "environments",
    ) -> None:
        self.store = Store()
        self.background = Background(clock_scale)
        work, logs = work_folder / "sagemaker", work_folder / "logs" / "sagemaker"
        events = EventPublisher(cloud)
        environments = Environments(cache_folder)
        launcher = Launcher(self.store, cloud, environments, work / "endpoints", logs / "endpoints")
        self.deployments = Deployments(self.store, cloud, events, self.background, launcher, Faults(work_folder))
        groups = ModelPackageGroups(self.store, cloud)
        packages = ModelPackages(self.store, cloud, events, groups)
        self._jobs = JobRunner(self.store, cloud, events, self.background, environments, work / "jobs", logs / "jobs")
        training = TrainingJobs(self._jobs)
        executions = PipelineExecutions(self.store, cloud, events, self.background, self._perform)
        self.scaling = Scaling(self.store, cloud, self.deployments)
        self._invocations = Invocations(self.store, cloud, self.deployments, Captures(cloud, self.background))
        self._queue = AsyncInvocations(self.store, cloud, self._invocations)
        self._operations: dict[str, Operation] = {
            **groups.operations(),
            **packages.operations(),
            **Models(self.store, cloud, packages).operations(),
            **EndpointConfigs(self.store, cloud).operations(),
            **Endpoints(self.store, cloud, self.deployments).operations(),
            **training.operations(),
            **TuningJobs(self._jobs, training).operations(),
            **ProcessingJobs(self._jobs).operations(),
            **Pipelines(self.store, cloud).operations(),
            **executions.operations(),
            **MonitoringSchedules().operations(),
            **Tags(self.store).operations(),
        }

    @property
    def operation_names(self) -> list[str]:
        """The operations that are there, in alphabetical order."""
        return sorted(self._operations)

    def handle(self, account: str, region: str, operation: str, parameters: JsonObject, caller_arn: str) -> JsonObject:
        """Answer a call of the control plane. Times are seconds since the epoch.

        Raises ApiError for every refusal, among them an operation that SageMaker has and this does not.
        """
        answer = self._operations.get(operation)
        if answer is None and operation in validation.service_model().operation_names:
            raise scope.unsupported_operation(operation)
        checked = validation.check(operation, parameters)
        scope.check(operation, checked)
        assert answer is not None, f"{operation} is no operation of SageMaker"  # noqa: S101 - check has refused it
        with self.store.lock:
            return answer(Call(Place(account, region), operation, checked, caller_arn))

    def _perform(self, place: Place, operation: str, parameters: JsonObject, caller_arn: str) -> JsonObject:
        """What a pipeline's step calls."""
        return self.handle(place.account, place.region, operation, parameters, caller_arn)

    def invoke(
        self, account: str, region: str, endpoint_name: str, headers: Mapping[str, str], body: bytes
    ) -> Invocation:
        """Answer InvokeEndpoint. Raises ApiError (ValidationError, ModelError)."""
        lowered = {name.lower(): value for name, value in headers.items()}
        return self._invocations.invoke(Place(account, region), endpoint_name, lowered, body)

    def invoke_async(
        self, account: str, region: str, endpoint_name: str, headers: Mapping[str, str], body: bytes
    ) -> Invocation:
        """Answer InvokeEndpointAsync (202). Raises ApiError (ValidationError)."""
        lowered = {name.lower(): value for name, value in headers.items()}
        return self._queue.accept(Place(account, region), endpoint_name, lowered, body)

    def close(self) -> None:
        """End all work and every process that was started."""
        self.background.closing.set()
        self._jobs.stop_all()
        self._queue.close()
        self._invocations.close()
        self.deployments.stop_all()
        self.background.close()
        self.deployments.stop_all()
