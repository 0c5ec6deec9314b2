"""Service Quotas, which the emulator has not: what endpoints may have is listed, whoever may not list it is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def code_of(action: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as refused:
        action()
    return str(refused.value.response["Error"]["Code"])


def test_the_quotas_of_endpoints_are_listed_by_name(cloud: Any) -> None:
    pages = cloud.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    listed = {one["QuotaName"]: one["Value"] for page in pages for one in page["Quotas"]}
    assert listed["ml.m5.large for endpoint usage"] == 40


def test_what_is_not_there_is_refused_in_the_services_words(cloud: Any) -> None:
    quotas = cloud.client("service-quotas")
    assert code_of(lambda: quotas.list_service_quotas(ServiceCode="braket")) == "NoSuchResourceException"
    assert code_of(lambda: quotas.list_services()) == "UnsupportedOperationException"
