"""The scorecard of one factory, and the button that watches it."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import BooleanField, Exists, Func, OuterRef
from django.db.models.functions import JSONObject
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from assessments import breach_wording, evidence, scorecards, wording
from assessments.figures import count, country_name, day, points, quantity
from assessments.models import Breach, Evaluation, Watch
from assessments.scorecards import Card
from assessments.views import drawings, lot_charts, outlook
from assessments.views.account import safe_next
from assessments.views.breaches import pressing, with_names
from assessments.views.entrance import BUSINESS, STAFF, factory_or_404, open_to, sees_money, today
from assessments.views.grades import in_force, standing
from factories.models import Category, Contact, Factory
from production import strictness
from production.drawn_pages import held, kept_while_the_answers_hold, written
from production.models import LineOutcome, PurchaseOrder
from production.prepared import Prepared
from production.switching import State

WORST_LINES = 6
RUNNING_ORDERS = 6
BREACHES = 5


@require_safe
@open_to(BUSINESS)
@kept_while_the_answers_hold
def factory_detail(request: HttpRequest, code: str) -> HttpResponse:
    """Is this factory failing, at what, since when?"""
    user = request.user
    watches = Watch.objects.filter(user=user, factory=OuterRef("pk"))
    factory = factory_or_404(
        user, code, is_watched=Exists(watches), reached_at=contacts(), in_force=in_force(), written=written(),
        categories=categories(),
    )  # fmt: skip
    card = scorecards.card(factory, today())
    chosen = _chosen(card, request.GET.get("period", ""))
    context: dict[str, Any] = {
        "factory": factory,
        "card": card,
        "evaluation": chosen,
        "is_now": chosen is not None and chosen is card.now,
        "periods": periods(card),
        "shows_breaches": user.sees_breaches(),
        "is_watched": user.sees_breaches() and factory.is_watched,
        "breaches": open_breaches(user, factory),
        "orders": running_orders(factory),
        "facts": facts(factory, links=user.writes_orders()),
        "standing": standing(factory, user),
        "breaches_url": f"{reverse('breach_list')}?state=all&factory={factory.code}" if user.sees_breaches() else "",
        "pairs": pairs([], []),
        "data_as_of": chosen.computed_at if chosen else None,
    }
    if chosen:
        with held(factory.written, "production_inspection"):
            context |= judged(factory, card, chosen, sees_money(user))
    return render(request, "assessments/factory_detail.html", context)


def _chosen(card: Card, period: str) -> Evaluation | None:
    """The month of the query string, else the newest day, else the newest month."""
    asked = next((month for month in card.months.values() if month.period == period), None)
    return asked or card.now or card.month


def periods(card: Card) -> list[tuple[str, str]]:
    now = [("", _("Now (%(day)s)") % {"day": day(card.now.as_of)})] if card.now else []
    return now + [
        (card.months[end].period, wording.period_name(card.months[end])) for end in sorted(card.months, reverse=True)
    ]


def judged(factory: Factory, card: Card, shown: Evaluation, money: bool) -> dict[str, Any]:
    """What the page says about one evaluation."""
    drawn = drawings.trends(card, today(), shown, money)
    year = lot_charts.lots(factory, shown.as_of)
    lots, severities = year.drawn, inspecting(factory, year.states)
    sums = outlook.sums(factory, shown, card.now)
    arrows = outlook.arrows(sums)
    return {
        "summary": wording.summary(shown, money),
        "late": late(shown),
        "stats": [score_stat(shown), *(stat(name, shown, money, arrows[name]) for name in wording.MEASURES)],
        "first_trend": drawn[0],
        "pairs": pairs([*drawn[1:], *((lots.chart, lots.drift) if lots else ())], severities),
        "inspecting": severities,
        "drifts": bool(lots and lots.drifts),
        "lines": late_lines(shown),
        "gain": evidence.one_more_on_time(shown),
        "score_url": wording.score_url(shown),
        "lines_url": wording.score_url(shown, "otif"),
        "window": wording.when(shown),
        "projection": projection(card) | (outlook.outlook(card, sums) if card.now else {}),
        "gates": [wording.gate(gate, shown.policy) for gate in shown.gates],
    }


def pairs(drawn: list[dict[str, Any] | None], severities: list[Any]) -> list[list[dict[str, Any]]]:
    """What stands below, two and two: the drawings that have something to draw, the running orders, how strictly lots are
    inspected, the factory's facts."""
    blocks = [{"kind": "chart", **drawing} for drawing in drawn if drawing and drawing["chart"]]
    blocks += [{"kind": "orders"}, *([{"kind": "inspecting"}] if severities else []), {"kind": "facts"}]
    return [blocks[place : place + 2] for place in range(0, len(blocks), 2)]


