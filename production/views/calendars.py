"""Working calendars: which there are, a year at a glance, days set by hand, public holidays taken in."""

from itertools import groupby

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import Count
from django.http import Http404
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.dates import MONTHS, WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from factories.models import FIRST_DAY, LAST_DAY, CalendarException, Factory, WorkingCalendar
from factories.public_holidays import NotTaken, names, take_in
from production.calendars import ENDS_SOON, give, set_by_hand, users_of, year_of
from production.forms.calendars import CalendarForm, DaysForm, TakeInForm
from production.forms.fields import refuse
from production.forms.orders import today
from production.views.access import SeeOther, approvers_only, approves, order_writers_only
from production.wording import day, short_day


@require_safe
@order_writers_only
def calendar_list(request):
    """Which calendars are there, who works by them, and how far are their holidays known?"""
    found = WorkingCalendar.objects.visible_to(request.user).select_related("base")
    found = found.annotate(
        n_factories=Count("factories", distinct=True), n_sites=Count("sites", distinct=True)
    ).order_by("name", "pk")
    countries = names()
    rows = [
        {
            "calendar": each,
            "country": countries.get(each.country, each.country),
            "off": week_of(each),
            "known": known(each),
            "factories": each.n_factories,
            "sites": each.n_sites,
        }
        for each in found
    ]
    return render(request, "production/calendar_list.html", {"rows": rows, "may_edit": approves(request.user)})


@approvers_only
def calendar_new(request):
    """A calendar by itself, or one that builds on another, for one factory."""
    factories = Factory.objects.visible_to(request.user).order_by("name")
    asked = factory_named(request, request.GET.get("factory", ""))
    form = CalendarForm(request.POST or None, factories=factories, initial=start(asked))
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                calendar = form.save()
                if form.cleaned_data["factory"]:
                    give(calendar, form.cleaned_data["factory"])
            messages.success(request, _("Saved: %(name)s.") % {"name": calendar.name})
            return SeeOther(url_of(calendar))
        except IntegrityError as error:
            refuse(form, error, WorkingCalendar)
    context = {
        "title": _("New calendar"),
        "back": reverse("calendar_list"),
        "trail": [(_("Calendars"), reverse("calendar_list"))],
        "form": form,
        "button": _("Save"),
    }
    return render(request, "production/confirm.html", context, status=422 if form.errors else 200)


def factory_named(request, code):
    """The factory with exactly that code; None where there is none, or the text is no code."""
    found = Factory.objects.visible_to(request.user).select_related("calendar__base")
    return found.filter(code=code).first() if "\x00" not in code else None


def start(factory):
    """What a calendar of one factory begins with: the week and the holidays of the one it works by now."""
    if factory is None:
        return {}
    base = factory.calendar and (factory.calendar.base or factory.calendar)
    return {
        "factory": factory.code,
        "name": factory.name[:80],
        "code": factory.code.lower(),
        "base": base,
        "weekend": base.weekend if base else [6, 7],
    }


@require_safe
@order_writers_only
def calendar_detail(request, code):
    """One calendar: its year at a glance, what differs from its week and why, and who works by it."""
    return show(request, calendar_of(request, code))


def calendar_of(request, code):
    found = WorkingCalendar.objects.visible_to(request.user).select_related("base")
    if "\x00" in code:
        raise Http404
    return get_object_or_404(found.prefetch_related("exceptions", "base__exceptions"), code=code)


def show(request, calendar, year=None, days_form=None, taking=None, problem=""):
    now = today()
    year = year or asked_year(request, now)
    found = year_of(calendar, year)
    users = users_of(calendar)
    may_edit = approves(request.user)
    own = calendar.base or calendar
    last = calendar.known_until(now)
    if may_edit and taking is None and not calendar.base_id:
        taking = TakeInForm(calendar=calendar, initial={"years": f"{now.year} {now.year + 1}"})
    context = {
        "calendar": calendar,
        "country": names().get(own.country, own.country) if own.country else "",
        "off": week_of(calendar),
        "known": known(calendar),
        "ends_soon": bool(own.country) and (last is None or last < now + ENDS_SOON),
        "year": str(year),  # never with a thousands separator
        "year_known": not own.country or year in own.known_years,
        "before": str(year - 1) if year > FIRST_DAY.year else "",
        "after": str(year + 1) if year < LAST_DAY.year else "",
        "months": months(found),
        "rows": [row_of(each, calendar, now) for each in found if each.row],
        "users": users,
        "others": Factory.objects.visible_to(request.user).exclude(calendar=calendar).order_by("name")
        if may_edit
        else [],
        "may_edit": may_edit,
        "days_form": days_form or DaysForm(),
        "taking": taking,
        "problem": problem,
        "is_bad": days_form is not None or problem or (taking is not None and taking.is_bound),
    }
    return render(request, "production/calendar_detail.html", context, status=422 if context["is_bad"] else 200)


