"""What each grade opens and closes, and the permissions to order in spite of one."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import Case, Count, IntegerField, OuterRef, Value, When
from django.db.models.functions import Coalesce, JSONObject, NullIf
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from assessments import consequences
from assessments.figures import day
from assessments.grade_forms import GradeForm, OverrideForm
from assessments.models import Grade, GradeConsequence
from assessments.views.entrance import BUSINESS, POLICY, factory_or_404, open_to, sees_money, today
from factories.models import Factory, Standing, StandingOverride
from production.history import story

BEST_FIRST = [grade.value for grade in Grade]
OVERRIDES_SHOWN = 50
OWN_SHOWN = 5


@require_safe
@open_to(BUSINESS)
def grade_list(request: HttpRequest) -> HttpResponse:
    """What does a grade bring with it, and who bears it?"""
    visible, money = Factory.objects.visible_to(request.user), sees_money(request.user)
    grade = Coalesce("standing__grade", Value(Grade.NOT_RATED.value))
    counts = dict(visible.order_by().values_list(grade).annotate(n=Count("pk")))
    is_contact = request.user.role == User.Role.CONTACT
    own = list(visible.annotate(grade=grade)[:OWN_SHOWN]) if is_contact else []
    place = Case(*(When(grade=name, then=n) for n, name in enumerate(BEST_FIRST)), output_field=IntegerField())
    rows = [
        {
            "row": row,
            "opens": consequences.opens(row),
            "closes": consequences.closes(row, money),
            "n": counts.get(row.grade, 0),
            "url": f"{reverse('factory_list')}?grade={row.grade}",
            "own": [factory for factory in own if factory.grade == row.grade],
        }
        for row in GradeConsequence.objects.order_by(place)
    ]
    context = {
        "rows": rows,
        "is_contact": is_contact,
        "shows_money": money,
        "may_edit": request.user.edits_policies(),
    }
    return render(request, "assessments/grade_list.html", context)


@open_to(POLICY)
def grade_edit(request: HttpRequest, grade: str) -> HttpResponse:
    """A change holds from now on, for every factory that bears the grade."""
    row = get_object_or_404(GradeConsequence, grade=grade)
    name = row.get_grade_display()
    form = GradeForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save()
            changed = consequences.apply()
        words = ngettext(
            "Saved what %(grade)s brings with it: %(n)s factory changed.",
            "Saved what %(grade)s brings with it: %(n)s factories changed.",
            changed,
        )
        messages.success(request, words % {"grade": name.lower(), "n": changed})
        return HttpResponseRedirect(reverse("grade_list"))
    context = {
        "form": form,
        "grade": grade,
        "name": name,
        "n": Standing.objects.filter(grade=grade).count(),
        "history": story(row, settings.ORGANISATION_TIME_ZONE),
    }
    return render(request, "assessments/grade_edit.html", context, status=422 if form.errors else 200)


@open_to(POLICY)
def factory_overrides(request: HttpRequest, code: str) -> HttpResponse:
    """Who may order from this factory in spite of its grade, until when, and why?"""
    factory = factory_or_404(request.user, code, in_force=in_force())
    form = OverrideForm(
        request.POST or None, today=today(), instance=StandingOverride(factory=factory, granted_by=request.user)
    )
    if request.method == "POST" and form.is_valid():
        override = form.save()
        messages.success(request, _("Granted: orders are open until %(day)s.") % {"day": day(override.until_on)})
        return HttpResponseRedirect(reverse("factory_overrides", args=[factory.code]))
    found = StandingOverride.objects.filter(factory=factory).select_related("granted_by")[:OVERRIDES_SHOWN]
    context = {
        "factory": factory,
        "form": form,
        "standing": standing(factory, request.user),
        "rows": [override_row(override) for override in found],
    }
    return render(request, "assessments/grade_overrides.html", context, status=422 if form.errors else 200)


def override_row(override: StandingOverride) -> dict[str, Any]:
    """One override with its state on this day."""
    now = today()
    if override.ended_at:
        status, word = "none", _("Ended %(day)s") % {"day": day(timezone.localtime(override.ended_at).date())}
    elif override.until_on < now:
        status, word = "none", _("Over")
    elif override.from_on > now:
        status, word = "info", _("From %(day)s") % {"day": day(override.from_on)}
    else:
        status, word = "ok", _("In force")
    return {
        "override": override,
        "status": status,
        "word": word,
        "from": day(override.from_on),
        "until": day(override.until_on),
        "may_end": override.ended_at is None and override.until_on >= now,
    }


@require_POST
@open_to(POLICY)
def override_end(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """Ends an override before its last day."""
    factory = factory_or_404(request.user, code)
    override = get_object_or_404(StandingOverride, pk=pk, factory=factory)
    if StandingOverride.objects.filter(pk=override.pk, ended_at=None).update(ended_at=timezone.now()):
        messages.success(request, _("The override is ended."))
    else:
        messages.info(request, _("This override was ended before."))
    return HttpResponseRedirect(reverse("factory_overrides", args=[factory.code]))


def in_force() -> ArraySubquery:
    """The overrides of the outer factory that hold today, the longest first, as plain values: its page asks for them with it."""
    found = StandingOverride.objects.filter(factory=OuterRef("pk")).in_force(today()).order_by("-until_on")
    by = Coalesce(NullIf("granted_by__name", Value("")), "granted_by__email")
    return ArraySubquery(found.values(json=JSONObject(until="until_on", by=by, reason="reason")))


def standing(factory: Factory, user: User) -> dict[str, Any] | None:
    """What the grade of a factory, asked for with `in_force`, means for it today; None for one that no month has reached."""
    row = getattr(factory, "standing", None)
    if row is None:
        return None
    money = sees_money(user)
    return {
        "grade": row.grade,
        "since": day(row.since_on) if row.grade != Grade.NOT_RATED else "",
        "closes": consequences.closes(row, money),
        "opens": consequences.opens(row),
        "payment": row.deposit_terms if money else "",
        "overrides": [override | {"until": day(override["until"])} for override in factory.in_force],
        "says_why": user.reads_all_factories(),  # the reason is ours, not the factory's
        "may_override": user.edits_policies(),
        "plan_due": day(row.plan_due_on) if row.plan_due_on else "",
        "plan_late": bool(row.plan_due_on and row.plan_due_on < today()),
        "sees_actions": money,
        "may_ask": user.sees_breaches(),
    }