def score_stat(shown: Evaluation) -> dict[str, Any]:
    few = shown.score is None
    sub = _("Too few data for a score") if few else _("100 at every target, 60 at every limit")
    return {
        "label": _("Score"),
        "value": points(shown.score),
        "unit": "" if few else "/ 100",
        "sub": sub,
        "status": "no_data" if few else shown.raw_grade,
        "url": wording.score_url(shown),
        "url_text": _("What is there so far?") if few else _("How was it worked out?"),
    }


def stat(name: str, shown: Evaluation, money: bool, arrow: str = "") -> dict[str, Any]:
    """One measure as a card: value with its trend, what it was counted from (a link), interval and threshold."""
    measure = shown.measures.get(name)
    state = wording.state(measure)
    card = {
        "label": wording.label(name),
        "value": wording.value(name, measure),
        "unit": "",
        "status": state,
        "status_text": wording.state_word(name, measure),
        "of": wording.linked_fraction(name, measure, partial(wording.score_url, shown, name), money),
    }
    if measure is None or state == "no_data":
        return card | {"sub": wording.few(name, measure, shown.policy)}
    if state == wording.NOT_APPLICABLE:
        return card | {
            "sub": _("No material of ours was given"),
            "status": "info",
            "status_text": _("Does not apply"),
            "of": "",
        }
    parts = [wording.threshold(name, measure), wording.interval(measure)]
    return card | {"sub": " · ".join(part for part in parts if part), "unit": arrow}


def late(shown: Evaluation) -> dict[str, str] | None:
    """The lines that were late or short as a link for the lead sentence."""
    bad = int((shown.measures.get("otif") or {}).get("bad") or 0)
    if not bad:
        return None
    return {
        "url": wording.score_url(shown, "otif", counted="late"),
        "text": ngettext("%(n)s line not on time in full", "%(n)s lines not on time in full", bad) % {"n": count(bad)},
    }


def projection(card: Card) -> dict[str, Any]:
    """The published grade, and what today's numbers point to."""
    now = card.now
    return {
        "grade": card.grade,
        "month": wording.period_name(card.month) if card.month else "",
        "month_url": wording.score_url(card.month) if card.month else "",
        "is_carried": bool(card.month and card.month.is_carried),
        "is_held": bool(
            card.month and card.month.score is not None and card.month.published_grade != card.month.raw_grade
        ),
        "raw": card.month.raw_grade if card.month else "",
        "now": now.raw_grade if now and now.score is not None else "no_data" if now else "",
        "score": points(now.score) if now else "",
        "now_url": wording.score_url(now) if now else "",
        "day": day(now.as_of) if now else "",
    }


def late_lines(shown: Evaluation) -> list[dict[str, Any]]:
    """The lines that cost most: most days late first."""
    late = evidence.split("otif", evidence.rows(shown, "otif"), "late")
    # The worst first, then what is shown of them: not the order and product of every late line.
    rows = late.filter(pk__in=late.values("pk")[:WORST_LINES]).select_related("line__order", "line__product")
    return [line_row(row, shown.factory) for row in rows]


def line_row(row: LineOutcome, factory: Factory) -> dict[str, Any]:
    row.line.order.factory = factory
    return {
        "url": row.line.order.get_absolute_url(),
        "code": row.line.code,
        "product": row.line.product.name,
        "due": day(row.due_on),
        "completed": day(row.completed_on) if row.completed_on else _("still open"),
        "days": f"{row.age}+" if row.is_open else row.age,
        "is_open": row.is_open,
        "units": f"{quantity(row.qty_on_time)} / {quantity(row.qty_due)}",
    }


def open_breaches(user: User, factory: Factory) -> list[dict[str, Any]]:
    live = pressing(Breach.objects.visible_to(user).live().filter(factory=factory))
    # The first ones, then what is shown of them: not the order, the lot and the arrival of every live one.
    first = ArraySubquery(live.values("pk")[:BREACHES])
    is_first = Func("pk", first, arg_joiner=" = ANY(", template="%(expressions)s)", output_field=BooleanField())
    found = with_names(pressing(Breach.objects.filter(is_first)))
    return [breach_wording.row(breach) for breach in found]


