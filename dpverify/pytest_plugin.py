"""The pytest plugin: a fixture ``dp_audit`` that fails a test when a mechanism breaks its claim.

    def test_my_mechanism_keeps_epsilon_1(dp_audit):
        dp_audit(my_mechanism, d0, d1, epsilon=1.0, delta=1e-6)

``--dp-alpha`` (default 0.01) bounds the probability that a run in which every mechanism keeps its claim reports any
violation: it is split evenly over the tests that use the fixture, and within a test over its audits (1/2, 1/4, ...).
Nothing heavy is imported until an audit runs.
"""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dpverify.audits import AuditResult

TESTS = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("dpverify", "differential privacy audits")
    group.addoption("--dp-alpha", type=float, default=0.01, help="false-alarm budget of the whole run (0.01)")
    group.addoption("--dp-seed", type=int, default=0, help="seed of all audits (0)")
    group.addoption("--dp-evidence", metavar="FOLDER", help="accumulate evidence from run to run in this folder")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse bad options before anything runs."""
    alpha, seed, folder = (config.getoption(name) for name in ("--dp-alpha", "--dp-seed", "--dp-evidence"))
    if not 0.0 < alpha < 1.0:
        raise pytest.UsageError(f"--dp-alpha must be greater than 0 and less than 1, but it is {alpha}")
    if seed < 0:
        raise pytest.UsageError(f"--dp-seed must be an integer of at least 0, but it is {seed}")
    if folder is not None and Path(folder).exists() and not Path(folder).is_dir():
        raise pytest.UsageError(f"--dp-evidence must be a folder, or absent, but it is the file {folder!r}")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Count the tests among which the budget is split (after deselection; the same in every worker)."""
    users = sum("dp_audit" in getattr(item, "fixturenames", ()) for item in session.items)
    session.config.stash[TESTS] = max(1, users)


class DPAudit:
    """What the fixture hands out; call it with a mechanism, two datasets and a claim."""

    def __init__(self, alpha: float, seed: int, evidence: Path | None, test: str = "") -> None:
        self.left, self.seed, self.evidence, self.calls = alpha, seed, evidence, 0
        self.share, self.test = alpha, test

    def __call__(
        self, mechanism: Any, d0: Any, d1: Any = None, epsilon: float = 1.0, delta: float = 0.0, **options: Any
    ) -> AuditResult:
        """Audit; raise :class:`dpverify.PrivacyViolation` on a violation. Options are those of ``dpverify.audit``."""
        __tracebackhide__ = True
        from dpverify.audits import AuditFinding, MechanismFailed, audit
        from dpverify.errors import InvalidArgument
        from dpverify.guarantees import ApproxDP

        self.left /= 2.0
        self.calls += 1
        settings: dict[str, Any] = {"alpha": self.left, "seed": self.seed} | options
        if self.evidence is not None:
            settings.setdefault("evidence", self.evidence.with_name(f"{self.evidence.name}-{self.calls}.json"))
        try:
            result = audit(mechanism, d0, d1, ApproxDP(epsilon, delta), **settings)
        except (InvalidArgument, MechanismFailed) as error:  # its message says it all; our frames would bury it
            raise error.with_traceback(None) from error.__cause__
        if result.violated:
            raise AuditFinding(f"{result.describe()}\n{self._again(settings)}", result)
        return result

    def _again(self, settings: dict[str, Any]) -> str:
        """How to run this test alone with the same outcome: alone it gets the whole budget."""
        if "evidence" in settings:
            return f"  evidence:      {settings['evidence']} (after a fix, delete it)"
        words = ["pytest", self.test, f"--dp-alpha={self.share!r}", f"--dp-seed={self.seed}"]
        return f"  pytest:        {shlex.join(words)}"


@pytest.fixture
def dp_audit(request: pytest.FixtureRequest) -> DPAudit:
    """Audit mechanisms within the run's false-alarm budget."""
    config = request.config
    alpha = config.getoption("--dp-alpha")
    folder = config.getoption("--dp-evidence")
    evidence = None
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        evidence = Path(folder) / hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    share = alpha / config.stash.get(TESTS, 1)
    return DPAudit(share, config.getoption("--dp-seed"), evidence, request.node.nodeid)
