"""Examples in docstrings run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import dpverify

LEFT_OUT = ("__main__", "dpverify.torch")  # the latter needs an extra
MODULES = [
    m.name for m in pkgutil.walk_packages(dpverify.__path__, "dpverify.") if not any(x in m.name for x in LEFT_OUT)
]
WITH_EXAMPLES = [
    name
    for name in MODULES
    if any(test.examples for test in doctest.DocTestFinder().find(importlib.import_module(name)))
]


# one example compares fresh noise with an error bound at failure probability 1e-9
@pytest.mark.statistical(alpha=1e-9)
@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings(name):
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_there_are_examples():
    assert len(WITH_EXAMPLES) >= 6
