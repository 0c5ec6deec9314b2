"""The laptop's SageMaker: endpoints that serve, jobs that run, pipelines that run, and refusals worded as AWS words them.

The core (`service.LocalSageMaker`) knows nothing of the emulator; `plug_in.install` puts it into ministack.
docs/local-sagemaker.md lists every operation and what of it is real.
"""
