"""Code that runs inside SageMaker jobs. Each folder is one job, and nothing of it is imported by the Lambdas."""
