"""The product is killed while it works, and nothing that it accepted is lost.

`make kills` does the same 500 times: docs/durability.md.
"""

import pytest

from durability.kills import run


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
async def test_no_job_is_lost_done_twice_or_stuck(store, tmp_path):
    (report,) = await run([store], 10, 7, tmp_path)
    ledger = report.ledger
    assert ledger.faults == []
    assert report.kills >= 10
    # The kills met something.
    assert len(ledger.jobs) > 20
    assert ledger.counts["results read"] > len(ledger.jobs) / 2
    assert report.cut["accept"] > 0
