"""Writes the definition of the wages pipeline with the SageMaker Python SDK (version 3), instead of by hand.

    pip install -c constraints.txt -r requirements.txt
    python author_pipeline.py --role ROLE_ARN > pipeline.json
    aws sagemaker create-pipeline --pipeline-name wages-train --role-arn ROLE_ARN --pipeline-definition file://pipeline.json

The same three steps as `../pipeline.json`. Nothing is uploaded and nobody is asked: it needs no credentials. The one parameter that it does
not have is RoleArn, because the SDK takes no parameter for the role of a training job.
"""

import argparse
import json
import os
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The SDK reads these where it is imported. Without the first it tells AWS how it is used; without the second it asks IAM about the role.
os.environ.setdefault("SAGEMAKER_USER_CONFIG_OVERRIDE", str(HERE / "config.yaml"))
os.environ.setdefault("SAGEMAKER_VALIDATE_ROLE", "false")
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

import boto3
from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import (
    OutputDataConfig,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
    StoppingCondition,
)
from sagemaker.core.training.configs import Compute, InputData, MetricDefinition
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train.model_trainer import ModelTrainer

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
PLACE = "/opt/ml/processing"
HOUR = 3600


class OfflineSession(PipelineSession):
    """A session that makes no bucket: code and data are where the pipeline's parameters say."""

    def default_bucket(self):
        return "sagemaker-your-team"


def parameters():
    """The pipeline's parameters by name, in the order of the definition; those without a default have to be given."""
    defaults = {
        "TrainDataUri": None,
        "ValidationDataUri": None,
        "EvaluationDataUri": None,
        "CodeUri": None,
        "OutputUri": None,
        "ModelPackageGroupName": "wages",
        "Author": None,
        "Reason": "scheduled training",
        "ApprovalStatus": "PendingManualApproval",
        "Features": "exp,wks,bluecol,ind,south,smsa,union,ed",
        "Estimator": "logistic",
        "Trees": "100",
        "Image": IMAGE,
        "InstanceType": "ml.m5.large",
    }
    return {name: ParameterString(name=name, default_value=default) for name, default in defaults.items()}


def training_step(given, role, session):
    """Script mode: the container runs train.py of the archive that the parameter CodeUri says."""
    trainer = ModelTrainer(
        sagemaker_session=session,
        role=role,
        training_image=given["Image"],
        base_job_name="wages",
        compute=Compute(instance_type=given["InstanceType"], instance_count=1, volume_size_in_gb=30),
        hyperparameters={
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": Join(on="/", values=[given["CodeUri"], "sourcedir.tar.gz"]),
            "features": given["Features"],
            "estimator": given["Estimator"],
            "trees": given["Trees"],
        },
        output_data_config=OutputDataConfig(s3_output_path=Join(on="/", values=[given["OutputUri"], "models"])),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=HOUR),
    ).with_metric_definitions(
        [
            MetricDefinition(name=f"{channel}:{metric}", regex=f"{channel}:{metric}=([0-9.]+);")
            for channel in ("train", "validation")
            for metric in ("accuracy", "auc")
        ]
    )
    channels = {"train": given["TrainDataUri"], "validation": given["ValidationDataUri"]}
    inputs = [InputData(channel_name=name, data_source=uri, content_type="text/csv") for name, uri in channels.items()]
    return TrainingStep(name="Train", step_args=trainer.train(input_data_config=inputs))


