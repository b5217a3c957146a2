"""What privacy costs: retrieval accuracy and error of private attention against epsilon from 0.1 to 10, on real data.

    python benchmarks/privacy_utility.py [--draws 10] [--picture PATH]

* digits: scikit-learn's images as unit vectors of 64 pixels, 1,500 private with their labels, 297 queries (the split of
  `train_test_split(random_state=0)`); exp(8 <q, k>), normaliser weight 0.3, delta = 1e-5. A query is classified by its
  largest answer.
* manuals: docstrings of the Python standard library's 12 best documented modules; TF-IDF and a 48-dimensional SVD
  fitted on a *public* tenth of them give unit vectors; exp(6 <q, k>), delta = 1e-5. A query, a held-out
  docstring, asks for its module: retrieval over a private store.
* health: the RAND health-insurance data, 9 covariates, doctor visits a year; logits scaled by 1/d, delta = 1e-6.

Landmarks are the queries, which are public. "error" is the root mean square of (answer - exact attention); labels count
1, visits count visits. Every release draws its noise from the operating system, so figures vary from run to run.
"""

from __future__ import annotations

import ast
import sys
import sysconfig
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pictures import COLOURS, MARKERS, arguments, panels, save
from sklearn.datasets import load_digits
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split

import dpverify as dv
from dpverify.cross_attention.feature_maps import FeatureMap, Features
from dpverify.cross_attention.parameters import Parameters
from dpverify.datasets import health_insurance

EPSILONS = (0.1, 0.3, 1.0, 2.0, 4.0, 10.0)
MODULES = 12
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """Private rows and public queries; the queries' labels, or None for a regression."""

    name: str
    keys: Array
    values: Array
    queries: Array
    labels: npt.NDArray[np.int64] | None
    bounds: dv.Bounds
    scale: float
    delta: float
    weight: float | None


@dataclass(frozen=True)
class Built:
    """A map that was built once: the landmarks of all releases of a task are the same."""

    map: FeatureMap

    def build(self, parameters: Parameters) -> FeatureMap:
        if parameters != self.map.parameters:
            raise ValueError(f"built for {self.map.parameters}")
        return self.map


def digits() -> Task:
    images, labels = load_digits(return_X_y=True)
    images = images / np.linalg.norm(images, axis=1, keepdims=True)
    keys, queries, known, asked = train_test_split(images, labels, train_size=1500, random_state=0)
    bounds = dv.Bounds(values_nonnegative=True)
    return Task("digits", keys, np.eye(10)[known], queries, asked, bounds, 8.0, 1e-5, 0.3)


