"""``make mutants``, or ``python -m mutation`` in ``tests/``: are wrong gradients refused?

Every ``backward`` in ``ops``, and what only a ``backward`` calls, gets each of the mistakes that
``mutants.py`` knows, one at a time, and is held against the table of operations. Names of classes
and files (``python -m mutation Matmul reduction``) are those to look at; without names it is all.
"""

from __future__ import annotations

import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from mutation.mutants import mutants
from mutation.refusal import refusal
from mutation.targets import targets

TARGETS = targets()
REQUIRED = 0.99
"""The part of the mutants that are not equivalent that must be refused."""

LISTED = (Path(__file__).parent / "equivalent.txt").read_text().splitlines()
EQUIVALENT = [line for line in LISTED if line and not line.startswith("#")]
"""Mutants whose gradients are the same, so that no test can refuse them; above each the reason.

They stand there as they are printed, without the place; with ``*`` for all that survive of a
helper which only chooses between two right ways. One that is no mutant any more, as the code
has changed, or that is refused, is an error.
"""


def limit_memory() -> None:
    """A mutant may ask for all there is; then it gets a MemoryError."""
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))


def survivors(number: int) -> tuple[int, list[tuple[str, str]]]:
    """How many mutants a target has, and those that no check refuses: the place, and the text."""
    target = TARGETS[number]
    if (failed := refusal(target, target.node)) is not None:
        raise RuntimeError(f"{target.name} fails as it stands, {failed}")
    found = mutants(target.node)
    return len(found), [
        (f"{target.file}:{m.line}", f"{target.name}  {m.kind}  {m.change}")
        for m in found
        if refusal(target, m.function) is None
    ]


def entry(text: str) -> str:
    """The line of equivalent.txt that explains a survivor."""
    all_of_it = f"{text.split('  ')[0]}  *"
    return all_of_it if all_of_it in EQUIVALENT else text


def main(names: set[str]) -> int:
    chosen = [
        i for i, t in enumerate(TARGETS) if not names or names & {t.file[:-3], *t.name.split(".")}
    ]
    number, alive = 0, []
    with ProcessPoolExecutor(2, initializer=limit_memory) as pool:
        for count, some in pool.map(survivors, chosen):
            number += count
            alive += some
    not_refused = [text for _, text in alive]
    equivalent = [text for text in not_refused if entry(text) in EQUIVALENT]
    for place, text in alive:
        if entry(text) not in EQUIVALENT:
            print(f"{place}  {text}")
    others = {t.name for i, t in enumerate(TARGETS) if i not in chosen}
    stale = {t for t in EQUIVALENT if t.split("  ")[0] not in others}
    stale -= {entry(text) for text in not_refused}
    for text in sorted(stale):
        print(f"in equivalent.txt, but no mutant, or refused:  {text}")
    refused, different = number - len(alive), number - len(equivalent)
    print(
        f"{number} mutants: {refused} refused, {len(equivalent)} equivalent,"
        f" {len(alive) - len(equivalent)} survivors; {refused / max(different, 1):.2%} of those"
        " that are not equivalent are refused"
    )
    return int(bool(stale) or refused < REQUIRED * different)


if __name__ == "__main__":
    sys.exit(main(set(sys.argv[1:])))
