"""The role of a model that was there before Lockkeeper, which the stack was told of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.harness import Cloud
from tests.removal import remove_role

NAME, POLICY = "a-settlers-own", "Serve"
TRUST = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
ACTIONS = ("s3:GetObject", "s3:PutObject", "ecr:*", "logs:*", "cloudwatch:PutMetricData", "cloudwatch:DescribeAlarms")


def settlers_role(account_id: str) -> str:
    """Its ARN."""
    return f"arn:aws:iam::{account_id}:role/{NAME}"


@contextmanager
def somebodys_role(cloud: Cloud) -> Iterator[str]:
    """Meanwhile production's account has the role; its ARN."""
    iam = cloud.client("iam", "production")
    may = {"Effect": "Allow", "Action": ACTIONS, "Resource": "*"}
    trust, allowed = (json.dumps({"Version": "2012-10-17", "Statement": [one]}) for one in (TRUST, may))
    iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName=NAME, PolicyName=POLICY, PolicyDocument=allowed)
    try:
        yield settlers_role(cloud.account("production"))
    finally:
        remove_role(iam, NAME)
