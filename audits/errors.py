"""What can go wrong in an audit, each error carrying what it speaks of."""

from __future__ import annotations

from typing import Any

from dpverify.errors import InvalidArgument, PrivacyViolation


class MechanismFailed(RuntimeError):
    """The mechanism raised. Attributes: ``dataset`` ("d0" or "d1"), ``size``, ``seed``, ``spawn_key``, ``error``."""

    def __init__(self, dataset: str, size: int, seed: int, spawn_key: tuple[int, ...], error: str) -> None:
        self.dataset, self.size, self.seed, self.spawn_key, self.error = dataset, size, seed, spawn_key, error
        called = "; a mechanism is called as mechanism(dataset, size, rng)" if "argument" in error else ""
        super().__init__(
            f"the mechanism raised on {dataset} at size = {size}, seed = {seed}: {error}{called}; reproduce with "
            f"mechanism({dataset}, {size}, numpy.random.default_rng("
            f"numpy.random.SeedSequence({seed}, spawn_key={spawn_key})))"
        )

    def __reduce__(self) -> tuple[Any, ...]:  # joblib carries it home from a worker
        return type(self), (self.dataset, self.size, self.seed, self.spawn_key, self.error)


class BadOutput(InvalidArgument):
    """The mechanism returned something that is not ``size`` outputs of one kind."""


class EvidenceLocked(InvalidArgument):
    """Another process held the evidence file for too long. Attributes: ``path`` (of the lock file), ``timeout``."""

    def __init__(self, path: str, timeout: float) -> None:
        self.path, self.timeout = path, timeout
        needed = f"free within {timeout:g} seconds"
        super().__init__("evidence", f"held by another process through {path}", needed, "end that process, or wait")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.timeout)


class AuditFinding(PrivacyViolation):
    """An audit rejected the claim. Attribute ``result``: the audit's result."""

    def __init__(self, message: str, result: Any) -> None:
        self.result = result
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.result)
