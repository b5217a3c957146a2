"""How loose is eps_s? The error of the degree-s polynomial kernel on real attention matrices.

    python benchmarks/kernel_error.py [--picture PATH]

The bound takes the largest logit X that the public domain allows. Attention matrices, keys and values 1,500 digits
images of scikit-learn with their labels, queries the other 297:

* digits: unit vectors of 64 pixels, scale 8; pixels are not negative, so logits lie in [0, X];
* digits, centred: the mean of the queries, a public point, is subtracted from the keys. Softmax does not see it (it
  shifts all logits of a query alike), but logits become signed;
* trained: a one-head cross-attention classifier, width 8, trained here by full-batch Adam on the log-loss.

For each degree: the bound on the relative error of the weights, |p_s(x) - e^x| / e^x, and on the answers (values
centred to [-1/2, 1/2]), against the worst and the mean that was measured. Weights are summed in extended precision: the
floor of float64 at a logit of -X is 2^-53 e^(2X). Errors of answers are in units of the values (a label counts 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pictures import COLOURS, MARKERS, arguments, panels, save
from sklearn.datasets import load_digits

from dpverify.spec.attention import ratio_error_interval
from dpverify.spec.kernel import feature_dimension, relative_error, relative_error_signed, smallest_degree

DEGREES = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 28, 32)
SCALE = 8.0  # of the digits' logits
KEPT = 1500  # keys; the rest are queries
WIDTH = 8  # of the trained layer
TARGET = 1e-3  # of the comparison of degrees
VALUE = 0.5  # labels are 0 or 1: centred, since attention weights add up to one
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One attention matrix and its domain.

    Attributes:
        logits: shape (queries, keys). values: one column a class.
        box, ball: the largest |logit| of the smallest box and ball that hold all keys and queries.
        signed: whether the domain allows negative logits. dimension: d.
    """

    name: str
    logits: Array
    values: Array
    box: float
    ball: float
    signed: bool
    dimension: int

    @property
    def met(self) -> float:
        return float(np.abs(self.logits).max())


@dataclass(frozen=True)
class Errors:
    """At one degree; ``bound`` for the domain of the ball, ``answer_bound`` at most 1, which says nothing."""

    degree: int
    bound: float
    unsigned: float
    worst: float
    mean: float
    answer_bound: float
    answer_worst: float
    answer_mean: float


def case(name: str, queries: Array, keys: Array, values: Array, scale: float) -> Case:
    d = keys.shape[1]
    box = scale * d * float(np.abs(queries).max() * np.abs(keys).max())
    ball = scale * float(np.linalg.norm(queries, axis=1).max() * np.linalg.norm(keys, axis=1).max())
    return Case(name, scale * queries @ keys.T, values, box, ball, bool(min(queries.min(), keys.min()) < 0), d)


