"""Many heads and batches: one claim for all of them, split by shares of the squared ratio."""

import math

import mpmath
import numpy as np
import pytest

import dpverify as dv
from dpverify.cli import main
from dpverify.cross_attention import functional
from dpverify.cross_attention import heads as heads_module
from dpverify.noise import SeededBits
from dpverify.spec.attention import joint_heads
from dpverify.spec.noise import gaussian_profile

CLAIM = dv.ApproxDP(1.0, 1e-6)
BOUNDS = dv.Bounds(key=1.0, query=1.0, value=2.0, shape="ball")
HEADS, ROWS = 3, 40
MAPS = {
    "polynomial": dv.Polynomial(2),
    "nystrom": dv.Nystrom(number=12),
    "random": dv.PositiveRandomFeatures(number=50),
}

pytestmark = pytest.mark.filterwarnings("ignore::dpverify.DrownedDenominatorWarning")


def in_ball(rng, shape):
    rows = rng.normal(size=shape)
    return rows / np.maximum(1.0, np.linalg.norm(rows, axis=-1, keepdims=True))


def data(leading=(HEADS,), rows=ROWS, columns=2, seed=0):
    rng = np.random.default_rng(seed)
    return in_ball(rng, (*leading, rows, 2)), 2.0 * in_ball(rng, (*leading, rows, columns))


def make(keys, values, claim=CLAIM, **options):
    options = {"bounds": BOUNDS, "scale": 1.0, "features": dv.Polynomial(2), "bits": SeededBits(0), **options}
    return dv.release_heads(keys, values, claim, **options)


def exact(queries, keys, values):
    """The reference: one head after another."""
    leading = keys.shape[:-2]
    out = np.empty((*leading, queries.shape[-2], values.shape[-1]))
    for index in np.ndindex(leading):
        head = queries if queries.ndim == 2 else queries[index]
        out[index] = dv.attention(head, keys[index], values[index], 1.0)
    return out


def changes(one, two):
    """By how much each head's sums differ, in the unit of its sensitivity."""
    return [
        np.linalg.norm((a.state.sums - b.state.sums).astype(float)) * a.state.unit
        for a, b in zip(one.heads, two.heads, strict=True)
    ]


def definition(epsilon, mu):
    """The hockey-stick divergence of N(0, 1) and N(mu, 1), by quadrature of its definition."""
    ctx = mpmath.MPContext()
    ctx.dps = 30
    edge = ctx.mpf(epsilon) / mu + ctx.mpf(mu) / 2  # beyond it N(mu, 1) is more than e^epsilon times as likely
    points = [edge, edge + 1, edge + 3, edge + 8, edge + 20]
    return float(ctx.quad(lambda x: ctx.npdf(x, mu, 1) - ctx.exp(epsilon) * ctx.npdf(x), points))


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leading", [(2,), (2, 3)])
def test_with_little_noise_every_head_answers_for_its_own_rows(leading):
    keys, values = data(leading, rows=2000)
    release = make(keys, values, dv.ApproxDP(60.0, 0.25), features=dv.Polynomial(7))
    queries = in_ball(np.random.default_rng(1), (*leading, 5, 2))
    answers = release.query(queries)
    error = np.abs(answers - exact(queries, keys, values)).max()
    assert answers.shape == (*leading, 5, 2)
    assert error < 0.05
    assert error <= release.error_bound(1e-3)
    assert np.abs(answers - np.flip(exact(queries, keys, values), axis=0)).max() > 4 * error  # heads are told apart


def test_queries_broadcast_to_heads_and_batches():
    release = make(*data((2, 3)))
    queries = in_ball(np.random.default_rng(1), (4, 2, 3, 5, 2))
    answers = release.query(queries)
    assert answers.shape == (4, 2, 3, 5, 2)
    assert np.allclose(answers[3], release.query(queries[3]), rtol=1e-12)
    same = release.query(queries[0, 0, 0])
    assert same.shape == (2, 3, 5, 2)
    assert np.allclose(same[1, 2], release.heads[5].query(queries[0, 0, 0]), rtol=1e-12)
    assert np.allclose(release.query(queries[0, 0]), release.query(np.stack([queries[0, 0]] * 2)), rtol=1e-12)
    for bad in (queries[0, 0, :2], queries[..., :1], queries[0, 0, 0, 0], queries[:, :1, :2]):
        with pytest.raises(dv.InvalidArgument, match="queries"):
            release.query(bad)
    with pytest.raises(dv.InvalidArgument, match="NaN"):
        release.query(queries * np.nan)


