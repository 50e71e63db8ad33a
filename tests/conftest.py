"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import koubai.compiler.compiled


@pytest.fixture(scope="session", autouse=True)
def _machine_code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Machine code on disk is the tests' own, and all workers' together: no one makes it twice."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield


@pytest.fixture(autouse=True)
def _interpreted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled functions run on the interpreter, which rounds as eager ones do, to the bit.

    So tests of what is traced need no tolerance, nor wait for machine code. Those of the machine
    code are marked ``native``.
    """
    if request.node.get_closest_marker("native") is None:
        monkeypatch.setattr(koubai.compiler.compiled, "native_program", lambda *_: None)
