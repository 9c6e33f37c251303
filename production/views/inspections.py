"""What was checked: the list, one inspection, and recording one."""

import uuid
from collections import Counter
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, OuterRef, Sum
from django.http import Http404
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from production import codes, sampling, strictness
from production.exports import FORMATS, export
from production.filters import InspectionFilters, addressed, page_of
from production.forms.fields import refuse
from production.forms.inspections import VERDICTS, InspectionForm
from production.history import story
from production.models import Delivery, Exclusion, Inspection, Lot, OrderLine
from production.samples import AQL, CLASSES, LEVEL, SamplePlan, suggested
from production.views.access import (
    SeeOther,
    approvers_only,
    approves,
    inspection_writers_only,
    readers_only,
    sees_notes,
)
from production.wording import amount, day, moment

WAITING = 30  # deliveries in the list to choose from
HEAD = [
    "Inspection", "Lot", "Factory code", "Factory", "Order", "Line", "Product code", "Product", "Inspected on", "Stage",
    "Inspected by", "First look", "Lot quantity", "Units inspected", "Critical", "Major", "Minor", "Units rejected",
    "Verdict",
]  # fmt: skip
FIELDS = {
    "something_was_inspected": "units_inspected",
    "defective_within_inspected": "units_inspected",
    "inspected_within_lot": "lot_quantity",
    "material_fault_within_rejected": "units_material_fault",
    "inspection_within_calendar": "inspected_on",
    "lot_code_unique_in_factory": "lot_code",
}


@require_safe
@readers_only
def inspection_list(request):
    filters = InspectionFilters(request.GET, request.user)
    found = filters.apply(Inspection.objects.visible_to(request.user).with_lot())
    if request.GET.get("format") in FORMATS:
        newest = found.newest_first().iterator(chunk_size=2000)
        return export(request.GET["format"], "inspections", HEAD, map(_cells, newest))
    page = page_of(found, request, key="inspected_on", newest_first=True)
    context = {
        "filters": filters,
        "rows": [_row(inspection) for inspection in page.rows],
        "page": page,
        "exports": [(kind.upper(), addressed(request.GET) + f"&format={kind}") for kind in FORMATS],
        "may_record": request.user.writes_inspections(),
    }
    return render(request, "production/inspection_list.html", context)


def _row(inspection):
    line = inspection.lot.line
    return {
        "inspection": inspection,
        "url": reverse("inspection_detail", args=[inspection.pk]),
        "lot": inspection.lot.code,
        "line": line.code,
        "factory": line.order.factory.name,
        "product": line.product.name,
        "on": day(inspection.inspected_on),
        "stage": inspection.get_stage_display(),
        "found": _("%(found)s of %(inspected)s")
        % {"found": amount(inspection.units_defective), "inspected": amount(inspection.units_inspected)},
    }


def _cells(inspection):
    line = inspection.lot.line
    return [
        inspection.code, inspection.lot.code, line.order.factory.code, line.order.factory.name, line.order.number,
        line.number, line.product.code, line.product.name, inspection.inspected_on, inspection.stage, inspection.source,
        "yes" if inspection.is_original else "no", inspection.lot_quantity, inspection.units_inspected,
        inspection.units_critical, inspection.units_major, inspection.units_minor, inspection.units_rejected,
        inspection.verdict,
    ]  # fmt: skip


@require_safe
@readers_only
def inspection_detail(request, pk):
    inspection = get_object_or_404(Inspection.objects.visible_to(request.user).with_lot(), pk=pk)
    line, plan = inspection.lot.line, SamplePlan.of(inspection.lot_quantity, inspection.severity)
    counts = _counts(inspection)
    says = suggested(inspection.units_inspected, inspection.lot_quantity, *counts, severity=inspection.severity)
    context = {
        "inspection": inspection,
        "line": line,
        "order_url": reverse("order_detail", args=[line.order.factory.code, line.order.number]),
        "facts": _facts(inspection, line, plan, sees_notes(request.user)),
        "defects": _defects(counts, plan),
        "inspected": amount(inspection.units_inspected),
        "plan": plan,
        "says": says,
        "differs": says is not None and VERDICTS[says.verdict] != inspection.verdict,
        "deliveries": [
            {"delivery": each, "quantity": amount(each.quantity), "on": day(each.received_on)}
            for each in inspection.lot.deliveries.order_by("received_on", "id")
        ],
        "looks": looks(inspection),
        "because": strictness.kept(inspection),
        "history": story(inspection, line.factory.time_zone) if sees_notes(request.user) else [],
        "may_approve": approves(request.user) and _waits_for_approval(inspection),
        "may_record": request.user.writes_inspections(),
    }
    return render(request, "production/inspection_detail.html", context)


def _counts(inspection):
    return [inspection.units_critical, inspection.units_major, inspection.units_minor]


