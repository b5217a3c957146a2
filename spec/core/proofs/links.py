"""Links: Coq certifies, by interval arithmetic and by computation, what Python's own formulas return.

A theorem speaks of a Coq definition; the library calls a Python function of the same lemma. Here the Python
function is evaluated at sample points and Coq proves that the definition has that value up to the stated
error. A changed constant on either side breaks the link.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from dpverify.spec.core.lemma import PACKAGE
from dpverify.spec.core.proofs.coq import build, compile_text, locked
from dpverify.spec.core.proofs.errors import Problem, reject
from dpverify.spec.core.proofs.sources import PROOFS

TOLERANCE = Fraction(1, 2**49)  # relative, at every point that is linked

PRELUDE = """\
Require Import Reals Lra ZArith List Bool.
From Interval Require Import Tactic.
Require Import TLap VectorTLap DP Ratio RatioOneSided Taylor PoissonTail NetSize Segtree IntegerTable Numerics
  Normaliser.
Import ListNotations.
Open Scope R_scope.
Ltac literals :=
  rewrite ?INR_fact_S, ?INR_fact_0, ?INR_IZR_INZ; cbn [Z.of_nat Pos.of_succ_nat Pos.succ].
Ltac certify :=
  unfold tail_at, tl_var, tl_C, tl_B, tl_b, tl_L, group_delta, interval_error, signed_error, nonneg_error,
    one_sided_relative, one_sided_error, signed_eps_s, eps_s, texp, normaliser_least; cbn [sum_f_R0];
  literals; split; interval with (i_prec 140).
Definition same_node (u v : nat * nat) : bool := (fst u =? fst v)%nat && (snd u =? snd v)%nat.
Fixpoint same_nodes (us vs : list (nat * nat)) : bool :=
  match us, vs with
  | [], [] => true
  | u :: us', v :: vs' => same_node u v && same_nodes us' vs'
  | _, _ => false
  end.
Definition decomposition_ok (row : nat * nat * nat * list (nat * nat)) : bool :=
  match row with (h, l, r, nodes) => same_nodes (query h 0 l r) nodes end.
