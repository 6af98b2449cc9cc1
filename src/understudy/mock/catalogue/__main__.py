"""Prints the fault catalogue as a table of Markdown."""

import sys

from understudy.mock.catalogue import as_markdown

sys.stdout.write(as_markdown())
