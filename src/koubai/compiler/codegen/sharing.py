"""The native code with which threads share a program.

All threads go through its phases. In each, a thread takes one chunk after the other that nobody
has taken, beginning with its own; who finishes the last one says so, and all go on. So nobody
waits for a thread that has not begun: if the others never come, the caller does all of it.

The pool is one block of memory, each word that threads write on a cache line of its own:

    word 0    generation, odd while there is a job; how many sleep until it changes
    word 8    the job: table | steps | chunks | phases | marks | threads
    word 16   how many workers are in the job
    word 24   not zero: workers go home
    word 32   how long to look before sleeping, in pauses; how many threads take part;
              BLAS's functions to get and set the number of its own threads
    word 40   how many workers there are

A phase is two words: its first chunk, and how many. A chunk is two: its first step, and the one
after its last. The marks of a phase are a cache line: the chunks that are taken, a bit each; how
many are done; whether all are.
"""

from __future__ import annotations

from koubai.compiler.codegen.emitter import Emitter

GENERATION, JOB, ACTIVE, STOP, PATIENCE, LIVE = (8 * i for i in range(6))
"""Words of the pool."""

THREADS = PATIENCE + 1
"""The word that says how many threads take part, the caller included."""

GET_BLAS, SET_BLAS = PATIENCE + 2, PATIENCE + 3
"""The words with the functions of BLAS that tell and set how many threads it uses itself."""

POOL_WORDS = 48
MARK_WORDS = 8
MOST_CHUNKS = 64
"""Of a phase: a bit for each in one word."""

_SYSCALL = {"x86_64": 202, "aarch64": 98}
_PAUSE = {"x86_64": "pause", "aarch64": "yield"}
_WAIT, _WAKE = 128, 129  # FUTEX_WAIT and FUTEX_WAKE, private


def sharing_code(machine: str) -> str:
    """The functions ``share``, ``worker``, ``send_home`` and ``pauses``."""
    functions = [_pauses(machine), _wait(machine), _wake(machine), _work(), _worker(), _share()]
    functions.append(_send_home())
    declared = "declare i64 @syscall(i64, ptr, i64, i64, ptr, ptr, i64)"
    return "\n".join([declared, *functions])


def can_share(machine: str) -> bool:
    """Whether there is code to put threads to sleep on this processor."""
    return machine in _SYSCALL


def _pause(f: Emitter, machine: str) -> None:
    f.do(f'call void asm sideeffect "{_PAUSE[machine]}", "~{{memory}}"()')


def _word(f: Emitter, base: str, i: int | str) -> str:
    return f.op(f"getelementptr i64, ptr {base}, i64 {i}")


def _look(f: Emitter, type_: str, pointer: str) -> str:
    size = 8 if type_ == "i64" else 4
    return f.op(f"load atomic {type_}, ptr {pointer} seq_cst, align {size}")


def _pauses(machine: str) -> str:
    """A number of pauses, to find out how long one takes."""
    f = Emitter("pauses", ["i64 %n"])
    with f.loop("0", "%n"):
        _pause(f, machine)
    return f.text()


def _wait(machine: str) -> str:
    """Until the i32 at ``place`` is no longer ``old``; who waits long sleeps."""
    f = Emitter("wait", ["ptr %pool", "ptr %place", "i32 %old"], "internal")

    def unless_changed() -> None:
        same = f.op(f"icmp eq i32 {_look(f, 'i32', '%place')}, %old")
        goon = f.fresh("goon")
        f.do(f"br i1 {same}, label %{goon}, label %done")
        f.label(goon)

    patience = f.op(f"load i64, ptr {_word(f, '%pool', PATIENCE)}")
    with f.loop("0", patience):
        unless_changed()
        _pause(f, machine)
    sleepers = f.op("getelementptr i32, ptr %place, i64 1")
    f.op(f"atomicrmw add ptr {sleepers}, i32 1 seq_cst")
    f.do("br label %sleep")
    f.label("sleep")
    same = f.op(f"icmp eq i32 {_look(f, 'i32', '%place')}, %old")
    f.do(f"br i1 {same}, label %again, label %up")
    f.label("again")
    old = f.op("zext i32 %old to i64")
    f.op(
        f"call i64 @syscall(i64 {_SYSCALL[machine]}, ptr %place, i64 {_WAIT}, i64 {old},"
        " ptr null, ptr null, i64 0)"
    )
    f.do("br label %sleep")
    f.label("up")
    f.op(f"atomicrmw sub ptr {sleepers}, i32 1 seq_cst")
    f.do("br label %done")
    f.label("done")
    return f.text()


