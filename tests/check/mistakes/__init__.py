"""Hand-written gradients with one mistake each."""

from check.case import Case
from check.mistakes import (
    chain,
    forms,
    history,
    jacobians,
    masks,
    matrices,
    notebooks,
    signs_and_factors,
    state,
    unexplained,
    upstream,
    writing,
)

MODULES = (
    notebooks,
    upstream,
    signs_and_factors,
    matrices,
    jacobians,
    chain,
    masks,
    state,
    forms,
    history,
    writing,
    unexplained,
)
CASES: list[Case] = [case for module in MODULES for case in module.CASES]
