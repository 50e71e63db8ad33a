"""The kinds of things that can be checked, all seen in one way: see ``subject.py``."""

from koubai.checking.subjects.foreign import foreign_subject
from koubai.checking.subjects.graph import Graph
from koubai.checking.subjects.layer import TARGETS, Layer, Node
from koubai.checking.subjects.network import Network
from koubai.checking.subjects.objects import as_list, is_numbers, reachable, real
from koubai.checking.subjects.subject import (
    Outcome,
    Subject,
    Values,
    first_that_runs,
    same_random_numbers,
    source_line,
)

__all__ = [
    "TARGETS",
    "Graph",
    "Layer",
    "Network",
    "Node",
    "Outcome",
    "Subject",
    "Values",
    "as_list",
    "first_that_runs",
    "foreign_subject",
    "is_numbers",
    "reachable",
    "real",
    "same_random_numbers",
    "source_line",
]
