"""What one answer shows, read from its text."""

import json

import pytest

from understudy.core.conversation import Stop
from understudy.policy.quality import Asked, Said, needs_request, read
from understudy.policy.quality.reading import READ
from understudy.policy.quality.scripts import GARBLED, scripts_of

ENGLISH = Asked(scripts=frozenset())
PROSE = (
    "The relay keeps an account of every provider that it has asked, and of what came back. When "
    "one of them falls ill, the others take its calls, and people notice nothing but a line in the "
    "status page. What is left to do is small: tell the operator, and ask again a little later. "
)
CODE = "\n".join(
    f"def {name}(request):\n    value = request['{name}']\n    return store.put({n}, value)\n"
    for n, name in enumerate(("users", "orders", "items", "carts", "prices", "taxes", "notes"))
)
TABLE = "| city | people |\n| --- | --- |\n" + "\n".join(
    f"| {city} | {1000 + 7919 * n % 99991} |"
    for n, city in enumerate(f"Town {letter}{n}" for n, letter in enumerate("abcdefgh" * 12))
)


def signs(text, asked=ENGLISH, **said):
    return read(Said(text=text, stop=said.pop("stop", Stop.END), **said), asked)


class TestScripts:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("Hello, naïve café — 100 %, x² ≥ 3 µm", set()),
            ("The angle α is π/2, and Δβ is small.", set()),
            ("Das ist ελιά, an olive.", {"GREEK"}),
            ("This is ครับ fine.", {"THAI"}),
            ("It says 模型 here.", {"CJK"}),
            ("ответ", {"CYRILLIC"}),
            ("ひらがなとカタカナ", {"HIRAGANA", "KATAKANA"}),
            ("cut \ufffd\ufffd here", {GARBLED}),
            ("🎉 → ✓ ℃ 𝐀", set()),
        ],
    )
    def test_a_text_has_the_scripts_of_its_words(self, text, found):
        assert scripts_of(text) == found

    def test_what_the_request_has_is_not_foreign(self):
        asked = Asked(scripts=frozenset({"THAI"}))
        assert signs("ครับ", asked).scripts == frozenset()
        assert signs("ครับ 模型", asked).scripts == {"CJK"}

    @pytest.mark.parametrize("known", ["HIRAGANA", "KATAKANA", "HANGUL"])
    def test_ideographs_are_no_surprise_to_who_writes_in_scripts_that_go_with_them(self, known):
        assert signs("漢字", Asked(scripts=frozenset({known}))).scripts == frozenset()

    def test_nothing_is_said_of_them_while_the_request_is_unknown(self):
        assert signs("ครับ", Asked()).scripts is None
        assert signs("plain", Asked()).scripts == frozenset()

    def test_the_middle_of_a_long_answer_is_not_read(self):
        around = "x" * READ
        assert signs(f"{around}ครับ{around}").scripts == frozenset()
        assert signs(f"{around}ครับ").scripts == {"THAI"}
        assert signs(f"ครับ{around}{around}").scripts == {"THAI"}


class TestLoops:
    @pytest.mark.parametrize(
        "text",
        [
            PROSE + "and so on " * 100,
            PROSE + "I will now look at the file again. Let me check the next part of it. " * 20,
            "你好世界" * 200,
            PROSE * 9,
        ],
        ids=["short", "sentences", "without spaces", "paragraphs"],
    )
    def test_saying_the_same_thing_again_and_again_is_seen(self, text):
        assert signs(text).loops is True

    @pytest.mark.parametrize(
        "text",
        [PROSE, CODE, TABLE, "no, no, no"],
        ids=["prose", "code", "table", "short"],
    )
    def test_what_people_read_is_none(self, text):
        assert signs(text).loops is False

    def test_a_line_of_dashes_is_none(self):
        assert signs(PROSE + "-" * 900).loops is False

    def test_json_that_was_asked_for_is_not_prose(self):
        assert signs(json.dumps(["a"] * 900), Asked(structured=True)).loops is None


