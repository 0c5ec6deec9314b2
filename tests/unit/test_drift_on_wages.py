"""The wages of 1976 to 1978 against those of later years: nothing drifts in 1979, and experience has by 1982."""

from __future__ import annotations

import pandas as pd
import pytest
from scipy import stats

from examples.wages.data import FEATURES, LABEL, PROTECTED, read_wages, split_people
from tests.unit.monitored import Traffic, traffic

__all__ = ["traffic"]


@pytest.fixture(scope="module")
def wages() -> pd.DataFrame:
    return read_wages()


@pytest.fixture(scope="module")
def training(wages: pd.DataFrame) -> pd.DataFrame:
    """The channel of the training job: it has columns beside the features that no request has."""
    rows = wages[wages["person"].isin(split_people(wages).train) & (wages["year"] <= 1978)]
    return rows[[LABEL, *FEATURES, *PROTECTED]]


@pytest.mark.parametrize(
    ("years", "drifted"), [((1976, 1977, 1978), set()), ((1979,), set()), ((1982,), {"exp"}), ((1981, 1982), {"exp"})]
)
def test_experience_drifts_as_the_panel_grows_older(
    traffic: Traffic, wages: pd.DataFrame, training: pd.DataFrame, years: tuple[int, ...], drifted: set[str]
) -> None:
    traffic.baseline(training.to_csv(index=False))
    traffic.asked["ignore"] = list(PROTECTED)
    now = wages[wages["year"].isin(years)]
    traffic.capture(*(traffic.ask(line) for line in now[list(FEATURES)].to_csv(index=False, header=False).splitlines()))
    look = traffic.look()
    assert {name for name, _ in look.kinds} == drifted
    told = {one["feature"]: one["measured"] for one in look.document("statistics.json")["lockkeeper"]["distances"]}
    assert set(told) == set(FEATURES)
    n, m = len(training), len(now)
    for name in ("exp", "wks", "ed"):
        distance = stats.ks_2samp(training[name], now[name], method="asymp").statistic
        expected = max(0.0, distance - 1.8 * ((n + m) / (n * m)) ** 0.5)
        assert told[name] == pytest.approx(expected, abs=1e-9), name
    before, after = (training["smsa"] == "yes").mean(), (now["smsa"] == "yes").mean()
    expected = max(0.0, abs(before - after) - 1.8 * ((n + m) / (n * m)) ** 0.5)
    assert told["smsa"] == pytest.approx(expected, abs=1e-9)