def test_values_of_one_column_may_leave_it_out():
    keys, values = data(columns=1)
    one, two = make(keys, values), make(keys, values[..., 0])
    assert all(np.array_equal(a.state.sums, b.state.sums) for a, b in zip(one.heads, two.heads, strict=True))


def test_error_bounds_are_for_all_heads_at_once():
    release = make(*data((2, HEADS), rows=50_000), features=dv.Polynomial(5))
    for mode in (False, True):
        expected = max(head.error_bound(0.06 / 6, mode) for head in release.heads)
        assert release.error_bound(0.06, mode) == expected
    assert release.heads[0].error_bound(0.06) < release.error_bound(0.06) < BOUNDS.value_span
    queries = in_ball(np.random.default_rng(1), (4, 2, HEADS, 5, 2))
    bounds = release.error_bound(0.06, True, queries=queries)
    own = queries[:, 1, 2].reshape(-1, 2)
    assert bounds.shape == (4, 2, HEADS, 5)
    assert np.array_equal(bounds[:, 1, 2].ravel(), release.heads[5].error_bound(0.01, True, queries=own))
    assert np.array_equal(release.standard_error(queries)[:, 1, 2].reshape(-1, 2), release.heads[5].standard_error(own))
    assert np.array_equal(release.drowned(queries)[:, 1, 2].ravel(), release.heads[5].drowned(own))
    assert release.drowned(queries).dtype == bool
    with pytest.raises(dv.InvalidArgument, match="failure_probability"):
        release.error_bound(1.5)


def test_drowned_heads_are_flagged():
    keys, values = data()
    release = make(keys, values, dv.ApproxDP(0.01, 1e-6))
    assert release.drowned([[0.0, 0.1]]).all()
    assert np.all(release.standard_error([[0.0, 0.1]]) == BOUNDS.value_span)


# --- privacy --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MAPS)
def test_one_row_moves_all_heads_together_by_no_more_than_the_claim_allows(kind):
    """Frozen noise: what remains of a difference of neighbours, in units of each head's noise, is at most mu."""
    rng = np.random.default_rng(5)
    shares = [0.5, 0.3, 0.2]
    keys, values = data()
    mu = 1.0 / gaussian_profile.sigma(1.0, 1e-6, 1.0)
    worst = 0.0
    for trial in range(6):
        other_keys, other_values = keys.copy(), values.copy()
        row = rng.integers(ROWS)
        if trial % 2:
            other_keys[:, row], other_values[:, row] = in_ball(rng, (HEADS, 2)), 2.0 * in_ball(rng, (HEADS, 2))
        else:  # as far as a row can go
            keys[:, row], values[:, row] = [1.0, 0.0], [2.0, 0.0]
            other_keys, other_values = keys.copy(), values.copy()
            other_keys[:, row], other_values[:, row] = [-1.0, 0.0], [-2.0, 0.0]
        one = make(keys, values, features=MAPS[kind], shares=shares)
        two = make(other_keys, other_values, features=MAPS[kind], shares=shares)
        assert one.certificate == two.certificate
        moved = [change / head.state.sigma for change, head in zip(changes(one, two), one.heads, strict=True)]
        assert 0 < math.hypot(*moved) <= mu
        assert all(x <= mu * math.sqrt(w) * (1 + 1e-3) for x, w in zip(moved, shares, strict=True))
        worst = max(worst, math.hypot(*moved))
    assert worst > mu / 3  # the far rows nearly use the budget up


@pytest.mark.parametrize("shares", [None, [0.7, 0.2, 0.1]])
@pytest.mark.parametrize("epsilon", [0.3, 1.0, 4.0])
def test_the_certified_delta_is_that_of_all_heads_and_meets_the_claim(shares, epsilon):
    """Against the divergence of two Gaussians by quadrature, for the sensitivities that rounding to the grid left."""
    claim = dv.ApproxDP(epsilon, 1e-6)
    release = make(*data(), claim, shares=shares)
    squares = [
        (head.certificate.details["l2 sensitivity"] * (1 + head.certificate.charges["rounding share of sensitivity"])
         / head.state.sigma) ** 2
        for head in release.heads
    ]  # fmt: skip
    direct = definition(epsilon, math.sqrt(sum(squares)))
    tables = sum(head.state.coupling for head in release.heads) * (1 + math.exp(epsilon))
    assert release.certificate.delta_upper == pytest.approx(direct + tables, rel=1e-6)
    assert direct <= release.certificate.delta_upper <= claim.delta
    assert release.certificate.delta_upper >= 0.99 * claim.delta
    expected = shares or [1 / HEADS] * HEADS
    assert [x / sum(squares) for x in squares] == pytest.approx(expected, rel=1e-6)
    assert release.certificate.details["shares of squared sensitivity / noise"] == pytest.approx(expected)


