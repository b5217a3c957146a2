"""The experiments of benchmarks/ on tiny sizes: each number they print against another way to get it."""

import functools
import importlib.util
import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest

import dpverify as dv

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def load():
    """A script of benchmarks/ as a module; its neighbours are importable, as for ``python benchmarks/X.py``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(FOLDER), *sys.path])

        @functools.cache
        def loaded(name):
            spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
            module = importlib.util.module_from_spec(spec)
            patch.setitem(sys.modules, spec.name, module)
            spec.loader.exec_module(module)
            return module

        yield loaded


def run(module, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["experiment", *map(str, arguments)])
    module.main()


def is_picture(path):
    from PIL import Image

    with Image.open(path) as image:
        return image.format == "PNG" and len(set(image.convert("L").tobytes())) > 10 and path.stat().st_size < 60_000


class TestPictures:
    def test_an_exponent_is_recovered_with_an_interval(self, load):
        exponent = load("pictures").exponent
        x = np.array([10.0, 30.0, 100.0, 1000.0])
        slope, half = exponent(x, 3 * x**-1.5)
        assert slope == pytest.approx(-1.5)
        assert half == pytest.approx(0.0, abs=1e-6)
        slope, half = exponent(x, 3 * x**-1.5 * np.array([1.1, 0.9, 1.1, 0.9]))
        assert abs(slope + 1.5) < half < 0.5

    def test_a_constant_has_exponent_zero_and_two_points_no_interval(self, load):
        exponent = load("pictures").exponent
        assert exponent([1, 2, 4], [7, 7, 7]) == (0.0, 0.0)
        slope, half = exponent([1, 2], [1, 4])
        assert slope == pytest.approx(2.0)
        assert math.isnan(half)


class TestTreeVariance:
    @pytest.mark.slow
    def test_a_right_variance_is_inside_its_interval_and_a_wrong_node_count_is_not(self, load):
        script = load("tree_variance")
        for split in script.SPLITS:
            errors, noise = script.errors_of_trees(split, 3, 400, [(0, 7), (1, 7), (0, 8)], seed=5)
            for column, nodes in zip(errors.T, (3, 4, 1), strict=True):
                low, high = script.summary(column, nodes, noise, 1).interval
                assert low <= 1.0 <= high
            low, high = script.summary(errors[:, 0], 1, noise, 1).interval
            assert low > 1.0
            low, high = script.summary(errors[:, 2], 3, noise, 1).interval
            assert high < 1.0

    def test_errors_are_the_noise_alone(self, load):
        """The same draws on leaves of zero give the same errors to the last bit: the right truth is subtracted."""
        script = load("tree_variance")
        errors, _ = script.errors_of_trees("levels", 4, 3, [(0, 5), (3, 12), (0, 16)], seed=1)
        bits = dv.SeededBits(1)
        trees = [dv.DPTree(np.zeros(16), 1.0, script.CLAIM, bits=bits) for _ in range(3)]
        assert np.array_equal(errors, [[t.prefix(5), t.interval(3, 12), t.root()] for t in trees])

    def test_kurtosis_is_that_of_the_table(self, load):
        script = load("tree_variance")
        noise = dv.TruncatedLaplace(1.0, dv.ApproxDP(2.0, 1e-2))
        k = np.arange(-noise.law.half_width, noise.law.half_width + 1, dtype=float)
        weights = np.array([float(w) for w in noise.table.weights])
        weights /= weights.sum()
        exact = (weights @ k**4) / (weights @ k**2) ** 2
        assert script.kurtosis(noise) == pytest.approx(exact, rel=2e-3)
        assert script.kurtosis(dv.Gaussian(1.0, dv.ApproxDP(1.0, 1e-6))) == 3.0

    def test_intervals_are_longer_for_heavier_tails(self, load):
        """The plain chi-square interval for 2,000 draws is (0.94, 1.07); Laplace noise needs more."""
        script, claim = load("tree_variance"), dv.ApproxDP(1.0, 1e-6)
        lengths = []
        for noise in (dv.TruncatedLaplace(1.0, claim), dv.Gaussian(1.0, claim)):
            row = script.summary(np.full(2000, noise.std), 1, noise, 1)
            assert row.ratio == pytest.approx(1.0)
            lengths.append(row.interval[1] - row.interval[0])
        assert lengths[0] == pytest.approx(lengths[1] * math.sqrt(2.5), rel=0.05)

    @pytest.mark.slow
    def test_the_command_prints_a_table_and_a_picture(self, load, monkeypatch, tmp_path, capsys):
        script, path = load("tree_variance"), tmp_path / "p.png"
        run(script, monkeypatch, "--builds", 30, "--heights", 2, "--picture", path)
        assert is_picture(path)
        printed = capsys.readouterr().out
        assert "seed 0" in printed
        assert printed.count("\n") > 16


class TestKernelError:
    @staticmethod
    def small(script, signed, scale=4.0):
        rng = np.random.default_rng(2)
        keys, queries = rng.normal(size=(40, 3)), rng.normal(size=(9, 3))
        if not signed:
            keys, queries = np.abs(keys), np.abs(queries)
        keys, queries = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (keys, queries))
        queries[0] = keys[0]  # a logit that reaches X
        if signed:
            keys[1] = -keys[0]
        return script.case("small", queries, keys, np.eye(2)[rng.integers(0, 2, 40)], scale)

    def test_polynomials_are_the_taylor_sums(self, load):
        script, x = load("kernel_error"), np.array([[-3.0, 0.0], [0.5, 7.0]])
        for degree, found in script.kernels(x, (1, 4, 9)).items():
            assert np.allclose(found.astype(float), sum(x**j / math.factorial(j) for j in range(degree + 1)))

    @pytest.mark.parametrize("signed", [False, True])
    def test_the_bounds_hold_and_that_of_the_weights_is_attained_at_the_edge_of_the_domain(self, load, signed):
        script = load("kernel_error")
        case = self.small(script, signed)
        assert case.signed is signed
        assert case.met == pytest.approx(case.ball)
        for row in script.errors(case, (1, 2, 3, 4, 6, 8, 12, 16)):
            assert row.worst == pytest.approx(row.bound, rel=1e-6)
            assert row.mean < row.worst
            assert 0 < row.answer_mean < row.answer_worst
            # where the bound says nothing (negative weights), an answer may be anything
            assert row.answer_bound == 1.0 or row.answer_worst <= row.answer_bound + 1e-15

    def test_the_unsigned_error_is_a_trap_for_signed_logits(self, load):
        script = load("kernel_error")
        assert all(row.unsigned < 0.5 * row.worst for row in script.errors(self.small(script, True)))
        assert all(row.unsigned == row.bound for row in script.errors(self.small(script, False)))

    def test_degrees_fall_from_the_domain_to_what_is_met(self, load):
        script = load("kernel_error")
        needed = script.degrees_needed(self.small(script, True))
        order = ["weights, box", "weights, ball", "weights, X met", "weights, mean"]
        assert all(needed[a] >= needed[b] for a, b in itertools.pairwise(order))
        assert needed["answers, ball"] >= needed["answers, worst"] >= needed["answers, mean"] >= 1
        worst = {row.degree: row.answer_worst for row in script.errors(self.small(script, True), tuple(range(1, 40)))}
        assert worst[needed["answers, worst"]] <= script.TARGET < worst[needed["answers, worst"] - 1]

    def test_training_learns_and_repeats(self, load):
        script = load("kernel_error")
        images, labels = script.digits(0)
        images, labels = images[:160], labels[:160]
        untrained, trained = (script.train(images, labels, 0, steps)[2] for steps in (1, 40))
        assert trained < 0.5 * untrained
        again = script.train(images, labels, 0, 40)
        assert again[2] == trained

    def test_the_picture_is_drawn(self, load, tmp_path):
        script = load("kernel_error")
        every = [self.small(script, signed) for signed in (False, True)]
        script.draw(every, [script.errors(of) for of in every], tmp_path / "p.png")
        assert is_picture(tmp_path / "p.png")


class TestPrefixSums:
    @pytest.mark.parametrize("leaves", [2, 8, 16])
    def test_factorisations_give_back_every_prefix(self, load, leaves):
        script = load("prefix_sums")
        made = [script.square_root_factors(leaves), script.tree_factors(leaves)]
        made += [script.optimum(script.prefixes(leaves), mean=mean) for mean in (False, True)]
        for factors in made:
            assert np.allclose(factors.answers @ factors.measured, np.tril(np.ones((leaves, leaves))))

    @pytest.mark.parametrize("mean", [False, True])
    def test_the_optimum_is_that_of_a_search_over_all_two_by_two_factorisations(self, load, mean):
        """M = L R is as good as X = R^T R: columns have length diag X <= 1, rows of L have diag M X^-1 M^T."""
        script, M = load("prefix_sums"), np.tril(np.ones((2, 2)))
        best = math.inf
        for c, d in itertools.product(np.linspace(-0.95, 0.95, 381), np.linspace(0.3, 1.0, 71)):
            if d > c * c + 1e-9:
                rows = np.diag(M @ np.linalg.inv(np.array([[1.0, c], [c, d]])) @ M.T)
                best = min(best, rows.mean() if mean else rows.max())
        found = script.optimum(M, mean=mean)
        assert script.value(found, mean) == pytest.approx(best, rel=script.GAP + 1e-3)
        assert found.lower <= best

    @pytest.mark.parametrize("leaves", [4, 32])
    def test_the_ends_of_the_optimum_meet_and_nothing_is_below(self, load, leaves):
        script = load("prefix_sums")
        nuclear = np.linalg.svd(script.prefixes(leaves), compute_uv=False).sum()
        assert script.nuclear_bound(leaves) == pytest.approx((nuclear / leaves) ** 2)
        largest, mean = (script.optimum(script.prefixes(leaves), mean=m) for m in (False, True))
        for factors, over_mean in ((largest, False), (mean, True)):
            value = script.value(factors, over_mean)
            assert script.nuclear_bound(leaves) <= factors.lower <= value <= (1 + script.GAP) * factors.lower
        for other in (script.square_root_factors(leaves), script.tree_factors(leaves)):
            assert script.value(other) >= largest.lower
            assert script.value(other, mean=True) >= mean.lower

    def test_the_tree_has_the_sensitivity_of_the_lemma_and_least_squares_helps(self, load):
        script = load("prefix_sums")
        tree = script.tree_factors(16)
        assert tree.sensitivity == pytest.approx(math.sqrt(5))
        plain = script.nodes_read(16)
        assert list(plain[[0, 7, 14, 15]]) == [1, 1, 4, 1]
        assert np.all((tree.answers**2).sum(axis=1) <= plain + 1e-9)

    def test_the_table_at_one_size(self, load):
        script = load("prefix_sums")
        found = script.compare(8)
        one = script.gaussian_std(1.0) ** 2
        square_root = script.square_root_factors(8)
        assert found["square root"] == pytest.approx(
            (one * script.value(square_root), one * script.value(square_root, mean=True))
        )
        assert found["Gaussian tree"][0] == pytest.approx(3 * 4 * one, rel=1e-2)
        assert found["optimum, not below"][0] <= found["optimum, found"][0] < found["square root"][0]
        assert found["square root"][0] < found["tree, least squares"][0] < found["Gaussian tree"][0]
        assert found["TLap exact"][0] <= (1 + 2e-3) * found["TLap levels"][0] <= (1 + 2e-3) * found["TLap vector"][0]

    def test_sums_weighted_by_root_two_answer_all_squared_distances_at_the_price_of_one(self, load):
        script = load("prefix_sums")
        assert script.weighted_roots_variance() == pytest.approx(16.0)
        assert script.weighted_roots_variance(1.0) == pytest.approx(18.0)
        assert min(script.weighted_roots_variance(w) for w in np.linspace(0.5, 3.0, 26)) >= 16.0
        found = script.distance_answer(16)
        assert found["not below"] == pytest.approx(found["three roots, weighted"])
        assert found["three roots, Gaussian"] < found["three trees, Gaussian"] / 20

    def test_gaussian_noise_wins_where_it_is_said_to(self, load):
        script = load("prefix_sums")
        r = script.features_from_which_gaussian_wins()
        for features, wins in ((r, True), (r - 1, False)):
            laplace = dv.TruncatedLaplace(3.0 * features, script.CLAIM, draws=3 * features).std
            assert (dv.Gaussian(math.sqrt(3 * features), script.CLAIM).std < laplace) is wins

    @pytest.mark.slow
    def test_drawn_noise_has_the_computed_variance(self, load):
        script = load("prefix_sums")
        for largest, mean in script.drawn(8, 20_000, seed=3).values():
            assert largest == pytest.approx(1.0, abs=0.08)
            assert mean == pytest.approx(1.0, abs=0.08)

    def test_the_picture_is_drawn(self, load, tmp_path):
        script = load("prefix_sums")
        sizes = [4, 8]
        found, answers = ({n: make(n) for n in sizes} for make in (script.compare, script.distance_answer))
        script.draw(found, answers, tmp_path / "p.png")
        assert is_picture(tmp_path / "p.png")


@pytest.mark.filterwarnings("ignore::dpverify.DrownedDenominatorWarning")
class TestScaling:
    @pytest.mark.parametrize("method", ["dptree", "functional"])
    def test_what_is_kept_is_what_the_lemma_counts(self, load, method):
        script = load("scaling")
        small, large = (script.Size(n, 2, 2, 3) for n in (32, 64))
        costs = [script.measure(method, size, 0, 1) for size in (small, large)]
        assert [cost.kept for cost in costs] == [script.counted(method, size) for size in (small, large)]
        assert costs[1].kept / costs[0].kept == pytest.approx(2.0 if method == "dptree" else 1.0, rel=0.02)
        assert all(cost.peak > cost.kept and cost.build > cost.query > 0 for cost in costs)

    @pytest.mark.parametrize("method", ["dptree", "functional"])
    def test_exponents_are_those_of_the_quantity_that_is_varied(self, load, method):
        script = load("scaling")
        for sweep in script.sweeps(method, quick=True):
            x = [sweep.of(size) for size in sweep.sizes]
            assert x == sorted(set(x))
            costs = [script.Cost(round(1e6 * v**1.5), 10**6, 1e-3 * v, 1e-6) for v in x]
            line = script.exponents_line(method, sweep, costs)
            assert "kept 1.50 +- 0.00 (end 1.50" in line
            assert "peak 0.00" in line
            assert "build 1.00" in line
            assert f"claimed {sweep.claimed[method][0]:g}" in line

    def test_the_largest_dimension_is_the_last_that_fits(self, load):
        script = load("scaling")
        for method, rows in (("dptree", 10_000), ("functional", 1)):
            d = script.largest_dimension(method, rows, 3)
            inside, outside = (script.counted(method, script.Size(rows, e, 3, e)) for e in (d, d + 1))
            assert inside <= script.LIMIT < outside

    def test_the_picture_is_drawn(self, load, tmp_path):
        script = load("scaling")
        made = {
            method: {
                s.name: (s, [script.Cost(v, v, v, v) for v in map(s.of, s.sizes)]) for s in script.sweeps(method, True)
            }
            for method in script.METHODS
        }
        script.draw(made, tmp_path / "p.png")
        assert is_picture(tmp_path / "p.png")


@pytest.mark.filterwarnings("ignore::dpverify.DrownedDenominatorWarning")
class TestAdditiveError:
    def test_rows_are_nested_and_sums_are_those_of_the_polynomial(self, load):
        script = load("additive_error")
        keys, values, queries = script.data(50, 0)
        assert np.array_equal(script.data(20, 0)[0], keys[:20])
        logits = queries @ keys.T / 2
        kernel = 1 + logits + logits**2 / 2
        expected = np.column_stack([kernel @ values, kernel.sum(axis=1)])
        assert np.allclose(script.noise_free(keys, values, queries, 2), expected)
        assert np.allclose(script.polynomial(logits, 25), np.exp(logits))

    def test_the_error_falls_and_that_of_the_sums_does_not(self, load):
        script = load("additive_error")
        few, many = script.measure("functional", 12, [500, 8000], 3, 0)
        assert few.floor < 1e-10
        assert few.mean / many.mean == pytest.approx(16, rel=0.6)
        assert few.sums / many.sums == pytest.approx(1, rel=0.5)
        assert few.worst < few.bound
        assert many.worst < many.bound

    def test_the_floor_is_the_error_without_noise(self, load):
        script = load("additive_error")
        (low,) = script.measure("functional", 1, [300], 1, 0)
        keys, values, queries = script.data(300, 0)
        kernel = 1 + queries @ keys.T / 2
        plain = kernel @ values / kernel.sum(axis=1, keepdims=True)
        assert low.floor == pytest.approx(np.abs(plain - dv.attention(queries, keys, values)).max())
        assert low.floor > 1e-3

    def test_clamped_answers_and_floors_are_not_fitted(self, load):
        script = load("additive_error")
        points = [script.Point(n, 2 / n, 1 / n, 1, 4 / n, 1e-9) for n in (100, 1000, 10_000)]
        clamped = [script.Point(10, 0.9, 0.9, 1, 2, 1e-9)]
        drowned = [script.Point(10**6, 1e-4, 1e-4, 1, 1e-2, 1e-4)]
        slope, half, count = script.fitted(clamped + points + drowned, "mean")
        assert (slope, half) == (pytest.approx(-1.0), pytest.approx(0.0, abs=1e-6))
        assert count == 3
        assert math.isnan(script.fitted(clamped + points[:2], "mean")[0])

    @pytest.mark.slow
    def test_the_command_prints_a_table_and_a_picture(self, load, monkeypatch, tmp_path, capsys):
        script, path = load("additive_error"), tmp_path / "p.png"
        run(script, monkeypatch, "--largest", 4000, "--largest-tree", 256, "--releases", 1, "--picture", path)
        assert is_picture(path)
        printed = capsys.readouterr().out
        assert "seed 0" in printed
        assert "worst ~ n^" in printed
