"""What was checked: the list, one inspection, and recording one."""

from zoneinfo import ZoneInfo

from django.contrib import messages
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from production import sampling, strictness, unknown
from production.exports import FORMATS, export
from production.filters import InspectionFilters, addressed, page_of
from production.forms.inspections import VERDICTS
from production.history import story
from production.models import Exclusion, Inspection
from production.samples import AQL, CLASSES, SamplePlan, suggested
from production.views.access import (
    SeeOther,
    approvers_only,
    approves,
    readers_only,
    sees_notes,
)
from production.wording import amount, day, moment

HEAD = [
    "Inspection", "Lot", "Factory code", "Factory", "Order", "Line", "Product code", "Product", "Inspected on", "Stage",
    "Inspected by", "First look", "Lot quantity", "Units inspected", "Critical", "Major", "Minor", "Units rejected",
    "Verdict",
]  # fmt: skip


@require_safe
@readers_only
def inspection_list(request):
    filters = InspectionFilters(request.GET, request.user)
    unknown.say_of(request, filters)
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
        "defects": defects(counts, plan),
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


def defects(counts, plan):
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


def day_at_factory(line):
    """The day it is now at the factory of a line."""
    return timezone.now().astimezone(ZoneInfo(line.factory.time_zone)).date()


@approvers_only
def inspection_approve(request, pk):
    """A manager agrees that rejects were caused by our own material: they are credited to the factory."""
    inspection = get_object_or_404(Inspection.objects.visible_to(request.user).with_lot(), pk=pk)
    if not _waits_for_approval(inspection):
        messages.info(request, _("Nothing waits for approval here."))
        return SeeOther(inspection.get_absolute_url())
    if request.method == "POST":
        today = day_at_factory(inspection.lot.line)
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
