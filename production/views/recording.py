"""Recording what an inspection found, in three steps: which goods, what to look at, what was seen."""

import uuid
from collections import Counter

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, OuterRef, Sum
from django.http import Http404
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _

from production import codes, strictness
from production.forms.fields import refuse
from production.forms.inspections import VERDICTS, InspectionForm
from production.models import Delivery, Inspection, Lot, OrderLine
from production.samples import CLASSES, LEVEL, SamplePlan, suggested
from production.views.access import (
    SeeOther,
    approves,
    inspection_writers_only,
)
from production.views.inspections import day_at_factory, defects
from production.wording import amount, day

WAITING = 30  # deliveries in the list to choose from
FIELDS = {
    "something_was_inspected": "units_inspected",
    "defective_within_inspected": "units_inspected",
    "inspected_within_lot": "lot_quantity",
    "material_fault_within_rejected": "units_material_fault",
    "inspection_within_calendar": "inspected_on",
    "lot_code_unique_in_factory": "lot_code",
}


@inspection_writers_only
def inspection_new(request):
    """Choose a lot, then record what was found; Enter in any field only works the sample out."""
    if request.method == "POST" and (earlier := _already_saved(request)):
        return SeeOther(earlier.get_absolute_url())
    about = _named(request)
    if about is None:
        return _show_choice(request)
    line, lot, delivery = about
    strict = strictness.of(line.factory, line.product.category_id, day_at_factory(line))
    if request.method != "POST" or request.POST.get("do") != "save":
        initial = _defaults(line, lot, delivery, strict.severity) | _typed(request)
        form = _form(request, line, lot, strict, initial=initial)
        return _show(request, form, delivery)
    try:
        with transaction.atomic():
            OrderLine.objects.select_for_update().get(pk=line.pk)
            if earlier := _already_saved(request):
                return SeeOther(earlier.get_absolute_url())
            form = _form(request, line, lot, strict, data=_with_code(request, delivery))
            inspection = form.save() if form.is_valid() else None
            if inspection and delivery and delivery.lot_id is None:
                Delivery.objects.filter(pk=delivery.pk).update(lot=inspection.lot)
    except IntegrityError as error:
        refuse(form, error, Inspection, Lot, **FIELDS)
        inspection = None
    if inspection is None:
        return _show(request, form, delivery, status=422)
    words = _("Saved %(code)s: lot %(lot)s, %(verdict)s.")
    facts = {"code": inspection.code, "lot": inspection.lot.code, "verdict": inspection.get_verdict_display().lower()}
    messages.success(request, words % facts)
    return SeeOther(inspection.get_absolute_url())


def _already_saved(request):
    """The inspection that this very form has saved before, if any."""
    try:
        idem = uuid.UUID(request.POST.get("idem", ""))
    except ValueError:
        return None
    return Inspection.objects.visible_to(request.user).filter(idem=idem).first()


def _named(request):
    """(line, lot or None, delivery or None) of the address; None where it names nothing, 404 where that is unknown."""
    lines = OrderLine.objects.visible_to(request.user).select_related("order__factory", "product", "factory__standing")
    if code := request.GET.get("delivery"):
        number = code.removeprefix("D-")
        receipts = Delivery.objects.visible_to(request.user).filter(kind=Delivery.Kind.RECEIPT).select_related("lot")
        if not number.isascii() or not number.isdigit() or len(number) > 18:
            raise Http404
        delivery = get_object_or_404(receipts, pk=int(number))
        return lines.get(pk=delivery.line_id), delivery.lot, delivery
    if code := request.GET.get("lot"):
        factory, _slash, rest = codes.tidy(code).partition("/")
        lot = get_object_or_404(Lot.objects.visible_to(request.user), factory__code=factory, code=rest)
        return lines.get(pk=lot.line_id), lot, None
    if code := request.GET.get("line"):
        line = codes.exact_line(lines, code).first()
        if line is None:
            raise Http404
        return line, None, None
    return None


def _form(request, line, lot, strict, **given):
    approves_faults = approves(request.user)
    return InspectionForm(
        line=line, lot=lot, user=request.user, may_approve=approves_faults, strictness=strict, **given
    )


def _typed(request):
    return {name: value for name, value in request.POST.items() if name in InspectionForm.base_fields and value}


def _with_code(request, delivery):
    """A delivery without a lot becomes one, called after it."""
    data = request.POST.copy()
    if delivery is not None and delivery.lot_id is None and not data.get("lot_code"):
        data["lot_code"] = delivery.code
    return data


