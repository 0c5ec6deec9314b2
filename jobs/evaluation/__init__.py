"""Judges a model on labelled rows: a model-quality report and a bias analysis, in the formats SageMaker knows.

It runs in SageMaker's stock scikit-learn images (Python 3.8 and newer; numpy, scipy, pandas, scikit-learn) as a Processing
job, and imports nothing else. docs/evaluation.md tells how to use it and what it writes.
"""
