"""What a process keeps of its own work, by all that it was made from. Every process keeps its own; none outlives it.

Only for what follows from its key alone: stored evaluations and policies never change, so their ids stand for them.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """At most `most` values; when there are more, all are forgotten and made again as they are needed."""

    def __init__(self, most: int):
        self.most = most
        self.values: dict[Hashable, Value] = {}

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key, made if it is not there."""
        try:
            return self.values[key]
        except KeyError:
            value = make()
            self.add({key: value})
            return value

    def known(self, keys: Iterable[Hashable]) -> dict[Hashable, Value]:
        """Those that are there."""
        values = self.values
        return {key: values[key] for key in keys if key in values}

    def add(self, values: Mapping[Hashable, Value]) -> None:
        if len(self.values) + len(values) > self.most:
            self.values = {}
        self.values.update(values)
