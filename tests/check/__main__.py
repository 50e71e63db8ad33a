"""``python -m check`` in ``tests/``: the catalogue through ``koubai.check``, with 100 seeds.

``python -m check 3`` takes three seeds, ``python -m check 3 softmax_diagonal masks`` only these
cases and files. The suite (``test_check.py``) does the same with one seed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from check.case import Case
from check.mistakes import CASES as MISTAKES
from check.outcome import UNEXPLAINED, outcome
from check.right import CASES as RIGHT

CASES = MISTAKES + RIGHT
COLUMNS = ("found", "located", "named", "unnamed", "misnamed", "cannot tell")


def count(seeds: range, number: int) -> Counter[str]:
    """In how many of its checks a case was found, located and so on."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        try:
            o = outcome(CASES[number], seed)
        except Exception as error:  # whatever it is, a check has no reason to raise it
            counts[f"raised {type(error).__name__}"] += 1
            continue
        counts["found"] += o.found
        counts["located"] += o.located
        counts["named"] += o.named and CASES[number].mistake != UNEXPLAINED
        counts["unnamed"] += o.found and not o.named and not o.misnamed
        counts["misnamed"] += bool(o.misnamed)
        counts["cannot tell"] += o.cannot_tell
        counts.update(f"misnamed {name}" for name in o.misnamed)
    return counts


def remarks(case: Case, counts: Counter[str], seeds: int) -> list[str]:
    """What is not as it has to be."""
    if case.mistake is None:
        found = [f"false alarm {counts['found']}"] if counts["found"] else []
    else:
        found = [
            f"not {what} {seeds - counts[what]}"
            for what in ("found", "located", "named")
            if counts[what] < seeds and not (what == "named" and case.mistake == UNEXPLAINED)
        ]
    rest = [k for k in counts if k.startswith(("misnamed ", "raised "))]
    return found + [f"{k} {counts[k]}" for k in rest]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m check", description=__doc__)
    parser.add_argument("seeds", nargs="?", type=int, default=100)
    parser.add_argument("names", nargs="*", help="cases, or files of the catalogue")
    options = parser.parse_args()
    seeds, names = options.seeds, set(options.names)
    chosen = [
        i
        for i, case in enumerate(CASES)
        if not names or names & {case.name, case.target.__module__.rpartition(".")[2]}
    ]
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    notes = []
    with ProcessPoolExecutor(2) as pool:
        for i, counts in zip(chosen, pool.map(partial(count, range(seeds)), chosen), strict=True):
            case = CASES[i]
            kinds[case.mistake or "right"] += counts + Counter(checks=seeds)
            if wrong := remarks(case, counts, seeds):
                notes.append(f"  {case.name} ({case.mistake or 'right'}): {', '.join(wrong)}")
    print(f"{'':28} checks" + "".join(f"{c:>12}" for c in COLUMNS))
    for kind, counts in kinds.items():
        print(f"{kind:28} {counts['checks']:6}" + "".join(f"{counts[c]:12}" for c in COLUMNS))
    print(*notes, sep="\n")
    wrong = [n for n in notes if not n.partition(": ")[2].startswith("not named")]
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
