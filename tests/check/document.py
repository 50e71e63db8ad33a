"""Writes docs/check.md, the guide to ``koubai.check`` with its gallery of mistakes: ``make docs``.

The gallery is one case of the catalogue for each name, its source and its report; the comparison
is what ``gradcheck.json`` holds. A test fails when the file is out of date.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from textwrap import fill

import numpy as np
from check.case import Case
from check.gradcheck import FILE as MEASURED
from check.mistakes import CASES as MISTAKES
from check.outcome import UNEXPLAINED, untimed
from check.right import CASES as RIGHT

import koubai
from koubai.checking import VOCABULARY

FILE = Path(__file__).parents[2] / "docs" / "check.md"

OPENING = """\
# Check a gradient

`koubai.check` holds gradients that were written by hand against numerical ones. Where they differ
it says which gradient, where its `backward` is written, and what mistake would give these numbers.

```python
import numpy as np
import koubai


class Square:
    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, dout):
        return dout * self.x  # the 2 is missing


x = np.array([1.0, 2.0, 3.0])
report = koubai.check(Square(), x)
failure = report.failures[0]
print(failure.what, failure.mistake)  # x factor
print(failure.why)  # 3 of 3 elements differ: all are 1/2 times the right ones
```

`print(report)` shows all of it, as in the gallery below. In a test, one line is enough:

```python
import numpy as np
import koubai
from koubai.book import Relu

koubai.check(Relu(), np.array([[1.0, -0.5], [-2.0, 3.0]])).raise_if_failed()
```

In pytest, the fixture `check_gradients(layer, x)` does the same, and fails the test with the report
alone. For all layers and networks in a file there is a command, `koubai check layers.py`. It makes
up inputs from the names of arguments; a function `check_inputs()` in the file says better ones:

```python
# continued
def check_inputs():
    return [(Relu(), np.array([[1.0, -0.5], [-2.0, 3.0]])), (Square(), x)]
```

`koubai.check` takes a layer that knows nothing of koubai, as above; a `Function`; a function of
Variables or an `nn.Module`, node by node; a network with `params`, `loss(x, t)` and
`gradient(x, t)`, layer by layer; and a Variable, with the graph behind it. Parameters
are found by the names of their gradients: `dW` beside `W`, `grads` beside `params`.

```python
import numpy as np
import koubai
from koubai.book import TwoLayerNet

np.random.seed(0)
net = TwoLayerNet(input_size=4, hidden_size=3, output_size=2)
x, t = np.random.randn(5, 4), np.eye(2)[[0, 1, 0, 1, 1]]
report = koubai.check(net, x, t)
print(report.ok, report.checked["params['W1']"])  # True 12
```

## What it says

- **right**: the gradient agrees with the numerical one, within what both can be off.
- **WRONG**, with a name from the gallery, or "unexplained": it differs by far more than that.
- **right; not differentiable here**: the slopes to the two sides differ, as those of ReLU at 0,
  and the gradient lies between them. Any such choice is right. Choices at a tie have to add up:
  for `max(a, b)` at `a = b`, (1, 0) and (0.5, 0.5) are right, (1, 1) is not.
- **cannot tell**: the numerical derivative is too uncertain, or the forward is random.
- **warning**: the gradient is right, but the code writes where it should not, or the like.

## How it works

1. The target is copied; its arrays of fewer than 64 bits become float64.
2. Its forward and backward run once, with random upstream gradients.
3. Every input and parameter is moved, forward and backward in several steps, which gives the
   numerical derivative and an estimate of its error.
4. If the forward takes complex numbers, the complex step gives the last digits, where it agrees.
5. A large target is looked at along random directions first, and closely only where these
   disagree.
6. A gradient is wrong if it differs by many times the estimate of the error.
7. Where it differs, the slopes to both sides are taken: at a kink all between them is right.
8. What explains the numbers is looked for: each known mistake says what it would have given. It is
   named only if that agrees at three points, for three upstream gradients.
