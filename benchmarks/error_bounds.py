"""Error bounds against measured error: how often each fails, and how much larger it is than need be.

    python benchmarks/error_bounds.py [--releases 20]

For each setting, over seeded releases at failure probability 0.05: the share of releases (or of queries) where a bound
failed, and the bound over the measured worst. "any": error_bound(p) against the worst of 50 queries over all releases;
"all": error_bound(p, simultaneous=True) against the worst of 5,000 further queries (of a grid in one dimension);
"these", "together": bounds for the 50 given queries, each by itself and jointly, as the median over queries and
releases of bound / worst error at that query. "z": variance of (answer - noise-free answer) / standard error, which
should be 1. "drowned": share of queries flagged.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import dpverify as dv
from dpverify.noise import SeededBits

P = 0.05
GIVEN, FURTHER = 50, 5000
Array = npt.NDArray[np.float64]
Points = Callable[[int, int], Array]
POSITIVE = dv.Bounds(shape="positive_box")


def cube(dimension: int) -> Points:
    return lambda count, seed: np.random.default_rng(seed).uniform(0.0, 1.0, (count, dimension))


def sphere(dimension: int) -> Points:
    def points(count: int, seed: int) -> Array:
        made = np.random.default_rng(seed).normal(size=(count, dimension))
        return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True))

    return points


def settings() -> dict[str, tuple[Points, int, dv.Bounds, dict[str, Any]]]:
    """Name -> (where keys and queries lie, rows, bounds, what release_attention gets)."""
    landmarks = np.vstack([sphere(3)(GIVEN, 1), np.random.default_rng(9).normal(size=(60, 3)) / 3])
    return {
        "functional, box, d = 2": (cube(2), 4000, POSITIVE, {"degree": 5}),
        "functional, box, d = 3": (cube(3), 4000, POSITIVE, {"degree": 5}),
        "functional, box, d = 6": (cube(6), 4000, POSITIVE, {"degree": 4}),
        "functional, sphere, d = 3": (sphere(3), 4000, dv.Bounds(), {"scale": 2.0}),
        "Nystrom, sphere, d = 3": (sphere(3), 4000, dv.Bounds(), {"scale": 2.0, "features": dv.Nystrom(landmarks)}),
        "lazy, sphere, d = 3": (sphere(3), 4000, dv.Bounds(), {"scale": 2.0, "method": "lazy"}),
        "dptree, box, d = 1, epsilon = 6": (cube(1), 16000, POSITIVE, {"degree": 3, "method": "dptree"}),
    }


def measure(points: Points, rows: int, bounds: dv.Bounds, options: dict[str, Any], releases: int) -> list[str]:
    """One row of the table."""
    keys, queries = points(rows, 0), points(GIVEN, 1)
    values = np.sin(4.0 * keys.sum(axis=1, keepdims=True))
    exact, method = dv.attention(queries, keys, values, options.get("scale")), options.get("method")
    further = np.linspace(0, 1, FURTHER)[:, None] if keys.shape[1] == 1 else points(FURTHER, 2)
    further_exact = dv.attention(further, keys, values, options.get("scale"))
    claim = dv.ApproxDP(6.0 if method == "dptree" else 1.0, 1e-5)
    answers, errors, wide, uncertain, sunk, these, together = ([] for _ in range(7))
    for seed in range(releases):
        made = dv.release_attention(keys, values, claim, bounds=bounds, bits=SeededBits(seed), **options)
        answers.append(made.query(queries))
        errors.append(np.abs(answers[-1] - exact).max(axis=1))
        uncertain.append(made.standard_error(queries))
        sunk.append(made.drowned(queries))
        these.append(made.error_bound(P, queries=queries))
        together.append(made.error_bound(P, True, queries=queries))
        if method != "lazy":  # which answers so many queries only at great length
            wide.append(np.abs(made.query(further) - further_exact).max())
    error, worst = np.array(errors), np.array(errors).max(axis=0)
    z = ((np.array(answers) - np.mean(answers, axis=0)) / np.array(uncertain))[~np.array(sunk)]
    any_bound, all_bound = made.error_bound(P), made.error_bound(P, simultaneous=True)
    cells = [
        f"{np.mean(error > any_bound):.3f} {any_bound / error.max():7.1f}",
        f"{np.mean(np.array(wide) > all_bound):.3f} {all_bound / max(wide):7.1f}" if wide else "      -      ",
        f"{np.mean(error > these):.3f} {np.median(these / worst):7.1f}",
        f"{np.mean((error > together).any(axis=1)):.3f} {np.median(together / worst):7.1f}",
        f"{z.var() * releases / (releases - 1):.2f}",
        f"{np.mean(sunk):.3f}",
        f"{all_bound:.3g}",
    ]
    return [cell if any_bound < bounds.value_span or j > 1 else "vacuous" for j, cell in enumerate(cells)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--releases", type=int, default=20)
    options = parser.parse_args()
    warnings.simplefilter("ignore", dv.DrownedDenominatorWarning)
    heads = ("any", "all", "these", "together", "z", "drowned", "all (bound)")
    print(f"{'failed and bound / worst':33}" + "".join(f"{head:>15}" for head in heads), flush=True)
    for name, setting in settings().items():
        print(f"{name:33}" + "".join(f"{cell:>15}" for cell in measure(*setting, options.releases)), flush=True)


if __name__ == "__main__":
    main()
