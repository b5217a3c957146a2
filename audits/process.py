"""The wealth process of one pair of datasets: a few experts, each with its share of the wealth.

Block by block: experts look at the past, place their bets, and only then see the block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from dpverify.audits.events import EventTable, Floats, choose_events
from dpverify.audits.experts import BlockRecord, Breadth, Counts, Family, mixture
from dpverify.audits.floating_point import bit_columns
from dpverify.audits.scores import LogisticScore, TableScore, TreeScore, learn_logistic, learn_table, learn_trees

FIRST, GROWTH, LARGEST = 4, 0.15, 8192  # pairs in the first block; growth of the blocks; pairs in the largest
EAGER = 4096  # up to so many pairs the events are chosen anew for every block
LEARN_FROM = 32  # pairs before a score is learned
BREADTH = Breadth(16, 5, 8, 48), Breadth(6, 3, 6, 16), Breadth(6, 3, 6, 12)  # for small to large blocks
WIDE = 64  # coordinates watched one by one


@dataclass(frozen=True)
class Memory:
    """The past outputs that experts learn from; the first ones, up to a limit."""

    x: Floats
    y: Floats

    @property
    def limit(self) -> int:
        return min(2**18, 2**23 // int(self.x.shape[1]))

    def plus(self, x: Floats, y: Floats) -> Memory:
        room = self.limit - len(self.x)
        if room <= 0:
            return self
        return Memory(np.concatenate([self.x, x[:room]]), np.concatenate([self.y, y[:room]]))


@dataclass(frozen=True)
class Picked:
    """Some of the outputs' own coordinates as columns."""

    coordinates: tuple[int, ...]

    def __call__(self, outputs: Floats) -> Floats:
        if len(self.coordinates) == outputs.shape[1]:
            return outputs
        return outputs[:, list(self.coordinates)]


@dataclass(frozen=True)
class Scores:
    """Learned scores as columns."""

    parts: tuple[TableScore | LogisticScore | TreeScore, ...]

    def __call__(self, outputs: Floats) -> Floats:
        return np.concatenate([part(outputs) for part in self.parts], axis=1)


def coordinate_family(memory: Memory) -> Family:
    """Half-lines, atoms and NaN of the coordinates, counted on all that is remembered."""
    width = memory.x.shape[1]
    per_column = 24 if width <= 4 else (12 if width <= 16 else 6)
    columns = Picked(_most_telling(memory, WIDE))
    return _counted(columns, per_column, memory, memory)


def score_family(memory: Memory) -> Family | None:
    """Scores learned on two thirds of the memory, counted on the last third: no event flatters itself."""
    older, newer = _divided(memory)
    table = learn_table(older.x, older.y)
    parts: list[TableScore | LogisticScore] = [] if table is None else [table]
    if memory.x.shape[1] > 1:
        parts.append(learn_logistic(older.x, older.y))
    return _counted(Scores(tuple(parts)), 24, older, newer)


def tree_family(memory: Memory) -> Family:
    """The same with an ensemble of trees."""
    older, newer = _divided(memory)
    return _counted(Scores((learn_trees(older.x, older.y),)), 24, older, newer)


def _divided(memory: Memory) -> tuple[Memory, Memory]:
    cut = 2 * len(memory.x) // 3
    return Memory(memory.x[:cut], memory.y[:cut]), Memory(memory.x[cut:], memory.y[cut:])


def bit_family(memory: Memory) -> Family:
    """Events of the floating-point representation (see ``floating_point``)."""
    return _counted(bit_columns, 24, memory, memory)


def _counted(columns: Callable[[Floats], Floats], per_column: int, choosing: Memory, counting: Memory) -> Family:
    pooled = np.concatenate([columns(choosing.x), columns(choosing.y)])
    table = choose_events(pooled, per_column)
    x, y = table.counts(columns(counting.x)), table.counts(columns(counting.y))
    return Family(columns, table, Counts(x, y, len(counting.x)))


def _most_telling(memory: Memory, most: int) -> tuple[int, ...]:
    width = memory.x.shape[1]
    if width <= most:
        return tuple(range(width))
    x, y = (np.nan_to_num(a, posinf=0.0, neginf=0.0) for a in (memory.x, memory.y))
    spread = np.sqrt(x.var(axis=0) + y.var(axis=0)) + 1e-300
    telling = np.abs(x.mean(axis=0) - y.mean(axis=0)) / spread
    telling += np.abs(x.var(axis=0) - y.var(axis=0)) / spread**2
    return tuple(int(j) for j in np.sort(np.argsort(telling, kind="stable")[-most:]))


