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
    if x.interpreted:
        return
    yield from _section("Kernels", _kernels(x))
    if any(kernel.kind == "numpy" for kernel in x.kernels):
        yield from _section("Run by NumPy", _by_numpy(x))
    yield from _section("Why they are kernels of their own", _reasons(x))
    yield from _section("Memory", _memory(x))
    if x.seconds is not None:
        yield from _section("Time", _times(x), _sum(x))


def _section(title: str, *contents: Any) -> Iterator[Any]:
    yield Text(f"\n{title}", style="bold")
    for content in contents:
        yield Padding(content, (0, 0, 0, 2))


def _table(**columns: str) -> Table:
    """Columns by name, with how they are justified; one that is "wrapped" takes what is left."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="italic")
    for name, justify in columns.items():
        wrapped = justify == "wrapped"
        table.add_column(
            name.replace("_", " "),
            justify="right" if justify == "right" else "left",
            no_wrap=not wrapped,
            overflow="fold",
        )
    return table


def _head(x: Explanation) -> str:
    if x.interpreted:
        return (
            f"{x.name}: NumPy runs all of its {x.traced} instructions, one by one, for"
            f" {x.interpreted}"
        )
    kinds = Counter(kernel.kind for kernel in x.kernels)
    counts = ", ".join(f"{n} {_KINDS[kind][n > 1]}" for kind, n in kinds.items())
    how = "in one native call" if x.one_call else "in turns of native code and NumPy"
    if not x.kernels:
        how = "and nothing to compute"
    return (
        f"{x.name}: {_plural(len(x.kernels), 'kernel')} {how}{f' ({counts})' if counts else ''}\n"
        f"{x.traced} instructions were traced, {x.live} are left after the passes; of these"
        f" {len(x.free)} are views or constants, and no work"
    )


_KINDS = {
    "nest": ("loop nest", "loop nests"),
    "product": ("product", "products"),
    "check": ("check", "checks"),
    "numpy": ("by NumPy", "by NumPy"),
}


def _inputs(x: Explanation) -> Any:
    if not x.inputs:
        return Text("none")
    table = _table(value="right", type="left", found_at="wrapped", state="left")
    for i in x.inputs:
        table.add_row(f"%{i.number}", str(i.type), i.path, _STATES[i.state])
    return table


_STATES = {
    "": "",
    "in place": "written in place",
    "replaced": "in a new array",
    "written": "copied into it",
}


def _kernels(x: Explanation) -> Any:
    if not x.kernels:
        return Text("none")
    table = _table(no="right", kind="left", loops="left", computes="wrapped", stores="wrapped")
    for kernel in x.kernels:
        stores = [f"%{s.value} {size(s.bytes)} {_to(s.to)}" for s in kernel.stored]
        table.add_row(
            str(kernel.number),
            kernel.kind,
            _loops(kernel),
            Text("\n".join(_line(line) for line in kernel.lines)),
            Text("\n".join(stores)),
        )
    return table


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
    table = _table(no="wrapped", why="wrapped")
    numbers: dict[tuple[str, ...], list[str]] = {}
    for kernel in x.kernels:
        if kernel.kind != "numpy":
            numbers.setdefault(tuple(kernel.why), []).append(str(kernel.number))
    for why, found in numbers.items():
        table.add_row(", ".join(found), Text("\n".join(why)))
    return table


def _by_numpy(x: Explanation) -> Any:
    table = _table(no="right", computes="wrapped", why="wrapped")
    for kernel in x.kernels:
        if kernel.kind == "numpy":
            lines = "\n".join(_line(line) for line in kernel.lines)
            table.add_row(str(kernel.number), Text(lines), Text("\n".join(kernel.why)))
    return table


def _memory(x: Explanation) -> Any:
    m = x.memory
    table = _table(bytes="right", what="wrapped")
    table.add_row(size(m.workspace), "the workspace: between kernels, used by every call again")
    table.add_row(size(m.unshared), "what it would be if no value took the room of another")
    table.add_row(size(m.never), "never in memory: computed and used within one kernel")
    return table


def _times(x: Explanation) -> Any:
    table = _table(no="right", kind="left", loops="left", µs="right", share="right", rate="right")
    total = sum(kernel.seconds or 0.0 for kernel in x.kernels)
    for kernel in x.kernels:
        seconds = kernel.seconds or 0.0
        share = f"{seconds / total:.1%}" if total else ""
        loops = _loops(kernel).replace("\n", " ")
        table.add_row(
            str(kernel.number), kernel.kind, loops, f"{seconds * 1e6:.2f}", share, _rate(kernel)
        )
    table.add_row("", "sum", "", f"{total * 1e6:.2f}", "", "")
    return table


def _rate(kernel: KernelInfo) -> str:
    if not kernel.seconds:
        return ""
    if kernel.flops:
        return f"{kernel.flops / kernel.seconds / 1e9:.1f} GFLOP/s"
    if kernel.kind == "nest":
        return f"{kernel.moved / kernel.seconds / 1e9:.1f} GB/s"
    return ""


def _sum(x: Explanation) -> Any:
    return Text(f"\nAll of them in a row take {(x.seconds or 0.0) * 1e6:.2f} µs")


def size(n: int) -> str:
    """Bytes, to three digits: ``31.4 kB``."""
    units = ("B", "kB", "MB", "GB")
    power = min((len(str(n)) - 1) // 3, len(units) - 1)
    return f"{n / 1000**power:.3g} {units[power]}"


def _plural(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' if n != 1 else ''}"
