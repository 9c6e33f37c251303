"""What arrived: the list and one delivery."""

import datetime

from django.contrib import messages
from django.db import transaction
from django.db.models import Sum
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from production import unknown
from production.codes import full_code
from production.drawn_pages import kept_while_the_answers_hold
from production.exports import FORMATS, export
from production.filters import DeliveryFilters, addressed, page_of
from production.forms.deliveries import TakeBackForm, take_back
from production.history import story
from production.judging import standing, with_facts
from production.kept import Kept
from production.models import Delivery, OrderLine
from production.views.access import SeeOther, order_writers_only, readers_only, sees_notes
from production.wording import amount, day, days, moment

UNDO_WITHIN = datetime.timedelta(minutes=10)
HEAD = ["Delivery", "Factory code", "Factory", "Order", "Line", "Product code", "Product", "Kind", "Quantity", "Unit",
        "Received on", "Site", "Due", "Last day on time", "Days late", "Condition", "Lot", "Document"]  # fmt: skip
SHOWN = ("id", "kind", "quantity", "received_on", "condition", "site__name", "line__number", "line__order__number",
         "line__order__factory__name", "line__product__name", "line__product__unit", "line__outcome__due_on",
         "line__outcome__limit_on")  # fmt: skip
drawn: Kept[SafeString] = Kept(5_000)


@require_safe
@readers_only
@kept_while_the_answers_hold
def delivery_list(request):
    filters = DeliveryFilters(request.GET, request.user)
    unknown.say_of(request, filters)
    found = filters.apply(Delivery.objects.visible_to(request.user).with_line().select_related("line__outcome"))
    if request.GET.get("format") in FORMATS:
        newest = found.select_related("lot").newest_first().iterator(chunk_size=2000)
        return export(request.GET["format"], "deliveries", HEAD, map(_cells, newest))
    page = page_of(found.values_list(*SHOWN, named=True), request, key="received_on", newest_first=True)
    context = {
        "filters": filters,
        "rows": [_drawn(row) for row in page.rows],
        "page": page,
        "exports": [(kind.upper(), addressed(request.GET) + f"&format={kind}") for kind in FORMATS],
        "may_log": request.user.writes_orders(),
    }
    return render(request, "production/delivery_list.html", context)


def _outcome(line):
    return getattr(line, "outcome", None)


def _days_late(kind, received_on, due_on, limit_on) -> int | None:
    """Days from the due day to a delivery; 0 within the last day on time, None where nothing is judged yet."""
    if limit_on is None or kind == Delivery.Kind.REVERSAL:
        return None
    return (received_on - due_on).days if received_on > limit_on else 0


def _drawn(row) -> SafeString:
    """One row of the list, drawn once for all that it shows: drawing them is most of the page's time."""
    return drawn.get(
        (get_language(), *row), lambda: render_to_string("production/_delivery_row.html", {"row": _row(row)})
    )


def _row(row):
    late = _days_late(row.kind, row.received_on, row.line__outcome__due_on, row.line__outcome__limit_on)
    return {
        "url": reverse("delivery_detail", args=[row.id]),
        "code": Delivery(id=row.id).code,
        "line": f"{row.line__order__number}/{row.line__number}",
        "factory": row.line__order__factory__name,
        "product": row.line__product__name,
        "quantity": amount(row.quantity),
        "unit": row.line__product__unit,
        "received_on": day(row.received_on),
        "site": row.site__name,
        "late": days(late) if late else "",
        "is_on_time": late == 0,
        "is_reversal": row.kind == Delivery.Kind.REVERSAL,
        "is_damaged": row.condition == Delivery.Condition.DAMAGED,
    }


def _cells(delivery):
    line, outcome = delivery.line, _outcome(delivery.line)
    due_on, limit_on = (outcome.due_on, outcome.limit_on) if outcome else (None, None)
    return [
        delivery.code, line.order.factory.code, line.order.factory.name, line.order.number, line.number,
        line.product.code, line.product.name, delivery.kind, delivery.quantity, line.product.unit,
        delivery.received_on, delivery.site.code, due_on, limit_on,
        _days_late(delivery.kind, delivery.received_on, due_on, limit_on), delivery.condition,
        delivery.lot.code if delivery.lot else "", delivery.document,
    ]  # fmt: skip


@require_safe
@readers_only
def delivery_detail(request, pk):
    delivery = get_object_or_404(Delivery.objects.visible_to(request.user).with_everything(), pk=pk)
    receipt = delivery.reverses or delivery
    line = with_facts(OrderLine.objects.all()).get(pk=delivery.line_id)
    where = standing(line)
    parts = line.deliveries.select_related("site").order_by("received_on", "id")
    reversals = [each for each in parts if each.reverses_id == receipt.pk]
    still = receipt.quantity + sum(each.quantity for each in reversals)
    context = {
        "delivery": delivery,
        "line": line,
        "standing": where,
        "is_reversal": delivery.kind == Delivery.Kind.REVERSAL,
        "is_gone": still <= 0,
        "facts": _facts(delivery, line, where, sees_notes(request.user)),
        "parts": [_part(each, delivery) for each in parts],
        "numbers": {"ordered": amount(where.ordered), "received": amount(where.received), "open": amount(where.open)},
        "quantity": amount(abs(delivery.quantity)),
        "inspections": _inspections(request, delivery),
        "history": story(delivery, line.site.time_zone) if sees_notes(request.user) else [],
        "may_undo": may_undo(request.user, delivery, timezone.now()) and still > 0,
        "may_correct": request.user.writes_orders() and still > 0 and delivery == receipt,
        "may_inspect": request.user.writes_inspections() and still > 0,
        "dispute": receipt.disputes.open().first(),
        "may_dispute": request.user.role == request.user.Role.CONTACT,
        "late": _lateness(delivery, where),
        "order_url": reverse("order_detail", args=[line.order.factory.code, line.order.number]),
        "draft": f"delivery:{request.user.pk}:{full_code(line)}",
    }
    return render(request, "production/delivery_detail.html", context)


