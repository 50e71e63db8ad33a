"""An explanation as text: sections with tables, as wide as the terminal."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from typing import Any

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from koubai.compiler.report.explain import Explanation, KernelInfo, Line


def explanation_text(x: Explanation, width: int | None = None) -> str:
    """The lines of an explanation, none longer than ``width``, the terminal's by default."""
    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None, force_jupyter=False)
    console.print(rendered(x))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def rendered(x: Explanation) -> Group:
    """For rich to print."""
    return Group(*_sections(x))


def _sections(x: Explanation) -> Iterator[Any]:
    yield Text(_head(x))
    yield from _section("Inputs", _inputs(x))
    if not x.kernels:
        return
    yield from _section("Kernels", _kernels(x))
    if any(kernel.kind == "numpy" for _, kernel in _numbered(x.kernels)):
        yield from _section("Run by NumPy", _by_numpy(x))
    yield from _section("Why they are kernels of their own", _reasons(x))
    yield from _section("Memory", _memory(x))
    if x.seconds is not None:
        yield from _section("Time", _times(x), _sum(x))


def _section(title: str, *contents: Any) -> Iterator[Any]:
    yield Text(f"\n{title}", style="bold")
    for content in contents:
        yield Padding(content, (0, 0, 0, 2))


class _Table(Table):
    """Columns by name, with how they are justified; those that are "wrapped" take what is left."""

    def __init__(self, **columns: str) -> None:
        super().__init__(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="italic")
        for name, justify in columns.items():
            self.add_column(
                name.replace("_", " "),
                justify="right" if justify == "right" else "left",
                no_wrap=justify != "wrapped",
                overflow="fold",
            )

    def row(self, *cells: str) -> None:
        self.add_row(*map(Text, cells))  # a Text is taken as it stands, a str may have markup


def _head(x: Explanation) -> str:
    if x.interpreted:
        return (
            f"{x.name}: NumPy runs all of its {x.traced} instructions, one by one, for"
            f" {x.interpreted}"
        )
    kinds = Counter(kernel.kind for kernel in x.kernels)
    counts = ", ".join(f"{n} {_KINDS[kind][n > 1]}" for kind, n in kinds.items())
    how = "native code and NumPy in turns," if "numpy" in kinds else "native calls of"
    how = "one native call of" if x.one_call else how
    if not x.kernels:
        return f"{x.name}: nothing to compute"
    return (
        f"{x.name}: {how} {_plural(len(x.kernels), 'kernel')} ({counts})\n"
        f"instructions: {x.traced} as traced, {x.live} after the passes; {len(x.free)} of these are"
        f" views or constants, which take no time{_cut(x)}"
    )


def _cut(x: Explanation) -> str:
    if x.chunks == 1:
        return ""
    return f"\nfor threads: {_plural(x.phases, 'phase')} of {x.chunks} chunks of rows"


_KINDS = {
    "nest": ("loop nest", "loop nests"),
    "product": ("product", "products"),
    "scan": ("running sum", "running sums"),
    "loop": ("loop of a step", "loops of a step"),
    "draw": ("draw of random numbers", "draws of random numbers"),
    "sort": ("sort", "sorts"),
    "check": ("check", "checks"),
    "numpy": ("by NumPy", "by NumPy"),
}


def _inputs(x: Explanation) -> Any:
    if not x.inputs:
        return Text("none")
    table = _Table(value="right", type="left", found_at="wrapped", state="left")
    for i in x.inputs:
        table.row(f"%{i.number}", str(i.type), i.path, _STATES[i.state])
    return table


_STATES = {
    "": "",
    "in place": "written in place",
    "replaced": "in a new array",
    "written": "copied into it",
}


def _kernels(x: Explanation) -> Any:
    table = _Table(no="right", kind="left", loops="left", computes="wrapped", stores="wrapped")
    for number, kernel in _numbered(x.kernels):
        stores = [f"%{s.value} {size(s.bytes)} {_to(s.to)}" for s in kernel.stored]
        table.row(
            number,
            kernel.kind,
            _loops(kernel),
            "\n".join(_line(line) for line in kernel.lines),
            "\n".join(stores),
        )
    return table


