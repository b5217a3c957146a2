"""What an audit returns: verdict, evidence, lower bound, witness, and how to reproduce it."""

from __future__ import annotations

import functools
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.audits.errors import AuditFinding
from dpverify.audits.lower_bound import History, LowerBoundPath
from dpverify.audits.witness import Witness
from dpverify.guarantees import ApproxDP

Floats = npt.NDArray[np.float64]
FORMAT = "dpverify-audit-1"


@dataclass(frozen=True, eq=False)
class AuditResult:
    """The outcome of :func:`dpverify.audit`.

    Attributes:
        violated: the claim is rejected; a correct mechanism is rejected with probability at most ``alpha``.
            ``False`` proves nothing: the evidence did not suffice within ``pairs`` pairs.
        e_value: the final wealth, from 0.9 on (the rest is staked on the lower bound); the claim is rejected when it
            reaches 1 / alpha. log_e_value: its logarithm, which does not overflow.
        pairs: pairs of outputs used, on each pair of datasets; drawn: pairs drawn (a block is drawn at once).
        epsilon_lower: lower bound on epsilon at the claimed delta, at confidence 1 - alpha, valid at any stopping
            time; at least the claimed epsilon where the claim is violated; 0.0 if none.
        witness: the event that speaks most strongly against the claim, None if none does.
        reproducible: two calls with one seed gave the same outputs.
        path_pairs, path_log_wealth: the log of the wealth (with earlier runs' evidence) after each block.
        history: what ``lower_bound``, the lower bound after each block, is computed from when it is asked for.
    """

    violated: bool
    e_value: float
    log_e_value: float
    pairs: int
    drawn: int
    witness: Witness | None
    claim: ApproxDP
    alpha: float
    seed: int
    run: int
    mechanism: str
    reproducible: bool
    dataset_pairs: int
    max_pairs: int
    options: str  # what else the call said, for its reproduction
    path_pairs: Floats = field(repr=False)
    path_log_wealth: Floats = field(repr=False)
    history: History = field(repr=False)

    @functools.cached_property
    def epsilon_lower(self) -> float:
        """Lower bound on epsilon at the end; worked out when it is first asked for."""
        return self.history.last_bound()

    @functools.cached_property
    def lower_bound(self) -> LowerBoundPath:
        """The lower bound after each block."""
        return self.history.path()

    @property
    def floating_point(self) -> bool:
        """Whether the finding rests on the bits of the outputs rather than on their values."""
        return self.violated and self.witness is not None and self.witness.floating_point

    def raise_if_violated(self) -> None:
        """Raise :class:`dpverify.PrivacyViolation` (an ``AssertionError``) if the claim is rejected."""
        if self.violated:
            raise AuditFinding(self.describe(), self)

    def describe(self) -> str:
        """The outcome in a few lines of plain text, with how to reproduce it."""
        claimed = f"({self.claim.epsilon:g}, {self.claim.delta:g})-DP"
        if self.violated:
            kind = " (a floating-point leak)" if self.floating_point else ""
            head = f"{self.mechanism} violates {claimed}{kind}"
        else:
            head = f"no violation of {claimed} found in {self.mechanism} (this proves nothing)"
        log10 = self.log_e_value / np.log(10.0)
        value = f"{self.e_value:.3g}" if abs(log10) < 15 else f"10^{log10:.0f}"
        lines = [
            head,
            f"  evidence:      e-value {value} after {self.pairs} pairs (needed: {1 / self.alpha:.3g}, "
            f"alpha = {self.alpha:g})",
            f"  epsilon_lower: {self.epsilon_lower:.4g} at delta = {self.claim.delta:g}, confidence {1 - self.alpha:g}",
        ]
        if self.witness is not None:
            lines.append(f"  witness:       {self.witness}")
        if not self.reproducible:
            lines.append("  warning:       not reproducible: two calls with the same seed differ (it ignores rng)")
        run = f", run {self.run} of its evidence" if self.run else ""
        lines.append(f"  reproduce:     {self.reproduction()}{run}")
        return "\n".join(lines)

    def reproduction(self) -> str:
        """The call that gives the same result again (datasets by name)."""
        return (
            f"dpverify.audit({self.mechanism}, d0, d1, dpverify.ApproxDP({self.claim.epsilon!r}, "
            f"{self.claim.delta!r}), alpha={self.alpha!r}, max_pairs={self.max_pairs}, seed={self.seed}{self.options})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but the arrays' precision, as JSON-ready types (infinities do not occur)."""
        return {
            "format": FORMAT,
            "violated": self.violated,
            "floating_point": self.floating_point,
            "e_value": self.e_value,
            "log_e_value": self.log_e_value,
            "pairs": self.pairs,
            "drawn": self.drawn,
            "epsilon_lower": self.epsilon_lower,
            "witness": None if self.witness is None else self.witness.to_dict(),
            "epsilon": self.claim.epsilon,
            "delta": self.claim.delta,
            "alpha": self.alpha,
            "seed": self.seed,
            "max_pairs": self.max_pairs,
            "run": self.run,
            "mechanism": self.mechanism,
            "reproducible": self.reproducible,
            "dataset_pairs": self.dataset_pairs,
            "path": {
                "pairs": self.path_pairs.tolist(),
                "log_wealth": self.path_log_wealth.tolist(),
                "epsilon_lower": self.lower_bound.epsilon.tolist(),
            },
            "reproduce": self.reproduction(),
        }

    def save(self, path: str | Path) -> None:
        """Write ``to_dict`` as JSON."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")

    def plot(self, path: str | Path) -> None:
        """Draw wealth and lower bound over time, to a file whose suffix matplotlib knows (.png, .svg, .pdf)."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 5), layout="constrained")
        FigureCanvasAgg(figure)
        wealth, bound = figure.subplots(2, 1, sharex=True)
        wealth.plot(self.path_pairs, self.path_log_wealth / np.log(10.0), drawstyle="steps-post")
        wealth.axhline(-np.log10(self.alpha), linestyle="--", color="tab:red", label=f"1 / alpha = {1 / self.alpha:g}")
        wealth.set_ylabel("log10 of the wealth")
        wealth.legend()
        bound.plot(self.lower_bound.pairs, self.lower_bound.epsilon, drawstyle="steps-post")
        bound.axhline(self.claim.epsilon, linestyle="--", color="tab:red", label="claimed epsilon")
        bound.set_ylabel("epsilon_lower")
        bound.set_xlabel("pairs of outputs")
        bound.set_xscale("log")
        bound.legend()
        figure.savefig(path)

    def __str__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        from html import escape

        colour = "#b00020" if self.violated else "#1b5e20"
        return f'<pre style="border-left:4px solid {colour};padding-left:1em">{escape(self.describe())}</pre>'


def finite_exp(log: float) -> float:
    """``exp``, at most the largest float."""
    return float(np.exp(log)) if log < np.log(sys.float_info.max) else sys.float_info.max
