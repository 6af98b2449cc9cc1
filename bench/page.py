"""The generated part of docs/benchmarks.md: what was measured now, and what stands from before.

A run of everything takes three quarters of an hour. One that measures only a part replaces that
part: its sections, and its goals by their text. The other sections stay, and the page says of them
that they are kept, and from when.
"""

import re
from pathlib import Path

__all__ = ["CONDITIONS", "GOALS", "merged", "write"]

CONDITIONS, GOALS = "Conditions", "Goals"
_PAGE = Path(__file__).parent.parent / "docs/benchmarks.md"
_BEGIN, _END = "<!-- bench:begin -->", "<!-- bench:end -->"
_KEPT = "Kept from an earlier run"
_TITLE = re.compile(r"^### (.+)$", re.MULTILINE)
_DATE = re.compile(r"^\| Date \| (.+) \|$", re.MULTILINE)
_KEPT_ROW = re.compile(rf"^\| {_KEPT} \| (.+) \|\n?", re.MULTILINE)
_ROW = re.compile(r"^\| (?P<text>.+?) \| .* \|$")


def merged(before: str, now: str) -> str:
    """The part as it is to stand: `now`, with the sections of `before` that it does not have."""
    old, new = _sections(before), _sections(now)
    kept = [title for title in old if title not in new]
    if not kept:
        return now
    new[GOALS] = _with_rows(new.get(GOALS, ""), old.get(GOALS, ""))
    new[CONDITIONS] = _noting(new[CONDITIONS], old.get(CONDITIONS, ""), kept)
    titles = [*new, *kept]
    order = [title for title in old if title in titles]
    order += [title for title in new if title not in order]
    return "\n\n".join(f"### {title}\n\n{new.get(title) or old[title]}" for title in order)


def _sections(part: str) -> dict[str, str]:
    found = list(_TITLE.finditer(part))
    ends = [*(match.start() for match in found[1:]), len(part)]
    return {
        match[1]: part[match.end() : end].strip() for match, end in zip(found, ends, strict=True)
    }


def _with_rows(now: str, before: str) -> str:
    """The goals of now, and those of before that were not judged again."""
    judged = {_text(row) for row in now.splitlines()}
    rest = [row for row in before.splitlines() if _ROW.match(row) and _text(row) not in judged]
    return "\n".join([*now.splitlines(), *rest])


def _text(row: str) -> str:
    match = _ROW.match(row)
    return match["text"] if match else ""


def _noting(now: str, before: str, kept: list[str]) -> str:
    date = _DATE.search(before)
    earlier = _KEPT_ROW.search(before)
    since = date[1] if date else "an unknown date"
    words = f"{since}: {'; '.join(kept)}"
    if earlier:
        words += f" (of these, by then kept already: {earlier[1]})"
    return f"{now}\n| {_KEPT} | {words} |"


def write(part: str) -> None:
    """Puts the part between the markers of docs/benchmarks.md; the prose around it stays.

    Raises:
        ValueError: The page has no markers.
    """
    before, begin, rest = _PAGE.read_text().partition(_BEGIN)
    stood, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{_PAGE} has no {_BEGIN} … {_END}")
    _PAGE.write_text(f"{before}{_BEGIN}\n\n{merged(stood, part)}\n\n{_END}{after}")