def evaluation_step(given, role, session, model):
    """jobs/evaluation, from the archive beside the training code."""
    processor = Processor(
        sagemaker_session=session,
        role=role,
        image_uri=given["Image"],
        instance_count=1,
        instance_type=given["InstanceType"],
        entrypoint=["python3", f"{PLACE}/input/code/evaluation.zip"],
        max_runtime_in_seconds=HOUR,
    )
    sources = {
        "model": model,
        "data": given["EvaluationDataUri"],
        "code": Join(on="/", values=[given["CodeUri"], "evaluation.zip"]),
    }
    target = Join(on="/", values=[given["OutputUri"], "evaluations", ExecutionVariables.PIPELINE_EXECUTION_ID])
    left = ProcessingS3Output(s3_uri=target, local_path=f"{PLACE}/output/evaluation", s3_upload_mode="EndOfJob")
    arguments = {
        "model": f"{PLACE}/input/model/model.tar.gz",
        "features": given["Features"],
        "answer": "predicted_label,score",
        "data": f"{PLACE}/input/data",
        "problem-type": "BinaryClassification",
        "label": "label",
        "positive-label": "1",
        "prediction": "predicted_label",
        "probability": "score",
        "group-variable": "bluecol",
        "output": f"{PLACE}/output/evaluation",
        "message": "/opt/ml/output/message",
    }
    words = [word for name, value in arguments.items() for word in (f"--{name}", value)]
    run = processor.run(
        inputs=[_input(name, uri) for name, uri in sources.items()],
        outputs=[ProcessingOutput(output_name="evaluation", s3_output=left)],
        arguments=[*words, "--facet", "sex=female", "--facet", "black=yes", "--slice", "sex", "--slice", "black"],
    )
    report = PropertyFile(name="Evaluation", output_name="evaluation", path="evaluation.json")
    return ProcessingStep(name="Evaluate", step_args=run, property_files=[report])


def _input(name, uri):
    source = ProcessingS3Input(
        s3_uri=uri,
        local_path=f"{PLACE}/input/{name}",
        s3_data_type="S3Prefix",
        s3_input_mode="File",
        s3_data_distribution_type="FullyReplicated",
    )
    return ProcessingInput(input_name=name, s3_input=source)


def registration_step(given, role, session, model, evaluation):
    """What Lockkeeper hears of: a version with its reports, and who made it."""

    def report(name):
        uri = Join(on="/", values=[evaluation, name])
        return MetricsSource(content_type="application/json", s3_uri=uri)

    builder = ModelBuilder(
        sagemaker_session=session,
        role_arn=role,
        image_uri=given["Image"],
        s3_model_data_url=model,
        env_vars={"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
    )
    metrics = ModelMetrics(
        model_statistics=report("evaluation.json"),
        bias=report("analysis.json"),
        bias_pre_training=report("analysis.json"),
        bias_post_training=report("analysis.json"),
    )
    registered = builder.register(
        model_package_group_name=given["ModelPackageGroupName"],
        content_types=["text/csv", "application/json"],
        response_types=["text/csv", "application/json"],
        inference_instances=["ml.m5.large", "ml.m5.xlarge", "ml.c5.large"],
        model_metrics=metrics,
        approval_status=given["ApprovalStatus"],
        description=given["Reason"],
        customer_metadata_properties={
            "author": given["Author"],
            "reason": given["Reason"],
            "pipeline_execution": ExecutionVariables.PIPELINE_EXECUTION_ID,
        },
    )
    return ModelStep(name="Register", step_args=registered)


def definition(role):
    """The definition as a document; `role` is the ARN of the role that the jobs run under."""
    session, given = OfflineSession(boto_session=boto3.Session()), parameters()
    train = training_step(given, role, session)
    model = train.properties.ModelArtifacts.S3ModelArtifacts
    evaluate = evaluation_step(given, role, session, model)
    reports = evaluate.properties.ProcessingOutputConfig.Outputs["evaluation"].S3Output.S3Uri
    register = registration_step(given, role, session, model, reports)
    pipeline = Pipeline(
        name="wages-train",
        parameters=list(given.values()),
        steps=[train, evaluate, register],
        sagemaker_session=session,
    )
    return json.loads(pipeline.definition())


def main():
    """Write the definition to standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--role", required=True, help="ARN of the role that the jobs run under")
    given = parser.parse_args()
    # That no job is started while the definition is written is what it is for.
    warnings.filterwarnings("ignore", message="Running within a PipelineSession")
    json.dump(definition(given.role), sys.stdout, indent=2)


if __name__ == "__main__":
    main()