def _wake(machine: str) -> str:
    """Those who sleep until the i32 at ``place`` changes."""
    f = Emitter("wake", ["ptr %place"], "internal")
    sleepers = _look(f, "i32", f.op("getelementptr i32, ptr %place, i64 1"))
    with f.when(f.op(f"icmp ne i32 {sleepers}, 0")):
        f.op(
            f"call i64 @syscall(i64 {_SYSCALL[machine]}, ptr %place, i64 {_WAKE},"
            " i64 2147483647, ptr null, ptr null, i64 0)"
        )
    return f.text()


def _work() -> str:
    """The job, as thread number ``t``."""
    f = Emitter("work", ["ptr %pool", "i64 %t"], "internal")

    def part(i: int, type_: str = "ptr") -> str:
        return f.op(f"load {type_}, ptr {_word(f, '%pool', JOB + i)}")

    table, steps, chunks, phases, marks = (part(i) for i in range(5))
    threads, count = part(5, "i64"), part(6, "i64")
    error = f.op(f"load ptr, ptr {table}")
    with f.loop("0", count) as p:
        phase = _word(f, phases, f.op(f"mul i64 {p}, 2"))
        first = f.op(f"load i64, ptr {phase}")
        n = f.op(f"load i64, ptr {_word(f, phase, 1)}")
        taken = _word(f, marks, f.op(f"mul i64 {p}, {MARK_WORDS}"))
        done, finished = _word(f, taken, 1), _word(f, taken, 2)
        own = f.op(f"udiv i64 {f.op(f'mul i64 %t, {n}')}, {threads}")
        with f.loop("0", n) as k:
            c = f.op(f"urem i64 {f.op(f'add i64 {own}, {k}')}, {n}")
            bit = f.op(f"shl i64 1, {c}")
            before = f.op(f"atomicrmw or ptr {taken}, i64 {bit} seq_cst")
            free = f.op(f"icmp eq i64 {f.op(f'and i64 {before}, {bit}')}, 0")
            with f.when(free):
                chunk = _word(f, chunks, f.op(f"mul i64 {f.op(f'add i64 {first}, {c}')}, 2"))
                start = f.op(f"load i64, ptr {chunk}")
                stop = f.op(f"load i64, ptr {_word(f, chunk, 1)}")
                steps_here = f.op(f"getelementptr [3 x i64], ptr {steps}, i64 {start}")
                length = f.op(f"sub i64 {stop}, {start}")
                f.do(f"call void @drive(ptr {table}, ptr {steps_here}, i64 {length})")
                others = f.op(f"atomicrmw add ptr {done}, i64 1 seq_cst")
                is_last = f.op(f"icmp eq i64 {f.op(f'add i64 {others}, 1')}, {n}")
                with f.when(is_last):
                    f.op(f"atomicrmw xchg ptr {finished}, i32 1 seq_cst")
                    f.do(f"call void @wake(ptr {finished})")
        f.do(f"call void @wait(ptr %pool, ptr {finished}, i32 0)")
        stopped = f.op(f"icmp ne i64 {_look(f, 'i64', error)}, 0")
        goon = f.fresh("goon")
        f.do(f"br i1 {stopped}, label %out, label %{goon}")
        f.label(goon)
    f.do("br label %out")
    f.label("out")
    return f.text()


