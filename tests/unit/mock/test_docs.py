"""The catalogue's page tells what the catalogue holds."""

import subprocess
import sys
from pathlib import Path

from understudy.mock.catalogue import as_markdown

PAGE = Path(__file__).parents[3] / "docs" / "mock.md"


def test_the_page_s_table_is_the_catalogue():
    assert as_markdown() in PAGE.read_text()


def test_the_module_prints_the_table():
    command = [sys.executable, "-m", "understudy.mock.catalogue"]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    assert told.stdout == as_markdown()
