"""What changes on an order after it was placed: days, quantities, material, its end."""

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import F
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _

from production.forms.fields import refuse
from production.forms.materials import MovementForm
from production.forms.orders import CancellationForm, CloseOrderForm, CloseShortForm, RevisionForm, today
from production.judging import standings, with_facts
from production.models import Cancellation, DateRevision, Material, MaterialMovement, OrderLine, PurchaseOrder
from production.supplies import supplies_of
from production.views.access import SeeOther, approvers_only, approves, order_writers_only
from production.views.orders import order_of, url_of
from production.wording import amount, day

MATERIALS_OFFERED = 200


def small_task(request, order, form, *, title, button, done, save, models, fields=None, **context):
    """A form on a page of its own: under the lock of the order, saved or shown again with what is wrong."""
    if request.method == "POST":
        try:
            with transaction.atomic():
                PurchaseOrder.objects.select_for_update().get(pk=order.pk)
                if form.is_valid():
                    save(form)
        except IntegrityError as error:
            refuse(form, error, *models, **(fields or {}))
        if not form.errors:
            messages.success(request, done(form) if callable(done) else done)
            return SeeOther(url_of(order))
    context |= {
        "title": title,
        "button": button,
        "form": form,
        "back": url_of(order),
        "trail": [(_("Orders"), reverse("order_list")), (order.number, url_of(order))],
    }
    template = context.pop("template", "production/confirm.html")
    return render(request, template, context, status=422 if form.errors else 200)


def typed(request):
    """What was sent, even if it is nothing: a form without data has neither errors nor anything to save."""
    return request.POST if request.method == "POST" else None


def _lines(order):
    return OrderLine.objects.filter(order=order).select_related("product", "order").order_by("number", "id")


def _chosen(request):
    return {"line": request.GET["line"]} if "line" in request.GET else {}


@order_writers_only
def revision_new(request, factory, number):
    order = order_of(request, factory, number)
    form = RevisionForm(
        typed(request), lines=_lines(order), user=request.user, may_approve=approves(request.user),
        initial=_chosen(request),
    )  # fmt: skip
    return small_task(
        request,
        order,
        form,
        title=_("Record a date revision"),
        button=_("Record revision"),
        told=_("A revision moves the day that the line is judged by only if the factory did not cause it, and only "
               "from the day a manager approves it."),
        done=_("The revision is on record."),
        save=lambda form: form.save(),
        models=[DateRevision],
        fields={"revision_within_calendar": "new_on"},
    )  # fmt: skip


@approvers_only
def revision_approve(request, factory, number, pk):
    order = order_of(request, factory, number)
    revisions = DateRevision.objects.select_related("line__product").filter(line__order=order)
    revision = get_object_or_404(revisions, pk=pk)
    if revision.approved_on:
        messages.info(request, _("This revision has been approved already."))
        return SeeOther(url_of(order))
    if request.method == "POST":
        with transaction.atomic():
            waiting = DateRevision.objects.filter(pk=pk, approved_on=None)
            waiting.update(approved_on=today(), approved_by=request.user)
            OrderLine.objects.filter(pk=revision.line_id).update(version=F("version") + 1)
        messages.success(request, _("The revision is approved and counts from today."))
        return SeeOther(url_of(order))
    moves = revision.cause != DateRevision.Cause.FACTORY
    context = {
        "title": _("Approve the revision"),
        "button": _("Approve"),
        "back": url_of(order),
        "trail": [(_("Orders"), reverse("order_list")), (order.number, url_of(order))],
        "facts": [
            (_("Order line"), f"{order.number}/{revision.line.number}"),
            (_("Promised"), day(revision.line.promised_on)),
            (_("New day"), day(revision.new_on)),
            (_("Who caused it"), revision.get_cause_display()),
            (_("Reason"), revision.reason or "–"),
        ],
        "told": _("From today the line is judged by the new day.")
        if moves
        else _("The factory caused it: it stays on record, but the line is judged by the day it first committed to."),
    }
    return render(request, "production/confirm.html", context)


