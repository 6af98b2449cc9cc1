"""What SQLite was told to keep, and said that it keeps, is there after SIGKILL at any moment."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROUNDS = Path(__file__).with_name("crash_rounds.py")


def test_no_acknowledged_word_is_lost_when_the_process_is_killed(tmp_path):
    done = subprocess.run(
        [sys.executable, ROUNDS, tmp_path / "jobs.db", "5", "30"],
        env={**os.environ, "PYTHONPATH": str(ROUNDS.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["lost"] == []
    # Every child was checked by the one after it, and all of them by the last.
    assert told["checked"] == list(range(31))
    assert len(told["kept"]) > 200
    assert len(told["finished"]) > 50
