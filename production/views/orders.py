"""What was ordered: the list, one order, and adding to it."""

from collections import defaultdict

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import Count, DecimalField, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from production import codes, placing, unknown
from production.filters import OrderFilters, addressed
from production.forms.fields import refuse
from production.forms.orders import ConfirmForm, LineForm, OrderForm, today
from production.judging import standings, today_at, with_facts
from production.models import Delivery, Inspection, OrderLine, Product, PurchaseOrder
from production.plan_words import next_one, plan_of
from production.plans import courses
from production.reconcile import reconciliation_due_on
from production.supplies import supplies_of
from production.views.access import SeeOther, approves, order_writers_only, readers_only, sees_notes, sees_terms
from production.wording import amount, day, days, days_late, money, short_day

PRODUCTS_OFFERED = 200


@require_safe
@readers_only
def order_list(request):
    filters = OrderFilters(request.GET, request.user)
    unknown.say_of(request, filters, state=dict(OrderFilters.STATES)[OrderFilters.OPEN])
    page = filters.page(request, today())
    chips = [
        {"label": label, "url": addressed(request.GET, state=state), "is_chosen": state == filters.chosen_state}
        for state, label in OrderFilters.STATES
    ]
    context = {
        "filters": filters,
        "chips": chips,
        "rows": _rows(page.rows),
        "page": page,
        "may_add": request.user.writes_orders(),
        "is_narrowed": bool(set(filters.chosen()) - {"state"}),
    }
    return render(request, "production/order_list.html", context)


def _rows(orders):
    """One row for each order of a page, from its lines and its plan: the same queries for any number of orders."""
    received = Delivery.objects.filter(line=OuterRef("pk")).values("line").annotate(sum=Sum("quantity")).values("sum")
    lines = OrderLine.objects.filter(order__in=orders).select_related("outcome", "product", "site")
    per_order = defaultdict(list)
    for line in lines.annotate(received=Coalesce(Subquery(received), 0, output_field=DecimalField())):
        per_order[line.order_id].append(line)
    planned = courses([order.pk for order in orders], today())
    return [_row(order, per_order[order.pk], planned.get(order.pk)) for order in orders]


def _row(order, lines, course):
    units = {line.product.unit for line in lines}
    waiting = [line for line in lines if hasattr(line, "outcome") and line.outcome.is_open and line.outcome.due_on]
    due = min((line.outcome.due_on for line in waiting), default=None)
    status, word = _state(order, lines, waiting)
    if last := getattr(order, "last_receipt_on", None):
        due = reconciliation_due_on(last)
        status, word = "watch", _("To close since %(day)s") % {"day": short_day(due, today())}
    return {
        "order": order,
        "url": url_of(order),
        "lines": len(lines),
        "received": amount(sum(line.received for line in lines)),
        "ordered": amount(sum(line.quantity for line in lines)),
        "unit": units.pop() if len(units) == 1 else "",
        "due": short_day(due, today()) if due else "–",
        "status": status,
        "word": word,
        "next": next_one(course, today()),
    }


def _state(order, lines, waiting):
    """The pill of an order: its worst open line, each by the day it is at its site."""
    ahead = [((line.outcome.due_on - today_at(line)).days, line.outcome.limit_on < today_at(line)) for line in waiting]
    if late := [-left for left, is_late in ahead if is_late]:
        return "breach", days_late(max(late))
    if ahead:
        left = min(left for left, _is_late in ahead)
        if left < 0:
            return "watch", _("In grace")
        return ("watch", _("Due today")) if left == 0 else ("info", _("Due in %(days)s") % {"days": days(left)})
    if order.closed_on:
        return "ok", _("Closed")
    if not lines:
        return "info", _("No lines yet")
    if all(hasattr(line, "outcome") and not line.outcome.is_open for line in lines):
        return "ok", _("All received")
    return "info", _("Open")


def url_of(order, name="order_detail", **query):
    url = reverse(name, args=[order.factory.code, order.number])
    return f"{url}?{'&'.join(f'{key}={value}' for key, value in query.items())}" if query else url


def order_of(request, factory, number, **narrower):
    orders = PurchaseOrder.objects.visible_to(request.user).select_related("factory__standing")
    return get_object_or_404(orders, factory__code=factory, number=number, **narrower)


@require_safe
@readers_only
def order_by_number(request, number):
    """The orders that bear a number: one is shown, several are listed."""
    orders = list(PurchaseOrder.objects.visible_to(request.user).select_related("factory").filter(number=number)[:50])
    if not orders:
        raise Http404
    if len(orders) == 1:
        return HttpResponseRedirect(url_of(orders[0]))
    context = {"number": number, "rows": _rows(orders)}
    return render(request, "production/order_by_number.html", context)


