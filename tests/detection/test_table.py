"""The program that rewrites docs/detection.md."""

import pytest

from detection import table
from detection.campaign import (
    BASES,
    COMINGS,
    FRAIL,
    ILLNESSES,
    OUTAGES,
    Findings,
    Row,
    Sizes,
    work_of,
)
from detection.detectors import DETECTORS
from detection.goals import Goal, judge
from detection.measures import Detection, Flapping, Frailty, Healthy, Recovery

_SOMETHING = {
    "healthy": Healthy(0, 300),
    "detection": Detection(2.0, 12.0, 1, 2),
    "recovery": Recovery(600.0, 0, 4, 5, 60.0, 30.0, 120.0),
    "frailty": Frailty(0, 0),
    "flapping": Flapping(6, 7, 0.9),
}


@pytest.fixture
def found():
    """One result in every cell."""
    found = Findings(Sizes(days=1, seeds=1))
    for one in work_of(found.sizes):
        kind = one.measure.__name__
        for name in one.detectors:
            getattr(found, kind)[Row(one.scene.rate, one.what, name)] = [_SOMETHING[kind]]
    return found


def test_the_tables_have_every_row_and_every_detector(found):
    page = table.render(found, judge(found))
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    rows = {tuple(cells[:2]) for cells in lines if len(cells) > 2}
    for rate in ("5", "60", "0.5"):
        assert f"### Noticed: {rate} calls a minute" in page
        for what in (*BASES, *COMINGS, *OUTAGES):
            assert (rate, what) in rows
        for name in DETECTORS:
            assert any(cells[:1] == [rate] and name in cells for cells in lines)
    for what in FRAIL:
        assert ("60", what) in rows
    for what in ILLNESSES:
        # Seconds and failures, at each of three rates.
        assert sum(cells[:1] == [what] for cells in lines) == 6
    assert "FAIL" not in page


def test_writing_leaves_the_prose_around_the_tables(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- detection:begin -->\nold\n<!-- detection:end -->\nafter\n")
    table.write("new", page)
    written = page.read_text()
    assert written.startswith("before\n<!-- detection:begin -->\n")
    assert written.endswith("\n<!-- detection:end -->\nafter\n")
    assert "new" in written
    assert "old" not in written


def test_a_page_without_markers_is_not_written(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("prose")
    with pytest.raises(ValueError, match="detection:begin"):
        table.write("new", page)
    assert page.read_text() == "prose"


@pytest.mark.parametrize(("met", "code"), [(True, 0), (False, 1)])
def test_a_missed_goal_shows_in_the_exit_code(found, monkeypatch, capsys, met, code):
    monkeypatch.setattr(table, "collect", lambda *_: found)
    monkeypatch.setattr(table, "judge", lambda _: [Goal("soon", "later", met=met)])
    assert table.main([]) == code
    assert ("**FAIL**" in capsys.readouterr().out) is not met


def test_the_page_tells_of_these_goals(found):
    page = table._PAGE.read_text()
    assert [goal.text for goal in judge(found) if f"| {goal.text} |" not in page] == []
    assert "**FAIL**" not in page
