"""The same days judged once more, as a page: what is stored beside what today's facts give."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from assessments import rerun, wording
from assessments.figures import NONE, count, percent, plain_percent, points
from assessments.filters import link
from assessments.models import Evaluation
from assessments.templatetags.pills import pill, word_pill
from assessments.views.entrance import BUSINESS, factory_or_404, open_to, sees_money
from assessments.views.judged import evaluation_or_404, or_which_there_are

Line = dict[str, Any]  # one line of the table: name, stored, today, differs


@require_safe
@open_to(BUSINESS)
@or_which_there_are
def score_today(request: HttpRequest, code: str, period: str) -> HttpResponse:
    """Would it come out the same today? A preview: nothing is stored."""
    factory = factory_or_404(request.user, code)
    evaluation = evaluation_or_404(request, factory, period)
    money = sees_money(request.user)
    found = rerun.rerun(evaluation)
    groups = [whole(found), *(of_measure(found, name, money) for name in wording.MEASURES)]
    differing = sum(line["differs"] for group in groups for line in group["lines"])
    is_month = evaluation.kind == Evaluation.Kind.MONTH
    return render(
        request,
        "assessments/score_today.html",
        {
            "factory": factory,
            "evaluation": evaluation,
            "period": wording.period_name(evaluation),
            "card_url": wording.card_url(evaluation),
            "score_url": wording.score_url(evaluation),
            "found": found,
            "groups": groups,
            "differing": verdict(differing),
            "sums": [(name.replace("_", " "), *both) for name, *both in found.sums if money or " " not in name],
            "first_url": link(request.GET, revision=1, kind=evaluation.kind) if evaluation.revision > 1 else "",
            "restated_url": f"{reverse('restated')}?factory={factory.code}"
            if is_month and evaluation.category_id is None
            else "",
            "data_as_of": evaluation.computed_at,
        },
    )


def verdict(differing: int) -> str:
    """How many lines of the table differ, in words; empty where none does."""
    words = ngettext("%(n)s value differs today.", "%(n)s values differ today.", differing)
    return words % {"n": count(differing)} if differing else ""


def line(name: str, stored: Any, today: Any, plain: tuple[Any, ...] | None = None) -> Line:
    """One line; `plain` are the values to compare where what is shown holds links or pills."""
    one, other = plain or (stored, today)
    return {"name": name, "stored": stored, "today": today, "differs": one != other}


def whole(found: rerun.Rerun) -> dict[str, Any]:
    """Score, grades, caps and days."""
    sides = found.stored, found.today
    lines = [line(_("Score"), *(points(side.score) for side in sides))]
    for name, grade in ((_("Grade by the score alone"), "ungated_grade"), (_("Grade after the caps"), "raw_grade")):
        grades = [getattr(side, grade) if side.score is not None else "no_data" for side in sides]
        lines.append(line(name, *(pill(grade) for grade in grades), plain=tuple(grades)))
    caps = [[wording.gate(gate, side.policy) for gate in side.gates] for side in sides]
    lines.append(line(_("Caps"), *(listed(said) if said else NONE for said in caps), plain=tuple(caps)))
    lines.append(line(_("Days"), *(wording.when(side) for side in sides)))
    return {"title": _("Score and grade"), "url": "", "lines": lines}


def listed(sentences: Sequence[str]) -> SafeString:
    """Sentences below each other."""
    return format_html_join("", "<p>{}</p>", ((sentence,) for sentence in sentences))


def of_measure(found: rerun.Rerun, name: str, money: bool) -> dict[str, Any]:
    """What was counted of one measure, what it says, and what it adds."""
    sides = found.stored, found.today
    both = [side.measures[name] for side in sides]
    states = [wording.state(measure) for measure in both]
    fractions = [wording.fraction(name, measure, money) for measure in both]
    linked = [
        wording.linked_fraction(name, measure, partial(rows_url, found.stored, side, name), money)
        for side, measure in zip(sides, both, strict=True)
    ]
    words = [wording.state_word(name, measure) for measure in both]
    lines = [
        line(_("State"), *map(shown_state, states, words), plain=(states[0] + words[0], states[1] + words[1])),
        line(_("Counted"), *linked, plain=tuple(fractions)),
        line(_("Value"), *(value(measure, state) for measure, state in zip(both, states, strict=True))),
        line(_("Points"), *(points(measure.get("points")) for measure in both)),
        line(_("Weight"), *(weight(measure) for measure in both)),
        line(_("Adds"), *(points(measure.get("adds")) for measure in both)),
    ]
    return {"title": wording.label(name), "url": f"{wording.score_url(found.stored)}#{name}", "lines": lines}


def shown_state(state: str, word: str) -> Any:
    if state == wording.NOT_APPLICABLE:
        return word_pill("info", _("Does not apply"))
    return word_pill(state, word) if word else pill(state)


def value(measure: wording.Stored, state: str) -> str:
    return percent(measure["rate"]) if measure.get("rate") is not None and state != wording.NOT_APPLICABLE else NONE


def weight(measure: wording.Stored) -> str:
    return plain_percent(Decimal(measure["share"]).quantize(Decimal("0.0001"))) if measure.get("share") else NONE


def rows_url(stored: Evaluation, side: Evaluation, name: str, **query: object) -> str:
    """The rows of one side: those of the stored days, or of the days that today's window has where it is another one."""
    days = [(each.measures[name].get("first"), each.measures[name].get("last")) for each in (stored, side)]
    if days[0] == days[1]:
        return wording.score_url(stored, name, **query)
    if side.category_id:
        query["category"] = side.category.code
    page = reverse("factory_rows", args=[stored.factory.code, name])
    return f"{page}?{urlencode({'first': days[1][0], 'last': days[1][1], **query})}"
