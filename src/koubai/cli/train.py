"""``koubai train``: the notebooks' network on MNIST, by backpropagation."""

from __future__ import annotations

import argparse
import itertools
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koubai import Variable, __version__, compile, softmax_cross_entropy, watch
from koubai.checking import NotFinite
from koubai.cli import arguments
from koubai.cli.curve import can_draw, draw_curve
from koubai.cli.errors import CommandError
from koubai.cli.invocation import command_line
from koubai.cli.network import INPUTS, OUTPUTS, network, rows, save_run
from koubai.cli.report import Report
from koubai.datasets import MNIST, mnist
from koubai.errors import counted
from koubai.optim import SGD
from koubai.training import Interrupt, JsonLines, accuracy, catch_interrupt, train

DESCRIPTION = """\
Train a network of one hidden layer (784 pixels, rectifiers, 10 digits) on
MNIST, which comes with the package, by backpropagation and stochastic gradient
descent. The training step is compiled to machine code; with --eager it runs
operation by operation, slower and to the same accuracy.

The run folder gets log.jsonl (a line an epoch), model.safetensors (the
parameters) and curve.png (if matplotlib is installed). Ctrl-C ends a run early
and keeps what there is. On one machine the same options give the same
parameters, bit by bit.
"""
DEFAULT_EPOCHS = 50 / 3