def looks(inspection):
    """All looks at the lot of an inspection, oldest first: which one counts, and which one decides about shipment (DEF-4)."""
    lot = inspection.lot
    found = list(lot.inspections.order_by("inspected_on", "id"))
    by_seq = dict(enumerate(found, 1))
    plain = [
        sampling.Inspection(seq, each.is_original, each.units_inspected, each.units_defective, each.source, each.stage)
        for seq, each in by_seq.items()
    ]
    counted, releasing = sampling.counted_inspection(plain), sampling.releasing_inspection(plain)
    aside = Exclusion.objects.in_force().filter(lot=lot).exists()
    said = {
        None: _("No inspection counts: the factory’s own reports and looks in line never do."),
        True: _("The lot is set aside: none of them counts in the rate."),
    }
    return {
        "rows": [
            {
                "inspection": each,
                "on": day(each.inspected_on),
                "is_this": each.pk == inspection.pk,
                "counts": not aside and counted is not None and counted.seq == seq,
                "releases": releasing is not None and releasing.seq == seq,
            }
            for seq, each in by_seq.items()
        ],
        "note": said[True] if aside else said[None] if counted is None else "",
        "shipment": _shipment(by_seq[releasing.seq]) if releasing else _("Nothing decides about shipment yet."),
    }


def _shipment(last):
    """What the last look says about shipment."""
    words = {
        Inspection.Verdict.ACCEPTED: _("%(code)s releases the lot for shipment."),
        Inspection.Verdict.REJECTED: _("%(code)s holds the lot back."),
        Inspection.Verdict.PENDING: _("%(code)s decides about shipment, and its verdict is pending."),
    }
    return words[last.verdict] % {"code": last.code}


def _waits_for_approval(inspection) -> bool:
    return inspection.units_material_fault > 0 and inspection.material_fault_approved_on is None


def _facts(inspection, line, plan, with_notes):
    fault = None
    if inspection.units_material_fault:
        on = inspection.material_fault_approved_on
        state = _("approved on %(day)s") % {"day": day(on)} if on else _("not approved yet")
        fault = f"{amount(inspection.units_material_fault)}, {state}"
    facts = [
        (_("Inspected"), day(inspection.inspected_on)),
        (_("Stage"), inspection.get_stage_display()),
        (_("Inspected by"), inspection.get_source_display()),
        (_("Look"), _("First look") if inspection.is_original else _("Repeat after rework")),
        (_("Lot quantity"), amount(inspection.lot_quantity) if inspection.lot_quantity is not None else None),
        (_("Units inspected"), amount(inspection.units_inspected)),
        (_("Units rejected"), amount(inspection.units_rejected)),
        (_("Because of our material"), fault),
        (_("Recorded"), moment(inspection.recorded_at, line.factory.time_zone)),
        (_("Recorded by"), inspection.recorded_by if with_notes else None),
        (_("Defects, remarks"), inspection.note if with_notes else None),
    ]
    return [(name, value) for name, value in facts if value]


def _defects(counts, plan):
    """One row for each class: what was found, and how many the sample allows."""
    words = {"critical": _("Critical"), "major": _("Major"), "minor": _("Minor")}
    rows = []
    for name, found in zip(CLASSES, counts, strict=True):
        each = plan.plans[name] if plan else None
        state = None
        if each and found is not None:
            state = "breach" if found >= each.re else "watch" if found and found == each.ac else "ok"
        rows.append({
            "name": name, "word": words[name], "aql": AQL[name], "found": found, "n": each and each.n,
            "ac": each and each.ac, "re": each and each.re, "state": state,
        })  # fmt: skip
    return rows


@inspection_writers_only
def inspection_new(request):
    """Choose a lot, then record what was found; Enter in any field only works the sample out."""
    if request.method == "POST" and (earlier := _already_saved(request)):
        return SeeOther(earlier.get_absolute_url())
    about = _named(request)
    if about is None:
        return _show_choice(request)
    line, lot, delivery = about
    strict = strictness.of(line.factory, line.product.category_id, _today(line))
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
        "inspected_on": _today(line),
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
        "counters": [row | {"field": form[f"units_{row['name']}"]} for row in _defects(counts, plan)],
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


def _zone(line):
    return ZoneInfo(line.factory.time_zone)


def _today(line):
    """The day it is now at the factory."""
    return timezone.now().astimezone(_zone(line)).date()


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


@approvers_only
def inspection_approve(request, pk):
    """A manager agrees that rejects were caused by our own material: they are credited to the factory."""
    inspection = get_object_or_404(Inspection.objects.visible_to(request.user).with_lot(), pk=pk)
    if not _waits_for_approval(inspection):
        messages.info(request, _("Nothing waits for approval here."))
        return SeeOther(inspection.get_absolute_url())
    if request.method == "POST":
        today = _today(inspection.lot.line)
        waiting = Inspection.objects.filter(pk=pk, material_fault_approved_on=None)
        waiting.update(material_fault_approved_on=max(today, inspection.inspected_on))
        messages.success(request, _("Approved: the units are credited to the factory."))
        return SeeOther(inspection.get_absolute_url())
    context = {
        "title": _("Approve rejects of %(code)s") % {"code": inspection.code},
        "back": inspection.get_absolute_url(),
        "trail": [(_("Inspections"), reverse("inspection_list")), (inspection.code, inspection.get_absolute_url())],
        "told": _("%(count)s units rejected because of our material will be credited to the factory as if accepted.")
        % {"count": amount(inspection.units_material_fault)},
        "button": _("Approve"),
    }
    return render(request, "production/confirm.html", context)