def test_forgetting_the_split_is_refused(monkeypatch):
    """Planted fault: every head is built as if it were alone."""
    monkeypatch.setattr(joint_heads, "effective", lambda sensitivities, shares: tuple(sensitivities))
    with pytest.raises(dv.spec.ConclusionViolated, match="delta"):
        make(*data())


def test_the_claim_without_the_split_would_be_broken():
    """Control for the refusal above: three heads of the whole budget each have a delta hundreds of times as large."""
    alone = dv.release_attention(*(x[0] for x in data()), CLAIM, bounds=BOUNDS, scale=1.0, degree=2, bits=SeededBits(0))
    ratio = alone.certificate.details["l2 sensitivity"] / alone.state.sigma
    assert definition(1.0, math.sqrt(HEADS) * ratio) > 100 * CLAIM.delta
    assert definition(1.0, ratio) <= CLAIM.delta


def test_rounding_is_charged_whatever_the_share(monkeypatch):
    """Rounding costs a head the same steps whatever its share, so a small share must not shrink the charge."""
    monkeypatch.setattr(functional, "ROUNDING_CHARGE", 0.5)
    release = make(*data(), shares=[0.98, 0.01, 0.01])
    squares = 0.0
    for head in release.heads:
        rounded = head.certificate.details["l2 sensitivity"] + math.sqrt(head.state.sums.size) * head.state.unit
        assert rounded > 1.1 * head.certificate.details["l2 sensitivity"]
        squares += (rounded / head.state.sigma) ** 2
    assert math.sqrt(squares) <= 1.0 / gaussian_profile.sigma(1.0, 1e-6, 1.0)
    assert release.certificate.charges["rounding share of sensitivity"] > 0.1


def test_one_head_is_the_release_of_attention():
    keys, values = data((1,))
    one = make(keys, values)
    alone = dv.release_attention(
        keys[0], values[0], CLAIM, bounds=BOUNDS, scale=1.0, features=dv.Polynomial(2), bits=SeededBits(0)
    )
    assert np.array_equal(one.heads[0].state.sums, alone.state.sums)
    assert one.certificate.delta_upper == pytest.approx(alone.certificate.delta_upper, rel=1e-9)


def test_heads_together_need_less_noise_than_a_claim_each():
    heads = 8
    together = make(*data((heads,)))
    part = dv.ApproxDP(CLAIM.epsilon / heads, CLAIM.delta / heads)
    alone = dv.release_attention(*(x[0] for x in data((1,))), part, bounds=BOUNDS, scale=1.0, degree=2)
    assert alone.state.sigma / together.heads[0].state.sigma > 2.5


def test_rows_that_are_not_shared_cost_nothing():
    """Different documents: each gets the whole claim, and one row moves one of them only."""
    keys, values = data((2, HEADS))
    apart = make(keys, values, shared_axes=())
    alone = make(keys[:1, :1], values[:1, :1])
    assert [head.state.sigma for head in apart.heads] == pytest.approx([alone.heads[0].state.sigma] * 6, rel=1e-6)
    both = make(keys, values, shared_axes=(1,))
    one_document = make(keys[0], values[0])
    assert both.heads[4].state.sigma == pytest.approx(one_document.heads[1].state.sigma, rel=1e-6)
    assert both.certificate.details["one unit"] == "one row of every head along axes [1]"
    assert any("no unit has rows" in text for text in both.certificate.trusts)
    assert both.certificate.delta_upper <= CLAIM.delta
    everything = make(keys, values)
    assert everything.heads[4].state.sigma == pytest.approx(math.sqrt(2) * both.heads[4].state.sigma, rel=1e-3)
    assert len(everything.certificate.trusts) == 2