@require_safe
@readers_only
def order_detail(request, factory, number):
    order = order_of(request, factory, number)
    user = request.user
    lines = standings(with_facts(OrderLine.objects.filter(order=order)).order_by("number", "id"))
    context = {
        "order": order,
        "facts": _facts(order, user),
        "lines": [_line(line, where, user) for line, where in lines],
        "standing": _worst(lines),
        "deliveries": _deliveries(order),
        "inspections": _inspections(order),
        "revisions": _revisions(lines),
        "cancellations": [
            {"line": line.number, "quantity": amount(each.quantity), "unit": line.product.unit,
             "on": day(each.cancelled_on), "by": each.get_by_display(), "reason": each.reason}
            for line, _where in lines
            for each in line.cancellations.all()
        ],
        "supplies": supplies_of(order, with_prices=user.sees_prices()),
        "plan": plan_of(order, user, today(), sees_notes(user)),
        "plan_url": url_of(order, "plan_edit") if user.writes_orders() and lines and not order.closed_on else "",
        "sees_prices": user.sees_prices(),
        "sees_notes": sees_notes(user),
        "may_approve": approves(user),
        "actions": _actions(order, lines) if user.writes_orders() else [],
        "may_log": user.writes_orders() and any(where.open for _line_, where in lines),
    }  # fmt: skip
    return render(request, "production/order_detail.html", context)


def _facts(order, user):
    facts = [
        (_("Factory"), order.factory.name),
        (_("Ordered"), day(order.ordered_on) if order.ordered_on else None),
        (_("Confirmed"), day(order.confirmed_on) if order.confirmed_on else _("not yet")),
        (_("Contract cycle"), days(order.cycle_days) if order.cycle_days is not None else None),
        (_("Closed"), day(order.closed_on) if order.closed_on else None),
        (_("Deposit and payment"), placing.deposit_terms(order.factory) if sees_terms(user) else None),
        (_("Internal note"), order.note if sees_notes(user) else None),
    ]
    return [(name, value) for name, value in facts if value]


def _worst(lines):
    """The standing of the line that is worst off: late ones first, then the one due first."""
    rank = {"breach": 0, "watch": 1, "info": 2, "no_data": 3, "ok": 4}
    found = sorted((where for _line_, where in lines), key=lambda where: (rank[where.status], -where.days_late))
    return found[0] if found else None


def _line(line, where, user):
    return {
        "line": line,
        "product": line.product.name,
        "ordered": amount(where.ordered),
        "cancelled": amount(where.cancelled) if where.cancelled else "",
        "received": amount(where.received),
        "open": amount(where.open),
        "unit": line.product.unit,
        "promised": day(line.promised_on),
        "due": day(where.due) if where.due != line.promised_on else "",
        "limit": day(where.limit),
        "price": money(line.unit_price, line.order.currency) if user.sees_prices() else "",
        "status": where.status,
        "word": where.word,
        "effect": where.effect,
        "log_url": reverse("delivery_new", query={"line": codes.full_code(line)})
        if user.writes_orders() and where.open
        else "",
    }


def _deliveries(order):
    found = Delivery.objects.filter(line__order=order).select_related("line__product", "site").newest_first()[:200]
    return [
        {"delivery": each, "line": each.line.number, "quantity": amount(each.quantity), "unit": each.line.product.unit,
         "on": day(each.received_on), "site": each.site.name, "is_reversal": each.kind == Delivery.Kind.REVERSAL}
        for each in found
    ]  # fmt: skip


def _inspections(order):
    found = Inspection.objects.filter(lot__line__order=order).select_related("lot__line").newest_first()[:200]
    return [
        {"inspection": each, "line": each.lot.line.number, "lot": each.lot.code, "on": day(each.inspected_on),
         "found": amount(each.units_defective), "inspected": amount(each.units_inspected)}
        for each in found
    ]  # fmt: skip


def _revisions(lines):
    return [
        {"revision": each, "line": line.number, "new_on": day(each.new_on), "cause": each.get_cause_display(),
         "reason": each.reason, "approved": day(each.approved_on) if each.approved_on else ""}
        for line, _where in lines
        for each in sorted(line.revisions.all(), key=lambda each: each.pk)
    ]  # fmt: skip


