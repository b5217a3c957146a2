"""``combine``: products of independent shards, averages of dependent ones, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from dpverify.audits import audit
from dpverify.audits.combine import combine
from dpverify.audits.lower_bound import SET_ASIDE
from dpverify.cli import main
from dpverify.errors import InvalidArgument, PrivacyViolation
from dpverify.guarantees import ApproxDP

ONE = ApproxDP(1.0)


def slightly(dataset, size, rng):
    return dataset + rng.laplace(scale=0.25, size=size)


def shards(mechanism, seeds, **options):
    return [audit(mechanism, 1.0, 0.0, ONE, max_pairs=10, seed=seed, **options) for seed in seeds]


def own(result):
    return float(result.path_log_wealth[-1] - result.path_log_wealth[0])


def test_independent_shards_multiply():
    parts = shards(slightly, range(12))
    together = combine(parts)
    assert together.log_e_value == pytest.approx(math.log1p(-SET_ASIDE) + sum(own(part) for part in parts), abs=1e-12)
    assert together.pairs == 12 * 10
    assert together.violated
    assert not any(part.violated for part in parts)
    with pytest.raises(PrivacyViolation, match="12 shards, multiplied"):
        together.raise_if_violated()
    assert not combine(parts, alpha=0.999 * math.exp(-together.log_e_value)).violated
    assert combine(parts, alpha=1.001 * math.exp(-together.log_e_value)).violated


def test_dependent_shards_are_averaged():
    parts = shards(slightly, [3, 3, 4])
    together = combine(parts, dependent=True)
    assert together.e_value == pytest.approx((1 - SET_ASIDE) * np.mean([math.exp(own(part)) for part in parts]))
    with pytest.raises(InvalidArgument, match="two with seed 3 and run 0"):
        combine(parts)


def test_json_from_other_machines_is_as_good():
    parts = shards(slightly, range(3))
    sent = [json.loads(json.dumps(part.to_dict())) for part in parts]
    assert combine(sent) == combine(parts)


def test_a_shard_counts_with_what_it_earned_itself(tmp_path):
    parts = [audit(slightly, 1.0, 0.0, ONE, max_pairs=10, evidence=tmp_path / "e.json") for _ in range(2)]
    assert combine(parts).log_e_value == pytest.approx(parts[-1].log_e_value)


def test_what_cannot_be_combined_is_refused():
    part = shards(slightly, [0])[0]
    other = audit(slightly, 1.0, 0.0, ApproxDP(2.0), max_pairs=10, seed=1)
    for bad, named in (([], "at least one"), ([part, other], "one claim"), ([{"format": "x"}], "dpverify-audit-1")):
        with pytest.raises(InvalidArgument, match=named):
            combine(bad)
    with pytest.raises(InvalidArgument, match="alpha"):
        combine([part], alpha=0.0)
    broken = part.to_dict() | {"path": {"log_wealth": [0.0, math.nan]}}
    with pytest.raises(InvalidArgument, match="sound path"):
        combine([broken])


def test_the_command_says_the_same_of_the_files(tmp_path, capsys):
    parts = shards(slightly, range(12))
    files = [str(tmp_path / f"{part.seed}.json") for part in parts]
    for part, file in zip(parts, files, strict=True):
        part.save(file)
    assert main(["combine", *files]) == 1
    assert capsys.readouterr().out == combine(parts).describe() + "\n"
    assert main(["combine", *files, "--alpha", repr(0.999 / combine(parts).e_value)]) == 0
    assert "proves nothing" in capsys.readouterr().out
    assert main(["combine", *files, "--dependent"]) == 0
    assert "12 shards, averaged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, "there is no file"),
        ("[1.0]", "RESULT must be a file that dpverify audit --json wrote"),
        ('{"format": 1}', "shards must be results of dpverify.audit"),
        ('{"format', "Unterminated string"),
        ("\x00", "RESULT must be a file that dpverify audit --json wrote"),
    ],
)
def test_files_that_are_no_results_are_refused_by_name(tmp_path, capsys, text, named):
    sound, file = tmp_path / "sound.json", tmp_path / "other.json"
    shards(slightly, [0])[0].save(sound)
    if text is not None:
        file.write_text(text)
    assert main(["combine", str(sound), str(file)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert named in said
    assert "Traceback" not in said


def test_the_command_refuses_one_shard_twice(tmp_path, capsys):
    shards(slightly, [0])[0].save(tmp_path / "0.json")
    assert main(["combine", *[str(tmp_path / "0.json")] * 2]) == 2
    assert "two with seed 0 and run 0" in " ".join(capsys.readouterr().err.split())