def test_frozen_noise_shows_only_the_heads_and_the_row_that_changed():
    keys, values = data((2, HEADS))
    other = keys.copy()
    other[1, :, 7] = -keys[1, :, 7]
    one, two = (make(k, values, shared_axes=(1,)) for k in (keys, other))
    moved = np.reshape(changes(one, two), (2, HEADS))
    assert np.all(moved[0] == 0)
    assert np.all(moved[1] > 0)
    assert one.certificate == two.certificate
    assert all(a.certificate == b.certificate for a, b in zip(one.heads, two.heads, strict=True))


def test_noise_is_independent_between_heads_and_the_operating_systems():
    same = [np.repeat(x[:1], 2, axis=0) for x in data()]
    release = make(*same, bits=None)
    assert release.certificate.private
    assert not np.array_equal(release.heads[0].state.sums, release.heads[1].state.sums)
    assert not make(*same).certificate.private


# --- what is common and what is not ---------------------------------------------------------------------------------


def test_public_choices_may_differ_by_head():
    keys, values = data((2, HEADS))
    options = {
        "bounds": [BOUNDS, dv.Bounds(value=2.0, key=0.5), BOUNDS],
        "scale": [1.0, 0.5, 0.25],
        "features": [dv.Polynomial(2), dv.Nystrom(number=5), dv.PositiveRandomFeatures(9)],
        "normaliser_weight": [1.0, 2.0, 3.0],
    }
    with pytest.warns(dv.OutOfBoundsWarning, match=f"of {2 * ROWS} keys lay outside the public bound 0.5"):
        release = make(keys, values, **options)
    assert [head.state.features.size for head in release.heads] == [6, 5, 9] * 2
    assert [head.state.parameters.scale for head in release.heads] == [1.0, 0.5, 0.25] * 2
    assert [head.state.grids.normaliser_weight for head in release.heads] == pytest.approx([1.0, 2.0, 3.0] * 2)
    assert release.certificate.delta_upper <= CLAIM.delta
    assert release.heads[0].state.features is release.heads[3].state.features


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MAPS)
def test_save_and_load_return_the_same_release(kind, tmp_path):
    release = make(*data((2, HEADS)), features=MAPS[kind], shared_axes=(1,))
    release.save(tmp_path / "release.dpv")
    loaded = dv.load_release(tmp_path / "release.dpv")
    assert isinstance(loaded, dv.HeadsRelease)
    queries = in_ball(np.random.default_rng(3), (7, 2))
    assert np.array_equal(release.query(queries), loaded.query(queries))
    assert loaded.certificate == release.certificate
    assert [a.certificate for a in loaded.heads] == [b.certificate for b in release.heads]
    assert loaded.error_bound(0.1) == release.error_bound(0.1)
    loaded.save(tmp_path / "again.dpv")
    with np.load(tmp_path / "again.dpv") as archive:
        stored = set(archive.files)
    common = {"nystrom": {"0.landmarks", "0.matrix"}, "random": {"0.directions"}}.get(kind, set())
    assert stored == {"header", "digest", *(f"{j}.sums" for j in range(6)), *common}


def test_the_command_line_answers_for_all_heads(tmp_path, capsys):
    make(*data()).save(tmp_path / "R.dpv")
    np.save(tmp_path / "Q.npy", in_ball(np.random.default_rng(0), (5, 2)))
    ask = ["query", str(tmp_path / "R.dpv"), str(tmp_path / "Q.npy"), "-o"]
    assert main([*ask, str(tmp_path / "A.npy")]) == 0
    assert "15 answers of 2 columns" in capsys.readouterr().out
    assert np.load(tmp_path / "A.npy").shape == (HEADS, 5, 2)
    assert main([*ask, str(tmp_path / "A.csv")]) == 2
    assert "a .npy file, since the answers have shape (3, 5, 2)" in " ".join(capsys.readouterr().err.split())


def test_a_file_with_a_head_missing_is_refused(tmp_path):
    release = make(*data())
    broken = dv.HeadsRelease(release.heads[:2], release.leading, release.certificate)
    broken.save(tmp_path / "broken")
    with pytest.raises(dv.ReleaseFileError, match="2 heads for the shape"):
        dv.load_release(tmp_path / "broken")