def _facts(delivery, line, where, with_notes):
    zone, at = delivery.site.time_zone, delivery.received_at
    facts = [
        (_("Promised"), day(line.promised_on)),
        (_("Due, as agreed since"), day(where.due) if where.due and where.due != line.promised_on else None),
        (_("Last day on time"), day(where.limit) if where.limit else None),
        (_("Received"), moment(at, zone) if at else day(delivery.received_on)),
        (_("Site"), delivery.site.name),
        (_("Condition"), delivery.get_condition_display()),
        (_("Damaged or wrong"), amount(delivery.damaged_quantity) if delivery.damaged_quantity else None),
        (_("Reason"), delivery.reason if with_notes or delivery.kind == Delivery.Kind.RECEIPT else None),
        (_("Lot"), delivery.lot.code if delivery.lot else None),
        (_("Document"), delivery.document),
        (_("Cartons"), amount(delivery.cartons) if delivery.cartons is not None else None),
        (_("Logged"), moment(delivery.recorded_at, zone)),
        (_("Logged by"), delivery.recorded_by if with_notes else None),
        (_("Note"), delivery.note if with_notes else None),
    ]
    return [(name, value) for name, value in facts if value]


def _part(each, shown):
    return {
        "delivery": each,
        "url": reverse("delivery_detail", args=[each.pk]),
        "quantity": amount(each.quantity),
        "received_on": day(each.received_on),
        "site": each.site.name,
        "is_reversal": each.kind == Delivery.Kind.REVERSAL,
        "is_shown": each.pk == shown.pk,
    }


def _lateness(delivery, where):
    """(status, word) of this delivery alone."""
    if delivery.kind == Delivery.Kind.REVERSAL:
        return "no_data", _("Taken back")
    if where.limit is None:
        return "no_data", _("No promised day")
    if delivery.received_on > where.limit:
        return "breach", _("%(days)s late") % {"days": days((delivery.received_on - where.due).days)}
    return "ok", _("Came in time")


def _inspections(request, delivery):
    if delivery.lot is None:
        return []
    found = delivery.lot.inspections.visible_to(request.user).order_by("inspected_on", "id")
    return [
        {"inspection": each, "url": reverse("inspection_detail", args=[each.pk]), "on": day(each.inspected_on)}
        for each in found
    ]


def may_undo(user, delivery, now) -> bool:
    """Its author may take a delivery back for ten minutes without a reason."""
    return (
        user.writes_orders()
        and delivery.kind == Delivery.Kind.RECEIPT
        and delivery.recorded_by_id == user.pk
        and now - delivery.recorded_at < UNDO_WITHIN
    )


@require_POST
@order_writers_only
def delivery_undo(request, pk):
    """Takes a delivery back with a reversal; the delivery itself stays on record."""
    delivery = get_object_or_404(Delivery.objects.visible_to(request.user).with_everything(), pk=pk)
    now = timezone.now()
    if not may_undo(request.user, delivery, now):
        messages.error(request, _("The ten minutes are over. Correct the delivery instead."))
        return SeeOther(reverse("delivery_detail", args=[pk]))
    with transaction.atomic():
        OrderLine.objects.select_for_update().get(pk=delivery.line_id)
        reversal = take_back(delivery, by=request.user, reason=_("Undone"), now=now)
    if reversal:
        messages.success(request, _("%(code)s is undone and counts no more.") % {"code": delivery.code})
    else:
        messages.info(request, _("%(code)s was taken back before.") % {"code": delivery.code})
    return SeeOther(reverse("delivery_detail", args=[pk]))


@order_writers_only
def delivery_take_back(request, pk):
    """Takes a delivery back without another in its place: it was logged on the wrong line, or never came."""
    delivery = get_object_or_404(
        Delivery.objects.visible_to(request.user).with_everything(), pk=pk, kind=Delivery.Kind.RECEIPT
    )
    form = TakeBackForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            OrderLine.objects.select_for_update().get(pk=delivery.line_id)
            take_back(delivery, by=request.user, reason=form.cleaned_data["reason"], now=timezone.now())
        messages.success(request, _("%(code)s is taken back and counts no more.") % {"code": delivery.code})
        return SeeOther(reverse("delivery_detail", args=[pk]))
    back = delivery.reversals.aggregate(back=Sum("quantity"))["back"] or 0
    context = {"delivery": delivery, "form": form, "standing_quantity": amount(delivery.quantity + back),
               "unit": delivery.line.product.unit}  # fmt: skip
    return render(request, "production/delivery_take_back.html", context, status=422 if form.errors else 200)