def _defaults(line, lot, delivery, severity):
    quantity = None
    if lot is not None:
        quantity = lot.quantity or lot.deliveries.aggregate(sum=Sum("quantity"))["sum"]
        quantity = quantity or lot.inspections.aggregate(last=Max("lot_quantity"))["last"]
    elif delivery is not None:
        quantity = delivery.quantity
    whole = int(quantity) if quantity and quantity > 0 and quantity == int(quantity) else None
    plan = SamplePlan.of(whole, severity)
    return {
        "idem": uuid.uuid4(),
        "lot_code": delivery.code if delivery is not None and lot is None else "",
        "stage": Inspection.Stage.RECEIVING if delivery is not None else Inspection.Stage.FINAL,
        "source": Inspection.Source.BUYER,
        "original": "no" if lot is not None and lot.inspections.exists() else "yes",
        "inspected_on": day_at_factory(line),
        "lot_quantity": whole,
        "units_inspected": plan.size if plan else None,
        "units_critical": 0,
        "units_major": 0,
        "units_minor": 0,
    }


def _show(request, form, delivery, status=200):
    """The form with the sample plan of the lot quantity it holds, and what the sample says of the counts it holds."""
    plan, says = form.plan, None
    counts = [_count(form, f"units_{name}") for name in CLASSES]
    inspected = _count(form, "units_inspected")
    if plan and inspected and sum(each or 0 for each in counts) <= inspected <= plan.lot_quantity:
        says = suggested(inspected, plan.lot_quantity, *(each or 0 for each in counts), severity=form.severity)
    was_asked = request.method == "POST"
    if says and was_asked and not form["verdict"].value():
        if form.is_bound:
            form.data = form.data.copy()
            form.data["verdict"] = VERDICTS[says.verdict]
        else:
            form.initial["verdict"] = VERDICTS[says.verdict]
    context = {
        "form": form,
        "line": form.order_line,
        "lot": form.lot,
        "delivery": delivery,
        "plan": plan,
        "level": LEVEL,
        "lot_size": amount(plan.lot_quantity) if plan else "",
        "counters": [row | {"field": form[f"units_{row['name']}"]} for row in defects(counts, plan)],
        "says": says if was_asked else None,
        "back": reverse("inspection_new"),
        "query": request.GET.urlencode(),
    }
    return render(request, "production/inspection_new.html", context, status=status)


def _count(form, name) -> int | None:
    try:
        return form.fields[name].clean(form[name].value())
    except ValidationError:
        return None


def _show_choice(request):
    """Deliveries without an inspected lot, newest first; a code finds any order line, for goods not shipped yet."""
    text = codes.tidy(request.GET.get("code", ""))
    lines = OrderLine.objects.visible_to(request.user).select_related("order__factory", "product")
    found = list(codes.find_lines(lines, text)[:WAITING]) if text else []
    looked_at = Inspection.objects.filter(lot=OuterRef("lot"))
    reversals = Delivery.objects.filter(reverses=OuterRef("pk"))
    receipts = Delivery.objects.visible_to(request.user).filter(kind=Delivery.Kind.RECEIPT)
    if text:
        receipts = receipts.filter(line__in=[line.pk for line in found])
    waiting = receipts.filter(~Exists(looked_at), ~Exists(reversals)).with_line().newest_first()[:WAITING]
    lots = Lot.objects.filter(line__in=[line.pk for line in found], inspections__isnull=False).distinct()
    per_line = Counter(lot.line_id for lot in lots)
    context = {
        "typed": text,
        "nothing": bool(text) and not found,
        "waiting": [
            {"delivery": each, "url": reverse("inspection_new", query={"delivery": each.code}), "line": each.line.code,
             "factory": each.line.order.factory.name, "product": each.line.product.name,
             "quantity": amount(each.quantity), "unit": each.line.product.unit, "on": day(each.received_on)}
            for each in waiting
        ],
        "lines": [
            {"line": line, "code": line.code, "url": reverse("inspection_new", query={"line": codes.full_code(line)}),
             "factory": line.order.factory.name, "product": line.product.name, "lots": per_line[line.pk]}
            for line in found
        ],
        "lots": [
            {"lot": lot, "url": reverse("inspection_new", query={"lot": f"{lot.factory.code}/{lot.code}"})}
            for lot in lots.select_related("factory")[:WAITING]
        ],
        "back": reverse("inspection_list"),
    }  # fmt: skip
    return render(request, "production/inspection_choose.html", context)
