"""The RAND Health Insurance Experiment, as an example with public bounds that come from the study's design."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dpverify.cross_attention.bounds import Bounds

Array = npt.NDArray[np.float64]

# Ranges of the covariates, from the codebook and the design of the study, not from the rows:
# (name, low, high, reason). Rows beyond them are clipped.
COVARIATES: tuple[tuple[str, float, float, str], ...] = (
    ("lncoins", 0.0, math.log(101.0), "ln(coinsurance + 1), a percentage from 0 to 100"),
    ("idp", 0.0, 1.0, "indicator"),
    ("lpi", 0.0, math.log(2000.0), "log of a yearly payment in dollars; payments of thousands were not planned"),
    (
        "fmde",
        0.0,
        math.log(4000.0),
        "log of maximum expenditure ($1,000) over the coinsurance rate (at least 25 %)",
    ),
    ("physlm", 0.0, 1.0, "indicator"),
    ("disea", 0.0, 50.0, "a count of chronic conditions; beyond fifty counts as fifty"),
    ("hlthg", 0.0, 1.0, "indicator"),
    ("hlthf", 0.0, 1.0, "indicator"),
    ("hlthp", 0.0, 1.0, "indicator"),
)
VISITS_MAX = 20.0  # a choice of the analyst: more than twenty visits a year count as twenty


@dataclass(frozen=True)
class HealthData:
    """Covariates as keys in [-1, 1]^d, doctor visits as values in [-10, 10], split into rows and queries.

    Attributes:
        keys, values: the private rows, shapes (n, d) and (n, 1); values are visits minus ten.
        queries: held-out covariates, shape (m, d).
        bounds: public.
        names: of the covariates.
    """

    keys: Array
    values: Array
    queries: Array
    bounds: Bounds
    names: tuple[str, ...]


def health_insurance(covariates: tuple[str, ...] | None = None, *, held_out: int = 500) -> HealthData:
    """The data that ships with statsmodels: 20,190 person-years, 9 covariates, visits to a doctor.

    Args:
        covariates: names to use as keys; all nine if not given.
        held_out: rows that serve as queries. They are chosen by a fixed permutation that ignores the data.
    """
    from statsmodels.datasets import randhie  # imports pandas: only where it is used

    names = tuple(c[0] for c in COVARIATES) if covariates is None else covariates
    ranges = {name: (low, high) for name, low, high, _ in COVARIATES}
    table = randhie.load_pandas().data
    low = np.array([ranges[n][0] for n in names])
    high = np.array([ranges[n][1] for n in names])
    keys = 2.0 * (table[list(names)].to_numpy(dtype=np.float64) - low) / (high - low) - 1.0
    visits = np.clip(table["mdvis"].to_numpy(dtype=np.float64), 0.0, VISITS_MAX)
    values = visits[:, None] - VISITS_MAX / 2.0
    order = np.random.default_rng(2026).permutation(len(keys))
    queries, rows = np.clip(keys[order[:held_out]], -1.0, 1.0), order[held_out:]
    bounds = Bounds(key=1.0, query=1.0, value=VISITS_MAX / 2.0, shape="box")
    return HealthData(keys[rows], values[rows], queries, bounds, names)
