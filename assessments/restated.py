"""Published grades that today's facts would change (SCO-8): what was published stays, and what would differ is listed."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from assessments.models import Evaluation, Policy
from assessments.publication import HISTORY, publication


@dataclass(frozen=True, slots=True)
class Found:
    """How one revision of a month came out. `score` is None with too few data; `published` is what was published."""

    id: int
    revision: int
    score: Decimal | None
    ungated: str
    raw: str
    published: str
    is_carried: bool
    policy: int
    caps: tuple[str, ...] = ()

    @property
    def gated(self) -> bool:
        """A cap lowered the grade."""
        return self.score is not None and self.raw != self.ungated


@dataclass(frozen=True, slots=True)
class Month:
    """One month of one factory: as it was published, by its newest revision, and the grade that one would publish."""

    factory: int
    as_of: datetime.date
    first: Found
    newest: Found
    would_publish: str
    would_carry: bool = False

    @property
    def other_grade(self) -> bool:
        return self.would_publish != self.first.published

    @property
    def differs(self) -> bool:
        return self.other_grade or (self.first.raw, self.first.score) != (self.newest.raw, self.newest.score)


def months(evaluations: Any) -> list[Month]:
    """The months among the evaluations that today's facts would change, newest first, then by factory. Four queries.

    The months of a factory are published one after the other from their newest revisions: each publication looks at the
    one before (SCO-6, SCO-9), so a month may differ because an earlier one does.
    """
    stored = evaluations.whole().filter(kind=Evaluation.Kind.MONTH)
    revised = list(stored.filter(revision__gt=1).order_by().values_list("factory_id", flat=True).distinct())
    if not revised:
        return []
    stored = stored.filter(factory__in=revised)
    firsts = {(row["factory_id"], row["as_of"]): _found(row) for row in _values(stored.filter(revision=1))}
    newest = stored.order_by("factory_id", "as_of", "-revision").distinct("factory_id", "as_of")
    policies = Policy.objects.in_bulk()
    per_factory: dict[int, list[tuple[datetime.date, Found, Found]]] = {}
    for row in _values(newest):
        first = firsts.get((row["factory_id"], row["as_of"]))
        if first:
            per_factory.setdefault(row["factory_id"], []).append((row["as_of"], first, _found(row)))
    found = [month for factory, known in per_factory.items() for month in republished(factory, known, policies)]
    return sorted(
        (month for month in found if month.differs), key=lambda month: (-month.as_of.toordinal(), month.factory)
    )


def republished(
    factory: int, known: Sequence[tuple[datetime.date, Found, Found]], policies: Mapping[int, Policy]
) -> list[Month]:
    """The months of one factory, oldest first, with the grades that their newest revisions would publish."""
    made: list[Month] = []
    for as_of, first, newest in known:
        before = [
            {
                "published_grade": month.would_publish,
                "raw_grade": month.newest.raw,
                "is_carried": month.would_carry,
            }
            for month in reversed(made)
            if month.as_of >= as_of - HISTORY
        ]
        made.append(Month(factory, as_of, first, newest, *publication(newest, policies[newest.policy], before)))
    return made


def _values(found: Any) -> Iterable[dict[str, Any]]:
    rows: Iterable[dict[str, Any]] = found.values(
        "id", "factory_id", "as_of", "revision", "score", "ungated_grade", "raw_grade", "published_grade", "is_carried",
        "policy_id", "gates",
    )  # fmt: skip
    return rows


def _found(row: Mapping[str, Any]) -> Found:
    return Found(
        row["id"], row["revision"], row["score"], row["ungated_grade"], row["raw_grade"], row["published_grade"],
        row["is_carried"], row["policy_id"], tuple(gate["cap"] for gate in row["gates"]),
    )  # fmt: skip