def digits(seed: int) -> tuple[Array, npt.NDArray[np.int64]]:
    """Images as unit vectors and their labels, in random order."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(images))
    return images[order] / np.linalg.norm(images[order], axis=1, keepdims=True), labels[order]


def train(images: Array, labels: npt.NDArray[np.int64], seed: int, steps: int = 100) -> tuple[Array, Array, float]:
    """Query and key projections of a cross-attention classifier, and its last loss.

    The second half of the images attends to the first; the loss is -log of the attention paid to the right class.
    """
    rng, half = np.random.default_rng(seed), len(images) // 2
    kept, asked = images[:half], images[half:]
    same = labels[half:, None] == labels[None, :half]
    weights = 3.0 / math.sqrt(images.shape[1]) * rng.normal(size=(2, WIDTH, images.shape[1]))
    first, second, scale = np.zeros_like(weights), np.zeros_like(weights), 1.0 / math.sqrt(WIDTH)
    for step in range(1, steps + 1):
        q, k = asked @ weights[0].T, kept @ weights[1].T
        logits = scale * q @ k.T
        attention = np.exp(logits - logits.max(axis=1, keepdims=True))
        attention /= attention.sum(axis=1, keepdims=True)
        right = (attention * same).sum(axis=1, keepdims=True)
        slope = scale * (attention - attention * same / right) / len(q)  # of the loss in the logits
        gradient = np.stack([(slope @ k).T @ asked, (slope.T @ q).T @ kept]) + 1e-3 * weights
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        weights -= 0.05 * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights[0], weights[1], float(-np.log(right).mean())


def cases(seed: int) -> list[Case]:
    images, labels = digits(seed)
    keys, queries, values = images[:KEPT], images[KEPT:], np.eye(10)[labels[:KEPT]]
    to_query, to_key, loss = train(keys, labels[:KEPT], seed)
    trained = case("trained", queries @ to_query.T, keys @ to_key.T, values, 1.0 / math.sqrt(WIDTH))
    exact = weights_of(np.exp(trained.logits)) @ values
    hits = float((exact.argmax(axis=1) == labels[KEPT:]).mean())
    print(f"trained layer: loss {loss:.3f}, {100 * hits:.1f} % of 297 queries right; seed {seed}\n")
    centred = case("digits, centred", queries, keys - queries.mean(axis=0), values, SCALE)
    return [case("digits", queries, keys, values, SCALE), centred, trained]


def weights_of(kernel: Array) -> Array:
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True))


def kernels(logits: Array, degrees: tuple[int, ...]) -> dict[int, npt.NDArray[np.longdouble]]:
    """p_s(logits) for each degree s, summed in extended precision."""
    x = logits.astype(np.longdouble)
    term, total, out = np.ones_like(x), np.ones_like(x), {}
    for j in range(1, max(degrees) + 1):
        term = term * x / j
        total = total + term
        if j in degrees:
            out[j] = total
    return out


def kernel_factors(degree: int, x_max: float, signed: bool) -> tuple[float, float]:
    if signed:
        return relative_error_signed.factors(degree, x_max)
    return 1.0 - relative_error.relative_error(degree, x_max), 1.0


def answer_bound(degree: int, x_max: float, signed: bool) -> float:
    """Of every entry of an answer; 1, the whole range of the values, where the kernel may turn negative."""
    low, high = kernel_factors(degree, x_max, signed)
    return 2 * VALUE if low <= 0 else min(2 * VALUE, ratio_error_interval.absolute_error(low, high, VALUE))


def errors(of: Case, degrees: tuple[int, ...] = DEGREES) -> list[Errors]:
    """Bound and measurement at each degree."""
    exact = np.exp(of.logits.astype(np.longdouble))
    answers = weights_of(np.exp(of.logits)) @ of.values
    bound = relative_error_signed.relative_error if of.signed else relative_error.relative_error
    rows = []
    for degree, kernel in kernels(of.logits, degrees).items():
        relative = np.abs(kernel / exact - 1)
        off = np.abs(weights_of(kernel.astype(float)) @ of.values - answers)
        rows.append(
            Errors(
                degree,
                bound(degree, of.ball),
                relative_error.relative_error(degree, of.ball),
                float(relative.max()),
                float(relative.mean()),
                answer_bound(degree, of.ball, of.signed),
                float(off.max()),
                float(off.mean()),
            )
        )
    return rows


def show(of: Case, rows: list[Errors]) -> None:
    print(
        f"{of.name}: d = {of.dimension}, {of.logits.shape[0]} x {of.logits.shape[1]}; X of the box {of.box:.1f}, "
        f"of the ball {of.ball:.2f}; logits met: {of.logits.min():.2f} to {of.logits.max():.2f}, mean size "
        f"{np.abs(of.logits).mean():.2f}"
    )
    print("   s  weights:  bound     worst      mean   bound/worst   eps_s(X)   answers:  bound     worst      mean")
    for row in rows:
        trap = " <- below worst" if row.unsigned < row.worst * (1 - 1e-9) else ""
        print(
            f"  {row.degree:2} {row.bound:15.2e} {row.worst:9.2e} {row.mean:9.2e} {row.bound / row.worst:13.3g} "
            f"{row.unsigned:10.2e} {row.answer_bound:16.2e} {row.answer_worst:9.2e} {row.answer_mean:9.2e}{trap}"
        )
    print()


def degrees_needed(of: Case) -> dict[str, int]:
    """The least degree that meets the target, by what is asked for: from the domain to what was measured."""
    many = tuple(range(1, 80))
    measured = errors(of, many)

    def first(good: list[bool]) -> int:
        return many[max((i + 1 for i, fits in enumerate(good) if not fits), default=0)]

    return {
        "weights, box": smallest_degree.smallest_degree(TARGET, of.box, of.signed),
        "weights, ball": smallest_degree.smallest_degree(TARGET, of.ball, of.signed),
        "weights, X met": smallest_degree.smallest_degree(TARGET, of.met, of.signed),
        "weights, mean": first([row.mean <= TARGET for row in measured]),
        "answers, ball": first([row.answer_bound <= TARGET for row in measured]),
        "answers, worst": first([row.answer_worst <= TARGET for row in measured]),
        "answers, mean": first([row.answer_mean <= TARGET for row in measured]),
    }


def show_degrees(every: list[Case]) -> None:
    print(f"least degree for an error of at most {TARGET:g}, and the number of features C(d + s, s) it takes")
    needed = [degrees_needed(of) for of in every]
    print("                   " + "".join(f"{of.name:>28}" for of in every))
    for name in needed[0]:
        cells = []
        for of, degree in zip(every, needed, strict=True):
            cells.append(f"{degree[name]:>16} ({feature_dimension.dimension(of.dimension, degree[name]):8.1e})")
        print(f"  {name:17}" + "".join(f"{cell:>28}" for cell in cells))
    print()


def draw(every: list[Case], rows: list[list[Errors]], path: Path) -> None:
    figure, axes = panels(len(every), width=3.7, height=3.9)
    for axis, of, measured in zip(axes, every, rows, strict=True):
        lines = {
            "weights: bound, X of the ball": [row.bound for row in measured],
            "weights: worst measured": [row.worst for row in measured],
            "weights: mean measured": [row.mean for row in measured],
            "answers: bound (capped at 1)": [row.answer_bound for row in measured],
            "answers: worst measured": [row.answer_worst for row in measured],
        }
        if of.signed:
            lines["eps_s(X), wrong for signed logits"] = [row.unsigned for row in measured]
        for i, (label, line) in enumerate(lines.items()):
            axis.plot(
                [row.degree for row in measured],
                line,
                "--" if "bound" in label else "-",
                marker=MARKERS[i],
                color=COLOURS[i],
                markersize=3.5,
                linewidth=1.1,
                label=label,
            )
        axis.set(yscale="log", xlabel="degree s", ylim=(1e-7, None), title=of.name)
    axes[0].set_ylabel("relative error (weights), error (answers)")
    handles, labels = axes[-1].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=7.5, loc="outside lower center", ncols=3)
    save(figure, path)


def main() -> None:
    options = arguments(__doc__, "kernel_error").parse_args()
    every = cases(options.seed)
    rows = [errors(of) for of in every]
    for of, measured in zip(every, rows, strict=True):
        show(of, measured)
    show_degrees(every)
    draw(every, rows, options.picture)


if __name__ == "__main__":
    main()
