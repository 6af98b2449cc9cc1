"""Two hundred worlds of chance: whatever goes wrong in them, every promise is kept."""

import pytest

from simulation.sim_draw import draw
from simulation.sim_invariants import breaches
from simulation.sim_tale import replay_line
from simulation.sim_world import run

SEEDS = 200
CHUNK = 10


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_every_promise_is_kept(first):
    broken = []
    for seed in range(first, first + CHUNK):
        wrong = breaches(run(draw(seed)))
        if wrong:
            broken.append(replay_line(seed, wrong))
    assert not broken, "\n" + "\n".join(broken)
