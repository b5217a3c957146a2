"""`dpverify release` and `dpverify query`."""

from __future__ import annotations

import argparse
import math
import warnings

import numpy as np
from rich.console import Console
from rich.markup import escape

from dpverify.commands.files import check_suffix, read_array, write_array
from dpverify.cross_attention import Bounds, Nystrom, load_release, release_attention
from dpverify.errors import InvalidArgument
from dpverify.guarantees import ApproxDP

FAILURE_PROBABILITY = 0.05


def release(console: Console, errors: Console, options: argparse.Namespace) -> int:
    """Build a release from files and write it; print its certificate and error bound."""
    bounds = Bounds(
        key=options.key_bound,
        query=options.key_bound if options.query_bound is None else options.query_bound,
        value=options.value_bound,
        shape=options.shape,
        values_nonnegative=options.values_nonnegative,
    )
    claim = ApproxDP(options.epsilon, options.delta)
    keys, values = read_array("--keys", options.keys), read_array("--values", options.values)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = release_attention(
            keys,
            values,
            claim,
            bounds=bounds,
            scale=options.scale,
            method=options.method,
            normaliser_weight=options.normaliser_weight,
            degree=options.degree,
            features=_features(options),
            max_queries=options.max_queries,
            out_of_bounds=options.out_of_bounds,
        )
    _print_warnings(errors, caught)
    made.save(options.output)
    console.print(escape(str(made.certificate)), highlight=False, soft_wrap=True)
    bound = made.error_bound(FAILURE_PROBABILITY)
    console.print(
        f"each answer is within {bound:.4g} of exact attention with probability {1 - FAILURE_PROBABILITY:g} "
        f"(values reach {bounds.value:g})\nwritten to {escape(options.output)}",
        highlight=False,
    )
    return 0


def query(console: Console, errors: Console, options: argparse.Namespace) -> int:
    """Answer queries from a release file; say how far off the answers may be."""
    if options.standard_error is not None:
        check_suffix(options.standard_error, "--standard-error")  # before anything is written
    keys, values = (
        None if path is None else read_array(name, path)
        for name, path in (("--keys", options.keys), ("--values", options.values))
    )
    made = load_release(options.release, keys=keys, values=values)
    queries = read_array("queries", options.queries)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answers = made.query(queries)
    _print_warnings(errors, caught)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they were printed already
        bounds = made.error_bound(FAILURE_PROBABILITY, queries=queries)
        uncertain = None if options.standard_error is None else made.standard_error(queries)
    write_array(options.output, answers)
    if uncertain is not None:
        write_array(options.standard_error, uncertain, "--standard-error")
    console.print(
        f"{math.prod(answers.shape[:-1])} answers of {answers.shape[-1]} columns written to {escape(options.output)}",
        highlight=False,
    )
    if bounds.size:
        console.print(
            f"each is within {np.median(bounds):.4g} (median; at most {bounds.max():.4g}) of exact attention with "
            f"probability {1 - FAILURE_PROBABILITY:g}, if it was asked before any answer was seen",
            highlight=False,
        )
    return 0


def _features(options: argparse.Namespace) -> Nystrom | None:
    if options.landmarks is not None:
        return Nystrom(read_array("--landmarks", options.landmarks), rank=options.rank)
    if options.rank is not None:
        raise InvalidArgument("--rank", options.rank, "given with --landmarks only")
    return None


def _print_warnings(errors: Console, caught: list[warnings.WarningMessage]) -> None:
    for warning in caught:
        errors.print(f"[yellow]warning:[/] {escape(str(warning.message))}", highlight=False)
