"""What needs me today: one address, another page for each role."""

import datetime
from collections import Counter
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Exists, F, IntegerField, Max, OuterRef, Subquery
from django.db.models.functions import TruncDate
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.models import User
from assessments import breach_wording, charts, four_eyes, scorecards, wording
from assessments.figures import count, day, percent, points, quantity
from assessments.models import Breach, Evaluation, Policy
from assessments.scorecards import GRADES_WORST_FIRST, Month, Standing
from assessments.views import disputes, exclusions
from assessments.views.breaches import pressing, with_names
from assessments.views.entrance import today
from factories.models import Factory, WorkingDay
from production import plan_words, plans
from production.calendars import ending
from production.judging import today_at
from production.models import Delivery, FactoryDay, Inspection, LineOutcome, Lot, Milestone, PurchaseOrder, Site
from production.supplies import overdue

BREACHES, IN_HAND, LINES, DUE_SOON_DAYS, GAP_DAYS, DECISIONS, SLIPPING = 6, 3, 8, 7, 2, 6, 6


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What needs me today?"""
    role = request.user.role
    make = {
        User.Role.BUYER: buyer,
        User.Role.INSPECTOR: inspector,
        User.Role.OFFICER: officer,
        User.Role.CONTACT: contact,
    }.get(role, manager)
    context = {"today": today(), "role": role, "part": f"assessments/home/{make.__name__}.html"}
    return render(request, "assessments/home.html", context | make(request.user))


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """Words, colours, the states, and how a grade is made."""
    return render(request, "assessments/help.html")


def manager(user: User) -> dict[str, Any]:
    standings = scorecards.standings(Factory.objects.visible_to(user))
    grades = Counter(standing.grade for standing in standings)
    states = Counter(standing.status for standing in standings)
    breached = breaches(user)
    return {
        "grades": [(grade, grades[grade], reverse("factory_list") + f"?grade={grade}") for grade in GRADES_WORST_FIRST],
        "states": [
            (state, states[state], reverse("factory_list") + f"?status={state}")
            for state in ("breach", "watch")
            if states[state]
        ],
        "factory_count": len(standings),
        "disputes": disputes.waiting(user),
        "to_decide": exclusions.waiting(user),
        "unreconciled": unreconciled(user),
        "breaches": breached["rows"],
        "breach_count": breached["count"],
        "in_hand": in_hand(user),
        "slipping": slipping(user),
        "late": lines(user, late=True),
        "due": lines(user, late=False),
        "gaps": data_gaps(user),
        "decisions": decisions(user),
        "calendars": [(calendar, day(last) if last else "") for calendar, last in ending(today())],
        "otif": otif(user),
        "data_as_of": scorecards.newest_moment(standings),
    }


def decisions(user: User) -> list[dict[str, str]]:
    """What waits for a second person, who is this one: proposed policies, and the question whether to need two."""
    waiting = Policy.objects.waiting_for(user).select_related("factory", "category", "created_by")
    rows = [
        {
            "url": reverse("policy_detail", args=[policy.pk]),
            "title": _("A policy waits for your approval: %(scope)s") % {"scope": policy.scope_name},
            "told": _("proposed by %(who)s from %(day)s")
            % {"who": policy.created_by or _("somebody"), "day": day(policy.effective_from)},
        }
        for policy in waiting.order_by("effective_from", "pk")[:DECISIONS]
    ]
    setting = four_eyes.setting()
    if setting.is_on and setting.off_asked_by_id not in (None, user.pk):
        rows.append(
            {
                "url": reverse("policy_list"),
                "title": _("Shall policies need one person only?"),
                "told": _("asked by %(who)s") % {"who": setting.off_asked_by},
            }
        )
    return rows


def buyer(user: User) -> dict[str, Any]:
    breached = breaches(user)
    return {
        "disputes": disputes.waiting(user),
        "unreconciled": unreconciled(user),
        "late": lines(user, late=True),
        "due": lines(user, late=False),
        "breaches": breached["rows"],
        "breach_count": breached["count"],
        "in_hand": in_hand(user),
        "last": my_deliveries(user),
        "gaps": data_gaps(user),
        "data_as_of": scorecards.data_as_of(Evaluation.objects.visible_to(user)),
    }


def inspector(user: User) -> dict[str, Any]:
    """Lots that arrived or wait without any inspection, oldest first, and my last inspections."""
    waiting = (
        Lot.objects.visible_to(user)
        .filter(~Exists(Inspection.objects.filter(lot=OuterRef("pk"))))
        .annotate(arrived_on=Max("deliveries__received_on"))
        .select_related("line__order__factory", "line__product")
        .order_by(F("arrived_on").desc(nulls_last=True), "-pk")
    )
    mine = Inspection.objects.visible_to(user).filter(recorded_by=user).with_lot().newest_first()[:LINES]
    since = today() - datetime.timedelta(days=30)
    rejected = Inspection.objects.visible_to(user).filter(verdict=Inspection.Verdict.REJECTED, inspected_on__gte=since)
    return {
        "lots": [lot_row(lot) for lot in waiting[:LINES]],
        "mine": list(mine),
        "record_url": url_or_none("inspection_new"),
        "rejected": rejected.count(),
        "rejected_url": url_or_none("inspection_list", **{"verdict": Inspection.Verdict.REJECTED, "from": str(since)}),
    }


def lot_row(lot: Lot) -> dict[str, Any]:
    order = lot.line.order
    return {
        "code": lot.code,
        "order": lot.line.code,
        "order_url": order.get_absolute_url(),
        "factory": order.factory,
        "product": lot.line.product.name,
        "quantity": quantity(lot.quantity),
        "arrived": day(lot.arrived_on),
        "url": url_or_none("inspection_new", lot=f"{order.factory.code}/{lot.code}"),
    }


def officer(user: User) -> dict[str, Any]:
    return {}


def contact(user: User) -> dict[str, Any]:
    """The own factories' cards and the lines still to deliver."""
    standings = scorecards.standings(Factory.objects.visible_to(user))
    cards = [
        {
            "factory": s.factory,
            "grade": s.grade,
            "status": s.status,
            "score": points(s.score),
            "score_url": "" if s.score is None else reverse("score_detail", args=[s.factory.code, str(s.as_of)]),
            "url": reverse("factory_detail", args=[s.factory.code]),
            "measures": [
                (
                    wording.label(name),
                    wording.value(name, s.measures.get(name)),
                    wording.linked_fraction(name, s.measures.get(name), partial(_rows_url, s, name)),
                    wording.state(s.measures.get(name)),
                    wording.state_word(name, s.measures.get(name)),
                )
                for name in wording.MEASURES
            ],
        }
        for s in standings
    ]
    return {
        "cards": cards,
        "to_confirm": to_confirm(user),
        "disputes": disputes.waiting(user),
        "late": lines(user, late=True),
        "due": lines(user, late=False),
        "data_as_of": scorecards.newest_moment(standings),
    }