def docstrings() -> tuple[list[str], list[str]]:
    """Docstrings of functions, classes and modules of the standard library, and the module each is from."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    texts, modules = [], []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[0] not in sys.stdlib_module_names or {"test", "tests", "idlelib", "lib2to3"} & set(parts):
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
                text = ast.get_docstring(node)
                if text and len(text.split()) >= 6:
                    texts.append(text)
                    modules.append(parts[0])
    return texts, modules


def manuals() -> Task:
    texts, modules = docstrings()
    names = [name for name, _ in Counter(modules).most_common(MODULES)]
    kept = [i for i, module in enumerate(modules) if module in names]
    labels = np.array([names.index(modules[i]) for i in kept])
    chosen = [texts[i] for i in kept]
    order = np.random.default_rng(0).permutation(len(chosen))
    public, asked, private = np.split(order, [len(order) // 10, len(order) // 10 + 300])
    words = TfidfVectorizer(sublinear_tf=True, stop_words="english", max_features=4000)
    reduced = TruncatedSVD(48, random_state=0)
    reduced.fit(words.fit_transform([chosen[i] for i in public]))

    def embed(rows: npt.NDArray[np.int64]) -> Array:
        vectors = reduced.transform(words.transform([chosen[i] for i in rows]))
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))

    return Task(
        "manuals", embed(private), np.eye(MODULES)[labels[private]], embed(asked), labels[asked],
        dv.Bounds(values_nonnegative=True), 6.0, 1e-5, 0.3,
    )  # fmt: skip


def health() -> Task:
    data = health_insurance()
    return Task("health", data.keys, data.values, data.queries, None, data.bounds, 1.0 / data.keys.shape[1], 1e-6, None)


def choices(task: Task) -> dict[str, Features | None]:
    """Feature maps for a task; None: its polynomial default."""
    if task.labels is None:
        return {"polynomial": None, "Nystrom, 400 landmarks": dv.Nystrom(task.queries[:400])}
    return {
        "Nystrom at the queries": dv.Nystrom(task.queries),
        "the same, rank 40": dv.Nystrom(task.queries, rank=40),
        "Nystrom, 300 random landmarks": dv.Nystrom(number=300),
    }


def score(task: Task, answers: Array, exact: Array) -> tuple[float, float]:
    """Accuracy (or share of the exact answers' variance that is reproduced), and root mean square error."""
    error = float(np.sqrt(((answers - exact) ** 2).mean()))
    if task.labels is not None:
        return float((answers.argmax(axis=1) == task.labels).mean()), error
    return 1.0 - error**2 / float(((exact - exact.mean()) ** 2).mean()), error


def measure(task: Task, features: Features | None, epsilon: float, draws: int) -> Array:
    """Scores of ``draws`` releases, shape (draws, 2)."""
    exact = dv.attention(task.queries, task.keys, task.values, task.scale)
    if features is not None:
        features = Built(features.build(parameters(task)))
    found = []
    for _ in range(draws):
        release = dv.release_attention(
            task.keys, task.values, dv.ApproxDP(epsilon, task.delta), bounds=task.bounds, scale=task.scale,
            features=features, normaliser_weight=task.weight,
        )  # fmt: skip
        found.append(score(task, release.query(task.queries), exact))
    return np.array(found)


def parameters(task: Task) -> Parameters:
    return Parameters(len(task.keys), task.keys.shape[1], task.values.shape[1], task.scale, task.bounds)


def main() -> None:
    parser = arguments(__doc__, "privacy_utility")
    parser.add_argument("--draws", type=int, default=10, help="releases for each figure")
    options = parser.parse_args()
    warnings.simplefilter("ignore", dv.OutOfBoundsWarning)
    warnings.simplefilter("ignore", dv.DrownedDenominatorWarning)
    figure, axes = panels(3)
    for axis, task in zip(axes, (digits(), manuals(), health()), strict=True):
        exact = dv.attention(task.queries, task.keys, task.values, task.scale)
        best = score(task, exact, exact)[0]
        kind = "R^2 to exact attention" if task.labels is None else "accuracy"
        print(
            f"\n{task.name}: {len(task.keys):,} private rows of d = {task.keys.shape[1]}, {len(task.queries)} queries, "
            f"delta = {task.delta:g}; {kind}" + ("" if task.labels is None else f"; of exact attention {best:.3f}")
        )
        print(f"  {'features':32s} " + " ".join(f"{'eps ' + format(e, 'g'):>15s}" for e in EPSILONS))
        for i, (name, features) in enumerate(choices(task).items()):
            scores = np.array([measure(task, features, e, options.draws).mean(axis=0) for e in EPSILONS])
            print(f"  {name:32s} " + " ".join(f"{s:7.3f} ({e:5.3f})" for s, e in scores), flush=True)
            axis.semilogx(EPSILONS, scores[:, 0], color=COLOURS[i], marker=MARKERS[i], label=name)
        axis.axhline(best, color="black", linestyle="--", linewidth=1, label="exact attention")
        axis.set(title=task.name, xlabel=f"epsilon (delta = {task.delta:g})", ylabel=kind, ylim=(min(0.0, -0.05), 1.02))
        axis.legend(fontsize=8)
    print(f"\nIn brackets: root mean square error of the answers. Means over {options.draws} releases.")
    save(figure, options.picture)


if __name__ == "__main__":
    main()