9. In a graph or a network, each node or layer is checked by itself, with what flowed through it.
10. A second run, after another forward with other inputs, finds what was kept for too long.
"""

GALLERY = """\
## The gallery

Each name with a case of the tests: the code, the report, the reason. Inputs are random; numbers
are rounded to three digits.
"""

CHOSEN = {
    "upstream ignored": "sigmoid_ignores_dout",
    "factor": "cube_without_3",
    "transposed": "dx_of_square_weights",
    "diagonal only": "softmax_diagonal",
    "outer derivative forgotten": "sin_of_square_outer",
    "mask boundary": "maximum_of_equals",
    "overwritten": "siamese",
    "stale cache": "sigmoid_cached_once",
    "wrong dtype": "relu_of_int",
    "random forward": "dropout_by_its_own_generator",
    "history lost": "squash_detached",
}
"""Cases that show a name well; of the others it is the first."""

REASONS = {
    "upstream ignored": "The gradient is the same whatever `backward` is given.",
    "added instead of multiplied": "The chain rule multiplies; gy + y is what was found.",
    "sign": "All elements are the right ones, negated.",
    "factor": "All elements are the same number times the right ones.",
    "transposed": "The product with `W` in place of `W.T` gives these numbers; the shapes fit.",
    "swapped": "Each gradient is the other's right one.",
    "sum missing": "The bias is added to every row, so its gradient is the sum over the rows.",
    "sum instead of mean": "The gradient is too large by the number of rows, and the forward "
    "averages: it gives the same if every row comes twice.",
    "mean instead of sum": "The gradient is too small by the number of rows, and the forward "
    "does not average.",
    "diagonal only": "Only the diagonal of the Jacobian was used; the other elements of a row "
    "count too.",
    "output instead of input": "The derivative 2x was taken at y = x².",
    "input instead of output": "y (1 - y) is the derivative of the sigmoid by its output, not at "
    "x.",
    "outer derivative forgotten": "The gradient is that of the inner function, x², alone.",
    "inner derivative forgotten": "The gradient is that of the outer function, sin, alone.",
    "local derivative forgotten": "What `backward` is given comes back unchanged.",
    "mask inverted": "The gradient passes exactly where it should be 0.",
    "mask boundary": "Where both are equal the gradient is handed to both: together they grow "
    "twice as fast as their maximum.",
    "overwritten": "The gradient is that of the last use of `W` alone.",
    "stale cache": "The first call is right; after another forward the gradient belongs to that "
    "one.",
    "wrong shape": "The sum kept an axis that the bias does not have.",
    "wrong dtype": "The gradients were written into an array of integers, which cuts off what "
    "stands after the point.",
    "wrong count": "`forward` takes two inputs, and one gradient came back.",
    "none": "Without a `return`, `backward` gives None.",
    "random forward": "Two forwards of the same input differ, so there is no slope.",
    "history lost": "`x.detach()` is a constant to the graph: every node is right, and the whole "
    "is not.",
    "upstream mutated": "`dout[mask] = 0` writes into the array of the caller.",
    "input mutated": "`x[mask] = 0` writes into the array of the caller.",
    "aliased": "Both gradients are one array: who adds to one of them changes the other.",
}

COMPARISON = """\
## Compared with PyTorch's gradcheck and JAX's check_grads

The whole catalogue, {wrong} wrong gradients, {writing} layers that write where they should not and
{right} right gradients that are hard to check, through `koubai.check`, through
`torch.autograd.gradcheck` of PyTorch {torch} and through `jax.test_util.check_grads` of JAX {jax}
(in reverse mode), with their defaults. Each case is a `torch.autograd.Function` for the one and a
`jax.custom_vjp` for the other, in float64, with its random numbers repeated; they are spared the
{skipped} cases that have other dtypes or no numbers at all.