def to_confirm(user: User) -> list[dict[str, str]]:
    """The own orders whose plan waits for the factory's word, first planned first."""
    drafts = Milestone.objects.filter(order=OuterRef("pk"), frozen_at=None)
    orders = PurchaseOrder.objects.visible_to(user).filter(Exists(drafts), closed_on=None).select_related("factory")
    return [
        {"number": order.number, "url": plan_words.url_of(order, "plan_confirm")}
        for order in orders.order_by("pk")[:DECISIONS]
    ]


def _rows_url(standing: Standing, measure: str, **query: str) -> str:
    """Where the rows behind a number of the newest day are."""
    page = reverse("score_rows", args=[standing.factory.code, str(standing.as_of), measure])
    return f"{page}?{urlencode(query)}" if query else page


def breaches(user: User) -> dict[str, Any]:
    """Breaches that wait for somebody to acknowledge them."""
    waiting = Breach.objects.visible_to(user).filter(state__in=[Breach.State.OPEN, Breach.State.ESCALATED])
    found = with_names(pressing(waiting))
    rows = [breach_wording.row(breach) for breach in found[:BREACHES]]
    return {"rows": rows, "count": len(rows) if len(rows) < BREACHES else waiting.count()}


def in_hand(user: User) -> list[dict[str, Any]]:
    """The breaches that somebody acknowledged last, with who has them."""
    found = Breach.objects.visible_to(user).filter(state=Breach.State.ACKNOWLEDGED).order_by("-acknowledged_at")
    return [breach_wording.row(breach) for breach in with_names(found)[:IN_HAND]]


def unreconciled(user: User) -> int:
    """Orders whose goods have all come for more than 30 days, with our material, that nobody closed (MAT-9)."""
    return overdue(PurchaseOrder.objects.visible_to(user), today()).count()


def slipping(user: User) -> dict[str, Any]:
    """Orders whose plan heads for an end later than planned, the worst first: how many, and the first of them."""
    visible = PurchaseOrder.objects.visible_to(user)
    late = plans.late_plans(today())
    found = late.courses(visible, SLIPPING)
    orders = PurchaseOrder.objects.select_related("factory").in_bulk(list(found))
    return {
        "rows": [plan_words.slipping_row(orders[order], course) for order, course in found.items()],
        "count": late.of(visible).count(),
        "url": url_or_none("order_list", state="at-risk"),
    }


