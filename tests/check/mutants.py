"""``python -m check.mutants``, in ``tests/``: ``koubai.check`` on mistakes it was not written for.

Every ``backward`` in ``ops`` gets the mistakes of ``mutation``; those that change a first
derivative at a sample of the table are given to ``koubai.check``, with that sample's inputs.
Printed are how many are found, how many named, and each name that does not fit the mistake.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from mutation.__main__ import limit_memory
from mutation.mutants import mutants
from mutation.refusal import _uses_of
from mutation.targets import targets
from ops.checks import Call, applies, check_first_derivative

import koubai

TARGETS = targets()

# The names that are true of a kind of mistake; a name that is not given is never wrong. What a
# dropped or exchanged part of a formula amounts to may be any of several.
FACTORS = {"factor", "sum instead of mean", "mean instead of sum"}
CHAIN = {
    "local derivative forgotten",
    "outer derivative forgotten",
    "inner derivative forgotten",
    "upstream ignored",
    "input instead of output",
    "output instead of input",
}
FITTING: dict[str, set[str]] = {
    "sign": {"sign", "factor", "mask inverted"},
    "factor": FACTORS | CHAIN | {"sign"},
    "off by one": FACTORS | CHAIN | {"transposed", "overwritten", "sum missing", "sign"},
    "transposed": {"transposed", "wrong shape", "swapped"},
    "upstream ignored": {"upstream ignored"},
    "swapped": {"swapped", "sign", "transposed", "mask inverted", "factor"} | CHAIN,
    "missing sum": {"sum missing", "wrong shape", "overwritten"} | CHAIN | FACTORS,
    "dropped factor": CHAIN | FACTORS | {"sign", "sum missing"},
    "dropped term": CHAIN | FACTORS | {"diagonal only", "sign"},
    "+ for *": {"added instead of multiplied"} | FACTORS | CHAIN,
    "comparison": {"mask inverted", "mask boundary"},
}
ALWAYS = {"wrong shape", "wrong dtype", "wrong count", "none"}


def outcomes(number: int) -> list[tuple[str, str]]:
    """Of each mutant of a target: its text, and "missed" or the names given, or "unexplained"."""
    target, found = TARGETS[number], []
    for m in mutants(target.node):
        with target.replaced(m.function), contextlib.redirect_stdout(io.StringIO()):
            use = next((u for u in _uses_of(frozenset(target.users)) if _wrong_at(u)), None)
            if use is None:
                continue
            names = _names(Call(use.operation, use.sample))
        place = f"{target.file}:{m.line} {target.name}  {m.kind}  {m.change}"
        found.append((m.kind, f"{names}  {place}"))
    return found


def _wrong_at(use: Any) -> bool:
    if not applies(check_first_derivative, use.operation, use.sample):
        return False
    try:
        check_first_derivative(use.operation, use.sample)
    except Exception:
        return True
    return False


def _names(call: Call) -> str:
    def operation(*xs: Any) -> Any:
        return call.ours(*xs)

    try:
        report = koubai.check(operation, *call.xs)
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"[:80].replace("\n", " ")
    if report.ok:
        return "missed"
    return ", ".join(sorted({f.mistake or "unexplained" for f in report.failures}))


def main() -> int:
    chosen = [i for i, t in enumerate(TARGETS) if not sys.argv[1:] or t.file[:-3] in sys.argv[1:]]
    count: Counter[str] = Counter()
    with ProcessPoolExecutor(2, initializer=limit_memory) as pool:
        for some in pool.map(outcomes, chosen):
            for kind, text in some:
                names = text.split("  ")[0]
                given = set(names.split(", ")) - {"unexplained"}
                count["mutants"] += 1
                count["found"] += names != "missed"
                if names == "missed" or names.startswith("raised"):
                    print(text, flush=True)
                elif given:
                    fits = FITTING.get(kind, given) | ALWAYS
                    count["named"] += 1
                    count["named wrongly"] += not given <= fits
                    if not given <= fits:
                        print(text, flush=True)
    print(dict(count))
    return int(count["found"] < 0.99 * count["mutants"])


if __name__ == "__main__":
    sys.exit(main())
