"""What can't be kept on every engine is refused before any of them sees it."""

import pytest
from msgspec.structs import replace

from contract.store_jobs import ANSWER, new_job
from understudy.ports import MAX_COST, MAX_REQUEST_BYTES, MAX_RESULT_BYTES, Answer, Request


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"feature": ""},
        {"operation": ""},
        {"body_digest": ""},
        {"key_digest": ""},
        {"key_digest": "a\0b"},
        {"id": "a" * 201},
        {"tenant": "new\nline"},
        {"caller": "\ud800"},
        {"cost": 0},
        {"cost": MAX_COST + 1},
    ],
)
def test_a_job_that_engines_can_not_keep_is_refused(changes):
    with pytest.raises(ValueError, match=r"is empty|is not between"):
        replace(new_job(), **changes)


def test_payloads_have_bounds():
    Request(bytes(MAX_REQUEST_BYTES))
    with pytest.raises(ValueError, match="request is longer"):
        Request(bytes(MAX_REQUEST_BYTES + 1))
    with pytest.raises(ValueError, match="result is longer"):
        Answer(200, (("a", "b"),), bytes(MAX_RESULT_BYTES - 1))
    with pytest.raises(ValueError, match="status"):
        replace(ANSWER, status=99)