def lines(user: User, late: bool) -> dict[str, Any]:
    """Open order lines past their limit day, or due from today on for a week: how many, and the first of them."""
    waiting = LineOutcome.objects.visible_to(user)
    found = waiting.late() if late else waiting.due_within(DUE_SOON_DAYS)
    # The first by the index of the open lines; in full for these only.
    first = list(found.order_by("limit_on", "line_id").values_list("line_id", flat=True)[:LINES])
    shown = LineOutcome.objects.select_related("line__order__factory", "line__product", "line__site").in_bulk(first)
    return {
        "rows": [line_row(shown[key]) for key in first if key in shown],
        "count": len(first) if len(first) < LINES else found.count(),
        "url": url_or_none("line_list", state="late" if late else "soon"),
    }


def line_row(row: LineOutcome) -> dict[str, Any]:
    line, order = row.line, row.line.order
    return {
        "code": line.code,
        "url": order.get_absolute_url(),
        "factory": order.factory.name,
        "product": line.product.name,
        "site": line.site.name,
        "left": quantity(max(row.qty_due - row.qty_received, row.qty_due * 0)),
        "due": day(row.due_on),
        "days": (today_at(line) - row.due_on).days if row.due_on else 0,
        "log_url": url_or_none("delivery_new", line=f"{order.factory.code}/{order.number}/{line.number}"),
    }


def my_deliveries(user: User) -> list[Delivery]:
    return list(Delivery.objects.visible_to(user).filter(recorded_by=user).with_line().newest_first()[:5])


def data_gaps(user: User) -> list[dict[str, Any]]:
    """Sites with open lines that are due, where nothing was logged for two working days or more."""
    now = today()
    last = (
        Delivery.objects.filter(site=OuterRef("pk"))
        .order_by("-recorded_at")
        .annotate(on=TruncDate("recorded_at"))
        .values("on")[:1]
    )
    open_days = (
        WorkingDay.objects.filter(calendar=OuterRef("calendar"), day__gt=OuterRef("logged_on"), day__lt=now)
        .order_by()
        .values("calendar")
        .annotate(n=Count("pk"))
        .values("n")
    )
    quiet = {}
    sites = Site.objects.annotate(logged_on=Subquery(last))
    for site in sites.annotate(quiet=Subquery(open_days, IntegerField())).order_by("name"):
        days = (site.quiet or 0) if site.calendar_id else weekdays_between(site.logged_on, now)
        if site.logged_on is None or days >= GAP_DAYS:
            quiet[site] = days
    waiting = LineOutcome.objects.visible_to(user).filter(is_open=True, due_on__lte=now, line__site__in=quiet)
    counts = dict(waiting.values_list("line__site").annotate(n=Count("pk")).order_by()) if quiet else {}
    return [
        {
            "site": site.name,
            "waiting": counts[site.pk],
            "quiet": days,
            "url": url_or_none("line_list", state="due", site=site.code),
        }
        for site, days in quiet.items()
        if site.pk in counts
    ]


def weekdays_between(first: datetime.date | None, last: datetime.date) -> int:
    """Mondays to Fridays after `first` and before `last`: for a site without a calendar."""
    if first is None:
        return 0
    days = ((first + datetime.timedelta(days=n)) for n in range(1, (last - first).days))
    return sum(day.isoweekday() < 6 for day in days)


def otif(user: User) -> dict[str, Any] | None:
    """On time in full of every factory together, per calendar month."""
    months = scorecards.otif_by_month(FactoryDay.objects.visible_to(user), today())
    known = [month for month in months if month.total]
    if not known:
        return None
    label = _("On time in full, all factories")
    drawn = [
        charts.Point(
            date_format(m.first, "M"),
            m.rate,
            few=m is months[-1],
            note=ngettext("%(good)s of %(total)s line", "%(good)s of %(total)s lines", m.total)
            % {"good": count(m.good), "total": count(m.total)},
        )
        for m in months
    ]
    rows = [[date_format(m.first, "M Y"), percent(m.rate), f"{count(m.good)} / {count(m.total)}"] for m in known[::-1]]
    return {
        "title": label,
        "chart": charts.trend(drawn, None, None, False, label, said(known)),
        "head": [_("Month"), _("On time in full"), _("Lines")],
        "rows": rows,
        "aside": _("by the month in which a line was due; this month so far"),
    }


def said(known: list[Month]) -> str:
    return _("From %(first)s to %(last)s.") % {"first": percent(known[0].rate, 1), "last": percent(known[-1].rate, 1)}


def url_or_none(name: str, **query: str) -> str | None:
    """A page of another floor, if it is there."""
    try:
        return reverse(name) + (f"?{urlencode(query, safe='/')}" if query else "")
    except NoReverseMatch:
        return None