# Written out: from the few open lines of the factory to their orders, which is not the way that the database takes by itself.
OPEN_ORDERS = """
SELECT o.id, o.number, w.waiting, w.late, w.age, w.next_due,
    (SELECT count(*) FROM production_orderline l WHERE l.order_id = o.id) AS lines
FROM (
    SELECT order_id, count(*) AS waiting, count(*) FILTER (WHERE limit_on < there) AS late, min(due_on) AS next_due,
        COALESCE(max(there - due_on) FILTER (WHERE limit_on < there), 0) AS age
    FROM (
        SELECT t.order_id, t.due_on, t.limit_on, (now() AT TIME ZONE s.time_zone)::date AS there
        FROM production_lineoutcome t
        JOIN production_orderline l ON l.id = t.line_id JOIN production_site s ON s.id = l.site_id
        WHERE {which} AND t.is_open
    ) AS open_lines GROUP BY order_id OFFSET 0
) AS w
JOIN LATERAL (SELECT id, number FROM production_purchaseorder WHERE id = w.order_id AND closed_on IS NULL OFFSET 0) AS o ON TRUE
ORDER BY w.next_due NULLS LAST, o.id LIMIT %(most)s
"""
RUNNING = Prepared(OPEN_ORDERS.format(which="t.factory_id = %(factory)s"), factory="bigint", most="bigint")
SAME = Prepared(OPEN_ORDERS.format(which="t.order_id = ANY(%(orders)s)"), orders="bigint[]", most="bigint")


def running_orders(factory: Factory) -> list[dict[str, Any]]:
    """Open orders with lines to come, the most pressing first; for who sees the factory.

    How late they are hangs on the clock and the sites, too, which a kept page asks about for these orders only.
    """
    with held(factory.written, "production_site") as note, connection.cursor() as cursor:
        RUNNING.execute(cursor, {"factory": factory.pk, "most": RUNNING_ORDERS})
        found = cursor.fetchall()
        if note:
            note(SAME.call, {"orders": [row[0] for row in found], "most": RUNNING_ORDERS}, found)
    rows = []
    for pk, number, waiting, late, age, next_due, lines in found:
        order = PurchaseOrder(pk=pk, number=number, factory=factory)
        rows.append(
            {
                "number": number,
                "url": order.get_absolute_url(),
                "waiting": waiting,
                "lines": lines,
                "late": late,
                "due": day(next_due),
                "days": age,
            }
        )
    return rows


def categories() -> ArraySubquery:
    """The name of every category by its id, as plain values."""
    return ArraySubquery(Category.objects.order_by("name").values(json=JSONObject(id="pk", name="name")))


def inspecting(factory: Factory, found: dict[int, State]) -> list[dict[str, Any]]:
    """How strictly the next lot of each category is inspected by what became of the lots before (AQL-5)."""
    names = {row["id"]: row["name"] for row in factory.categories if row["id"] in found}
    status = {"normal": "ok", "tightened": "watch", "discontinued": "breach"}
    words = {
        "normal": _("Normal inspection"), "tightened": _("Tightened"), "discontinued": _("Discontinued"),
    }  # fmt: skip
    return [
        {
            "category": name,
            "status": status[found[pk].severity],
            "word": words[found[pk].severity],
            "said": strictness.linked(found[pk]),
        }
        for pk, name in names.items()
    ]


def contacts() -> ArraySubquery:
    """Who to write to at the outer factory, as plain values."""
    found = Contact.objects.filter(factory=OuterRef("pk"))
    return ArraySubquery(found.values(json=JSONObject(name="name", email="email", phone="phone", position="position")))


def facts(factory: Factory, links: bool) -> list[tuple[str, Any]]:
    """Who they are and when they work."""
    place = ", ".join(part for part in (factory.city, country_name(factory.country)) if part)
    found = [
        (_("Place"), place),
        (_("Category"), factory.category.name),
        (_("Status"), factory.get_status_display()),
        (_("Time zone"), factory.time_zone),
        (_("Calendar"), factory.calendar.name if factory.calendar else _("every day")),
    ]
    if factory.calendar and links:
        url = reverse("calendar_detail", args=[factory.calendar.code])
        found[-1] = (_("Calendar"), format_html('<a href="{}">{}</a>', url, factory.calendar.name))
    if factory.local_name:
        found.insert(0, (_("Local name"), factory.local_name))
    if factory.since_on:
        found.append((_("With us since"), day(factory.since_on)))
    for contact in factory.reached_at:
        reach = " · ".join(part for part in (contact["name"], contact["email"], contact["phone"]) if part)
        found.append((contact["position"] or _("Contact"), reach))
    return found


@require_POST
@open_to(STAFF)
def factory_watch(request: HttpRequest, code: str) -> HttpResponse:
    """Be told, or no longer be told, of this factory's breaches."""
    factory = factory_or_404(request.user, code)
    watch = Watch.objects.filter(user=request.user, factory=factory)
    if request.POST.get("watch") == "off":
        watch.delete()
        messages.success(request, _("You no longer watch %(name)s.") % {"name": factory.name})
    else:
        Watch.objects.get_or_create(user=request.user, factory=factory)
        messages.success(
            request, _("You watch %(name)s: its breaches come to you as messages.") % {"name": factory.name}
        )
    return HttpResponseRedirect(safe_next(request, reverse("factory_detail", args=[factory.code])))