def asked_year(request, now):
    asked = request.GET.get("year", "")
    year = int(asked) if len(asked) == 4 and asked.isascii() and asked.isdecimal() else now.year
    return year if FIRST_DAY.year <= year <= LAST_DAY.year else now.year


def months(found):
    """The twelve months of a year, each as its weeks of seven places."""
    made = []
    for number, days in groupby(found, key=lambda each: each.day.month):
        days = list(days)
        cells = [None] * (days[0].day.isoweekday() - 1) + days
        cells += [None] * (-len(cells) % 7)
        made.append({"name": MONTHS[number], "weeks": [cells[first : first + 7] for first in range(0, len(cells), 7)]})
    return {"head": [(WEEKDAYS_ABBR[n], WEEKDAYS[n]) for n in range(7)], "months": made}


def row_of(found, calendar, now):
    row = found.row
    if not found.is_own:
        source = _("from %(name)s") % {"name": calendar.base.name}
    else:
        source = _("set by hand") if row.is_by_hand else row.source
    return {
        "row": row,
        "day": short_day(found.day, now),
        "weekday": WEEKDAYS_ABBR[found.day.weekday()],
        "status": "ok" if row.is_open else "none",
        "word": _("Working day") if row.is_open else _("Day off"),
        "source": source,
        "may_remove": found.is_own and row.is_by_hand,
        "other": ("no", _("Make it a day off")) if row.is_open else ("yes", _("Make it a working day")),
    }


def week_of(calendar):
    """The days off of its week, in words."""
    off = [str(WEEKDAYS[number - 1]) for number in sorted(calendar.weekend)]
    return ", ".join(off) if off else _("no day off in the week")


def known(calendar):
    """How far the public holidays are known, in words."""
    if not (calendar.base or calendar).country:
        return _("set by hand only")
    last = calendar.known_until(today())
    if last is None:
        return _("not for this year")
    return _("through %(day)s") % {"day": day(last)}


def url_of(calendar, year=None):
    return reverse("calendar_detail", args=[calendar.code]) + (f"?year={year}" if year else "")


@require_POST
@approvers_only
def calendar_day(request, code):
    """Sets days by hand; they win over public holidays."""
    calendar = calendar_of(request, code)
    form = DaysForm(request.POST)
    if not form.is_valid():
        return show(request, calendar, days_form=form)
    first, last = form.cleaned_data["day"], form.cleaned_data["until"]
    count = set_by_hand(calendar, first, last, form.cleaned_data["is_open"], form.cleaned_data["name"].strip())
    messages.success(request, ngettext("Set by hand: %(n)s day.", "Set by hand: %(n)s days.", count) % {"n": count})
    return SeeOther(url_of(calendar, first.year))


@require_POST
@approvers_only
def calendar_day_remove(request, code, pk):
    """Takes a day set by hand away; a public holiday of that day counts again."""
    calendar = calendar_of(request, code)
    row = get_object_or_404(CalendarException, pk=pk, calendar=calendar, source="")
    row.delete()
    messages.success(request, _("%(day)s is no longer set by hand.") % {"day": day(row.day)})
    return SeeOther(url_of(calendar, row.day.year))


@require_POST
@approvers_only
def calendar_take_in(request, code):
    """Takes in the public holidays of a country for some years, and says what changed."""
    calendar = calendar_of(request, code)
    form = TakeInForm(request.POST, calendar=calendar)
    if not form.is_valid():
        return show(request, calendar, taking=form)
    try:
        done = take_in(calendar, form.cleaned_data["country"], form.cleaned_data["years"])
    except NotTaken as problem:
        return show(request, calendar, problem=problem.message)
    for sentence in done.sentences:
        messages.success(request, sentence)
    return SeeOther(url_of(calendar, done.years[0]))


@require_POST
@approvers_only
def calendar_factory(request, code):
    """Gives the calendar to a factory."""
    calendar = calendar_of(request, code)
    factory = factory_named(request, request.POST.get("factory", ""))
    if factory is None:
        return show(request, calendar, problem=_("Choose a factory."))
    give(calendar, factory)
    messages.success(request, _("%(factory)s works by this calendar now.") % {"factory": factory.name})
    return SeeOther(url_of(calendar))
