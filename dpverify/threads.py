"""One thread for short work: a second one costs more than it helps, and waits for the next piece at full speed.

Results then do not depend on the number of cores either, because no sum is split among them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController, threadpool_limits


def one_blas_thread() -> AbstractContextManager[Any]:
    """Within it numpy's products use one thread."""
    return _pools().limit(limits=1, user_api="blas")  # type: ignore[no-any-return]


def one_openmp_thread() -> AbstractContextManager[Any]:
    """Within it scikit-learn uses one thread. Looked up every time: its library may have been loaded since."""
    return threadpool_limits(limits=1, user_api="openmp")  # type: ignore[no-any-return]


@cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()
