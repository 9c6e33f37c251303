"""What changed since the evaluation before, for the score page: each measure, and each cause apart."""

from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from assessments import difference, wording
from assessments.difference import Change
from assessments.figures import NONE, day, money, percent, points, quantity
from assessments.models import Evaluation
from assessments.moves import Explained
from assessments.views.entrance import POLICY, sees_money

NAMED = 5  # exclusions named one by one


def shown(found: Explained, reader: User) -> dict[str, Any]:
    """The section "What changed": the measures before and now, and the causes with what each moved."""
    before, now, with_money = found.before, found.now, sees_money(reader)
    whole = found.difference.changes
    return {
        "before": wording.period_name(before),
        "before_url": revision_url(before),
        "before_score": points(before.score),
        "score": points(now.score),
        "has_score": not (before.score is None and now.score is None),
        "same_days": found.same_days,
        "measures": [
            {
                "label": wording.label(name),
                "old": wording.fraction(name, before.measures.get(name), with_money),
                "new": wording.fraction(name, now.measures[name], with_money),
                "old_rate": rate(before, name),
                "new_rate": rate(now, name),
                "moved": added(found, whole[name]),
            }
            for name in wording.MEASURES
        ],
        "heads": [wording.label(name) for name in wording.MEASURES],
        "causes": [
            cause(found, part, reader)
            for part in found.difference.parts
            if not (found.same_days and part.cause == difference.LATE)
        ],
        "whole": signed(found.difference.score),
        "whole_measures": [added(found, whole[name]) for name in wording.MEASURES],
    }


def rate(evaluation: Evaluation, name: str) -> str:
    measure = evaluation.measures.get(name) or {}
    return percent(measure["rate"]) if measure.get("rate") is not None else NONE


def cause(found: Explained, part: difference.Part, reader: User) -> dict[str, Any]:
    """One row of the table: the cause, a sentence with links, and what it moved."""
    sees = sees_money(reader)
    words, text, links = {
        difference.POLICY: policy, difference.LATE: late, difference.SET_ASIDE: set_aside, difference.REST: rest,
    }[part.cause](found, part, reader)  # fmt: skip
    return {
        "words": words,
        "text": text,
        "links": links,
        "score": signed(part.score),
        "cells": [
            {
                "label": wording.label(name),
                "adds": added(found, part.changes[name]),
                "counts": counts(found, name, part.changes[name], sees),
            }
            for name in wording.MEASURES
        ],
    }


Told = tuple[str, str, list[tuple[str, str]]]


def policy(found: Explained, part: difference.Part, reader: User) -> Told:
    words = _("Policy")
    if found.before.policy_id == found.now.policy_id:
        return words, _("The same policy."), []
    links = []
    if reader.role in POLICY.split():
        links = [
            (_("Policy before"), reverse("policy_detail", args=[found.before.policy_id])),
            (_("Policy now"), reverse("policy_detail", args=[found.now.policy_id])),
        ]
    if found.difference.score is not None and part.score is None:
        return (
            words,
            _("Another policy; by it the earlier numbers give no score, so the last row holds its part."),
            links,
        )
    return words, _("Another policy: the numbers of before, judged by the rules of now."), links


def late(found: Explained, part: difference.Part, reader: User) -> Told:
    period = wording.period_name(found.before)
    words = _("Late facts for %(period)s") % {"period": period}
    if found.newest.pk == found.before.pk:
        return words, _("None came since it was judged."), []
    text = _("What came for %(period)s after it was judged; its newest revision has %(score)s.")
    facts = {"period": period, "score": points(found.newest.score)}
    return words, text % facts, [(_("Revision %(n)s") % {"n": found.newest.revision}, revision_url(found.newest))]


def set_aside(found: Explained, part: difference.Part, reader: User) -> Told:
    words = _("Rows set aside")
    came, went = found.moved.set_aside, found.moved.lifted
    if not found.moved:
        return words, _("None since then."), []
    said = []
    if came:
        text = ngettext("%(n)s row was set aside.", "%(n)s rows were set aside.", len(came))
        said.append(text % {"n": len(came)})
    if went:
        said.append(ngettext("%(n)s row counts again.", "%(n)s rows count again.", len(went)) % {"n": len(went)})
    links = [(each.code, each.get_absolute_url()) for each in [*came, *went][:NAMED]]
    return words, " ".join(said), links


def rest(found: Explained, part: difference.Part, reader: User) -> Told:
    rows = [
        (wording.label(name), wording.score_url(found.now, name)) for name in wording.MEASURES if part.changes[name].den
    ]
    if found.same_days:
        return _("Late facts"), _("What was entered or corrected since: the rest of the move."), rows
    facts = {"before": days(found.before), "now": days(found.now)}
    return _("Other days"), _("The days counted moved from %(before)s to %(now)s: the rest of the move.") % facts, rows


def days(evaluation: Evaluation) -> str:
    return f"{day(evaluation.sums['first'])} – {day(evaluation.sums['last'])}"


def counts(found: Explained, name: str, change: Change, with_money: bool) -> str:
    """By how much the numerator and the denominator moved; empty where they did not, or may not be shown."""
    if change.num is None or change.den is None or not (change.num or change.den):
        return ""
    if name == "loss":
        if not with_money:
            return ""
        currency = found.now.measures["loss"].get("currency") or found.before.measures["loss"].get("currency")
        num, den = (sign(value) + money(abs(value), currency) for value in (change.num, change.den))
    else:
        num, den = (sign(value) + quantity(abs(value)) for value in (change.num, change.den))
    return _("%(num)s of %(den)s") % {"num": num, "den": den}


def sign(value: Decimal) -> str:
    return "+" if value > 0 else "−" if value < 0 else "±"


def signed(value: Decimal | None) -> str:
    """A move of the score with its sign; a dash where it has no number."""
    return NONE if value is None else sign(value) + points(abs(value))


def added(found: Explained, change: Change) -> str:
    """By how much a measure moved the score; a dash where neither side has one to be moved."""
    return NONE if found.before.score is None and found.now.score is None else signed(change.adds)


def revision_url(evaluation: Evaluation) -> str:
    return wording.score_url(evaluation, revision=evaluation.revision, kind=evaluation.kind)
