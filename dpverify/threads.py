"""One BLAS thread for short products: a second one costs more than it helps, and waits for the next at full speed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager[Any]:
    """Within it numpy's products use one thread; sums then do not depend on the number of cores either."""
    return _pools().limit(limits=1, user_api="blas")  # type: ignore[no-any-return]


@cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()
