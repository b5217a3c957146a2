"""How much noise a private tree needs, by how it is calibrated: standard deviation of one node at one claim.

    python benchmarks/calibration.py [--delta 1e-6]

One leaf changes by at most 1 in place, so that one node on each of h + 1 levels changes by at most 1. Rows:

* published: (epsilon, delta) / log2 n at every node. It overspends: BROKEN means that a certified *lower* bound of
  delta exceeds the claim;
* by levels: split by h + 1 instead, basic composition;
* advanced composition (Dwork, Rothblum, Vadhan): the largest epsilon per level whose h + 1-fold bound fits;
* vector form: one calibration for the l1-sensitivity h + 1 of all nodes together;
* exact: the smallest whose composed privacy losses fit (dpverify.noise.calibrate);
* Gaussian: for the l2-sensitivity sqrt(h + 1).

The last table has many trees over the same rows, as the attention data structure has.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import dpverify
from dpverify import ApproxDP, Gaussian, TruncatedLaplace
from dpverify.accounting import certify
from dpverify.noise import calibrate
from dpverify.spec.privacy import advanced_composition

Found = tuple[float, float, bool]  # deviation of one node, certified delta at the claim's epsilon, claim refuted


def split(claim: ApproxDP, numbers: int, parts: int) -> Found:
    """Equal parts of the claim, and what ``numbers`` of them keep."""
    noise = TruncatedLaplace(1.0, ApproxDP(claim.epsilon / parts, claim.delta / parts))
    found = certify([(noise, numbers)], claim, relative_width=1e-3)
    return noise.std, found.delta_bracket.upper, found.refuted


def advanced(claim: ApproxDP, numbers: int) -> Found:
    """Half of delta for the theorem's slack, half for the ends of the noise."""
    slack = claim.delta / 2.0
    low, high = 0.0, claim.epsilon
    while high - low > 1e-9 * high:
        middle = (low + high) / 2.0
        fits = advanced_composition.advanced(middle, 0.0, numbers, slack)[0] <= claim.epsilon
        low, high = (middle, high) if fits else (low, middle)
    noise = TruncatedLaplace(1.0, ApproxDP(low, (claim.delta - slack) / numbers))
    found = certify([(noise, numbers)], claim, relative_width=1e-3)
    return noise.std, found.delta_bracket.upper, found.refuted


def vector(claim: ApproxDP, numbers: int) -> Found:
    noise = TruncatedLaplace(float(numbers), claim, draws=numbers)
    return noise.std, noise.delta(claim.epsilon), False


def exact(claim: ApproxDP, numbers: int) -> Found:
    found = calibrate([((1.0, numbers),)], claim)
    return found.noise.std, found.delta_upper, False


def gaussian(claim: ApproxDP, numbers: int) -> Found:
    noise = Gaussian(math.sqrt(numbers), claim, draws=numbers)
    return noise.std, noise.delta(claim.epsilon), False


def methods(height: int, numbers: int) -> dict[str, Callable[[ApproxDP], Found]]:
    overspent = numbers * height // (height + 1)
    return {
        "published: split by log2 n": lambda claim: split(claim, numbers, overspent),
        "split by levels": lambda claim: split(claim, numbers, numbers),
        "advanced composition": lambda claim: advanced(claim, numbers),
        "vector form": lambda claim: vector(claim, numbers),
        "exact calibration": lambda claim: exact(claim, numbers),
        "Gaussian": lambda claim: gaussian(claim, numbers),
    }


def table(title: str, height: int, trees: int, epsilons: tuple[float, ...], delta: float) -> None:
    """One row a method, one pair of columns an epsilon; ratios are to the split by levels."""
    numbers = trees * (height + 1)
    print(f"\n{title}; delta = {delta:g}\n")
    heads = " | ".join(f"eps = {e:g}: std | ratio | delta kept" for e in epsilons)
    print(f"| calibration | {heads} |\n|---|{'---|' * (3 * len(epsilons))}")
    base = {e: split(ApproxDP(e, delta), numbers, numbers)[0] for e in epsilons}
    for name, method in methods(height, numbers).items():
        cells = []
        for e in epsilons:
            std, kept, refuted = method(ApproxDP(e, delta))
            cells.append(f"{std:.4g} | {std / base[e]:.3f} | {kept:.2g}{' (BROKEN)' if refuted else ''}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delta", type=float, default=1e-6)
    delta = parser.parse_args().delta
    print(f"dpverify {dpverify.__version__}")
    start = time.process_time()
    for height in (10, 14):
        table(f"n = 2^{height} = {2**height:,}, one tree", height, 1, (0.1, 1.0, 4.0), delta)
    table("n = 2^10, 60 trees over the same rows", 10, 60, (1.0, 4.0), delta)
    print(f"\n{time.process_time() - start:.0f} CPU seconds")


if __name__ == "__main__":
    main()
