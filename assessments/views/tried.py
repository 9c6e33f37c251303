"""What a draft of a policy would have made of the last closed months, as a page shows it."""

import datetime
from collections import Counter
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assessments import backtest, charts
from assessments.backtest import Comparison
from assessments.figures import count, month_name
from assessments.grading import GRADES
from assessments.models import Policy
from assessments.models.evaluations import Grade

MONTHS, ROWS = 12, 10
BETTER, WORSE, OTHER = "better", "worse", "other"


def tried(draft: Policy, changes: list, yesterday: datetime.date) -> dict[str, Any] | None:
    """The months tried, for the template; None where the draft changes nothing."""
    if not changes:
        return None
    found = backtest.compare(draft, yesterday, MONTHS)
    moved = found.changes()
    cells = Cells()
    rows = [
        {"factory": factory, "cells": [cells.of(found, factory.pk, end) for end in found.ends]} for factory, _ in moved
    ]
    return {
        "months": len(found.ends),
        "heads": [month_name(end) for end in found.ends],
        "factories": len(found.factories),
        "moved": len(moved),
        "sides": [
            (name, count(side.opened), count(side.closed))
            for name, side in ((_("By the versions in force"), found.now), (_("With this version"), found.draft))
        ],
        "restated": restated(found),
        "picture": picture(found, moved) if moved else None,
        "rows": rows[:ROWS],
        "more": rows[ROWS:],
    }


def restated(found: Comparison) -> str:
    """Where today's facts alone would have published another grade, in words."""
    if not found.restated:
        return ""
    words = ngettext(
        "%(n)s month was published with another grade than today's facts give: they changed since.",
        "%(n)s months were published with another grade than today's facts give: they changed since.",
        found.restated,
    )
    return words % {"n": count(found.restated)}


def direction(now: str, draft: str) -> str:
    """Whether a grade is better or worse than another one; to be rated at all is neither."""
    if now not in GRADES or draft not in GRADES:
        return OTHER
    return BETTER if GRADES.index(draft) > GRADES.index(now) else WORSE


def picture(found: Comparison, moved: list) -> dict[str, Any]:
    """Better and worse grades per month, drawn and as numbers."""
    counts = Counter((end, direction(now.grade, draft.grade)) for _, months in moved for end, now, draft in months)
    months = [(month_name(end), *(counts[end, way] for way in (BETTER, WORSE, OTHER))) for end in found.ends]
    better, worse, other = (sum(month[place] for month in months) for place in (1, 2, 3))
    title = _("Grades of months that would have been better or worse")
    desc = _("%(better)s better, %(worse)s worse.") % {"better": count(better), "worse": count(worse)}
    head = [_("Month"), _("Better"), _("Worse")]
    if other:
        head.append(_("Rated, or no longer rated"))
    return {
        "title": title,
        "aside": desc,
        "chart": charts.grade_changes([month[:3] for month in months], title, desc) if better or worse else "",
        "head": head,
        "rows": [month[: len(head)] for month in months],
    }


class Cells:
    """The cells of factories by months; equal ones are written once, for there are thousands."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], SafeString] = {}

    def of(self, found: Comparison, factory: int, end: datetime.date) -> SafeString:
        now, draft = (side.months[factory, end].grade for side in (found.now, found.draft))
        if (now, draft) not in self.known:
            words = {"now": _(Grade(now).label), "draft": _(Grade(draft).label)}
            way = direction(now, draft) if now != draft else ""
            self.known[now, draft] = render_to_string("assessments/parts/tried_cell.html", words | {"way": way})
        return self.known[now, draft]
