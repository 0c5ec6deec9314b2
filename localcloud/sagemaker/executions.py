"""Pipeline executions: started, described, listed and stopped."""

import copy
import json
from typing import Any

from localcloud.sagemaker import pipeline_definitions
from localcloud.sagemaker.background import Background
from localcloud.sagemaker.call import Call, Operation
from localcloud.sagemaker.cloud import Cloud, JsonObject
from localcloud.sagemaker.errors import invalid, not_found
from localcloud.sagemaker.events import EventPublisher
from localcloud.sagemaker.listing import page, select
from localcloud.sagemaker.pipeline_steps import Perform, PipelineRun
from localcloud.sagemaker.pipeline_values import parameter_values
from localcloud.sagemaker.pipelines import find_pipeline
from localcloud.sagemaker.store import Store, new_id

SUMMARY = (
    "PipelineExecutionArn", "StartTime", "PipelineExecutionStatus", "PipelineExecutionDescription",
    "PipelineExecutionDisplayName", "PipelineExecutionFailureReason",
)  # fmt: skip
INTERNAL = ("Steps", "Parameters", "Definition", "StartTime", "PipelineExecutionFailureReason")


class PipelineExecutions:
    """StartPipelineExecution and its kin."""

    def __init__(
        self, store: Store, cloud: Cloud, events: EventPublisher, background: Background, perform: Perform
    ) -> None:
        self._store = store
        self._cloud = cloud
        self._events = events
        self._background = background
        self._perform = perform
        self._runs: dict[str, PipelineRun] = {}

    def operations(self) -> dict[str, Operation]:
        return {
            "StartPipelineExecution": self.start,
            "DescribePipelineExecution": self.describe,
            "DescribePipelineDefinitionForExecution": self.definition,
            "ListPipelineExecutions": self.list_page,
            "ListPipelineExecutionSteps": self.steps,
            "ListPipelineParametersForExecution": self.parameters,
            "StopPipelineExecution": self.stop,
        }

    def start(self, call: Call) -> JsonObject:
        pipeline, world = find_pipeline(self._store, call), self._store.world(call.place)
        given = {one["Name"]: one["Value"] for one in call.get("PipelineParameters", [])}
        key = (f"{call.operation} {pipeline['PipelineArn']}", call["ClientRequestToken"])
        if key in world.tokens:
            if world.executions[world.tokens[key]]["Parameters"] != given:
                raise invalid("The ClientRequestToken was used before, with other parameters.")
            return {"PipelineExecutionArn": world.tokens[key]}
        definition = pipeline_definitions.parse(pipeline["PipelineDefinition"])
        values = parameter_values(definition, given)
        execution = self._new_execution(call, pipeline, given)
        arn: str = execution["PipelineExecutionArn"]
        world.executions[arn] = execution
        world.tokens[key] = arn
        pipeline["LastExecutionTime"] = execution["CreationTime"]
        self._events.execution_changed(call.place, execution, None)
        run = PipelineRun(
            self._store,
            self._cloud,
            self._events,
            self._background,
            self._perform,
            call.place,
            pipeline["RoleArn"],
            execution,
            values,
        )
        self._runs[arn] = run
        self._background.start(f"pipeline {arn.rpartition('/')[2]}", lambda: self._run(run, definition["Steps"]))
        return {"PipelineExecutionArn": arn}

    def _run(self, run: PipelineRun, steps: list[JsonObject]) -> None:
        try:
            run.run(steps)
        finally:
            self._runs.pop(run.execution["PipelineExecutionArn"], None)

    def _new_execution(self, call: Call, pipeline: JsonObject, given: dict[str, str]) -> JsonObject:
        now = self._cloud.now()
        optional = ("PipelineExecutionDisplayName", "PipelineExecutionDescription", "ParallelismConfiguration")
        return {
            **{name: call[name] for name in optional if call.get(name)},
            "PipelineArn": pipeline["PipelineArn"],
            "PipelineExecutionArn": f"{pipeline['PipelineArn']}/execution/{new_id()}",
            "PipelineExecutionStatus": "Executing",
            "CreationTime": now,
            "StartTime": now,
            "LastModifiedTime": now,
            "CreatedBy": call.user_context(),
            "LastModifiedBy": call.user_context(),
            "Definition": pipeline["PipelineDefinition"],
            "Parameters": given,
            "Steps": [],
        }

    def describe(self, call: Call) -> JsonObject:
        execution = self._find(call)
        return copy.deepcopy({name: value for name, value in execution.items() if name not in INTERNAL})

    def definition(self, call: Call) -> JsonObject:
        execution = self._find(call)
        return {"PipelineDefinition": execution["Definition"], "CreationTime": execution["CreationTime"]}

    def list_page(self, call: Call) -> JsonObject:
        arn = find_pipeline(self._store, call)["PipelineArn"]
        return select(
            call,
            [one for one in self._store.world(call.place).executions.values() if one["PipelineArn"] == arn],
            name="PipelineExecutionArn",
            summary=lambda execution: {key: execution[key] for key in SUMMARY if key in execution},
            answer="PipelineExecutionSummaries",
        )

    def steps(self, call: Call) -> JsonObject:
        steps: list[JsonObject] = copy.deepcopy(self._find(call)["Steps"])
        # They are kept in the order of their starts; AWS shows the last one first.
        if call.get("SortOrder", "Descending") == "Descending":
            steps.reverse()
        return page(call, steps, "PipelineExecutionSteps")

    def parameters(self, call: Call) -> JsonObject:
        execution = self._find(call)
        declared: list[dict[str, Any]] = json.loads(execution["Definition"]).get("Parameters", [])
        values = {one["Name"]: str(one.get("DefaultValue", "")) for one in declared} | execution["Parameters"]
        return page(call, [{"Name": name, "Value": value} for name, value in values.items()], "PipelineParameters")

    def stop(self, call: Call) -> JsonObject:
        execution = self._find(call)
        if execution["PipelineExecutionStatus"] != "Executing":
            raise invalid(
                f"Pipeline execution is in status {execution['PipelineExecutionStatus']}; it cannot be stopped."
            )
        run = self._runs.get(execution["PipelineExecutionArn"])
        if run is not None:
            run.stop()
        return {"PipelineExecutionArn": execution["PipelineExecutionArn"]}

    def _find(self, call: Call) -> JsonObject:
        arn = call["PipelineExecutionArn"]
        execution = self._store.world(call.place).executions.get(arn)
        if execution is None:
            raise not_found(f"Pipeline execution '{arn}' does not exist.")
        return execution