def _worker() -> str:
    """The life of worker number ``t``."""
    f = Emitter("worker", ["ptr %pool", "i64 %t"])
    generation, active = _word(f, "%pool", GENERATION), _word(f, "%pool", ACTIVE)
    live, stop = _word(f, "%pool", LIVE), _word(f, "%pool", STOP)
    seen = f.stack("i32")
    # A worker that comes in the middle of a job may join it.
    f.do(f"store i32 0, ptr {seen}")
    f.op(f"atomicrmw add ptr {live}, i32 1 seq_cst")
    f.do("br label %idle")
    f.label("idle")
    old = f.op(f"load i32, ptr {seen}")
    f.do(f"call void @wait(ptr %pool, ptr {generation}, i32 {old})")
    now = _look(f, "i32", generation)
    f.do(f"store i32 {now}, ptr {seen}")
    go = f.op(f"icmp ne i32 {_look(f, 'i32', stop)}, 0")
    f.do(f"br i1 {go}, label %home, label %ask")
    f.label("ask")
    is_open = f.op(f"icmp eq i32 {f.op(f'and i32 {now}, 1')}, 1")
    f.do(f"br i1 {is_open}, label %join, label %idle")
    f.label("join")
    f.op(f"atomicrmw add ptr {active}, i32 1 seq_cst")
    # Only if it is the same job still: the caller waits for those who have joined it.
    same = f.op(f"icmp eq i32 {_look(f, 'i32', generation)}, {now}")
    threads = f.op(f"load i64, ptr {_word(f, '%pool', JOB + 5)}")
    wanted = f.op(f"icmp slt i64 %t, {threads}")
    with f.when(f.op(f"and i1 {same}, {wanted}")):
        f.do("call void @work(ptr %pool, i64 %t)")
    f.op(f"atomicrmw sub ptr {active}, i32 1 seq_cst")
    f.do(f"call void @wake(ptr {active})")
    f.do("br label %idle")
    f.label("home")
    f.op(f"atomicrmw sub ptr {live}, i32 1 seq_cst")
    return f.text()


def _send_home() -> str:
    """Tell the workers to end."""
    f = Emitter("send_home", ["ptr %pool"])
    generation = _word(f, "%pool", GENERATION)
    f.op(f"atomicrmw xchg ptr {_word(f, '%pool', STOP)}, i32 1 seq_cst")
    f.op(f"atomicrmw add ptr {generation}, i32 2 seq_cst")
    f.do(f"call void @wake(ptr {generation})")
    return f.text()


def _share() -> str:
    """Run the job that has been written into the pool, together with the workers."""
    f = Emitter("share", ["ptr %pool"])
    generation, active = _word(f, "%pool", GENERATION), _word(f, "%pool", ACTIVE)
    marks = f.op(f"load ptr, ptr {_word(f, '%pool', JOB + 4)}")
    count = f.op(f"load i64, ptr {_word(f, '%pool', JOB + 6)}")
    with f.loop("0", f.op(f"mul i64 {count}, {MARK_WORDS}")) as i:
        f.do(f"store i64 0, ptr {_word(f, marks, i)}")
    f.op(f"atomicrmw add ptr {generation}, i32 1 seq_cst")
    f.do(f"call void @wake(ptr {generation})")
    f.do("call void @work(ptr %pool, i64 0)")
    f.op(f"atomicrmw add ptr {generation}, i32 1 seq_cst")
    f.do("br label %leaving")
    f.label("leaving")
    inside = _look(f, "i32", active)
    f.do(f"br i1 {f.op(f'icmp eq i32 {inside}, 0')}, label %over, label %others")
    f.label("others")
    f.do(f"call void @wait(ptr %pool, ptr {active}, i32 {inside})")
    f.do("br label %leaving")
    f.label("over")
    return f.text()
