"""The PyTorch layer gives the release's answers, and gradients through the queries."""

import io
import math
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import dpverify as dv
from dpverify.noise import SeededBits

torch = pytest.importorskip("torch")
layer_module = pytest.importorskip("dpverify.torch")
PrivateCrossAttention = layer_module.PrivateCrossAttention

CLAIM = dv.ApproxDP(20.0, 1e-3)
MAPS = {
    "polynomial": dv.Polynomial(4),
    "constant": dv.Polynomial(0),
    "nystrom": dv.Nystrom(number=15),
    "random": dv.PositiveRandomFeatures(number=60),
}
SHAPES = ("ball", "box", "positive_box")

pytestmark = [
    pytest.mark.filterwarnings("ignore::dpverify.DrownedDenominatorWarning"),
    pytest.mark.filterwarnings("ignore::dpverify.OutOfBoundsWarning"),
]


def bounds_of(shape):
    return dv.Bounds(key=1.0, query=0.8, value=1.5, shape=shape)


def data(leading, dimension=3, columns=2, rows=400):
    rng = np.random.default_rng(0)
    keys = rng.uniform(0, 1 / math.sqrt(dimension), (*leading, rows, dimension))
    return keys, rng.uniform(-1, 1, (*leading, rows, columns))


def heads(leading=(3,), features=None, shape="ball", claim=CLAIM, **options):
    options = {"bounds": bounds_of(shape), "scale": 1.0, "bits": SeededBits(0), **options}
    return dv.release_heads(*data(leading), claim, features=features or MAPS["polynomial"], **options)


def one(features=None, shape="ball", claim=CLAIM):
    return dv.release_attention(
        *data(()), claim, bounds=bounds_of(shape), scale=1.0, features=features or MAPS["polynomial"],
        bits=SeededBits(0),
    )  # fmt: skip


def queries(shape, reach=1.0, seed=1):
    """Inside the public domain and outside of it."""
    return reach * np.random.default_rng(seed).normal(size=(*shape, 3))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("epsilon", [20.0, 0.01])  # with the latter, noise dominates
def test_answers_are_those_of_the_release(kind, shape, epsilon):
    release = one(MAPS[kind], shape, dv.ApproxDP(epsilon, 1e-3))
    q = queries((200,))
    inside = np.linalg.norm(q, axis=1) <= 0.8
    assert inside.any()
    assert not inside.all()
    expected = release.query(q)
    answers = PrivateCrossAttention(release, dtype=torch.float64)(torch.from_numpy(q))
    assert answers.shape == expected.shape
    assert np.abs(answers.numpy() - expected).max() <= 1e-10
    if epsilon == 20.0:
        short = PrivateCrossAttention(release)(torch.from_numpy(q).float())
        assert short.dtype == torch.float32
        assert np.abs(short.numpy() - expected).max() <= 1e-4


@pytest.mark.parametrize("leading", [(3,), (2, 3)])
def test_heads_and_batches(leading):
    """Every head its own features, so that the groups do not come in order."""
    release = heads(leading, [MAPS["nystrom"], MAPS["polynomial"], MAPS["nystrom"]])
    layer = PrivateCrossAttention(release, dtype=torch.float64)
    assert len(layer.groups) == 2
    q = queries((4, *leading, 5))
    answers = layer(torch.from_numpy(q)).numpy()
    assert answers.shape == (4, *leading, 5, 2)
    assert np.abs(answers - release.query(q)).max() <= 1e-10
    assert np.abs(layer(torch.from_numpy(q[0])).numpy() - answers[0]).max() <= 1e-12
    same = layer(torch.from_numpy(q[(0,) * (1 + len(leading))])).numpy()
    assert np.abs(same - release.query(q[(0,) * (1 + len(leading))])).max() <= 1e-10
    for bad in (q[..., :2], q[..., :2, :, :], q[(0,) * (2 + len(leading))]):
        with pytest.raises(dv.InvalidArgument, match="query"):
            layer(torch.from_numpy(bad))


def test_a_loaded_release_makes_the_same_layer(tmp_path):
    release = heads(features=MAPS["nystrom"])
    release.save(tmp_path / "release.dpv")
    q = torch.from_numpy(queries((3, 5)))
    made = [PrivateCrossAttention(r, dtype=torch.float64) for r in (release, dv.load_release(tmp_path / "release.dpv"))]
    assert [len(layer.groups) for layer in made] == [1, 1]
    assert torch.equal(made[0](q), made[1](q))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", MAPS)
def test_gradients_are_those_of_finite_differences(kind, shape):
    layer = PrivateCrossAttention(heads(features=MAPS[kind], shape=shape), dtype=torch.float64)
    q = torch.from_numpy(queries((2, 3, 2), reach=0.7)).requires_grad_()
    projected = q.detach().abs()
    assert bool((projected > 0.8).any() if shape != "ball" else (q.detach().norm(dim=-1) > 0.8).any())
    assert torch.autograd.gradcheck(layer, (q,), eps=1e-6, atol=1e-7)


