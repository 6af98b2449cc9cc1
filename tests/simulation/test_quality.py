"""A product whose model writes badly for a while: is that seen, and is nothing else?"""

import pytest

from simulation import sim_quality
from simulation.sim_quality import KNOWN, NEW, ROWS, Findings, Sizes
from simulation.sim_quality_world import ILLNESSES, Found, Kitchen, healthy, ill


@pytest.fixture(scope="module")
def kitchen():
    return Kitchen()


def test_a_sound_model_is_left_alone(kitchen):
    assert healthy(5, kitchen, 6000).false_alarms == ()


STRONG = [illness for illness in ILLNESSES if illness.share == 0.2] + [
    illness for illness in ILLNESSES if illness.refusals > 1.0 or illness.lengths == 0.5
]


@pytest.mark.parametrize("illness", STRONG, ids=lambda illness: illness.name)
def test_an_illness_is_noticed_and_its_end_too(kitchen, illness):
    found = ill(3, kitchen, illness, 1500)
    assert found.noticed is not None
    assert found.cleared is not None


@pytest.fixture
def found():
    one = Found(("endless repetition",), 40, 60, 1)
    return Findings(Sizes(1, 10_000, 1), [one], {row: [one] for row in ROWS})


def test_the_tables_tell_of_every_illness(found):
    page = sim_quality.render(found)
    assert "| endless repetition | 1 | 1.000 |" in page
    for illness in ILLNESSES:
        assert illness.name in page
    assert f"{KNOWN:,} answers" in page
    assert f"{NEW:,} answers" in page


def test_writing_leaves_the_prose_around_the_tables(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- quality:begin -->\nold\n<!-- quality:end -->\nafter\n")
    sim_quality.write("new", page)
    written = page.read_text()
    assert written.startswith("before\n<!-- quality:begin -->\n")
    assert written.endswith("\n<!-- quality:end -->\nafter\n")
    assert "new" in written
    assert "old" not in written


def test_a_page_without_markers_is_not_written(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("prose")
    with pytest.raises(ValueError, match="quality:begin"):
        sim_quality.write("new", page)
    assert page.read_text() == "prose"


def test_the_page_has_these_rows():
    page = sim_quality._PAGE.read_text()
    assert [illness.name for illness in ILLNESSES if illness.name not in page] == []