def add_parser(commands: Any) -> None:
    """Add the subcommand and its options."""
    parser = commands.add_parser(
        "train",
        help="train a network on MNIST, the handwritten digits",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--epochs",
        type=arguments.positive,
        default=DEFAULT_EPOCHS,
        metavar="N",
        help="how often the 60 000 images are gone through, such as 2 or 0.5"
        " (default: 16 2/3, which is 10 000 batches of 100)",
    )
    add(
        "--batch-size",
        type=arguments.count,
        default=100,
        metavar="N",
        help="images in a step, drawn at random (default: 100)",
    )
    add(
        "--lr",
        type=arguments.positive,
        default=0.1,
        metavar="X",
        help="learning rate (default: 0.1)",
    )
    add(
        "--hidden",
        type=arguments.count,
        default=50,
        metavar="N",
        help="rectifiers in the hidden layer (default: 50)",
    )
    add(
        "--seed",
        type=arguments.seed,
        default=0,
        metavar="N",
        help="where random numbers start from (default: 0)",
    )
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="run folder, new or empty (default: runs/ and the time)",
    )
    add(
        "--data",
        type=Path,
        metavar="DIR",
        help="a folder with MNIST's four files (default: those in the package)",
    )
    add(
        "--eager",
        action="store_true",
        help="don't compile the training step; slower",
    )
    add(
        "--watch",
        action="store_true",
        help="stop at the first NaN or Inf and explain where it comes from; the step is not"
        " compiled then, and slower still",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand; the exit status."""
    training = Training(options, _load(options.data))
    folder, log = _new_run(options.out)
    report = Report(training.iterations)
    report.say(
        f"Training {INPUTS}-{options.hidden}-{OUTPUTS} on MNIST, learning rate {options.lr:g},"
        f" seed {options.seed}"
    )
    report.say(
        f"{counted(training.iterations, 'iteration')} of {counted(options.batch_size, 'image')};"
        f" an epoch is {training.per_epoch:,.6g} of them"
    )
    drawing = can_draw()
    if not drawing:
        report.say("No curve.png: matplotlib is not installed (pip install 'koubai[plot]')")

    with log, catch_interrupt() as interrupt:
        try:
            with watch() if options.watch else nullcontext():
                training.run(log, report, interrupt)
        except NotFinite as error:
            report.say(str(error))
            raise CommandError(
                f"stopped by --watch after iteration {len(training.losses)}: see above; a smaller"
                f" learning rate may help (--lr). The log is in {folder}"
            ) from error
        except FloatingPointError as error:
            raise CommandError(f"{error} (--lr). The log is in {folder}") from error
        except BaseException:
            # A closed terminal or a full disk: hours of work may be in there.
            training.save(folder)
            raise
        training.save(folder)
        done, accuracy = training.table[-1]["iteration"], training.table[-1]["test_accuracy"]
        if done < training.iterations:
            report.say(f"Interrupted after {done:,} of {training.iterations:,} iterations")
        report.say(f"Test accuracy {accuracy:.2%} after {training.seconds:.1f} s of training")
        if drawing:
            _draw(folder, training, report)
        files = ", ".join(sorted(path.name for path in folder.iterdir()))
        report.say(f"Saved in {folder}: {files}")
        report.say(f"To classify pictures: {command_line('predict', folder, 'IMAGE.png')}")
    return 130 if done < training.iterations else 0


class Training:
    """A run: the network, and what has happened on the way.

    Attributes:
        iterations: how many there will be.
        per_epoch: how many iterations are an epoch, not always a whole number.
        losses: of each iteration until now.
        table: the lines of the log until now, one for each epoch.
        seconds: how long it has trained, without the evaluations.
    """

    def __init__(self, options: argparse.Namespace, data: MNIST) -> None:
        n, self.batch_size = len(data.train_images), options.batch_size
        if self.batch_size > n:
            raise CommandError(
                f"argument --batch-size: must be at most {n}, the number of training images,"
                f" not {self.batch_size}",
                status=2,
            )
        self.options = options
        self.x, self.t = rows(data.train_images), data.train_labels
        self.x_test, self.t_test = rows(data.test_images), data.test_labels
        self.rng = np.random.default_rng(options.seed)
        try:
            self.model = network(options.hidden, self.rng)
        except (MemoryError, ValueError) as error:
            raise CommandError(f"argument --hidden: too large: {error}", status=2) from error
        self.per_epoch: float = n / self.batch_size
        # Bounded, for 1e308 epochs would be an infinity of iterations, and no whole number.
        self.iterations = max(1, round(min(options.epochs * self.per_epoch, 1e18)))
        self.losses = array("d")
        self.table: list[dict[str, Any]] = []
        self.seconds = 0.0

    def run(self, log: JsonLines, report: Report, interrupt: Interrupt) -> None:
        """Train, with a line in the log and a row on the screen for each epoch.

        Raises:
            FloatingPointError: if the loss, or a parameter, is no longer finite.
        """
        step = self._step()

        report.header()
        # An overflow is an error below, which says more than NumPy's warning.
        with report.bar(), np.errstate(over="ignore", invalid="ignore"):
            self._evaluate(0, 0.0, log, report)
            first, start = 0, time.perf_counter()
            for iteration, loss in train(step, self._batches()):
                self.losses.append(loss)
                seconds = time.perf_counter() - start
                report.progress(iteration, loss, (iteration - first) * self.batch_size / seconds)
                ends = interrupt.requested or iteration == self.iterations
                if ends or iteration == round(len(self.table) * self.per_epoch):
                    self._evaluate(iteration, seconds, log, report)
                    first, start = iteration, time.perf_counter()
                if ends:
                    break

    def save(self, folder: Path) -> None:
        """Write the parameters."""
        line = self.table[-1] if self.table else {}
        facts = {
            "koubai": __version__,
            "seed": self.options.seed,
            "batch_size": self.batch_size,
            "lr": self.options.lr,
            "iterations": len(self.losses),
            "test_accuracy": line.get("test_accuracy"),
        }
        save_run(folder, self.model, facts)

    def _step(self) -> Callable[[NDArray[np.int64]], Variable]:
        """What one iteration does with the numbers of its rows."""
        # Names for what the step needs: it would be compiled anew whenever anything in self that
        # is no array has changed, self.table for instance.
        model, x, t = self.model, self.x, self.t
        optimizer = SGD(model.parameters(), lr=self.options.lr)

        def step(chosen: NDArray[np.int64]) -> Variable:
            loss: Variable = softmax_cross_entropy(model(x[chosen]), t[chosen])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()  # here, as gradients that are kept would be results
            return loss

        return step if self.options.eager or self.options.watch else compile(step)

    def _batches(self) -> Iterator[tuple[NDArray[np.int64]]]:
        """The numbers of random rows, drawn anew for each batch, as the notebooks do."""
        for _ in range(self.iterations):
            yield (self.rng.integers(len(self.x), size=self.batch_size),)

    def _evaluate(self, iteration: int, seconds: float, log: JsonLines, report: Report) -> None:
        """Add a line: the accuracy now, and the mean loss and the speed since the last line."""
        if not all(np.isfinite(p.data).all() for p in self.model.parameters()):
            raise FloatingPointError(
                f"parameters are infinite or NaN after iteration {iteration}: training has"
                " diverged; a smaller learning rate may help"
            )
        since = iteration - (self.table[-1]["iteration"] if self.table else 0)
        self.seconds += seconds
        line = {
            "epoch": iteration / self.per_epoch,
            "iteration": iteration,
            "loss": float(np.mean(self.losses[-since:])) if since else None,
            "train_accuracy": accuracy(self.model, self.x, self.t),
            "test_accuracy": accuracy(self.model, self.x_test, self.t_test),
            "images_per_second": since * self.batch_size / seconds if since else None,
        }
        self.table.append(line)
        log.write(**line)
        report.row(line)


def _load(folder: Path | None) -> MNIST:
    try:
        return mnist(folder)
    except (OSError, ValueError) as error:
        raise CommandError(error if folder is None else f"argument --data: {error}") from error


def _new_run(out: Path | None) -> tuple[Path, JsonLines]:
    """The run folder, new or empty, and its log; here it shows whether it can be written to."""
    folder = _default_folder() if out is None else out
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CommandError(
                f"argument --out: {folder} is not empty, and nothing is overwritten;"
                " name a new folder"
            )
        return folder, JsonLines(folder / "log.jsonl")
    except OSError as error:
        raise CommandError(
            f"argument --out: {folder} can't be written to ({error.strerror}); name another folder"
        ) from error


def _default_folder() -> Path:
    """runs/ and the time; a second run in the same second gets a number."""
    now = time.strftime("%Y-%m-%d_%H-%M-%S")
    names = itertools.chain([now], (f"{now}_{i}" for i in itertools.count(2)))
    return next(path for name in names if not (path := Path("runs", name)).exists())


def _draw(folder: Path, training: Training, report: Report) -> None:
    """Draw the curve; if that fails, the run is good nevertheless."""
    title = (
        f"{INPUTS}-{training.options.hidden}-{OUTPUTS} on MNIST:"
        f" {training.table[-1]['test_accuracy']:.2%} of the test images right"
    )
    try:
        draw_curve(folder / "curve.png", title, training.losses, training.per_epoch, training.table)
    except (ImportError, OSError, RuntimeError) as error:
        report.say(f"No curve.png: {error}")
