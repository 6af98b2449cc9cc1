"""One entry of the fault catalogue as it was seen, and what many of them have in common."""

from dataclasses import dataclass

from unit.mock.mock_error_table import ERRORS, RESPONSES, WORDS
from unit.mock.mock_wire import Seen


@dataclass
class Case:
    """One entry as it was seen in one kind of answer."""

    seen: Seen
    right: Seen
    dialect: str
    stream: bool
    waits: list
    attempt: object
    #: What had been said of the answer, where the request asks for the rest of one.
    before: str = ""

    @property
    def is_messages(self):
        return self.dialect == "messages"

    @property
    def is_responses(self):
        return self.dialect == "responses"

    def error(self, name):
        """(status, type, code) as this dialect has them."""
        if self.is_responses and name in RESPONSES:
            return RESPONSES[name]
        return ERRORS[name][0 if self.is_messages else 1]

    def words(self, name):
        """What the wording of an error must hold."""
        told = WORDS.get(name, ("", ""))
        return told[-1 if self.is_responses else 0 if self.is_messages else 1]

    def reason(self, messages, chat, responses):
        """A reason for the end in this dialect's vocabulary."""
        return messages if self.is_messages else responses if self.is_responses else chat


def is_right(case):
    """The whole answer, as if nothing had been."""
    assert case.seen.status == 200
    assert case.seen.text == case.right.text
    assert case.seen.terminal == case.stream
    if case.stream:
        in_order(case)


def in_order(case):
    """Events are numbered without a gap, where they are numbered."""
    assert case.seen.numbers == list(range(len(case.seen.numbers)))
    assert bool(case.seen.numbers) == case.is_responses
