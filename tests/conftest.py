"""What all tests share."""

from __future__ import annotations

import pytest

import koubai.compiler.compiled


@pytest.fixture(autouse=True)
def _interpreted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled functions run on the interpreter, which rounds as eager ones do, to the bit.

    So tests of what is traced need no tolerance, nor wait for machine code. Those of the machine
    code are marked ``native``.
    """
    if request.node.get_closest_marker("native") is None:
        monkeypatch.setattr(koubai.compiler.compiled, "native_program", lambda *_: None)
