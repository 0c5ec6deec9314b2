"""Model Monitor: it is closed to new customers, and here nobody is an old one, so there are no schedules to describe."""

from localcloud.sagemaker.call import Call, Operation
from localcloud.sagemaker.cloud import JsonObject
from localcloud.sagemaker.errors import not_found


class MonitoringSchedules:
    """DescribeMonitoringSchedule alone: whoever asks for one is told that there is none, as SageMaker tells it."""

    def operations(self) -> dict[str, Operation]:
        return {"DescribeMonitoringSchedule": self.describe}

    def describe(self, call: Call) -> JsonObject:
        arn = call.place.arn(f"monitoring-schedule/{call['MonitoringScheduleName'].lower()}")
        raise not_found(f"Monitoring schedule {arn} not found")