def _numbered(kernels: list[KernelInfo], before: str = "") -> Iterator[tuple[str, KernelInfo]]:
    """All kernels with their numbers; the third within a loop that is kernel 1 is 1.2."""
    for kernel in kernels:
        number = f"{before}{kernel.number}"
        yield number, kernel
        yield from _numbered(kernel.inside, f"{number}.")


def _loops(kernel: KernelInfo) -> str:
    if kernel.kind == "nest" and kernel.split is not None:
        parts = kernel.domain[: kernel.split], kernel.domain[kernel.split :]
        return " | ".join(" x ".join(map(str, part)) for part in parts)
    return kernel.loops.replace(" @ ", "\n@ ")


def _line(line: Line) -> str:
    ops = ", ".join(f"{n} {op}" if n > 1 else op for op, n in Counter(line.ops).items())
    where = f"  ({line.place})" if line.place else ""
    function = f"{line.function.removeprefix('the ')}: " if line.function else ""
    return f"{function}{ops}{where}"


def _to(to: str) -> str:
    return "" if to == "workspace" else f"-> {to}"


def _reasons(x: Explanation) -> Any:
    table = _Table(no="wrapped", why="wrapped")
    numbers: dict[tuple[str, ...], list[str]] = {}
    for number, kernel in _numbered(x.kernels):
        if kernel.kind != "numpy":
            numbers.setdefault(tuple(kernel.why), []).append(number)
    for why, found in numbers.items():
        table.row(", ".join(found), "\n".join(why))
    return table


def _by_numpy(x: Explanation) -> Any:
    table = _Table(no="right", computes="wrapped", why="wrapped")
    for number, kernel in _numbered(x.kernels):
        if kernel.kind == "numpy":
            lines = "\n".join(_line(line) for line in kernel.lines)
            table.row(number, lines, "\n".join(kernel.why))
    return table


def _memory(x: Explanation) -> Any:
    m = x.memory
    table = _Table(bytes="right", what="wrapped")
    table.row(size(m.workspace), "the workspace: between kernels, used by every call again")
    table.row(size(m.unshared), "what it would be if no value took the room of another")
    table.row(size(m.never), "never in memory: computed and used within one kernel")
    return table


def _times(x: Explanation) -> Any:
    table = _Table(no="right", kind="left", loops="left", µs="right", share="right", rate="right")
    total = sum(kernel.seconds or 0.0 for kernel in x.kernels)

    def row(no: str, kind: str, loops: str, kernels: list[KernelInfo]) -> None:
        seconds = sum(kernel.seconds or 0.0 for kernel in kernels)
        share = f"{seconds / total:.1%}" if total else ""
        table.row(no, kind, loops, f"{seconds * 1e6:.2f}", share, _rate(kind, kernels, seconds))

    for kernel in x.kernels:
        row(str(kernel.number), kernel.kind, _loops(kernel).replace("\n", " "), [kernel])
    for kind in sorted({kernel.kind for kernel in x.kernels}):
        kernels = [kernel for kernel in x.kernels if kernel.kind == kind]
        row("", kind, f"all {len(kernels)} of them", kernels)
    row("", "sum", "", x.kernels)
    return table


def _rate(kind: str, kernels: list[KernelInfo], seconds: float) -> str:
    if seconds and kind == "product":
        return f"{sum(kernel.flops for kernel in kernels) / seconds / 1e9:.1f} GFLOP/s"
    if seconds and kind == "nest":
        return f"{sum(kernel.moved for kernel in kernels) / seconds / 1e9:.1f} GB/s"
    return ""


def _sum(x: Explanation) -> Any:
    return Text(f"\nOne thread runs all of them in a row in {(x.seconds or 0.0) * 1e6:.2f} µs")


def size(n: int) -> str:
    """Bytes, to three digits: ``31.4 kB``."""
    units = ("B", "kB", "MB", "GB")
    power = min((len(str(n)) - 1) // 3, len(units) - 1)
    return f"{n / 1000**power:.3g} {units[power]}"


def _plural(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' if n != 1 else ''}"