def _actions(order, lines):
    """What a writer may do with an order as it stands: (label, address)."""
    some_open = any(where.open for _line_, where in lines)
    some_unconfirmed = any(line.terms_frozen_on is None for line, _where in lines)
    offered = [
        (_("Confirm"), "order_confirm", some_unconfirmed and not order.closed_on),
        (_("Add a line"), "line_new", not order.closed_on),
        (_("Record a date revision"), "revision_new", bool(lines)),
        (_("Record a cancellation"), "cancellation_new", some_open),
        (_("Close a line short"), "line_close_short", some_open),
        (_("Record material"), "movement_new", True),
        (_("Close the order"), "order_close", bool(lines) and not order.closed_on),
    ]
    return [(label, url_of(order, name)) for label, name, is_offered in offered if is_offered]


@order_writers_only
def order_new(request):
    form = OrderForm(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                order = form.save()
        except IntegrityError as error:
            refuse(form, error, PurchaseOrder, order_number_unique_in_factory="number")
        else:
            messages.success(request, _("Order %(number)s is added. Now its lines.") % {"number": order.number})
            return SeeOther(url_of(order, "line_new"))
    context = {
        "title": _("Add an order"),
        "back": reverse("order_list"),
        "trail": [(_("Orders"), reverse("order_list"))],
        "form": form,
        "button": _("Save order"),
    }
    return render(request, "production/confirm.html", context, status=422 if form.errors else 200)


@order_writers_only
def line_new(request, factory, number):
    order = order_of(request, factory, number)
    if order.closed_on:
        messages.error(request, _("The order is closed, so it takes no more lines."))
        return SeeOther(url_of(order))
    count = order.lines.aggregate(count=Count("id"))["count"]
    last = order.lines.order_by("-id").first()
    initial = {
        "number": f"L{count + 1}",
        "site": last.site.code if last else None,
        "calendar": order.factory.calendar_id,
    }
    if last:
        initial |= {name: getattr(last, name) for name in LineForm.TERMS} | {"requested_on": last.requested_on}
    form = LineForm(request.POST or None, order=order, user=request.user, initial=initial)
    if request.method == "POST":
        line = None
        try:
            with transaction.atomic():
                form.order = (
                    PurchaseOrder.objects.select_for_update(of=("self",)).select_related("factory").get(pk=order.pk)
                )
                placing.hold(order.factory)
                line = form.save() if form.is_valid() else None
        except IntegrityError as error:
            refuse(form, error, OrderLine, line_number_unique_in_order="number", unit_price_not_negative="unit_price")
        if line and not form.errors:
            messages.success(request, _("Line %(number)s is added.") % {"number": line.number})
            return SeeOther(url_of(order, "line_new") if request.POST.get("then") == "another" else url_of(order))
    made_here = Q(lines__factory=order.factory) | Q(category=order.factory.category)
    context = {
        "order": order,
        "back": url_of(order),
        "form": form,
        "plain": [form[name] for name in LineForm.Meta.fields[:6]],
        "terms": [form[name] for name in LineForm.TERMS],
        "terms_bad": bool(set(form.errors) & set(LineForm.TERMS)),
        "products": Product.objects.filter(made_here).distinct().order_by("code")[:PRODUCTS_OFFERED],
    }
    return render(request, "production/line_new.html", context, status=422 if form.errors else 200)


@order_writers_only
def order_confirm(request, factory, number):
    """Freezes the terms of the lines and the days the factory first committed to."""
    order = order_of(request, factory, number)
    form = None
    try:
        with transaction.atomic():
            order = PurchaseOrder.objects.select_for_update(of=("self",)).select_related("factory").get(pk=order.pk)
            open_lines = order.lines.filter(terms_frozen_on=None).select_related("product").order_by("number", "id")
            lines = list(open_lines)
            if not lines or order.closed_on:
                messages.info(request, _("No line waits to be confirmed."))
                return SeeOther(url_of(order))
            placing.hold(order.factory)
            form = ConfirmForm(request.POST or None, order=order, lines=lines, user=request.user)
            is_good = request.method == "POST" and form.is_valid()
            if is_good:
                form.save()
    except IntegrityError as error:
        refuse(form, error, PurchaseOrder, OrderLine, order_days_within_calendar="confirmed_on")
        is_good = False
    if is_good:
        messages.success(request, _("Confirmed: the first committed days and the terms are frozen."))
        return SeeOther(url_of(order))
    context = {
        "title": _("Confirm %(number)s") % {"number": order.number},
        "back": url_of(order),
        "trail": [(_("Orders"), reverse("order_list")), (order.number, url_of(order))],
        "form": form,
        "told": _("From then on these days and the terms are what the factory is judged by. They cannot be changed; "
                  "a later day is a date revision."),
        "button": _("Confirm"),
    }  # fmt: skip
    return render(request, "production/confirm.html", context, status=422 if form.errors else 200)
