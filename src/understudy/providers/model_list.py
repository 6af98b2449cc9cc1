"""What `GET /v1/models` says of each model, over what the tables by generation say.

Anthropic publishes limits and capabilities there (https://platform.claude.com/docs/en/api/models;
`types/model_info.py` of anthropic-sdk-python). OpenAI's list, and that of compatible servers, holds
names and dates only, so for them the tables are all there is.

It is read in the background, so nothing in it is trusted to be there or to be of its type: what
can't be read overrides nothing. What the list does not tell (sampling parameters, prefill, stop
sequences) stays the table's affair.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

import msgspec

from understudy.dialects.base import Traits

__all__ = ["ModelInfo", "ModelPage", "find_model", "models_query", "read_models", "traits_from"]

#: Models on a page: the most that Anthropic gives, whose default is 20.
_LIMIT = 1000
#: A body beyond this is no list of models: one model takes about 2 KB.
_LONGEST_BODY = 8 << 20

_DECODER = msgspec.json.Decoder()
#: An alias is a name without its date, `claude-opus-4-1` or `claude-3-5-haiku-latest`.
_DATED = re.compile(r"(?P<alias>.+)-(?P<date>\d{8})", re.ASCII)


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a list says of one model; None where it says nothing."""

    id: str
    #: Tokens of context and of output.
    context: int | None = None
    max_output: int | None = None
    #: Whether `thinking` is taken with the type `enabled`, `disabled`, `adaptive`.
    thinking_budget: bool | None = None
    thinking_off: bool | None = None
    thinking_adaptive: bool | None = None


class ModelPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list of models, by their ids."""

    models: Mapping[str, ModelInfo] = {}
    #: The cursor for the next page, None where this is the last: see `models_query`. A list that
    #: never ends is for the reader to give up.
    after: str | None = None


_NOTHING = ModelPage()


def models_query(after: str | None = None) -> str:
    """The query of a request for the first page, or for the one after `after`."""
    query = f"limit={_LIMIT}"
    return query if after is None else f"{query}&after_id={quote(after, safe='')}"


def read_models(body: bytes) -> ModelPage:
    """A page of Anthropic's list. Never raises: a body that can't be read is an empty last page."""
    value = _decode(body)
    data = value.get("data")
    if not isinstance(data, list):
        return _NOTHING
    models = {info.id: info for item in data if (info := _read_model(item)) is not None}
    cursor = value.get("last_id") if value.get("has_more") is True else None
    return ModelPage(models=models, after=cursor if isinstance(cursor, str) and cursor else None)


def find_model(models: Mapping[str, ModelInfo], model: str) -> ModelInfo | None:
    """What is known of a model by its id, or by an alias of it: the newest date then."""
    known = models.get(model)
    if known is not None:
        return known
    alias = model.removesuffix("-latest")
    return max(_dated(models.values(), alias), key=lambda info: info.id, default=None)


def traits_from(info: ModelInfo, base: Traits) -> Traits:
    """`base`, the table's traits of the model, with all that the list says of it."""
    known = {
        name: value
        for name in ModelInfo.__struct_fields__
        if name != "id" and (value := getattr(info, name)) is not None
    }
    return msgspec.structs.replace(base, **known)


def _dated(infos: Iterable[ModelInfo], alias: str) -> Iterable[ModelInfo]:
    for info in infos:
        found = _DATED.fullmatch(info.id)
        if found is not None and found["alias"] == alias:
            yield info


def _read_model(item: object) -> ModelInfo | None:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return None
    thinking = _within(item, "capabilities", "thinking")
    budget = _supported(thinking, "types", "enabled")
    adaptive = _supported(thinking, "types", "adaptive")
    if _supported(thinking) is False:
        # Whatever the types say, or if they are not there. Only to switch it off may be allowed.
        budget = adaptive = False
    return ModelInfo(
        id=item["id"],
        context=_count(item.get("max_input_tokens")),
        max_output=_count(item.get("max_tokens")),
        thinking_budget=budget,
        thinking_off=_supported(thinking, "types", "disabled"),
        thinking_adaptive=adaptive,
    )


def _within(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _supported(value: object, *path: str) -> bool | None:
    told = _within(value, *path, "supported")
    return told if isinstance(told, bool) else None


def _count(value: object) -> int | None:
    """Tokens. Zero is no limit that a model could have."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    return None


def _decode(body: bytes) -> dict[str, object]:
    if len(body) > _LONGEST_BODY:
        return {}
    try:
        value = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    return value if isinstance(value, dict) else {}