"""


@dataclass(frozen=True)
class Claim:
    """One thing that Coq is asked to prove about Python's numbers.

    Attributes:
        lemma: identifier of the lemma whose formula was evaluated.
        what: the call and its value, for messages.
        coq: the statement and its proof, on one line, without the leading "Example name : ".
    """

    lemma: str
    what: str
    coq: str


def function(lemma: str, name: str) -> Callable[..., Any]:
    """A function of the module that states a lemma."""
    return getattr(importlib.import_module(PACKAGE + lemma), name)  # type: ignore[no-any-return]


def value_claim(lemma: str, call: str, value: float, term: str, tolerance: Fraction = TOLERANCE) -> Claim:
    """``term`` has the given value up to a relative ``tolerance``."""
    exact = Fraction(value)
    error = abs(exact) * tolerance
    bounds = f"{_real(exact - error)} <= {term} <= {_real(exact + error)}"
    return Claim(
        lemma, f"{call} = {value!r} (relative tolerance {float(tolerance):.1e})", f"{bounds}. Proof. certify. Qed."
    )


def truncated_laplace_claims() -> list[Claim]:
    """Support bound, normaliser, variance and tail of truncated Laplace noise."""
    claims = []
    points = ((1.0, 1.0, 1e-6), (0.375, 0.125, 1e-9), (1.0, 4.0, 0.5), (12.5, 0.125, 1e-3), (0.375, 4.0, 1e-12))
    for sensitivity, epsilon, delta in points:
        arguments = (sensitivity, epsilon, delta)
        reals = " ".join(_real(Fraction(x)) for x in arguments)
        for lemma, name, term, inputs in (
            ("noise.truncated_laplace_normaliser", "support_bound", f"tl_B {reals}", arguments),
            ("noise.truncated_laplace_normaliser", "normaliser", f"tl_C {reals}", arguments),
            ("noise.truncated_laplace_variance", "variance", f"tl_var {reals}", arguments),
            (
                "noise.truncated_laplace_tail",
                "tail",
                f"tail_at {reals} {_real(Fraction(sensitivity) / 4)}",
                (sensitivity / 4, *arguments),
            ),
        ):
            value = function(lemma, name)(*inputs)
            claims.append(value_claim(lemma, f"{name}{inputs}", value, term))
    return claims


def error_claims() -> list[Claim]:
    """Constants of the ratio errors, the kernel's relative errors, group privacy."""
    claims = []
    for e, bound in ((0.5, 1.0), (2.0**-20, 3.0), (0.0625, 0.75), (0.96875, 10.0)):
        for lemma, name, term, inputs in (
            ("attention.ratio_error_signed", "absolute_error", "signed_error {e} {v}", (e, bound)),
            ("attention.ratio_error_one_sided", "absolute_error", "one_sided_error {e} {v}", (e, bound)),
            (
                "attention.ratio_error_interval",
                "absolute_error",
                "interval_error (1 - {e}) (1 + {e}) {v}",
                (1 - e, 1 + e, bound),
            ),
            ("attention.ratio_error_nonnegative", "relative_output_error", "nonneg_error {e}", (e,)),
            ("attention.ratio_error_nonnegative", "relative_output_error", "one_sided_relative {e}", (e, True)),
        ):
            value = function(lemma, name)(*inputs)
            filled = term.format(e=_real(Fraction(e)), v=_real(Fraction(bound)))
            claims.append(value_claim(lemma, f"{name}{inputs}", value, filled))
    for degree, x in ((0, 0.5), (3, 1.0), (6, 0.25), (9, 4.0), (12, 16.0)):
        for lemma, name in (("kernel.relative_error", "eps_s"), ("kernel.relative_error_signed", "signed_eps_s")):
            value = function(lemma, "relative_error")(degree, x)
            term = f"{name} {degree} {_real(Fraction(x))}"
            claims.append(value_claim(lemma, f"relative_error({degree}, {x})", value, term))
    for epsilon, delta, size in ((1.0, 1e-6, 5), (0.125, 1e-9, 12), (2.0, 1e-12, 3)):
        lemma = "privacy.group_privacy"
        value = function(lemma, "group")(epsilon, delta, size)[1]
        term = f"group_delta {_real(Fraction(epsilon))} {_real(Fraction(delta))} {size}"
        claims.append(value_claim(lemma, f"group({epsilon}, {delta}, {size})[1]", value, term))
    for rows, scale, radius, mean in ((1, 1.0, 1.0, 0.5), (40, 0.25, 3.0, 0.0), (1000, 2.0, 1.5, 7.0)):
        lemma = "attention.normaliser_from_mean"
        value = function(lemma, "least")(rows, scale, radius, mean)
        term = f"normaliser_least {rows} {_real(Fraction(scale))} {_real(Fraction(radius))} {_real(Fraction(mean))}"
        claims.append(value_claim(lemma, f"least({rows}, {scale}, {radius}, {mean})", value, term, Fraction(1, 2**39)))
    return claims


def net_claims() -> list[Claim]:
    """Python's net size is N^d for the least N that the theorem's hypothesis allows."""
    claims, lemma = [], "adaptive.net_size"
    for dimension, side, radius in ((2, 1.0, 0.25), (3, 2.0, 0.125), (5, 1.0, 0.375), (10, 1.0, 0.75)):
        size = function(lemma, "net_size")(dimension, side, radius)
        per_axis = round(size ** (1 / dimension))
        r, e0 = _real(Fraction(side)), _real(Fraction(radius))
        statement = (
            f"({per_axis} ^ {dimension} = {size})%Z /\\ {r} * sqrt (INR {dimension}) <= 2 * {e0} * INR {per_axis} /\\ "
            f"2 * {e0} * (INR {per_axis} - 1) < {r} * sqrt (INR {dimension})"
        )
        proof = "split; [reflexivity | literals; split; interval with (i_prec 80)]"
        call = f"net_size({dimension}, {side}, {radius}) = {size}"
        claims.append(Claim(lemma, call, f"{statement}. Proof. {proof}. Qed."))
    return claims


