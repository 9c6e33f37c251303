"""What is wrong with a file, said so that the person who made it can find and mend it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

SHOWN = 40
LISTED_ROWS = 5


class ImportProblem(Exception):
    """The whole file is refused: `reason` is one sentence a person can read; row and column where they are known."""

    def __init__(
        self, reason: str, row: int | None = None, column: str | None = None, value: str | None = None
    ) -> None:
        super().__init__(reason)
        self.problem = Problem(row, column, value, reason)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one cell, one row (no column) or the file (no row); rows count as in the spreadsheet."""

    row: int | None
    column: str | None
    value: str | None
    reason: str
    is_conflict: bool = False

    def __str__(self) -> str:
        place = [] if self.row is None else [f"row {self.row}"]
        place += [] if self.column is None else [f"column “{self.column}”"]
        place += [] if self.value is None else [f"value “{shown(self.value)}”"]
        return f"{', '.join(place)}: {self.reason}" if place else self.reason

    def as_dict(self) -> dict[str, object]:
        return {
            "row": self.row,
            "column": self.column,
            "value": None if self.value is None else shown(self.value),
            "reason": self.reason,
        }


def shown(value: object) -> str:
    """A value fit for a terminal: control and format characters escaped, long texts cut."""
    text = str(value)
    text = text if len(text) <= SHOWN * 3 else f"{text[: SHOWN * 3]}… ({len(text):,} characters)"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


@dataclass
class Problems:
    """Everything found in a file: what refuses a row, and what the reader should only know about."""

    refused: list[Problem] = field(default_factory=list)
    warned: list[Problem] = field(default_factory=list)
    bad_rows: set[int] = field(default_factory=set)
    conflict_rows: set[int] = field(default_factory=set)
    replaced_rows: set[int] = field(default_factory=set)

    def refuse(
        self, row: int | None, column: str | None, value: object, reason: str, *, conflict: bool = False
    ) -> None:
        text = None if value is None else str(value)
        self.refused.append(Problem(row, column, text, reason, conflict))
        if row is not None:
            (self.conflict_rows if conflict else self.bad_rows).add(row)

    def warn(self, row: int | None, column: str | None, value: object, reason: str) -> None:
        self.warned.append(Problem(row, column, None if value is None else str(value), reason))

    def replace(self, row: int, column: str | None, value: object, stored: object) -> None:
        """A conflict that the caller wants applied."""
        self.replaced_rows.add(row)
        self.warn(row, column, value, f"replaces “{stored}”.")

    @property
    def conflicts(self) -> int:
        """How many rows contradict what is stored, applied or not."""
        return len(self.conflict_rows | self.replaced_rows)

    @property
    def of_the_file(self) -> list[Problem]:
        """The problems that no skipping of rows can cure."""
        return [problem for problem in self.refused if problem.row is None]

    def is_refused(self, row: int) -> bool:
        return row in self.bad_rows or row in self.conflict_rows


def grouped(problems: Iterable[Problem]) -> list[str]:
    """Equal problems as one sentence each, the most frequent first: how many rows, which ones, which values."""
    groups: dict[tuple[str | None, str], list[Problem]] = {}
    for problem in problems:
        if problem.row is not None:
            groups.setdefault((problem.column, problem.reason), []).append(problem)
    lines = []
    for (column, reason), found in sorted(groups.items(), key=lambda group: -len(group[1])):
        rows = [str(problem.row) for problem in found[:LISTED_ROWS]] + ["…"] * (len(found) > LISTED_ROWS)
        values = list(dict.fromkeys(shown(problem.value) for problem in found if problem.value is not None))
        said = ", ".join(f"“{value}”" for value in values[:LISTED_ROWS]) + (", …" if len(values) > LISTED_ROWS else "")
        lines.append(
            f"{len(found):,} × {reason}"
            + (f" Column “{column}”." if column else "")
            + f" Row{'s' if len(found) > 1 else ''} {', '.join(rows)}."
            + (f" Value{'s' if len(values) > 1 else ''} {said}." if values else "")
        )
    return lines