def test_gradients_at_the_origin_and_far_outside_are_finite():
    layer = PrivateCrossAttention(one(), dtype=torch.float64)
    q = torch.tensor([[0.0, 0.0, 0.0], [1e200, 0.0, -1e200]], dtype=torch.float64, requires_grad=True)
    answers = layer(q)
    answers.sum().backward()
    assert torch.isfinite(answers).all()
    assert torch.isfinite(q.grad).all()
    assert q.grad[0].abs().max() > 0
    expected = layer(torch.tensor([[math.sqrt(0.32), 0.0, -math.sqrt(0.32)]], dtype=torch.float64))
    assert torch.allclose(answers[1], expected, atol=1e-12)


class Block(torch.nn.Module):
    """A cross-attention layer as models have it: projections to heads, attention, output projection."""

    def __init__(self, release, width=6):
        super().__init__()
        self.attend = PrivateCrossAttention(release)
        self.to_query = torch.nn.Linear(width, 9)
        self.to_out = torch.nn.Linear(6, width)

    def forward(self, x):
        query = self.to_query(x).unflatten(-1, (3, 3)).transpose(-2, -3)  # (batch, heads, m, d)
        return self.to_out(self.attend(query).transpose(-2, -3).flatten(-2))


def test_a_model_trains_through_it_while_the_memory_stays_as_it_was():
    torch.manual_seed(0)
    block = Block(heads())
    x, target = torch.randn(8, 5, 6), 0.1 * torch.randn(8, 5, 6)
    before = {name: value.clone() for name, value in block.attend.named_buffers()}
    assert not list(block.attend.parameters())
    losses = []
    start = block.to_query.weight.detach().clone()
    for _ in range(40):
        loss = torch.nn.functional.mse_loss(block(x), target)
        block.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in block.parameters():
                parameter -= 0.5 * parameter.grad
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert not torch.equal(block.to_query.weight, start)
    for name, value in block.attend.named_buffers():
        assert torch.equal(value, before[name])


def test_the_state_dict_holds_the_release_and_refuses_another_ones():
    release = heads(features=MAPS["nystrom"])
    layer = PrivateCrossAttention(release, dtype=torch.float64)
    stored = io.BytesIO()
    torch.save(layer.state_dict(), stored)
    stored.seek(0)
    loaded = torch.load(stored, weights_only=True)
    assert {name.rpartition(".")[2] for name in loaded} == {
        "sums", "kernel_low", "feature_step", "landmarks", "matrix", "_extra_state",
    }  # fmt: skip
    other = PrivateCrossAttention(heads(features=MAPS["nystrom"], bits=SeededBits(9)), dtype=torch.float64)
    q = torch.from_numpy(queries((3, 4)))
    assert not torch.equal(other(q), layer(q))
    other.load_state_dict(loaded)
    assert torch.equal(other(q), layer(q))
    scaled = PrivateCrossAttention(heads(features=MAPS["nystrom"], scale=0.5), dtype=torch.float64)
    with pytest.raises(dv.InvalidArgument, match="state_dict"):
        scaled.load_state_dict(loaded)


@pytest.mark.parametrize("kind", MAPS)
def test_the_layer_moves_as_a_whole(kind):
    """To another precision and device. The meta device computes shapes only, and refuses to meet another one."""
    layer = PrivateCrossAttention(heads(features=[MAPS[kind], MAPS["nystrom"], MAPS[kind]]))
    assert layer.double()(torch.zeros(3, 4, 3, dtype=torch.float64)).dtype == torch.float64
    answers = layer.to("meta")(torch.zeros(5, 3, 4, 3, dtype=torch.float64, device="meta"))
    assert answers.shape == (5, 3, 4, 2)


def test_other_releases_are_refused():
    keys, values = data(())
    trees = dv.release_attention(
        keys[:4], values[:4], CLAIM, bounds=bounds_of("positive_box"), scale=1.0, method="dptree", degree=0
    )
    with pytest.raises(dv.InvalidArgument, match="dptree"):
        PrivateCrossAttention(trees)
    with pytest.raises(dv.InvalidArgument, match="release must be"):
        PrivateCrossAttention("release.dpv")
    large = dv.release_attention(keys, 1e5 * values, CLAIM, bounds=dv.Bounds(value=2e5), scale=1.0, degree=1)
    with pytest.raises(dv.InvalidArgument, match=r"dtype must be wide enough.*pass torch.float64"):
        PrivateCrossAttention(large, dtype=torch.float16)


def test_nothing_else_imports_torch(tmp_path):
    """The ledger and every public name do without it; without PyTorch, the layer says what to install."""
    script = (
        "import sys, dpverify as dv\n"
        "[getattr(dv, name) for name in dv.__all__]\n"
        "dv.spec.ledger()\n"
        "assert 'torch' not in sys.modules\n"
        "sys.modules['torch'] = None\n"
        "try:\n    import dpverify.torch\n"
        "except ModuleNotFoundError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "pip install 'dpverify[torch]'" in done.stdout


def test_the_layer_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PrivateCrossAttention(one(claim=dv.ApproxDP(0.01, 1e-3)))(torch.full((2, 3), 9.0))


def test_the_example_in_the_documentation_runs():
    page = (Path(__file__).parents[2] / "docs/heads.md").read_text()
    make, _ = re.findall(r"^```python\n(.*?)^```", page, flags=re.M | re.S)
    (use,) = re.findall(r"^```py\n(.*?)^```", page, flags=re.M | re.S)
    exec(compile(make.partition("queries =")[0] + use, "docs/heads.md", "exec"), {"__name__": "document"})