@order_writers_only
def cancellation_new(request, factory, number):
    order = order_of(request, factory, number)
    form = CancellationForm(typed(request), lines=_lines(order), initial=_chosen(request))
    return small_task(
        request,
        order,
        form,
        title=_("Record a cancellation"),
        button=_("Record cancellation"),
        told=_("What we cancel in time is taken off what is due. What the factory cancels, or we cancel too late, "
               "stays due and counts as missing."),
        is_danger=True,
        done=_("The cancellation is on record."),
        save=lambda form: form.save(),
        models=[Cancellation],
        fields={
            "cancelled_within_ordered": "quantity",
            "cancelled_quantity_is_positive": "quantity",
            "cancellation_within_calendar": "cancelled_on",
        },
    )  # fmt: skip


@order_writers_only
def line_close_short(request, factory, number):
    order = order_of(request, factory, number)
    lines = _lines(order).filter(closed_short_on=None)
    if not lines.exists():
        messages.info(request, _("No line is open."))
        return SeeOther(url_of(order))
    form = CloseShortForm(typed(request), lines=lines, initial=_chosen(request))
    return small_task(
        request,
        order,
        form,
        title=_("Close a line short"),
        button=_("Close the line short"),
        told=_("Nothing more is expected on the line. It counts by what had come in time; the rest counts as missing."),
        is_danger=True,
        done=lambda form: _("Line %(number)s is closed short.") % {"number": form.cleaned_data["line"].number},
        save=lambda form: form.save(),
        models=[OrderLine],
        fields={"line_days_within_calendar": "closed_short_on"},
    )


@order_writers_only
def order_close(request, factory, number):
    """The end of an order: its materials are reconciled as of that day."""
    order = order_of(request, factory, number)
    if order.closed_on:
        messages.info(request, _("The order is closed already."))
        return SeeOther(url_of(order))
    lines = standings(with_facts(OrderLine.objects.filter(order=order)))
    still = sum(1 for _line_, where in lines if where.open)
    told = _("Our material for this order is reconciled: what is not in the goods received, returned or allowed as "
             "loss is charged to the factory.")  # fmt: skip
    if still:
        told += " " + _("%(count)s lines still wait for goods.") % {"count": amount(still)}
    return small_task(
        request,
        order,
        CloseOrderForm(typed(request)),
        title=_("Close %(number)s") % {"number": order.number},
        button=_("Close the order"),
        told=told,
        is_danger=True,
        done=_("The order is closed. Its materials are being reconciled."),
        save=lambda form: form.save(order),
        models=[PurchaseOrder],
        fields={"order_days_within_calendar": "closed_on"},
        template="production/order_close.html",
        supplies=supplies_of(order, with_prices=True),
        sees_prices=True,
    )


@order_writers_only
def movement_new(request, factory, number):
    order = order_of(request, factory, number)
    kind = request.GET.get("kind", "issue")
    form = MovementForm(typed(request), order=order, initial={"kind": kind})
    used = Material.objects.filter(orders__order=order)
    offered = used.union(Material.objects.all().order_by("code")[:MATERIALS_OFFERED])
    return small_task(
        request,
        order,
        form,
        title=_("Record material"),
        button=_("Save movement"),
        done=_("The movement is on record."),
        save=lambda form: form.save(),
        models=[MaterialMovement],
        fields={
            "returned_within_issued": "quantity",
            "moved_quantity_is_positive": "quantity",
            "movement_within_calendar": "moved_on",
            "issued_material_has_a_cost": "unit_cost",
            "salvage_not_negative": "salvage_unit",
            "conversion_is_positive": "unit",
            "fabric_has_weight_and_width": "gsm",
        },
        template="production/movement_new.html",
        materials=sorted(offered, key=lambda material: material.code),
    )
