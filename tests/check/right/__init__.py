"""Right gradients that are hard for a check: no mistake may be reported."""

from check.case import Case
from check.right import (
    domains,
    dtypes,
    kinks,
    labels,
    networks,
    normalisation,
    recurrent,
    scales,
    shapes,
    windows,
)

MODULES = (
    kinks,
    scales,
    dtypes,
    shapes,
    labels,
    normalisation,
    windows,
    recurrent,
    networks,
    domains,
)
CASES: list[Case] = [case for module in MODULES for case in module.CASES]
