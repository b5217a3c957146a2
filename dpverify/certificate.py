"""What a release states about itself: the claim, the certified delta, every charge, and what it trusts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dpverify.errors import InvalidArgument
from dpverify.guarantees import Adjacency, ApproxDP
from dpverify.noise.integer_noise import IntegerNoise


@dataclass(frozen=True)
class Certificate:
    """The evidence that comes with a release. It holds public numbers only and may be published.

    Attributes:
        mechanism: its name.
        claim: (epsilon, delta) of the whole release.
        adjacency: which datasets count as neighbours.
        delta_upper: certified upper bound on delta at the claim's epsilon, all charges included.
        noise: family, standard deviation, largest magnitude, grid, table size and bits.
        charges: what grid rounding added to the sensitivity (as a share of it), and what the tables' distance
            to the ideal law cost in delta.
        private: False if a seeded source drew the noise; such a release protects nothing.
        details: parameters of the mechanism, all public.
        trusts: what no check covers.
    """

    mechanism: str
    claim: ApproxDP
    adjacency: Adjacency
    delta_upper: float
    noise: Mapping[str, float | int | str]
    charges: Mapping[str, float]
    private: bool
    details: Mapping[str, Any] = field(default_factory=dict)
    trusts: tuple[str, ...] = ("the operating system's randomness", "the caller's public bounds")

    def __str__(self) -> str:
        """The certificate as a short text."""
        randomness = "operating system" if self.private else "SEEDED: this release is NOT PRIVATE"
        lines = [
            f"{self.mechanism}: ({self.claim.epsilon:g}, {self.claim.delta:g})-DP under {self.adjacency.value}",
            f"  certified    delta({self.claim.epsilon:g}) <= {self.delta_upper:.6g}",
            f"  randomness   {randomness}",
            "  noise        " + _pairs(self.noise),
            "  charges      " + _pairs(self.charges),
        ]
        if self.details:
            lines.append("  parameters   " + _pairs(self.details))
        lines.append("  trusts       " + "; ".join(self.trusts))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as stored in a release file."""
        data = asdict(self)
        data["adjacency"] = self.adjacency.name
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Certificate:
        """Inverse of :meth:`to_dict`."""
        known = dict(data)
        known["claim"] = ApproxDP(**known["claim"])
        known["adjacency"] = Adjacency[known["adjacency"]]
        known["trusts"] = tuple(known["trusts"])
        if not isinstance(known["private"], bool):
            raise InvalidArgument("private", known["private"], "true or false")
        return cls(**known)


def noise_summary(noise: IntegerNoise) -> dict[str, float | int | str]:
    """The noise of a certificate."""
    return {
        "law": type(noise).__name__,
        "std": noise.std,
        "bound": noise.bound,
        "grid": noise.grid,
        "table_entries": " x ".join(str(len(table.weights)) for table in noise.law.tables),
        "table_bits": noise.law.tables[0].bits,
        "draws": noise.draws,
    }


def _pairs(values: Mapping[str, Any]) -> str:
    def shown(value: Any) -> str:
        return f"{value:.6g}" if isinstance(value, float) else str(value)

    return ", ".join(f"{name.replace('_', ' ')} {shown(value)}" for name, value in values.items())
