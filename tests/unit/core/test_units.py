import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.units import (
    DURATION_PATTERN,
    format_duration,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10s", 10.0), ("5m", 300.0), ("2h", 7200.0), ("0s", 0.0), ("007s", 7.0)],
)
def test_a_duration_is_a_whole_number_and_a_unit(text, seconds):
    assert parse_duration(text) == seconds
    assert re.search(DURATION_PATTERN, text)


@pytest.mark.parametrize(
    "text",
    ["", "10", "s", "1.5s", "-1s", "+1s", "10 s", "10S", "1d", "1h30m", "٣s", "1s\n"],
)
def test_no_other_text_is_a_duration(text):
    with pytest.raises(ValueError, match=r"unit|not a duration"):
        parse_duration(text)


def test_a_number_alone_is_told_to_lack_its_unit():
    with pytest.raises(ValueError, match="without a unit"):
        parse_duration("10")
    with pytest.raises(ValueError, match="without a unit"):
        parse_size("10")


@given(st.integers(0, 999_999_999))
def test_a_duration_is_written_as_it_is_read(milliseconds):
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "500ms"), (120.0, "120s"), (300.0, "5m"), (7200.0, "2h")]
)
def test_a_duration_is_written_in_a_unit_that_reads_well(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [("512B", 512), ("64KB", 64_000), ("32MB", 32_000_000), ("1GB", 10**9), ("32MiB", 2**25)],
)
def test_a_size_counts_in_thousands_or_with_an_i_in_1024s(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "32", "32M", "32mb", "1.5MB", "32 MB", "-1B", "1TB", "MB"])
def test_no_other_text_is_a_size(text):
    with pytest.raises(ValueError, match=r"unit|not a size"):
        parse_size(text)
