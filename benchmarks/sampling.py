"""Throughput of exact integer noise, beside numpy's float Laplace and OpenDP's exact sampler.

    python benchmarks/sampling.py [--draws 4000000] [--repeat 7]

Each row: draws a second by the clock and draws a CPU second (which tells more where the machine is shared), best of
several runs, and the ratio of the latter to ``numpy.random.Generator.laplace`` in the same process. "seeded" is the
test source; "OS" is os.urandom, by one thread and as shipped (two). Then: how many words a draw takes (what is above
one, or two for two digits, is the share of second looks), and how long tables take to build. OpenDP is no dependency;
`pip install opendp` to compare.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

import dpverify
from dpverify.noise import BitSource, OSBits, SeededBits, TruncatedLaplace, laws
from dpverify.noise.composed import GeometricDigits, OneTable

try:
    import opendp.prelude as opendp
except ImportError:
    opendp = None


class OneThread(OSBits):
    """The operating system's randomness, taken by one thread."""

    concurrent = False


class Counted(SeededBits):
    """Counts the words that are taken."""

    taken = 0

    def words(self, count: int) -> npt.NDArray[np.uint32]:
        self.taken += count
        return super().words(count)


@dataclass(frozen=True)
class Speed:
    """Draws a second, by the clock and by the CPU time of all threads."""

    clock: float
    cpu: float

    def row(self, name: str, source: str, base: Speed) -> str:
        return f"| {name} | {source} | {self.clock / 1e6:.3g} | {self.cpu / 1e6:.3g} | {self.cpu / base.cpu:.2g} |"


def measured(draw: Callable[[int], Any], draws: int, repeat: int) -> Speed:
    """The best of ``repeat`` runs, by either measure."""
    clocks, cpus = [], []
    for _ in range(repeat):
        clock, cpu = time.perf_counter(), time.process_time()
        draw(draws)
        clocks.append(time.perf_counter() - clock)
        cpus.append(time.process_time() - cpu)
    return Speed(draws / min(clocks), draws / min(cpus))


def opendp_laplace(scale: float) -> Callable[[int], Any]:
    """OpenDP's discrete Laplace on integers of that scale."""
    opendp.enable_features("contrib")
    space = opendp.vector_domain(opendp.atom_domain(T=int)), opendp.l1_distance(T=int)
    measurement = opendp.m.make_laplace(*space, scale=scale)
    return lambda count: measurement([0] * count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=4_000_000)
    parser.add_argument("--repeat", type=int, default=7)
    args = parser.parse_args()
    theirs = "not installed" if opendp is None else importlib.metadata.version("opendp")
    print(f"dpverify {dpverify.__version__}, numpy {np.__version__}, opendp {theirs}, {os.cpu_count()} cores")
    print(f"{args.draws:,} draws, best of {args.repeat}; load average {os.getloadavg()[0]:.1f}\n")

    scalar = TruncatedLaplace(1.0, dpverify.ApproxDP(1.0, 1e-6)).law
    tables: dict[str, OneTable | GeometricDigits] = {
        f"{len(scalar.tables[0].weights):,} entries, epsilon = 1, delta = 1e-6": scalar,  # type: ignore[dict-item]
        "1,000,001 entries, 64 bits": laws.gaussian(60_000.0, 500_000, 64),
        "1,000,001 entries, 128 bits": laws.gaussian(60_000.0, 500_000, 128),
        "two digits, M = 2^26": laws.truncated_laplace_digits(Fraction(1, 1 << 22), 1 << 15, 1 << 11, 64),
    }
    sources: dict[str, Callable[[], BitSource]] = {
        "seeded": lambda: SeededBits(0),
        "OS, one thread": OneThread,
        "OS": OSBits,
    }
    generator = np.random.default_rng(0)
    base = measured(lambda count: generator.laplace(0.0, 1000.0, count), args.draws, args.repeat)
    print("| sampler | source | million draws/s | per CPU second | ratio to numpy |")
    print("|---|---|---|---|---|")
    print(base.row("numpy Generator.laplace (float, not private)", "PCG64", base))
    for name, law in tables.items():
        for label, source in sources.items():
            draw = partial(law.draw, bits=source())
            print(measured(draw, args.draws, args.repeat).row(name, label, base))
    if opendp is not None:
        speed = measured(opendp_laplace(1000.0), max(1, args.draws // 100), args.repeat)
        print(speed.row("OpenDP make_laplace on integers", "its own", base))
    for label in ("seeded", "OS, one thread"):
        print(measured(sources[label]().words, args.draws, args.repeat).row("(32-bit words alone)", label, base))

    print("\n| table | 32-bit words a draw |\n|---|---|")
    for name, law in tables.items():
        counted = Counted(0)
        law.draw(args.draws, counted)
        print(f"| {name} | {counted.taken / args.draws:.4f} |")

    print("\n| building a table of 1,000,001 entries | CPU seconds |\n|---|---|")
    for bits in (64, 128):
        for name, build in (
            ("truncated Laplace", lambda bits=bits: laws.truncated_laplace(Fraction(1, 19_997), 500_000, bits)),
            ("Gaussian", lambda bits=bits: laws.gaussian(59_999.0, 500_000, bits)),
        ):
            start = time.process_time()
            built = build()
            middle = time.process_time()
            built.draw(1, SeededBits(0))
            print(
                f"| {name}, {bits} bits | {middle - start:.2f} + {time.process_time() - middle:.2f} "
                "for the look-up at the first draw |"
            )


if __name__ == "__main__":
    main()
