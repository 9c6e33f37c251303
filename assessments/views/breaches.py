"""Which limits are broken and who has them; one breach with its story."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Case, Q, QuerySet, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from assessments import breach_wording, wording
from assessments import breaches as life
from assessments.figures import day
from assessments.forms import AcknowledgeForm, ResolveForm
from assessments.models import Breach, BreachStep
from assessments.views import lists
from assessments.views.account import safe_next
from assessments.views.entrance import POLICY, STAFF, open_to, today
from factories.models import Factory
from production import unknown

PAGE = 50
STATES = {
    "open": (gettext_lazy("Open"), Q(state__in=[Breach.State.OPEN, Breach.State.ESCALATED])),
    "acknowledged": (gettext_lazy("Acknowledged"), Q(state=Breach.State.ACKNOWLEDGED)),
    "live": (gettext_lazy("Not resolved"), Q(state__in=Breach.LIVE_STATES)),
    "resolved": (gettext_lazy("Resolved"), Q(state__in=[Breach.State.RESOLVED, Breach.State.DISMISSED])),
    "all": (gettext_lazy("All"), Q()),
}
STEP_WORDS = {
    "opened": gettext_lazy("Opened"),
    "reopened": gettext_lazy("Opened again"),
    "worse": gettext_lazy("Became worse"),
    "severity_up": gettext_lazy("From watch to breach"),
    "acknowledged": gettext_lazy("Acknowledged"),
    "escalated": gettext_lazy("Escalated"),
    "resolved": gettext_lazy("Resolved"),
    "dismissed": gettext_lazy("Dismissed"),
}
STEP_MARKS = {
    "opened": "breach",
    "reopened": "breach",
    "worse": "breach",
    "severity_up": "breach",
    "escalated": "breach",
    "acknowledged": "watch",
    "resolved": "ok",
}


def with_names(found: QuerySet[Breach]) -> QuerySet[Breach]:
    names = ("factory", "category", "order", "lot", "order_material__material", "acknowledged_by")
    return found.with_arrival().select_related(*names)


def pressing(found: QuerySet[Breach]) -> QuerySet[Breach]:
    """Escalated ones first, then proven ones, rates before single events, then the newest."""
    first = [
        Case(When(state=Breach.State.ESCALATED, then=0), default=1),
        Case(When(severity=Breach.Severity.BREACH, then=0), default=1),
        Case(When(event=Breach.Event.RATE, then=0), default=1),
    ]
    return found.order_by(*first, "-opened_at", "-pk")


@require_safe
@open_to(STAFF)
def breach_list(request: HttpRequest) -> HttpResponse:
    """Which limits are broken, and who has them?"""
    state = unknown.chosen(request, {name: word for name, (word, _q) in STATES.items()}, "open")
    visible = Breach.objects.visible_to(request.user)
    asked = request.GET.get("factory", "").replace("\0", "").strip()
    if asked:
        visible = visible.filter(factory__code__iexact=asked)
    counts = lists.counts(visible, STATES)
    found = with_names(visible.filter(STATES[state][1]))
    found = found.order_by("-resolved_at", "-pk") if state == "resolved" else pressing(found)
    paginator = Paginator(found, PAGE)
    paginator.count = counts[state]
    page = paginator.get_page(request.GET.get("page"))
    return render(
        request,
        "assessments/breach_list.html",
        {
            "rows": [breach_wording.row(breach) for breach in page.object_list],
            "state": state,
            "asked": asked,
            "counts": counts,
            "tabs": lists.tabs(
                request.GET,
                ((name, word) for name, (word, _q) in STATES.items() if name != "live" or state == "live"),
                state,
                counts,
            ),
            **lists.pager(request.GET, page),
            "page_text": _("%(first)s–%(last)s of %(total)s")
            % {"first": page.start_index(), "last": page.end_index(), "total": paginator.count}
            if paginator.num_pages > 1
            else "",
            "factories": Factory.objects.visible_to(request.user).filter(breaches__isnull=False).distinct()
            if asked
            else None,
        },
    )


def breach_or_404(request: HttpRequest, pk: int) -> Breach:
    found = Breach.objects.visible_to(request.user).select_related("latest__policy", "latest__category", "opened_by")
    return get_object_or_404(with_names(found), pk=pk)


@require_safe
@open_to(STAFF)
def breach_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """What broke, since when, what is being done?"""
    return page(request, breach_or_404(request, pk), AcknowledgeForm(), ResolveForm())


def page(
    request: HttpRequest, breach: Breach, acknowledge: AcknowledgeForm, resolve: ResolveForm, status: int = 200
) -> HttpResponse:
    row = breach_wording.row(breach)
    if breach.order:
        breach.order.factory = breach.factory
    return render(
        request,
        "assessments/breach_detail.html",
        {
            "breach": breach,
            "row": row,
            "acknowledge": acknowledge,
            "resolve": resolve,
            "form": acknowledge if acknowledge.errors else resolve if resolve.errors else None,
            "may_resolve": breach.is_live and request.user.role in POLICY.split() and life.may_resolve(breach),
            "cannot_resolve": breach.is_live and not life.may_resolve(breach),
            "steps": timeline(breach),
            **judged(breach),
        },
        status=status,
    )


def judged(breach: Breach) -> dict[str, Any]:
    """The numbers behind it: of the latest evaluation for a rate, of the order, lot or material for an event."""
    if breach.event == Breach.Event.RATE and breach.latest:
        evaluation, name = breach.latest, breach.measure
        evaluation.factory = breach.factory
        measure = evaluation.measures[name]
        part = {"otif": "late", "defect": "defective", "loss": "charged"}[name]
        return {
            "sentence": wording.sentence(name, measure, evaluation.policy),
            "proof": wording.proof(name, measure),
            "interval": wording.interval(measure),
            "when": wording.when(evaluation),
            "rows_url": wording.score_url(evaluation, name, counted=part),
            "rows_text": wording.fraction(name, measure),
            "score_url": wording.score_url(evaluation),
            "score_text": _("How it was worked out"),
            "state": wording.state(measure),
        }
    if breach.order is None:
        return {}
    words = {
        Breach.Event.LATE_ORDER: _(
            "A line of order %(number)s was not complete on its last on-time day, the day before %(day)s."
        ),
        Breach.Event.CRITICAL_LOT: _(
            "The inspection of %(day)s found a critical defect in lot %(lot)s of order %(number)s."
        ),
        Breach.Event.CHARGE: _(
            "Order %(number)s was closed on %(day)s with more of the material lost than the contract allows."
        ),
    }[breach.event]
    values = {"number": breach.order.number, "day": day(breach.opened_on), "lot": breach.lot.code if breach.lot else ""}
    return {
        "sentence": " ".join(filter(None, [words % values, _sentence(breach_wording.arrival(breach))])),
        "rows_url": breach.order.get_absolute_url(),
        "rows_text": _("Order %(number)s") % values,
    }


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}." if words else ""


def timeline(breach: Breach) -> list[dict[str, Any]]:
    steps = BreachStep.objects.filter(breach=breach).select_related("by").order_by("-id")
    return [
        {
            "what": STEP_WORDS.get(step.what, step.what.replace("_", " ").capitalize()),
            "css": STEP_MARKS.get(step.what, ""),
            "at": step.at,
            "on": day(step.on) if step.on != step.at.date() else "",
            "by": step.by,
            "note": step.note,
        }
        for step in steps
    ]


@require_POST
@open_to(STAFF)
def breach_acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody has it in hand; a second time changes nothing."""
    breach = breach_or_404(request, pk)
    form = AcknowledgeForm(request.POST)
    if not form.is_valid():
        return page(request, breach, form, ResolveForm(), status=422)
    if life.acknowledge(breach, request.user, form.cleaned_data["note"], today()):
        messages.success(
            request,
            _("Acknowledged: %(what)s, %(name)s.")
            % {"what": breach_wording.title(breach), "name": breach.factory.name},
        )
    elif breach.acknowledged_by:
        messages.info(request, _("%(name)s had already acknowledged this.") % {"name": breach.acknowledged_by})
    else:
        messages.info(request, _("This breach is already over."))
    return HttpResponseRedirect(safe_next(request, breach.get_absolute_url()))


@require_POST
@open_to(POLICY)
def breach_resolve(request: HttpRequest, pk: int) -> HttpResponse:
    """A manager closes it, with a reason."""
    breach = breach_or_404(request, pk)
    form = ResolveForm(request.POST)
    if not form.is_valid():
        return page(request, breach, AcknowledgeForm(), form, status=422)
    if life.resolve(breach, request.user, form.cleaned_data["reason"], today()):
        messages.success(request, _("Resolved: %(what)s.") % {"what": breach_wording.title(breach)})
        return HttpResponseRedirect(reverse("breach_list"))
    messages.warning(
        request, _("Not resolved: it is over already, or the latest figures still prove the limit broken.")
    )
    return HttpResponseRedirect(breach.get_absolute_url())
