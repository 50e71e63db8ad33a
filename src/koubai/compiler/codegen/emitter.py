"""Writing one LLVM function, as text, an instruction a line.

    f = Emitter("double_all", ["ptr %x", "i64 %n"])
    with f.loop("0", "%n") as i:
        p = f.op(f"getelementptr float, ptr %x, i64 {i}")
        v = f.op(f"load float, ptr {p}")
        v = f.op(f"fadd float {v}, {v}")
        f.do(f"store float {v}, ptr {p}")
    f.text()

Text, for it is made an order of magnitude faster than ``llvmlite.ir``'s objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Emitter:
    """The body of one function; names of values and labels are its own."""

    def __init__(
        self, name: str, parameters: Sequence[str], linkage: str = "", result: str = "void"
    ) -> None:
        self.name, self.parameters, self.linkage = name, parameters, linkage
        self.result = result
        self._entry: list[str] = []
        self._lines: list[str] = []
        self._count = 0
        self.block = "entry"

    def op(self, instruction: str) -> str:
        """Append an instruction that has a result; the result's name."""
        self._count += 1
        self._lines.append(f"  %v{self._count} = {instruction}")
        return f"%v{self._count}"

    def do(self, instruction: str) -> None:
        """Append an instruction without a result."""
        self._lines.append(f"  {instruction}")

    def stack(self, type_: str) -> str:
        """Memory on the stack for one value, for the whole call."""
        return self.at_entry(f"alloca {type_}, align 64")

    def at_entry(self, instruction: str) -> str:
        """As ``op``, at the beginning of the function: its result is known everywhere."""
        self._count += 1
        self._entry.append(f"  %v{self._count} = {instruction}")
        return f"%v{self._count}"

    def label(self, name: str) -> None:
        """Begin the block ``name``."""
        self._lines.append(f"{name}:")
        self.block = name

    def here(self) -> int:
        """A position among the lines, for ``insert``."""
        return len(self._lines)

    def insert(self, position: int, instruction: str) -> None:
        """Put an instruction before one that is there already: a phi, when its values are known."""
        self._lines.insert(position, f"  {instruction}")

    def fresh(self, stem: str) -> str:
        """A label that is used nowhere else."""
        self._count += 1
        return f"{stem}{self._count}"

    @contextmanager
    def loop(self, start: str, stop: str, step: int = 1) -> Iterator[str]:
        """The lines inside, for the yielded i64 ``start, start + step, ... < stop``."""
        with self.carrying_loop(start, stop, step, []) as (i, _, _next):
            yield i

    @contextmanager
    def carrying_loop(
        self, start: str, stop: str, step: int, carried: Sequence[tuple[str, str]]
    ) -> Iterator[tuple[str, list[str], list[str]]]:
        """A loop that carries values from one iteration to the next.

        Args:
            carried: type and first value of each.

        Yields:
            The index; the carried values of this iteration; an empty list, to be filled inside
            with those of the next. After the loop it holds the final values.
        """
        head, body, end = self.fresh("head"), self.fresh("body"), self.fresh("end")
        before, i = self.block, f"%{self.fresh('i')}"
        values = [f"%{self.fresh('c')}" for _ in carried]
        self.do(f"br label %{head}")
        self.label(head)
        place = len(self._lines)
        more = self.op(f"icmp slt i64 {i}, {stop}")
        self.do(f"br i1 {more}, label %{body}, label %{end}")
        self.label(body)
        following: list[str] = []
        yield i, values, following
        after = self.op(f"add nsw i64 {i}, {step}")
        last = self.block
        self.do(f"br label %{head}")
        self._lines[place:place] = [
            f"  {i} = phi i64 [ {start}, %{before} ], [ {after}, %{last} ]",
            *(
                f"  {v} = phi {type_} [ {first}, %{before} ], [ {next_}, %{last} ]"
                for v, (type_, first), next_ in zip(values, carried, following, strict=True)
            ),
        ]
        self.label(end)
        following[:] = values

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """The lines inside, if the i1 ``condition`` holds."""
        then, end = self.fresh("then"), self.fresh("end")
        self.do(f"br i1 {condition}, label %{then}, label %{end}")
        self.label(then)
        yield
        self.do(f"br label %{end}")
        self.label(end)

    def text(self) -> str:
        """The whole function; one without a result returns at the end."""
        head = f"{self.linkage} {self.result} @{self.name}({', '.join(self.parameters)})"
        return "\n".join(
            [
                f"define {head} #0 {{",
                "entry:",
                *self._entry,
                *self._lines,
                *["  ret void"] * (self.result == "void"),
                "}",
            ]
        )
