"""A release over more rows than memory should hold: rows per second against the bare matrix products, and peak memory.

    python benchmarks/streaming.py [--rows 10000000]

Blocks of 2^15 rows are made as they are read (their making is timed on its own and not counted on either side). The
bare products are those that no functional release can do without: for Nystrom features Z K^T, A exp(.) and phi [v, c];
for polynomial features phi [v, c] alone, with phi given. Both sides see the same rows, in turns, in the same process.
Seconds are of CPU time, with one BLAS thread on both sides: others would wait for the next product at full speed.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

import dpverify as dv

Array = npt.NDArray[np.float64]
CLAIM = dv.ApproxDP(1.0, 1e-6)
BOUNDS = dv.Bounds(shape="ball")
DIMENSION, BLOCK, PART = 16, 1 << 15, 1 << 12


class Rows:
    """Blocks of random rows inside the unit ball; remembers the time spent in making them."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows = rows
        self.columns = columns
        self.seconds = 0.0

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        rng = np.random.default_rng(0)
        for start in range(0, self.rows, BLOCK):
            begin = time.process_time()
            size = min(BLOCK, self.rows - start)
            pair = rng.random((size, DIMENSION)) / 4, rng.random((size, self.columns)) / (2 * self.columns**0.5)
            self.seconds += time.process_time() - begin
            yield pair


def release(features: object, rows: int, columns: int) -> tuple[dv.Release, float]:
    blocks = Rows(rows, columns)
    begin = time.process_time()
    made = dv.release_attention(blocks, None, CLAIM, bounds=BOUNDS, scale=1.0, features=features, rows=rows)  # type: ignore[arg-type]
    return made, time.process_time() - begin - blocks.seconds


def products(made: dv.Release, rows: int, columns: int) -> float:
    """Seconds of the bare products over the same rows, on matrices of the same shapes and block size."""
    phi_map = made.state.features  # type: ignore[attr-defined]
    matrix, landmarks = getattr(phi_map, "matrix", None), getattr(phi_map, "landmarks", None)
    given = np.random.default_rng(1).random((phi_map.size, PART))
    seconds = 0.0
    total = np.zeros((phi_map.size, columns + 1))
    for keys, values in Rows(rows, columns):
        row = np.hstack([values, np.ones((len(values), 1))])
        begin = time.process_time()
        for start in range(0, len(keys), PART):
            part = slice(start, start + PART)
            phi = given[:, : len(keys[part])] if matrix is None else matrix @ (landmarks @ keys[part].T)
            total += phi @ row[part]
        seconds += time.process_time() - begin
    return seconds


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10**7)
    rows = parser.parse_args().rows
    with threadpool_limits(1):
        measure(rows)


def measure(rows: int) -> None:
    """Print the table."""
    for features in (dv.Polynomial(1), dv.Nystrom(number=8)):
        release(features, BLOCK, 16)  # imports, noise tables
    print(f"{rows:,} rows, d = {DIMENSION}; with d_v = 64 they would take {rows * 640 / 2**20:,.0f} MiB")
    print(f"peak memory before: {peak():.0f} MiB")
    heads = ("features", "r", "d_v", "release s", "products s", "ratio", "rows/s", "peak MiB")
    print("{:24s} {:>6s} {:>4s} {:>10s} {:>11s} {:>6s} {:>11s} {:>9s}".format(*heads))
    for name, features, columns in (
        ("Nystrom, 256 landmarks", dv.Nystrom(number=256), 16),
        ("polynomial, degree 2", dv.Polynomial(2), 16),
        ("polynomial, degree 2", dv.Polynomial(2), 64),
        ("polynomial, degree 3", dv.Polynomial(3), 16),
        ("polynomial, degree 3", dv.Polynomial(3), 64),
    ):
        made, seconds = release(features, rows, columns)
        memory = peak()
        bare = products(made, rows, columns)
        size = made.state.features.size  # type: ignore[attr-defined]
        print(
            f"{name:24s} {size:6d} {columns:4d} {seconds:10.1f} {bare:11.1f} {seconds / bare:6.2f} "
            f"{rows / seconds:11,.0f} {memory:9.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
