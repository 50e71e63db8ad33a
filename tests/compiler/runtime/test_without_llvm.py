"""Where llvmlite is not installed, compiled functions run on NumPy."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest


@pytest.mark.native
def test_a_step_without_llvm() -> None:
    """The same losses as eager steps, and explain() says that NumPy runs it."""
    code = """
    import sys
    sys.modules["llvmlite"] = None  # as if it could not be found
    import numpy as np
    import koubai
    from koubai import nn, optim

    def losses(compile):
        rng = np.random.default_rng(0)
        model = nn.Sequential(nn.Linear(4, 8, rng=rng), nn.ReLU(), nn.Linear(8, 2, rng=rng))
        optimizer = optim.Adam(model.parameters())
        def step(x, t):
            optimizer.zero_grad()
            loss = koubai.softmax_cross_entropy(model(x), t)
            loss.backward()
            optimizer.step()
            return loss.data
        step = compile(step)
        x, t = rng.normal(size=(5, 4)).astype(np.float32), np.arange(5) % 2
        found = [float(step(x, t)) for _ in range(4)]
        return found, step, (x, t)

    eager, _, _ = losses(lambda f: f)
    compiled, step, args = losses(koubai.compile)
    assert compiled == eager, (compiled, eager)
    assert "NumPy" in str(step.explain(*args))
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=60, env=environment
    )
