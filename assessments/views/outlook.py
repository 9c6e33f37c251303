"""Where a factory is heading, for its scorecard: trend arrows, the grade a month would give today, and what would lift it."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assessments import control, projection, windows, wording
from assessments.figures import count, points
from assessments.judgement import sums_of
from assessments.models import Evaluation, Grade, Policy
from assessments.projection import Basis, Outlook, Projected, Step
from assessments.publication import HISTORY
from assessments.scorecards import Card
from assessments.window_sums import COUNTS, MONEY, WHOLE, Asked, Found
from factories.models import Factory
from production.kept import Kept
from production.prepared import Prepared

kept_outlooks: Kept[Outlook] = Kept(1_000)
kept_projections: Kept[Projected] = Kept(2_000)


@dataclass(slots=True)
class Sums:
    """The daily sums that a scorecard needs beyond those stored: one row per category and currency."""

    rows: list[dict[str, Any]]
    asked: Asked | None

    def trend(self, bad: str, total: str) -> control.Trend:
        """Whether the bad share of the 90 days shown differs from that of the 90 before (SPC-5)."""
        found = [
            tuple(sum(row[f"{name}_{when}"] or 0 for row in self.rows) for name in (bad, total))
            for when in ("now", "before")
        ]
        return control.trend(*found)

    def longer(self, category: int | None = None) -> dict[str, Any]:
        """The sums of the longer window, of all categories or of one, as an evaluation stores them."""
        rows = [row for row in self.rows if category in (None, row["category_id"])]
        counts = {name: sum(row[name] or 0 for row in rows) for name in COUNTS}
        money = [
            {"currency": currency}
            | {name: sum(row[name] or 0 for row in rows if row["currency"] == currency) for name in MONEY}
            for currency in sorted({row["currency"] for row in rows if row["value_net"] is not None})
        ]
        return sums_of(self.asked, Found(counts, money))


# Written out: the same by the query builder takes as long to build as the database needs to answer it. First each sum of the
# days that belong to the same windows, then the windows.
SUMS = Prepared("""
SELECT category_id, currency, {trends}, {longer} FROM (
    SELECT category_id, currency,
        day BETWEEN %(now_first)s AND LEAST(%(now_last)s, CASE family WHEN 'delivery' THEN %(shown_due)s ELSE %(shown)s END) AS is_now,
        day BETWEEN %(before_first)s
            AND LEAST(%(before_last)s, CASE family WHEN 'delivery' THEN %(shown_due)s ELSE %(shown)s END) AS is_before,
        day BETWEEN %(longer_first)s AND %(longer_last)s AND (family <> 'delivery' OR day <= %(longer_due)s) AS is_longer,
        {sums}
    FROM production_factoryday
    WHERE factory_id = %(factory)s AND day BETWEEN %(first)s AND %(last)s AND family <> 'cycle'
    GROUP BY 1, 2, 3, 4, 5
) AS stretches GROUP BY category_id, currency
""".format(
    trends=", ".join(
        f"SUM({column}) FILTER (WHERE is_{when})::bigint AS {name}_{when}"
        for when in ("now", "before")
        for name, column in (
            ("units", "units_inspected"), ("bad", "units_critical + units_major"), ("due", "lines"), ("late", "lines - otif"),
        )
    ),
    longer=", ".join(
        f"SUM({name}) FILTER (WHERE is_longer){'::bigint' if name in WHOLE else ''} AS {name}" for name in (*COUNTS, *MONEY)
    ),
    sums=", ".join(f"SUM({name}) AS {name}" for name in (*COUNTS, *MONEY)),
), factory="bigint", **dict.fromkeys(
    ("first", "last", "shown", "shown_due", "now_first", "now_last", "before_first", "before_last",
     "longer_first", "longer_last", "longer_due"), "date",
))  # fmt: skip


def sums(factory: Factory, shown: Evaluation, now: Evaluation | None) -> Sums:
    """The two windows of the trend at the day shown, and the longer window at the newest day. One query."""
    current = windows.rolling(shown.as_of, windows.GRADE_DAYS)
    before = windows.before(current)
    days = {
        "shown": shown.as_of, "shown_due": datetime.date.fromisoformat(shown.measures["otif"]["last"]),
        "now_first": current.first, "now_last": current.last,
        "before_first": before.first, "before_last": before.last,
        "longer_first": None, "longer_last": None, "longer_due": None,
    }  # fmt: skip
    first, last, asked = before.first, shown.as_of, None
    if now:
        longer = windows.rolling(now.as_of, now.policy.fallback_days)
        due = datetime.date.fromisoformat(now.measures["otif"]["last"])
        asked = Asked(factory.pk, None, longer.first, longer.last, due)
        days |= {"longer_first": longer.first, "longer_last": longer.last, "longer_due": due}
        first, last = min(first, longer.first), max(last, longer.last)
    with connection.cursor() as cursor:
        SUMS.execute(cursor, {"factory": factory.pk, "first": first, "last": last, **days})
        names = [column.name for column in cursor.description]
        return Sums([dict(zip(names, row, strict=True)) for row in cursor.fetchall()], asked)


def arrows(found: Sums) -> dict[str, str]:
    """Per measure the arrow of its rate with a word; empty where no difference is proven, and for material."""
    return {
        "defect": arrow("defect", found.trend("bad", "units")),
        "otif": arrow("otif", found.trend("late", "due")),
        "loss": "",
    }


def arrow(name: str, trend: control.Trend) -> str:
    """ "↑ worse", "↓ better": the arrow is that of the rate shown, the word says what it means."""
    if trend.arrow == control.FLAT:
        return ""
    worse = trend.arrow == control.UP
    up = worse == wording.LOWER_IS_BETTER[name]
    return ("↑ " if up else "↓ ") + (_("worse") if worse else _("better"))


def outlook(card: Card, found: Sums) -> dict[str, Any]:
    """The projected grade for the page, and one or two sentences of what would lift it."""
    basis = _basis(card, found)
    seen = kept_outlooks.get(_key(basis), lambda: projection.outlook(basis))
    judged = seen.now.judged
    return {
        "projected": seen.now.grade,
        "projected_score": points(judged.score),
        "projected_held": seen.now.held,
        "projected_carried": seen.now.carried,
        "sentences": sentences(seen, basis.policy),
    }


def sentences(seen: Outlook, policy: Policy) -> list[str]:
    """What would lift the projected grade, or why nothing near does."""
    if seen.now.grade == Grade.EXCELLENT:
        return []
    if seen.lines or seen.units:
        return [reach(seen)]
    most = {"lines": count(projection.MOST_LINES), "units": count(projection.MOST_UNITS)}
    if projection.lifts(seen.now, seen.best):
        both = _(
            "%(lines)s more order lines on time in full or %(units)s more units without a defect are not enough alone;"
        )
        return [both % most + " " + _("both together would lift the grade.")]
    capped = projection.caps(seen.best)
    if capped:
        return [_("Good lines or units alone cannot lift the grade now.") + " " + wording.gate(capped[0], policy)]
    if seen.best.judged.score is None:
        now = seen.now.judged.measures
        few = [name for name in ("otif", "defect") if not seen.best.judged.measures[name]["sufficient"]]
        words = "; ".join(f"{wording.label(name)}: {wording.few(name, now[name], policy)}" for name in few)
        return [_("A grade needs more data. %(few)s.") % {"few": words}]
    reached = most | {"score": points(seen.best.judged.score)}
    far = _(
        "Even %(lines)s more order lines on time in full and %(units)s more units without a defect would not lift the"
    )
    return [(far + " " + _("grade: the score would be %(score)s.")) % reached]


def reach(seen: Outlook) -> str:
    """ "Good takes the next 14 order lines on time in full, or the next 380 inspected units without a defect." """
    steps = [(seen.lines, lines_in_words), (seen.units, units_in_words)]
    known = [(step, words(step)) for step, words in steps if step]
    if len(known) == 2 and known[0][0].grade == known[1][0].grade:
        takes = {"grade": grade_name(known[0][0]), "one": known[0][1], "other": known[1][1]}
        return _("%(grade)s takes %(one)s, or %(other)s.") % takes
    return " ".join(_("%(grade)s takes %(one)s.") % {"grade": grade_name(step), "one": words} for step, words in known)


def lines_in_words(step: Step) -> str:
    words = ngettext("the next order line on time in full", "the next %(n)s order lines on time in full", step.count)
    return words % {"n": count(step.count)}


def units_in_words(step: Step) -> str:
    words = ngettext(
        "the next inspected unit without a defect", "the next %(n)s inspected units without a defect", step.count
    )
    return words % {"n": count(step.count)}


def grade_name(step: Step) -> str:
    return _(Grade(step.grade).label)


def _basis(card: Card, found: Sums) -> Basis:
    """What the month rules would judge today, from what the card holds."""
    now, factory = card.now, card.factory
    gating = [
        f"{name}:{row.category.code}"
        for row in card.categories
        for name, measure in _projected(_of(row, row.category, found)).judged.measures.items()
        if measure["status"] == "breach"
    ]
    before = tuple(
        {"published_grade": row.published_grade, "raw_grade": row.raw_grade, "is_carried": row.is_carried}
        for as_of, row in sorted(card.firsts.items(), reverse=True)
        if now.as_of - HISTORY <= as_of < now.as_of
    )
    return _of(now, factory.category, found, tuple(gating), before)


def _projected(basis: Basis) -> Projected:
    return kept_projections.get(_key(basis), lambda: projection.project(basis))


def _key(basis: Basis) -> tuple:
    """All that a basis says."""
    category = basis.category
    return (
        repr(basis.windows), basis.policy.pk, category.pk, category.code, category.is_soft, basis.as_of, basis.supplied,
        basis.gating, repr(basis.before),
    )  # fmt: skip


def _of(row: Evaluation, category: Any, found: Sums, gating: tuple[str, ...] = (), before: tuple = ()) -> Basis:
    enough = all(row.measures[name]["sufficient"] for name in ("defect", "otif"))
    options = (row.sums,) if enough else (row.sums, found.longer(row.category_id))
    supplied = row.measures["loss"]["applicable"]
    return Basis(options, row.policy, category, row.as_of, supplied, gating, before)
