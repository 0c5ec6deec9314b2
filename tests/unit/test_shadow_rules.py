"""What a policy may say of a shadow: what cannot work is refused with its line and its cure."""

from __future__ import annotations

import pytest
from lockkeeper.domain.errors import ModelUnsupported
from lockkeeper.domain.targets import check_containers
from lockkeeper.domain.weakened import weakened

from tests.unit.test_policy import GOOD, refusal
from tests.unit.test_strategies import CANARY, SHIFTED, policy_of

TARGET = "  instance_type: ml.m5.large\n"
SHADOWED = SHIFTED.replace(CANARY, f"{CANARY}\n    shadow: {{}}")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("percent: 0", "shadow.percent: Input should be greater than or equal to 1"),
        ("percent: 101", "shadow.percent: Input should be less than or equal to 100"),
        ("wait: 59s", "shadow.wait: it must be between 1m and 7d"),
        ("wait: 8d", "shadow.wait: it must be between 1m and 7d"),
        ("minimum_requests: 0", "shadow.minimum_requests: Input should be greater than or equal to 1"),
        ("agree_at_least: 95", "shadow.agree_at_least: Input should be less than or equal to 1"),
        ("tolerance: -1", "shadow.tolerance: Input should be greater than or equal to 0"),
        ("tolerance: .inf", "shadow.tolerance: Input should be a finite number"),
        ("slower_at_most: 0", "shadow.slower_at_most: Input should be greater than 0"),
        ("for: 1h", "shadow.for: unknown key"),
    ],
)
def test_a_shadow_within_no_bounds_is_refused(keys: str, said: str) -> None:
    (told,) = refusal(SHADOWED.replace("shadow: {}", f"shadow: {{{keys}}}")).splitlines()
    assert told.startswith("wages.yaml:14: ")
    assert said in told


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        (
            CANARY,
            "rolling: {percent: 50, wait: 10m}",
            12,
            "rolling after a shadow: SageMaker rolls no endpoint of several",
        ),
        (
            "  initial_instances: 2\n",
            "  initial_instances: 2\n  autoscaling: {min: 2, max: 4, invocations_per_instance: 200}\n",
            9,
            "shadow with autoscaling: the shadow is not scaled",
        ),
        (
            "ml.m5.large",
            "ml.inf1.xlarge",
            9,
            "shadow on ml.inf1.xlarge: SageMaker has no shadow variants there; choose",
        ),
        (
            TARGET,
            f"{TARGET}  target: async\n  asynchronous: {{output: s3://bucket/answers}}\n",
            9,
            "shadow with target async: SageMaker has shadow variants on real-time endpoints alone; remove shadow",
        ),
    ],
)
def test_what_sagemaker_has_no_shadow_for_is_refused(old: str, new: str, line: int, said: str) -> None:
    text = SHADOWED.replace(", {errors_5xx: 5}", "")
    assert old in text
    told = refusal(text.replace(old, new, 1)).splitlines()[0]
    assert told.startswith(f"wages.yaml:{line}: ")
    assert said in told


def test_a_serverless_endpoint_has_no_shadow() -> None:
    serverless = "  target: serverless\n  serverless: {memory_mb: 2048, max_concurrency: 20}\n"
    text = GOOD.replace(TARGET, serverless).replace("    bake: 10m\n", "    shadow: {}\n")
    assert "shadow with target serverless: SageMaker has shadow variants on real-time" in refusal(text)


def test_less_of_a_shadow_is_told_to_who_decides() -> None:
    before, gone = policy_of(SHADOWED), policy_of(SHIFTED)
    less = "shadow: {percent: 50, wait: 30m, minimum_requests: 9, agree_at_least: 0.9, tolerance: 1, slower_at_most: 2}"
    after = policy_of(SHADOWED.replace("shadow: {}", less))
    assert weakened(before, gone) == ("there is no shadow any more",)
    assert weakened(before, before) == weakened(gone, before) == weakened(after, before) == ()
    assert weakened(before, after) == (
        "seconds of shadow: 3600 before, 1800 now",
        "requests of the shadow: 100 before, 9 now",
        "answers as by the champion: 0.95 before, 0.9 now",
        "difference between answers that are the same: 0 before, 1 now",
        "slowness against the champion: 1.5 before, 2 now",
    )


def test_a_shadow_has_defaults_that_are_safe_and_comes_before_any_shift() -> None:
    strategy = policy_of(SHIFTED.replace(CANARY, f"{CANARY}\n    shadow: {{}}")).production.strategy
    assert strategy.in_words == (
        "a shadow of 100 % of the requests for 3600 s, then canary, 10 % for 600 s and then the rest"
    )
    assert strategy.shadow is not None
    assert (strategy.shadow.agree_at_least, strategy.shadow.tolerance, strategy.shadow.slower_at_most) == (0.95, 0, 1.5)
    assert (strategy.shadow.minimum_requests, strategy.seconds_of_shadow) == (100, 3 * 3600)
    at_once = policy_of(GOOD.replace("    bake: 10m\n", "    bake: 10m\n    shadow: {wait: 1m}\n")).production.strategy
    assert at_once.in_words == "a shadow of 100 % of the requests for 60 s, then all at once"


def test_a_version_of_several_containers_has_no_shadow() -> None:
    policy = policy_of(GOOD.replace("    bake: 10m\n", "    shadow: {}\n"))
    check_containers(policy, 1)
    with pytest.raises(ModelUnsupported, match="2 containers in series, and SageMaker has no shadow variants of those"):
        check_containers(policy, 2)
