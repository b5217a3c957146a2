"""An audit on a cluster: a local Dask cluster of two processes gives what one core gives."""

from __future__ import annotations

import json
import os

import joblib
import numpy as np
import pytest

import dpverify as dv
from dpverify.audits import MechanismFailed
from dpverify.audits.sampling import Encoder, sample_block

distributed = pytest.importorskip("distributed", reason="needs dask and distributed")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two worker processes without a dashboard; gone after the module."""
    folder = str(tmp_path_factory.mktemp("dask"))
    settings = {"distributed.comm.timeouts.connect": "60s"}
    with (
        distributed.dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=folder
        ) as running,
        distributed.Client(running) as client,
    ):
        workers = client.run(os.getpid).values()
        assert len(set(workers) - {os.getpid()}) == 2
        yield client
    for process in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def mechanisms():
    """Made here so that they travel to the workers by value."""

    def leaky(dataset, size, rng):
        return np.asarray(dataset) + rng.laplace(scale=0.9, size=(size, 2))

    def fails(dataset, size, rng):
        raise OSError(f"no disk in {os.getpid()}")

    def where(dataset, size, rng):
        return np.full(size, float(os.getpid())) + np.asarray(dataset)

    return leaky, fails, where


def everything(result):
    kept = result.to_dict()
    return json.dumps({name: kept[name] for name in kept if name != "mechanism"}, sort_keys=True)


def test_the_cluster_gives_what_one_core_gives(cluster):
    leaky, _, _ = mechanisms()
    datasets, claim = ([1.0, 0.0], [0.0, 0.0]), dv.ApproxDP(1.0)
    options = {"max_pairs": 6_000, "seed": 7, "stop_early": False}
    alone = dv.audit(leaky, *datasets, claim, n_jobs=1, **options)
    with joblib.parallel_config(backend="dask"):
        together = dv.audit(leaky, *datasets, claim, n_jobs=None, **options)
    assert everything(together) == everything(alone)
    other = dv.audit(leaky, *datasets, claim, n_jobs=1, **options | {"seed": 8})
    assert everything(other) != everything(alone)


def test_the_outputs_are_drawn_on_the_workers(cluster):
    _, _, where = mechanisms()
    with joblib.parallel_config(backend="dask"):
        ((_, outputs),) = sample_block(where, [(1.0, 0.0)], 8 * 1024, 0, (0,), None, Encoder())
    assert set(outputs.ravel().tolist()) <= {float(process) for process in cluster.run(os.getpid).values()}


def test_a_failure_on_a_worker_comes_home_with_dataset_and_seed(cluster):
    leaky, fails, _ = mechanisms()

    def sometimes(dataset, size, rng):
        return fails(dataset, size, rng) if size == 1024 and dataset == 0.0 else leaky([dataset] * 2, size, rng)

    with joblib.parallel_config(backend="dask"), pytest.raises(MechanismFailed, match="no disk") as caught:
        dv.audit(sometimes, 1.0, 0.0, dv.ApproxDP(5.0), n_jobs=None, max_pairs=20_000, seed=3)
    assert (caught.value.dataset, caught.value.size, caught.value.seed) == ("d1", 1024, 3)
