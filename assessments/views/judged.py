"""The evaluation that an address names by its period, revision and category; where there is none, those that there are."""

import datetime
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render

from assessments import wording
from assessments.figures import month_end
from assessments.models import Evaluation
from factories.models import Factory

MONTHS = 24


class NotJudged(Http404):
    """The factory was not judged in that period, or not in that revision or category."""

    def __init__(self, factory: Factory):
        super().__init__("No evaluation of that period.")
        self.factory = factory


def or_which_there_are(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Where a factory was not judged, says in which months and days it was: still with status 404."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except NotJudged as missing:
            return render(
                request, "assessments/score_missing.html", which_there_are(request, missing.factory), status=404
            )

    return answer


def which_there_are(request: HttpRequest, factory: Factory) -> dict[str, Any]:
    """The months of a factory that were judged, newest first, and the newest day."""
    found = Evaluation.objects.visible_to(request.user).filter(factory=factory).whole()
    months = found.filter(kind="month").order_by("-as_of").distinct("as_of")
    days = found.exclude(kind="month").order_by("-as_of", "-computed_at")
    shown = [*months[:MONTHS], *days[:1]]
    for each in shown:
        each.factory = factory
    named = [{"url": each.get_absolute_url(), "name": wording.period_name(each), "kind": each.kind} for each in shown]
    return {
        "factory": factory,
        "months": [each for each in named if each["kind"] == "month"],
        "newest_day": next((each for each in named if each["kind"] != "month"), None),
    }


def evaluation_or_404(request: HttpRequest, factory: Factory, period: str) -> Evaluation:
    """The newest judgement of a month or a day, or the revision and category that the query string names."""
    found = evaluations(request, factory, period).select_related("policy__factory", "policy__category", "category")
    revision = request.GET.get("revision", "")
    is_pinned = revision.isdecimal() and len(revision) < 9
    if is_pinned:
        found = found.filter(revision=int(revision), kind=request.GET.get("kind", "").replace("\0", "") or "month")
    evaluation = found.order_by("-computed_at", "-pk").first()
    if evaluation is None:
        raise NotJudged(factory)
    evaluation.factory, evaluation.is_pinned = factory, is_pinned
    return evaluation


def evaluations(request: HttpRequest, factory: Factory, period: str) -> QuerySet[Evaluation]:
    """Every revision of a period, in the category that the query string names."""
    found = Evaluation.objects.visible_to(request.user).filter(factory=factory)
    category = request.GET.get("category", "").replace("\0", "")
    found = found.filter(category__code=category) if category else found.whole()
    try:
        if len(period) == len("2026-11"):
            return found.filter(kind="month", as_of=month_end(datetime.date.fromisoformat(f"{period}-01")))
        return found.filter(kind__in=["live", "night"], as_of=datetime.date.fromisoformat(period))
    except ValueError:
        raise NotJudged(factory) from None
