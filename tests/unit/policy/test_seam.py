"""Two halves of an answer, written by two models, read as one."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from understudy.policy.joint import LOOKAHEAD
from understudy.policy.markdown import open_fence
from understudy.policy.seam import OVERLAP_MOST, PREFILLED_LEAST, SPACE_MOST, Seam, anchor
from unit.policy.seam_texts import ALL, GUIDE, PREAMBLES

CODE = "Run this:\n\n```python\nfor name in names:\n    print(name)\n"
LIST = "The plan has three steps:\n\n1. Collect the receipts\n2. Sort them by month\n"
HALF, REST = GUIDE[:700], GUIDE[700:]
TICK = "Tick tock goes the clock, my son"
HERE = "Here is the rest of it:\n"
TABLE = "| City | People |\n| --- | --- |\n| Oslo | 709,000 |\n"


def join(sent, text, *, prefilled=False, size=None):
    """What the seam gives, None where it is broken; in pieces of `size`."""
    seam = Seam(sent, prefilled=prefilled)
    step = size or max(len(text), 1)
    out = "".join([seam.feed(text[i : i + step]) for i in range(0, len(text), step)])
    out += seam.finish()
    return None if seam.broken else out


def shown(text, cut):
    """How much of `text` a model is shown when it is cut at `cut`: no white space at the end."""
    return len(text[:cut].rstrip())


# -- symptoms: (name, what was sent, what came, what is to follow) ------------------------------

AFTER_A_TURN = [
    ("unfinished word begun again", "the quick bro", "brown fox", "wn fox"),
    ("unfinished word of one letter", "Am besten W", "Wir gehen", "ir gehen"),
    ("unfinished number begun again", "in the year 20", "2024 it", "24 it"),
    ("unfinished list marker", "1. One\n2. Two\n3", "3. Foo", ". Foo"),
    ("list marker that stands", LIST + "3. ", "3. File them", "File them"),
    ("bullet that stands", "Buy:\n\n- milk\n- ", "- bread", "bread"),
    ("half a bullet", "Buy:\n\n- milk\n-", "- bread", " bread"),
    ("heading sign that stands", "Text.\n\n## ", "## Next", "Next"),
    ("bullet with its indentation", "1. a\n   - one\n   - ", "   - two", "two"),
    ("table row begun again", TABLE + "| Rome", "| Rome | 2.8M |", " | 2.8M |"),
    ("last whole word again", "the quick brown", "brown fox", " fox"),
    ("last line again", "One.\n\nThe quick brown", "The quick brown fox", " fox"),
    ("last line again with other space", "One.\n\n  The quick", "The quick fox", " fox"),
    ("bold begun again", "say **never", "**never** again", "** again"),
    ("bold sign again", "say **", "**never** again", "never** again"),
    ("anchor after a line end", "The first part ends here.\n", "part ends here.\n\nNext", "\nNext"),
    ("anchor without its line end", "The first part ends.\n\n", "first part ends.\nNext", "Next"),
    ("anchor of two lines", "Sum:\n\n```\nx = 1\n}", "x = 1\n}\n```", "\n```"),
    ("nothing but the anchor", "This is the very end of it.", "the very end of it.", ""),
    ("half of the anchor, then the end", "This is the very end of it all.", "is the very end", ""),
    ("nothing at all", "Done.", "", ""),
    ("only white space", "Done.\n", "\n", ""),
    ("japanese word again", "東京の電車はとても便", "とても便利です", "利です"),
    ("japanese goes on", "東京の電車はとても便", "利です", "利です"),
    ("korean goes on", "서울은", "한국의 수도", " 한국의 수도"),
    ("legitimate doubling in japanese", "それはいろ", "いろあります", "いろあります"),
    # White space that a new turn lost.
    ("lost space between words", "The quick brown", "fox jumps", " fox jumps"),
    ("lost space after a comma", "First,", "we go", " we go"),
    ("lost space after a sentence", "It ends.", "Next one", " Next one"),
    ("lost space before a number", "in the year", "2024", " 2024"),
    ("lost space before bold", "say", "**never**", " **never**"),
    ("lost space after bold", "say **never**", "again", " again"),
    ("lost space after code", "call `f`", "again", " again"),
    ("lost space before a bracket", "the journal", "(it is long)", " (it is long)"),
    ("lost space before a picture", "the end", "🎉!", " 🎉!"),
    ("lost space after a contraction", "You'll", "need it", " need it"),
    ("lost space before an elision", "faites revenir", "l'oignon", " l'oignon"),
    ("lost space after a bullet", "- a\n-", "b", " b"),
    ("bold after a bullet", "* a\n*", "**b** c", " **b** c"),
    ("no space before closing bold", "say **never", "**, please", "**, please"),
    ("no space before a comma", "say never", ", please", ", please"),
    ("no space in a number", "about 1,00", "0,000", "0,000"),
    ("no space in an address", "see example.", "com/a", "com/a"),
    ("no space inside code", "call `open_", "file(x)`", "file(x)`"),
    ("halves of a word seen before", "A proxy. The pro", "xy is", "xy is"),
    ("half without a vowel", "the quick bro", "wn fox", "wn fox"),
    ("ending that is no word", "it is runn", "ing fast", "ing fast"),
    ("whole short word, another begins so", "live in x in", "industry", " industry"),
    ("lost line end before a list item", LIST + "3. File", "4. Rest", "\n4. Rest"),
    ("lost line end before a table row", TABLE[:-1], "| Rome | 2.8M |", "\n| Rome | 2.8M |"),
    ("lost line end before a heading", "The end.", "## Next\nText", "\n\n## Next\nText"),
    ("lost line end after a closed fence", "```\nx\n```", "Then go", "\n\nThen go"),
    ("lost line end before a closing fence", CODE[:-1], "```\n\nDone", "\n```\n\nDone"),
    ("first item after a colon", "The steps:", "1. Go", "\n\n1. Go"),
    ("indentation after a line end", CODE, "    print(1)", "    print(1)"),
    ("indentation that stands", CODE + "    ", "    print(1)", "print(1)"),
    # An ellipsis.
    ("ellipsis", "wait for it", "…and so", " and so"),
    ("three dots", "wait for it", "...and so", " and so"),
    ("three dots before the anchor", "the quick brown fox", "...quick brown fox runs", " runs"),
    ("three dots at the end", "wait for it", "...", "..."),
    ("three dots in code", CODE + "x = ", "...\n", "...\n"),
    # Fences.
    ("fence opened anew", CODE, "```python\n    print(1)\n```\nOk", "    print(1)\n```\nOk"),
    ("fence opened anew, line again", CODE + "x =", "```python\nx = 1\n", " 1\n"),
    ("bare fence opened anew", CODE + "x =", "```\n    print(name)\nx = 1\n```", " 1\n```"),
    ("bare fence closes", CODE, "```\n\nThen", "```\n\nThen"),
    ("fence inside markdown", "```markdown\n# A\n", "```py\nx\n```\n```", "```py\nx\n```\n```"),
    ("fence begun again", "Run:\n\n```py", "```python\nx", "thon\nx"),
    ("other fence inside a fence", "````\na\n", "```py\n", "```py\n"),
    ("new code in prose", "As follows:\n\n", "```py\nx\n```", "```py\nx\n```"),
    (
        "all of it wrapped in a fence",
        "We walk along the river bank",
        "```markdown\nalong the river bank today.\n```\n",
        " today.\n",
    ),
    (
        "wrapped, with a fence of its own",
        "We walk along the river bank",
        "```\nalong the river bank:\n```py\nx\n```\nOk.\n```",
        ":\n```py\nx\n```\nOk.\n",
    ),
    # Preambles.
    ("yes within a sentence", "the quick", "Sure!\n\nbrown fox", " brown fox"),
    ("yes where somebody speaks", "B says:", "Sure!\n\nLet's go", " Sure!\n\nLet's go"),
    ("preamble and then a rule", "the quick", "Continuing:\n\nbrown fox", " brown fox"),
    ("preamble in code", CODE, "Continuing the code:\n    x = 1", "    x = 1"),
    ("preamble and fence", CODE, "Sure! Here's the rest:\n\n```python\n    x = 1", "    x = 1"),
    ("preamble and nothing", "Done.", "Continuing from where I left off:", ""),
    # Restarts.
    ("restart", HALF, GUIDE, REST),
    ("restart after a preamble", HALF, "Sure! Here is the full answer:\n\n" + GUIDE, REST),
    ("restart with other line ends", HALF, HALF.replace("\n", " \r\n") + REST, REST),
    ("restart that differs", HALF, HALF[:300] + "Other words.", None),
    ("restart that stops early", HALF, HALF[:300], None),
    ("the answer's own habit", "Tick tock goes the clock. " * 3, TICK, TICK),
    # Half a character.
    ("half a character", "party 🎉 and \ufffd", "🎉 and 😀!", "😀!"),
    ("half a surrogate pair", "party 🎉 and \ud83d", "🎉 and 😀!", "😀!"),
    ("pair that came in two", "party \ud83c\udf89 and so", "🎉 and so on", " on"),
]  # fmt: skip

AFTER_A_PREFILL = [
    ("laughter", "ha ha ha", " ha ha", " ha ha"),
    ("the same word", "I had", " had enough", " had enough"),
    ("halves of a word", "the quick bro", "wn fox", "wn fox"),
    ("doubled syllable", "a co", "coa bean", "coa bean"),
    ("table rule", "| a | b | c |\n| --- | --- |", " --- |\n", " --- |\n"),
    ("the same row", "| 0 | 0 | 0 |\n" * 3, "\n| 0 | 0 | 0 |\n", "| 0 | 0 | 0 |\n"),
    ("the same line of code", "x\n    return None", "\n    return None", "\n    return None"),
    ("indentation", CODE + "    ", "\n    print(1)", "print(1)"),
    ("deeper indentation", CODE + "    ", "\n        print(1)", "    print(1)"),
    ("space that stands", "the quick ", " brown", "brown"),
    ("space not repeated", "the quick ", "brown", "brown"),
    ("line ends that stand", "One.\n\n", "\n\nTwo", "Two"),
    ("half of the line ends", "One.\n", "\n\nTwo", "\nTwo"),
    ("space in place of a line end", "One.\n", " Two", "Two"),
    ("line end in place of a space", "One. ", "\n\nTwo", "\n\nTwo"),
    ("words without a space", "the quick", "brown", "brown"),
    ("an ellipsis that is meant", "Well", "... no", "... no"),
    ("a rest that is meant", "Half.\n\n", "\n\nHere is the rest of it:\n", HERE),
    ("a yes that is meant", "B: ", " Sure!\n", "Sure!\n"),
    ("a new fence", "As follows:\n\n", "\n\n```py\nx\n```", "```py\nx\n```"),
    ("fence opened anew", CODE, "```python\n    print(1)\n```", "    print(1)\n```"),
    ("a new turn after all", HALF, "Continuing from where I left off:\n\n" + GUIDE[560:], REST),
    ("restart", HALF, GUIDE, REST),
    ("restart of a short answer", "The quick brown", "The quick brown fox", " fox"),
    ("restart that differs", HALF, HALF[:300] + "Other words.", None),
    ("paragraph again", HALF, GUIDE[560:], REST),
    ("nothing", "Done.", "", ""),
]  # fmt: skip


@pytest.mark.parametrize("size", [None, 1, 3])
@pytest.mark.parametrize(
    ("sent", "text", "follows"), [row[1:] for row in AFTER_A_TURN], ids=[r[0] for r in AFTER_A_TURN]
)
def test_a_new_turn_goes_on_where_the_text_stopped(sent, text, follows, size):
    assert join(sent, text, size=size) == follows


@pytest.mark.parametrize("size", [None, 1, 3])
@pytest.mark.parametrize(
    ("sent", "text", "follows"),
    [row[1:] for row in AFTER_A_PREFILL],
    ids=[r[0] for r in AFTER_A_PREFILL],
)
def test_a_prefill_is_gone_on_with_as_it_is(sent, text, follows, size):
    assert join(sent, text, prefilled=True, size=size) == follows


# -- every cut of whole answers -----------------------------------------------------------------


@pytest.fixture(params=ALL.values(), ids=ALL)
def answer(request):
    return request.param


def test_every_cut_joins_where_a_prefill_goes_on(answer):
    for cut in range(1, len(answer)):
        text = answer[shown(answer, cut) :]
        assert join(answer[:cut], text, prefilled=True) == answer[cut:], cut


def test_every_cut_joins_where_the_anchor_is_repeated(answer):
    for cut in range(1, len(answer)):
        text = answer[shown(answer, cut) - len(anchor(answer[:cut])) :]
        assert join(answer[:cut], text) == answer[cut:], cut


@pytest.mark.parametrize("preamble", PREAMBLES)
def test_cuts_join_where_a_preamble_comes_before_the_anchor(answer, preamble):
    for cut in range(1 + len(preamble) % 7, len(answer), 13):
        text = preamble + answer[shown(answer, cut) - len(anchor(answer[:cut])) :]
        assert join(answer[:cut], text) == answer[cut:], cut


@pytest.mark.parametrize("prefilled", [True, False])
def test_every_cut_joins_where_the_answer_begins_again(answer, prefilled):
    # After a prefill, a dozen characters are too few to tell.
    for cut in range(16 if prefilled else 1, len(answer)):
        assert join(answer[:cut], answer, prefilled=prefilled) == answer[cut:], cut


def test_every_cut_joins_where_the_last_line_is_repeated(answer):
    for cut in range(1, len(answer), 2):
        start = answer.rfind("\n", 0, shown(answer, cut)) + 1
        joined = join(answer[:cut], answer[start:])
        assert joined == answer[cut:], cut


@pytest.mark.parametrize("overlap", [40, 100, OVERLAP_MOST])
def test_every_cut_joins_whatever_the_overlap(answer, overlap):
    for cut in range(overlap, len(answer), 2):
        assert join(answer[:cut], answer[cut - overlap :]) == answer[cut:], cut


def test_every_cut_in_code_joins_where_the_fence_is_opened_anew(answer):
    for cut in range(1, len(answer)):
        fence = open_fence(answer[:cut])
        if fence is None or not fence.is_whole:
            continue
        base = answer[:cut].rstrip()
        text = f"{fence.mark}{fence.info}\n{answer[len(base) - len(anchor(base)) :]}"
        assert join(answer[:cut], text) == answer[cut:], cut


@pytest.mark.parametrize("name", ["guide", "german", "french"])
def test_most_words_get_their_lost_space(name):
    text = ALL[name]
    cuts = [
        cut
        for cut in range(1, len(text) - 1)
        # A capital in the middle of a sentence would be taken for another answer's beginning.
        if text[cut] == " " and text[cut - 1].isalpha() and text[cut + 1].islower()
        if open_fence(text[:cut]) is None and text[:cut].rpartition("\n")[2].count("`") % 2 == 0
    ]
    assert [cut for cut in cuts if join(text[:cut], text[cut + 1 :]) != text[cut:]] == []


@pytest.mark.parametrize(
    ("sent", "text", "gap"),
    [
        ("Tickets went up by twel", "ve percent", ""),
        ("Tickets went up by", "twelve percent", " "),
        ("Die Aufga", "be ist klar", " "),
    ],
)
def test_halves_of_a_word_that_was_asked_about_are_one(sent, text, gap):
    seam = Seam(sent, prefilled=False, asked="Why did tickets go up by twelve percent?")
    assert seam.feed(text) + seam.finish() == gap + text


# -- properties ---------------------------------------------------------------------------------

_pieces = st.lists(st.integers(1, 40), min_size=1, max_size=12)
_texts = st.sampled_from(list(ALL.values()))
_small = st.text(alphabet="ab .\n-|`1é日", max_size=120)


def _split(text, sizes):
    pieces, at, turn = [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        pieces.append(text[at : at + size])
        at += size
        turn += 1
    return pieces


@given(_texts, st.data(), _pieces)
def test_the_overlap_is_removed_to_the_letter_in_any_split(text, data, sizes):
    cut = data.draw(st.integers(1, len(text)))
    overlap = data.draw(st.integers(0, min(cut, OVERLAP_MOST)))
    again = text[cut - overlap : cut].strip()
    assume(len(again) >= 20 and len(set(again)) >= 6)
    # Text that goes round has overlaps of several lengths.
    others = [
        k
        for k in range(12, min(cut, OVERLAP_MOST) + 1)
        if k != overlap and text[cut - k : cut] == text[cut - overlap : cut - overlap + k]
    ]
    assume(not others)
    seam = Seam(text[:cut], prefilled=False)
    out = "".join([seam.feed(piece) for piece in _split(text[cut - overlap :], sizes)])
    assert out + seam.finish() == text[cut:]


@given(_small | _texts, _small, st.booleans(), st.data(), _pieces)
def test_the_split_never_matters(sent, text, prefilled, data, sizes):
    sent = sent[: data.draw(st.integers(0, len(sent)))]
    start = data.draw(st.integers(0, len(sent)))
    lead = data.draw(st.sampled_from(["", "…", "...", "```py\n", " ", "\n\n", *PREAMBLES]))
    text = lead + sent[start:] + text
    whole = join(sent, text, prefilled=prefilled)
    seam = Seam(sent, prefilled=prefilled)
    out = "".join([seam.feed(piece) for piece in _split(text, sizes)]) + seam.finish()
    assert (None if seam.broken else out) == whole
    assert join(sent, text, prefilled=prefilled, size=1) == whole


@given(_small, _small)
def test_a_prefill_loses_nothing_but_space_that_stands(sent, text):
    base = sent.rstrip()
    assume("```" not in text and "~~~" not in text)
    assume(len(text) < PREFILLED_LEAST)
    assume(not base or not text.lstrip().startswith(base.lstrip()[:6]))
    joined = join(sent, text, prefilled=True)
    assert joined is not None
    if base:
        assert joined.strip() == text.strip()
        assert text.endswith(joined.lstrip("\n "))
    else:
        assert joined == text


@given(_texts, st.data())
def test_what_is_held_back_is_bounded_and_then_all_passes(text, data):
    cut = data.draw(st.integers(1, len(text)))
    other = data.draw(_texts)
    assume(other != text)
    seam = Seam(text[:cut], prefilled=data.draw(st.booleans()))
    given_back = 0
    for fed, letter in enumerate(other[5:], start=1):
        given_back += len(seam.feed(letter))
        assert fed - given_back <= 2 * LOOKAHEAD


def test_after_the_joint_pieces_pass_as_they_are():
    seam = Seam("The quick brown fox", prefilled=False)
    assert seam.feed("quick brown fox jumps") == " jumps"
    piece = " over the quick brown fox, Sure:\n" * 3
    assert seam.feed(piece) is piece


def test_a_restart_is_dropped_without_being_held():
    seam = Seam(GUIDE, prefilled=False)
    assert all(not seam.feed(letter) for letter in GUIDE)
    assert len(seam._held) < 5  # What is dropped is not kept either.
    assert seam.feed(" More.") == " More."


def test_text_that_goes_round_is_not_held_back_to_its_end():
    rows = "| 0 | 0 |\n" * 1000
    seam = Seam(rows, prefilled=True)
    out = "".join([seam.feed(letter) for letter in "\n" + rows[:2000]])
    assert out == rows[:2000]


@pytest.mark.parametrize("sent", ["One.", "One.\n", "One.\n\n  "])
@pytest.mark.parametrize("size", [None, 1, 7])
def test_white_space_without_end_is_not_held_back(sent, size):
    space = " \n" * 300
    assert join(sent, space + "Two", size=size).strip() == "Two"
    seam = Seam(sent, prefilled=False)
    out = "".join([seam.feed(letter) for letter in space])
    assert len(out) >= len(space) - SPACE_MOST


def test_a_broken_seam_gives_nothing_more():
    seam = Seam(GUIDE[:700], prefilled=False)
    assert not seam.feed(GUIDE[:300] + "Something else")
    assert seam.broken
    assert not seam.feed(" and more") + seam.finish()


# -- the anchor ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One two three four five six seven 8 9.", "two three four five six seven 8 9."),
        ("A line.\nThe last line", "The last line"),
        ("Some words here:\n\n| --- |", "Some words here:\n\n| --- |"),
        ("Some words here:\n\n3", "Some words here:\n\n3"),
        ("end of it   \n", "end of it"),
        ("word", "word"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_anchor_is_the_last_words_of_the_last_line_or_of_enough_lines(text, expected):
    assert anchor(text) == expected


def test_the_anchor_is_short_whatever_the_text(answer):
    for cut in range(len(answer)):
        assert len(anchor(answer[:cut])) <= 60
        assert answer[:cut].rstrip().endswith(anchor(answer[:cut]))