def sensitivity_claims() -> list[Claim]:
    """Python's l2-sensitivity of the released matrix is the bound of the theorem, its hypotheses met, rounded up."""
    claims, lemma = [], "attention.functional_sensitivity"
    for b2, kernel_min, v, c, nonnegative in (
        (1.0, -1.0, 1.0, 0.5, False),
        (2.5, 0.0, 1.5, 0.25, False),
        (3.0, 0.125, 2.0, 3.0, True),
        (1.0, -0.5, 1.0, 4.0, True),
    ):
        value = function(lemma, "l2")(b2, kernel_min, v, c, values_nonnegative=nonnegative)
        low, high = Fraction(c) ** 2 - (0 if nonnegative else Fraction(v) ** 2), Fraction(c) ** 2 + Fraction(v) ** 2
        least = min(k * rho for k in (Fraction(kernel_min), Fraction(b2)) for rho in (low, high))
        k, b, v2, c2, m = (
            _real(x) for x in (Fraction(kernel_min), Fraction(b2), high - Fraction(c) ** 2, Fraction(c) ** 2, least)
        )
        bound, square = f"2 * ({b} * ({v2} + {c2})) - 2 * {m}", _real(Fraction(value) ** 2)
        statement = (
            f"{m} <= {k} * {_real(low)} /\\ {m} <= {k} * ({c2} + {v2}) /\\ {m} <= {b} * {_real(low)} /\\ "
            f"{m} <= {b} * ({c2} + {v2}) /\\ {bound} <= {square} <= ({bound}) * {_real(1 + TOLERANCE)}"
        )
        call = f"l2({b2}, {kernel_min}, {v}, {c}, values_nonnegative={nonnegative}) = {value!r}"
        claims.append(Claim(lemma, call, f"{statement}. Proof. repeat split; lra. Qed."))
    return claims


def decomposition_claims(heights: Sequence[int] = range(7)) -> list[Claim]:
    """For every interval of every tree up to height 6, Coq's canonical decomposition is Python's, node by node."""
    lemma = "tree.interval_decomposition"
    interval = function(lemma, "interval")
    claims = []
    for height in heights:
        rows = []
        for start in range(2**height):
            for stop in range(start + 1, 2**height + 1):
                nodes = "; ".join(f"({level}, {index})" for level, index in interval(start, stop, height))
                rows.append(f"({height}, {start}, {stop}, [{nodes}])")
        table = "; ".join(rows)
        what = f"interval(start, stop, {height}) for all {len(rows)} intervals"
        claims.append(
            Claim(lemma, what, f"forallb decomposition_ok [{table}]%nat = true. Proof. vm_compute. reflexivity. Qed.")
        )
    return claims


def table_claims() -> list[Claim]:
    """The integer sum behind delta of a small table, for every shift, equals Python's."""
    lemma = "noise.integer_table_delta"
    delta_at_shift = function(lemma, "delta_at_shift")
    weights, bound = [1, 5, 19, 61, 190, 472, 190, 61, 19, 5, 1], Fraction(2718, 1000)
    claims = []
    for shift in range(13):
        value = delta_at_shift(weights, shift, bound)
        scaled = value * bound.denominator * sum(weights)
        table = f"[{'; '.join(map(str, weights))}]%Z"
        claims.append(
            Claim(
                lemma,
                f"delta_at_shift({weights}, {shift}, {bound}) = {value}",
                f"(excess {bound.numerator} {bound.denominator} (at_zero {shift} {table}) (at_shift {shift} {table})"
                f" * {scaled.denominator} = {scaled.numerator})%Z. Proof. vm_compute. reflexivity. Qed.",
            )
        )
    return claims


def all_claims() -> list[Claim]:
    """Everything that is linked."""
    return [
        *truncated_laplace_claims(),
        *error_claims(),
        *net_claims(),
        *sensitivity_claims(),
        *decomposition_claims(),
        *table_claims(),
    ]


def check_links(claims: Sequence[Claim] | None = None, source: Path = PROOFS, into: Path | None = None) -> int:
    """Let Coq prove every claim (by default all of them); returns their number.

    Raises:
        CoqMissing: Coq is not installed.
        ProofsRejected: naming the lemma, the Python call, and Coq's message for the first claim that fails.
    """
    chosen = all_claims() if claims is None else list(claims)
    folder = build(source, into)
    lines = [f"Example link_{i} : {claim.coq}" for i, claim in enumerate(chosen)]
    offset = PRELUDE.count("\n")
    with locked(folder):
        done = compile_text(PRELUDE + "\n".join(lines) + "\n", "Links", folder)
    if done.returncode != 0:
        place = re.search(r'File "\./Links\.v", line (\d+)', done.stderr)
        index = int(place.group(1)) - offset - 1 if place else -1
        message = done.stderr[place.end() if place else 0 :][:1200].strip(" \n,")
        if 0 <= index < len(chosen):
            failed = chosen[index]
            what = f"Coq cannot prove what Python returns: {failed.what}"
            reject([Problem(what, "Links.v", f"link_{index}", (failed.lemma,), message)])
        reject([Problem("the links do not compile", "Links.v", difference=message)])
    return len(chosen)


def _real(value: Fraction) -> str:
    return f"({value.numerator}/{value.denominator})"