def test_nothing_private_is_saved(tmp_path):
    """With the noise frozen, neighbours' files differ in noisy integers only, even if one has rows to be moved."""
    keys, values = data()
    other = keys.copy()
    other[:, 3] = 9.0
    make(keys, values).save(tmp_path / "a")
    with pytest.warns(dv.OutOfBoundsWarning, match="3 of 120 keys"):
        make(other, values).save(tmp_path / "b")
    headers = []
    for name in "ab":
        with np.load(tmp_path / name, allow_pickle=False) as archive:
            headers.append(bytes(archive["header"]))
    assert headers[0] == headers[1]


# --- bad input ------------------------------------------------------------------------------------------------------

KEYS, VALUES = data()
BAD = [
    ("keys", {"keys": KEYS[0]}),
    ("keys", {"keys": KEYS * np.nan}),
    ("keys", {"keys": np.zeros((0, 4, 2)), "values": np.zeros((0, 4, 1))}),
    ("keys", {"keys": np.zeros((2, 4, 0)), "values": np.zeros((2, 4, 1))}),
    ("values", {"values": VALUES[:2]}),
    ("values", {"values": VALUES[:, :7]}),
    ("values", {"values": VALUES[0]}),
    ("values", {"values": VALUES[..., :0]}),
    ("shares", {"shares": [0.5, 0.5]}),
    ("shares", {"shares": [0.5, 0.3, 0.3]}),
    ("shares", {"shares": [0.5, 0.3, 0.1]}),
    ("shares", {"shares": [1.2, -0.1, -0.1]}),
    ("shares", {"shares": [0.5, 0.5, 0.0]}),
    ("shares", {"shares": [np.nan, 0.5, 0.5]}),
    ("shares", {"shares": [[0.5, 0.3, 0.2]]}),
    ("shares", {"shares": [1.0], "shared_axes": ()}),
    ("shared_axes", {"shared_axes": (1,)}),
    ("shared_axes", {"shared_axes": (-1,)}),
    ("shared_axes", {"shared_axes": (0, 0)}),
    ("shared_axes", {"shared_axes": "heads"}),
    ("shared_axes", {"shared_axes": 0}),
    ("bounds", {"bounds": [BOUNDS] * 2}),
    ("bounds", {"bounds": None}),
    ("scale", {"scale": [1.0, 1.0]}),
    ("scale", {"scale": -1.0}),
    ("features", {"features": [dv.Polynomial(2)] * 4}),
    ("features", {"features": "nystrom"}),
    ("degree", {"degree": 2}),
    ("normaliser_weight", {"normaliser_weight": 0.0}),
    ("out_of_bounds", {"out_of_bounds": "ignore"}),
]


@pytest.mark.parametrize(("argument", "change"), BAD, ids=[f"{a}-{i}" for i, (a, _) in enumerate(BAD)])
def test_bad_input_is_named(argument, change):
    call = {"keys": KEYS, "values": VALUES, "bits": SeededBits(0), **change}
    with pytest.raises(dv.InvalidArgument) as caught:
        make(**call)
    assert caught.value.argument == argument
    assert argument in str(caught.value)


@pytest.mark.parametrize("claim", [(0.0, 1e-6), (1.0, 0.0), (1.0, 0.6)])
def test_claims_outside_the_hypotheses_are_refused(claim):
    with pytest.raises(dv.spec.HypothesisNotMet, match="hypothesis not met"):
        make(KEYS, VALUES, dv.ApproxDP(*claim))


def test_rows_outside_the_bounds_are_refused_if_asked():
    keys = KEYS.copy()
    keys[1, 4] = 3.0
    with pytest.raises(dv.InvalidArgument, match="1 of 40 rows outside"):
        make(keys, VALUES, out_of_bounds="raise")


def test_heads_that_would_not_fit_together_are_refused(monkeypatch):
    monkeypatch.setattr(heads_module, "MAX_BYTES", 8 * 3 * 18 - 1)
    with pytest.raises(dv.CapacityError, match="3 heads of 18 numbers need 432 bytes"):
        make(KEYS, VALUES)


def test_shares_that_miss_one_by_rounding_are_accepted_and_never_exceed_it():
    tenths = [0.1] * 10
    assert sum(map(joint_heads.Fraction, tenths)) > 1  # exactly, these floats are more than 1
    release = make(*data((10,)), shares=tenths)
    assert release.certificate.delta_upper <= CLAIM.delta
