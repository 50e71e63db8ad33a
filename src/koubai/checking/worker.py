"""The process in which ``koubai check`` runs the user's code: ``python -m koubai.checking.worker``.

It checks one target of a file after the other, and writes lines of JSON: first the names of all
targets, then what came of each. Where it crashes or takes too long, Python's ``faulthandler`` adds
the stack, even while code that is not Python's is running, and ends it.
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.machinery
import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from koubai.checking.check import check
from koubai.checking.discover import Found, NothingThere, discover
from koubai.checking.examine import ForwardError
from koubai.checking.guess import CannotGuess
from koubai.checking.report import Caution


def main(file: str, name: str, seed: str, seconds: str, first: str) -> None:
    """Check the targets of a file, from the one of number ``first`` on.

    Args:
        file: path of the file.
        name: of the target; "" for all.
        seed: of the inputs and of the check.
        seconds: that the import, and each target, may take; then the process ends itself.
        first: how many targets to leave out, which an earlier process has come to.
    """
    path = Path(file).absolute()
    # The user's code prints what it likes to a standard output that leads nowhere.
    channel = os.fdopen(os.dup(1), "w", encoding="ascii")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    faulthandler.enable(channel)  # where it crashed, in the channel

    def tell(**facts: Any) -> None:
        channel.write(json.dumps(facts) + "\n")
        channel.flush()

    faulthandler.dump_traceback_later(float(seconds), exit=True, file=channel)
    doing = "its import"
    try:
        module = load(path)
        doing = "its check_inputs()"
        found = discover(module, name or None, int(seed))
    except NothingThere as error:
        tell(error=str(error), is_usage=True)
        return
    except BaseException as error:  # sys.exit(), too
        tell(error=f"{doing} {_import_error(error, path)}", is_usage=False)
        return
    tell(names=[target.name for target in found])
    for target in found[int(first) :]:
        faulthandler.dump_traceback_later(float(seconds), exit=True, file=channel)
        tell(**_verdict(target, path, bool(name), int(seed)))


def load(path: Path) -> ModuleType:
    """Import a file, as a part of its package if it is in one.

    As for ``python FILE``, imports are looked for beside it first.
    """
    folder, parts = path.parent, [path.stem]
    while (folder / "__init__.py").exists():
        folder, parts = folder.parent, [folder.name, *parts]
    sys.path.insert(0, str(folder))
    sys.argv = [str(path)]
    name = ".".join(parts)
    if len(parts) > 1:
        importlib.import_module(".".join(parts[:-1]))
        if name in sys.modules:  # koubai's own file
            return sys.modules[name]
    elif name in sys.modules:  # layers beside it may need the module of that name: "random"
        name += "_"
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def _verdict(found: Found, path: Path, is_named: bool, seed: int) -> dict[str, str]:
    """Check one target: the attributes of a ``Result``, without its name."""
    try:
        call = found.call()
        report = check(call.target, *call.inputs, seed=seed)
    except CannotGuess as error:
        status = "base class" if error.is_base and not is_named else "unchecked"
        return {"status": status, "text": str(error), "to_complete": found.to_complete}
    except ForwardError as error:
        return {"status": "failed", "text": " ".join(str(error).split()).partition(": ")[2]}
    except BaseException as error:  # sys.exit(), and what a check does not expect
        return {"status": "failed", "text": f"{_said(error)}{_at(error, path)}"}
    report.name, report.inputs = found.name, call.description
    if call.doubt:
        report.warnings.append(Caution(found.name, "", None, call.doubt))
    told = set(report.checked) - set(report.unknown)
    status = "wrong" if report.failures else "right" if told else "unchecked"
    return {"status": status, "text": str(report)}


def _said(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"calls sys.exit({'' if error.code is None else repr(error.code)})"
    text = " ".join(str(error).split())
    return f"raises {type(error).__name__}" + (f": {text}" if text else "")


def _at(error: BaseException, path: Path) -> str:
    """The innermost line of the file that the error came through."""
    lines = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f", {path.name}:{lines[-1].lineno}" if lines else ""


def _import_error(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError):
        line = f", {Path(error.filename or path).name}:{error.lineno}"
        return f"raises {type(error).__name__}: {error.msg}{line}"
    text = f"{_said(error)}{_at(error, path)}"
    if isinstance(error, ModuleNotFoundError):
        text += (
            f"; modules are looked for beside the file and among the packages of {sys.executable}"
        )
    return text


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # without waiting for threads of the user's
