"""What an operator has taken out of use, and why.

A pull names a node, in the four ways in which people speak of what they want out of the way:

    anthropic@main/claude-sonnet-5   a target: one model at one account
    anthropic/claude-sonnet-5        a model, at every account of the provider
    anthropic@main                   an account
    anthropic                        a whole provider

The model `*` is every model, so that `anthropic@main/*` is the account and `anthropic/*` the
provider. Nothing but a restore ends a pull: neither success nor time nor need, for an operator who
pulls a model has a reason that no measurement knows.

Where several processes serve, an operator speaks to one of them. Its word, a pull or a restore, is
later than every word that it knows of on the node, and the latest word on a node holds
(`Pulls.take`), in whatever order words arrive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec

from understudy.policy.plans import Target

__all__ = [
    "By",
    "Node",
    "Pull",
    "Pulls",
    "Reason",
    "Restored",
    "UnknownNodeError",
    "Word",
    "find_node",
    "nodes_of",
]

_LONGEST_NODE = 400
#: Seconds by which a word is later than the one before it, at the least: clocks may disagree.
_TICK = 1e-3
#: As providers and accounts are named in a configuration, and models in a request.
_NODE = re.compile(r"([a-z0-9][a-z0-9_-]*)(?:@([a-z0-9][a-z0-9_-]*))?(?:/([!-~]+))?", re.ASCII)

#: One line with something on it: it stands in the journal, in logs and on terminals.
_ONE_LINE = r"^(?=.*\S)[^\x00-\x1f\x7f-\x9f\u2028\u2029]+\Z"
#: Why something is pulled, in an operator's words.
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_ONE_LINE)]
#: Who pulled it.
By = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=_ONE_LINE)]


class UnknownNodeError(LookupError):
    """A name that is nobody's. `known`: the names that there are."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name)
        self.name = name
        self.known = known


class Node(msgspec.Struct, frozen=True):
    """A part of the tree of providers. Without account: every one; without model: every one."""

    provider: str
    account: str | None = None
    model: str | None = None

    @classmethod
    def parse(cls, text: str) -> Node:
        """The node that `text` names.

        Raises:
            ValueError: it has none of the four forms.
        """
        match = _NODE.fullmatch(text) if len(text) <= _LONGEST_NODE else None
        if match is None:
            raise ValueError("not `provider`, `provider@account`, or one of them with `/model`")
        provider, account, model = match.groups()
        return cls(provider, account, None if model == "*" else model)

    @property
    def key(self) -> str:
        """Its one spelling."""
        account = f"@{self.account}" if self.account is not None else ""
        model = f"/{self.model}" if self.model is not None else ""
        return f"{self.provider}{account}{model}"

    def holds(self, target: Target) -> bool:
        """Whether `target` is in it. One with the model `*` may be asked for any."""
        return (
            self.provider == target.provider
            and self.account in {None, target.account}
            and (self.model is None or target.model in {self.model, "*"})
        )


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """One node, taken out of use."""

    #: Its one spelling: see `Node.key`.
    node: str
    reason: Reason
    by: By
    #: Unix seconds.
    at: float


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """One node, brought back."""

    node: str
    by: By
    #: Unix seconds.
    at: float


#: What an operator says of a node.
Word = Pull | Restored


class Pulls:
    """Everything that is pulled now, and what was restored.

    Args:
        words: what holds to begin with; of two on one node, the later one.
    """

    def __init__(self, words: Iterable[Word] = ()) -> None:
        self._by_node: dict[str, Pull] = {}
        self._restored: dict[str, Restored] = {}
        for word in words:
            self.take(word)

    def __iter__(self) -> Iterator[Pull]:
        return iter(tuple(self._by_node.values()))

    def __len__(self) -> int:
        return len(self._by_node)

    def take(self, word: Word, *, settled: bool = False) -> bool:
        """Hold to a word on a node, unless one is known that is as late; whether it was news.

        `settled`: of words as late as each other this is the one to hold to.
        """
        known = self._by_node.get(word.node) or self._restored.get(word.node)
        if known is not None and (
            word == known or word.at < known.at or (word.at == known.at and not settled)
        ):
            return False
        self._by_node.pop(word.node, None)
        self._restored.pop(word.node, None)
        if isinstance(word, Pull):
            self._by_node[word.node] = word
        else:
            self._restored[word.node] = word
        return True

    def words(self) -> list[Word]:
        """The last word on each node."""
        return [*self._by_node.values(), *self._restored.values()]

    def later(self, node: str, moment: float) -> float:
        """`moment`, or later: after every word that is known of the node."""
        known = self._by_node.get(node) or self._restored.get(node)
        return moment if known is None else max(moment, known.at + _TICK)

    def at(self, node: str) -> Pull | None:
        """The pull of this very node."""
        return self._by_node.get(node)

    def of(self, target: Target) -> Pull | None:
        """The pull that keeps `target` out of use; the narrowest, if there are several."""
        pulled = self._by_node
        if not pulled:
            return None
        return (
            pulled.get(target.key)
            or pulled.get(target.name)
            or pulled.get(target.account_key)
            or pulled.get(target.provider)
        )

    def obstacle(self, target: Target) -> str | None:
        """Why `target` must not be used, in words for the journal; None if it may be."""
        if not self._by_node:
            return None
        pull = self.of(target)
        return None if pull is None else f"{pull.node}: pulled by an operator: {pull.reason}"


def nodes_of(targets: Iterable[Target]) -> tuple[str, ...]:
    """Every node that can be pulled: providers, accounts, models, and targets, in this order."""
    listed = list(targets)
    named = [target for target in listed if target.model != "*"]
    nodes = (
        *(target.provider for target in listed),
        *(target.account_key for target in listed),
        *(target.name for target in named),
        *(target.key for target in named),
    )
    return tuple(dict.fromkeys(nodes))


def find_node(text: str, targets: Iterable[Target]) -> Node:
    """The node that `text` names, if some of `targets` are in it.

    Raises:
        UnknownNodeError: none is.
    """
    listed = list(targets)
    try:
        node = Node.parse(text)
    except ValueError:
        raise UnknownNodeError(text, nodes_of(listed)) from None
    if not any(node.holds(target) for target in listed):
        raise UnknownNodeError(text, nodes_of(listed))
    return node
