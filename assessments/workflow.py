"""What may happen to a thing that people work on together, step by step: claims and actions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OURS = frozenset({"manager", "buyer", "admin"})
BOSSES = frozenset({"manager", "admin"})


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that may happen: from which states, to which, who does it, and whether it needs words."""

    name: str
    sources: frozenset[str]
    target: str
    roles: frozenset[str]
    needs_note: bool = False
    noted_by: frozenset[str] = frozenset()  # the roles that need words where others do not

    def must_say(self, role: str) -> bool:
        """Does a person of this role have to write something?"""
        return self.needs_note or role in self.noted_by


def table(*moves: Move) -> dict[str, Move]:
    """The moves by their names."""
    return {move.name: move for move in moves}


def open_moves(moves: Mapping[str, Move], state: str, user: Any) -> list[Move]:
    """What this person may do with a thing in that state."""
    return [move for move in moves.values() if state in move.sources and user.role in move.roles]