| | cases | `koubai.check` | `gradcheck` | `check_grads` |
|---|---|---|---|---|
{rows}
- **Found**: reported at all. **Located**: the report names the class at fault (for koubai, by file
  and line of its `backward`). **Named**: it says what the mistake is; {unexplained} cases have
  several at once, or one without a name. **False alarm**: a right gradient is called wrong.
- gradcheck says which input of which output is off, and gives both Jacobians; check_grads says by
  how much the derivative along one random direction is off. Both look at the whole, not into it.
  Where gradcheck names the class at fault, an error of koubai's own engine came through it.
- The wrong gradients that they do not find are right on the first call only, are summed or cast
  without a word on the way, or need upstream gradients that are no whole numbers.
- Their false alarms are at kinks, at the edge of a domain, and at numbers very large or very small.

Measured by `python -m check.gradcheck` in `tests/`.
"""


def page() -> str:
    """The whole page, in Markdown."""
    gallery = [section(mistake, example(mistake)) for mistake in VOCABULARY]
    return "\n".join([OPENING, GALLERY, *gallery, comparison()])


def example(mistake: str) -> Case:
    """The case that shows a mistake."""
    name = CHOSEN.get(mistake)
    return next(c for c in MISTAKES if c.mistake == mistake and name in (None, c.name))


def section(mistake: str, case: Case) -> str:
    """One mistake: the code, the report, the reason."""
    with untimed():
        report = koubai.check(case.target(), *case.inputs(np.random.default_rng(0)))
    return (
        f"### {mistake[0].upper()}{mistake[1:]}\n\n{fill(REASONS[mistake], 100)}\n\n"
        f"```py\n{source(case)}```\n\n```text\n{rounded(str(report))}\n```\n"
    )


def source(case: Case) -> str:
    """The class at fault, and the function or module that it stands in."""
    module = sys.modules[case.target.__module__]
    target = case.target()
    fault = getattr(module, case.located)
    whole = target if inspect.isroutine(target) or inspect.isclass(target) else type(target)
    parts = [fault] if whole is fault or whole.__module__ != module.__name__ else [fault, whole]
    text = "\n\n".join(inspect.getsource(part) for part in parts)
    return re.sub(r"  # noqa.*", "", text)


def rounded(text: str) -> str:
    """Numbers with three digits, which are the same on every machine."""
    number = r"(?<![\w.])-?\d+(?:\.\d+(?:e[-+]?\d+)?|e[-+]?\d+)(?![\w.]*\w)"
    return re.sub(number, lambda match: f"{float(match[0]):.3g}", text)


def comparison() -> str:
    """What was measured, as a table."""
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    cases = measured["cases"]
    both = [c for c in MISTAKES + RIGHT if c.name in cases and cases[c.name]["gradcheck"]]
    wrong = [c for c in both if c.mistake and not c.warns]
    writing = [c for c in both if c.warns]
    right = [c for c in both if not c.mistake]
    named = [c for c in wrong if c.mistake != UNEXPLAINED]
    rows = [
        ("wrong gradients: found", wrong, "found"),
        ("wrong gradients: located", wrong, "located"),
        ("wrong gradients: named", named, "named"),
        ("writing where it should not: found", writing, "found"),
        ("right gradients: false alarms", right, "found"),
    ]
    lines = ""
    for text, some, what in rows:
        counts = [
            sum(cases[c.name][tool][what] for c in some)
            for tool in ("koubai", "gradcheck", "check_grads")
        ]
        lines += f"| {text} | {' | '.join(map(str, [len(some), *counts]))} |\n"
    return COMPARISON.format(
        wrong=sum(bool(c.mistake) and not c.warns for c in MISTAKES),
        writing=sum(c.warns for c in MISTAKES),
        right=len(RIGHT),
        torch=measured["torch"],
        jax=measured["jax"],
        skipped=len(MISTAKES) + len(RIGHT) - len(both),
        unexplained=len(wrong) - len(named),
        rows=lines,
    )


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