class TestStructure:
    SCHEMA = json.dumps(
        {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    ).encode()

    @pytest.mark.parametrize(
        ("text", "broken"),
        [
            ('{"n": 1}', False),
            (' {"n": 1}\n', False),
            ('{"n": "one"}', True),
            ("{}", True),
            ('{"n": 1', True),
            ('Here it is: {"n": 1}', True),
        ],
    )
    def test_an_answer_is_held_to_the_schema_that_was_asked_for(self, text, broken):
        assert signs(text, Asked(structured=True, schema=self.SCHEMA)).breaks_structure is broken

    def test_without_a_schema_any_json_will_do(self):
        assert signs("[1]", Asked(structured=True)).breaks_structure is False
        assert signs("Sure!", Asked(structured=True)).breaks_structure is True

    def test_prose_is_held_to_nothing(self):
        assert signs("{").breaks_structure is None

    @pytest.mark.parametrize("stop", [Stop.LENGTH, Stop.REFUSED, Stop.CONTEXT, None])
    def test_an_answer_that_was_cut_is_not_judged(self, stop):
        assert signs("{", Asked(structured=True), stop=stop).breaks_structure is None

    def test_a_refusal_in_its_own_place_is_not_judged(self):
        assert signs("", Asked(structured=True), refused=True).breaks_structure is None

    @pytest.mark.parametrize(
        ("arguments", "broken"),
        [('{"n": 1}', False), ("[]", True), ('{"n": 1', True), ('{"m": 1}', True)],
    )
    def test_a_tool_call_is_held_to_the_tools_schema(self, arguments, broken):
        asked = Asked(scripts=frozenset(), tools={"count": self.SCHEMA})
        found = signs("", asked, calls=(("count", arguments),), stop=Stop.TOOL_USE)
        assert found.breaks_structure is broken

    def test_a_tool_that_takes_nothing_may_be_called_with_nothing(self):
        found = signs("", ENGLISH, calls=(("now", ""),), stop=Stop.TOOL_USE)
        assert found.breaks_structure is False

    def test_what_is_too_large_is_not_judged(self):
        assert signs('"' + "x" * 70_000, Asked(structured=True)).breaks_structure is None


class TestProse:
    @pytest.mark.parametrize(
        ("text", "declines"),
        [
            ("I\u2019m sorry, but I can\u2019t help with that.", True),
            ("I cannot assist with this request.", True),
            ("You can't help it: it rains.", False),
            (PROSE * 2 + "I can't help with that.", False),
        ],
    )
    def test_a_refusal_in_prose_is_known_by_its_opening(self, text, declines):
        assert signs(text).declines is declines

    def test_the_length_is_that_of_the_whole_text(self):
        assert signs("x" * 50_000).length == 50_000

    @pytest.mark.parametrize("stop", [Stop.LENGTH, Stop.TOOL_USE, Stop.REFUSED, None])
    def test_an_end_that_was_not_the_models_own_says_nothing_of_length(self, stop):
        assert signs(PROSE, stop=stop).length is None


class TestProbes:
    ASKED = Asked(scripts=frozenset(), word="ok")

    @pytest.mark.parametrize(
        ("text", "lacks"), [("ok", False), ("Okay.", False), ("สวัสดี", True), ("", None)]
    )
    def test_a_probe_is_to_be_answered_with_its_word(self, text, lacks):
        assert signs(text, self.ASKED).lacks_word is lacks

    def test_other_answers_need_no_word(self):
        assert signs("something").lacks_word is None

    def test_a_probe_says_nothing_of_length(self):
        assert signs("ok", self.ASKED).length is None


class TestNeed:
    def test_plain_english_is_judged_without_the_request(self):
        assert not needs_request(Said(text=PROSE), structured=False)

    @pytest.mark.parametrize(
        ("said", "structured"),
        [
            (Said(text="{}"), True),
            (Said(text="ครับ"), False),
            (Said(text="", calls=(("now", "{}"),)), False),
        ],
    )
    def test_the_rest_is_not(self, said, structured):
        assert needs_request(said, structured=structured)
