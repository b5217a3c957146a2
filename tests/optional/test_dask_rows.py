"""Dask arrays are read through their blocks. Needs dask."""

import numpy as np
import pytest

import dpverify as dv
from dpverify.noise import SeededBits

da = pytest.importorskip("dask.array")

CLAIM = dv.ApproxDP(1.0, 1e-6)
CALL = {"bounds": dv.Bounds(shape="box"), "degree": 2}


@pytest.mark.parametrize("columns", [None, 3])
def test_dask_arrays_give_the_release_of_numpy_arrays(columns):
    rng = np.random.default_rng(0)
    k = rng.uniform(-1, 1, (1000, 4))
    v = rng.uniform(-1, 1, 1000 if columns is None else (1000, columns))
    whole = dv.release_attention(k, v, CLAIM, bits=SeededBits(0), **CALL)
    keys, values = da.from_array(k, chunks=(300, 3)), da.from_array(v, chunks=170)
    lazily = dv.release_attention(keys, values, CLAIM, bits=SeededBits(0), **CALL)
    assert np.array_equal(whole.state.arrays()["sums"], lazily.state.arrays()["sums"])
    assert whole.certificate == lazily.certificate


def test_one_block_is_computed_at_a_time():
    """The rows together are larger than what is held at any moment."""
    held, most = 0, 0

    def make(block_info=None):
        nonlocal held, most
        held += 1
        most = max(most, held)
        return np.zeros((100, 2))

    keys = da.map_blocks(make, chunks=((100,) * 20, (2,)), dtype=float, meta=np.zeros((0, 0)))
    values = da.zeros((2000,), chunks=100)

    seen = []
    from dpverify.cross_attention.rows import read_rows

    for k, _ in read_rows(keys, values, None).inside(dv.Bounds(), "raise"):
        seen.append(len(k))
        held -= 1
    assert seen == [100] * 20
    assert most <= 2  # the first block is looked at ahead


def test_unknown_lengths_are_refused_with_advice():
    keys = da.from_array(np.ones((10, 2)), chunks=5)
    keys = keys[keys[:, 0] > 0]
    with pytest.raises(dv.InvalidArgument, match="compute_chunk_sizes"):
        dv.release_attention(keys, da.ones(10, chunks=5), CLAIM, **CALL)
    with pytest.raises(dv.InvalidArgument, match="as many rows as keys"):
        dv.release_attention(da.ones((10, 2), chunks=5), da.ones(9, chunks=5), CLAIM, **CALL)