@dataclass
class Expert:
    """One family with its share of the wealth, as it goes through the blocks."""

    name: str
    share: float
    learn: Callable[[Memory], Family | None]
    from_pairs: int
    eager: int
    log_capital: float = 0.0
    family: Family | None = None
    learned_at: int = 0
    records: list[BlockRecord] = field(default_factory=list)

    def prepare(self, memory: Memory) -> None:
        """Choose events anew where the memory has grown enough."""
        n = len(memory.x)
        if n < self.from_pairs or n == self.learned_at:
            return
        if n <= self.eager or n >= 1.5 * self.learned_at or n == memory.limit:
            self.family, self.learned_at = self.learn(memory), n

    def path(self, x: Floats, y: Floats, epsilon: float, delta: float) -> Floats:
        """Log of its capital after each pair of the block, by bets placed before it."""
        if self.family is None:
            return np.full(len(x), self.log_capital)
        many = 0 if len(x) <= 64 else (1 if len(x) <= 1024 else 2)
        bets = self.family.bets(epsilon, delta, BREADTH[many])
        if bets.kept[0] == 1.0:
            return np.full(len(x), self.log_capital)
        logs = bets.log_paths(self.family.table, self.family.columns(x), self.family.columns(y))
        return self.log_capital + mixture(logs, bets.weight[0], float(bets.kept[0]))

    def commit(self, x: Floats, y: Floats, log_capital: float) -> None:
        """Take the block (or the part of it before stopping) into the past."""
        self.log_capital = log_capital
        if self.family is None:
            none = np.zeros(0, dtype=np.int64)
            table = EventTable(none, none, np.zeros(0))
            self.records.append(BlockRecord(table, Counts(none, none, 0), Counts(none, none, len(x))))
            return
        outcome = self.family.observe(x, y)
        self.records.append(BlockRecord(self.family.table, self.family.past, outcome))
        self.family = Family(self.family.columns, self.family.table, self.family.past.plus(outcome))


def experts_for(width: int, floating_point: bool, trees: bool) -> list[Expert]:
    """The experts for outputs of so many coordinates; their shares sum to one."""
    score_share = 0.1 if width == 1 else 0.5
    experts = [
        Expert("coordinates", 1.0 - score_share, coordinate_family, 1, EAGER),
        Expert("score", score_share, score_family, LEARN_FROM, 0),
    ]
    if trees:
        experts = _joined(experts, Expert("trees", 1.0 / 3.0, tree_family, 2 * LEARN_FROM, 0))
    if floating_point:
        experts = _joined(experts, Expert("floating point", 0.5, bit_family, 1, EAGER))
    return experts


def _joined(experts: list[Expert], newcomer: Expert) -> list[Expert]:
    """All of them, the newcomer with its share and the others with what that leaves."""
    for expert in experts:
        expert.share *= 1.0 - newcomer.share
    return [*experts, newcomer]


@dataclass
class Process:
    """The wealth process of one pair of datasets."""

    experts: list[Expert]
    memory: Memory

    @classmethod
    def start(cls, width: int, floating_point: bool = False, trees: bool = False) -> Process:
        empty = np.empty((0, width))
        return cls(experts_for(width, floating_point, trees), Memory(empty, empty))

    def paths(self, x: Floats, y: Floats, epsilon: float, delta: float) -> list[Floats]:
        """Log capital of every expert after every pair of the block; nothing of the block is used to bet."""
        for expert in self.experts:
            expert.prepare(self.memory)
        return [expert.path(x, y, epsilon, delta) for expert in self.experts]

    def commit(self, x: Floats, y: Floats, paths: Sequence[Floats]) -> None:
        for expert, path in zip(self.experts, paths, strict=True):
            expert.commit(x, y, float(path[len(x) - 1]))
        self.memory = self.memory.plus(x, y)


def next_block(pairs: int, max_pairs: int) -> int:
    """How many pairs the next block has."""
    wanted = FIRST if pairs == 0 else max(1, int(GROWTH * pairs))
    return min(wanted, LARGEST, max_pairs - pairs)


def average(paths: Sequence[Floats], shares: Sequence[float]) -> Floats:
    """Log of the shared-out wealth, from log capitals of shape (pairs,) each."""
    stacked = np.stack(paths) + np.log(np.asarray(shares))[:, None]
    top = stacked.max(axis=0)
    total: Floats = np.log(np.exp(stacked - top).sum(axis=0)) + top
    return total
