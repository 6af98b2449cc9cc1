"""Recorded pages, and what is to be known of each: see tests/fixtures/status_pages/README.md."""

import pathlib

DIRECTORY = pathlib.Path(__file__).parents[3] / "fixtures/status_pages"
PAGES = {path.stem: path.read_bytes() for path in sorted(DIRECTORY.glob("*.json"))}
HTML = (DIRECTORY / "interstitial.html").read_bytes()
#: Unix seconds in October 2026, after everything that was recorded.
NOW = 1_791_500_000.0
#: Page → the kind of provider that names it.
KINDS = {
    name: {"statuspage": "anthropic", "compatible": "openai", "native": "openai"}.get(
        name.partition("_")[0], "openai-compatible"
    )
    for name in PAGES
}
