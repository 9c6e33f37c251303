"""The form of an inspector: what was checked, what was found, and the verdict."""

import datetime
import uuid
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from production.forms.fields import CountField, DayField
from production.lateness import is_published
from production.models import Inspection, Lot
from production.samples import CLASSES, SamplePlan, suggested
from production.strictness import Strictness
from production.wording import amount, day

VERDICTS = {
    "accept": Inspection.Verdict.ACCEPTED,
    "reject": Inspection.Verdict.REJECTED,
    "incomplete": Inspection.Verdict.PENDING,
}


class InspectionForm(forms.ModelForm):
    """One inspection of one lot. The sample says a verdict, the person confirms it."""

    ORIGINAL = [("yes", gettext_lazy("First look")), ("no", gettext_lazy("Repeat after rework"))]

    lot_code = forms.CharField(label=gettext_lazy("Lot code"), max_length=60, required=False)
    original = forms.ChoiceField(label=gettext_lazy("Which look is it?"), choices=ORIGINAL, widget=forms.RadioSelect)
    inspected_on = DayField(label=gettext_lazy("Inspected on"))
    lot_quantity = CountField(label=gettext_lazy("Lot quantity"), required=False)
    units_inspected = CountField(label=gettext_lazy("Units inspected"))
    units_critical = CountField(label=gettext_lazy("Critical"), required=False)
    units_major = CountField(label=gettext_lazy("Major"), required=False)
    units_minor = CountField(label=gettext_lazy("Minor"), required=False)
    units_rejected = CountField(
        label=gettext_lazy("Units rejected"), required=False,
        help_text=gettext_lazy("Empty: critical and major together."),
    )  # fmt: skip
    units_material_fault = CountField(label=gettext_lazy("Of these, because of our material"), required=False)
    approved = forms.BooleanField(label=gettext_lazy("Approved: our material was at fault"), required=False)
    verdict = forms.ChoiceField(
        label=gettext_lazy("Verdict"), choices=Inspection.Verdict.choices, widget=forms.RadioSelect, required=False
    )
    late_reason = forms.CharField(
        label=gettext_lazy("Why is it recorded only now?"), max_length=200, required=False,
        help_text=gettext_lazy("Only for a day of a month that is over: its grade is published."),
    )  # fmt: skip
    idem = forms.UUIDField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Inspection
        fields = [
            "stage", "source", "inspected_on", "lot_quantity", "units_inspected", "units_critical", "units_major",
            "units_minor", "units_rejected", "units_material_fault", "verdict", "note",
        ]  # fmt: skip
        labels = {
            "stage": gettext_lazy("Stage"),
            "source": gettext_lazy("Inspected by"),
            "note": gettext_lazy("Defects found, remarks"),
        }

    def __init__(self, *args, line, lot, user, may_approve, strictness: Strictness, now=None, **kwargs):
        self.order_line, self.lot, self.user = line, lot, user
        self.now = now or timezone.now()
        self.strictness, self.severity = strictness, strictness.severity
        super().__init__(*args, **kwargs)
        if lot is not None:
            del self.fields["lot_code"]
        if not may_approve:
            del self.fields["approved"]
        for name in ("lot_quantity", "units_inspected", "units_rejected", "units_material_fault"):
            self.fields[name].widget.attrs["class"] = "w-s"
        for name in ("units_critical", "units_major", "units_minor"):
            self.fields[name].widget.attrs["data-select"] = True
        self.fields["note"].widget.attrs["rows"] = 3

    @property
    def today(self) -> datetime.date:
        """The day it is at the factory."""
        return self.now.astimezone(ZoneInfo(self.order_line.factory.time_zone)).date()

    def clean_inspected_on(self):
        on = self.cleaned_data["inspected_on"]
        if on > self.today:
            words = _("That is in the future: at the factory it is %(day)s.")
            raise forms.ValidationError(words % {"day": day(self.today)})
        return on

    def clean_lot_code(self):
        code = self.cleaned_data["lot_code"]
        lots = Lot.objects.filter(factory=self.order_line.factory_id, code=code).select_related("line__order")
        if code and (lot := lots.first()):
            if lot.line_id != self.order_line.pk:
                raise forms.ValidationError(
                    _("Lot %(lot)s belongs to %(line)s.") % {"lot": code, "line": lot.line.code}
                )
            self.lot = lot
        return code

    def clean(self):
        data = super().clean()
        if data.get("inspected_on") and not data.get("late_reason") and is_published(data["inspected_on"], self.today):
            self.add_error("late_reason", _("The grade of that month is published. Say why it is recorded only now."))
        for name in ("units_critical", "units_major", "units_minor", "units_material_fault"):
            if name not in self.errors:
                data[name] = data.get(name) or 0
        if {"units_inspected", *(f"units_{each}" for each in CLASSES)} & set(self.errors):
            return data
        if data.get("units_rejected") is None and "units_rejected" not in self.errors:
            data["units_rejected"] = data["units_critical"] + data["units_major"]
        self.check_counts(data)
        if not self.errors:
            self.check_verdict(data)
        return data

    def check_counts(self, data):
        inspected, lot_quantity = data["units_inspected"], data.get("lot_quantity")
        found = sum(data[f"units_{name}"] for name in CLASSES)
        if inspected == 0:
            self.add_error("units_inspected", _("At least one unit must be inspected."))
        elif found > inspected:
            words = _(
                "%(found)s defective units are more than the %(inspected)s inspected. "
                "Count each unit once, at its worst."
            )
            self.add_error("units_inspected", words % {"found": amount(found), "inspected": amount(inspected)})
        if lot_quantity is not None and inspected > lot_quantity:
            words = _("%(inspected)s units were inspected, but the lot has %(lot)s.")
            self.add_error("lot_quantity", words % {"inspected": amount(inspected), "lot": amount(lot_quantity)})
        if data.get("units_material_fault", 0) > (data.get("units_rejected") or 0):
            self.add_error("units_material_fault", _("This cannot be more than all units rejected."))

    def check_verdict(self, data):
        counts = [data[f"units_{name}"] for name in CLASSES]
        says = suggested(data["units_inspected"], data["lot_quantity"], *counts, severity=self.severity)
        self.suggestion = VERDICTS.get(says.verdict) if says else None
        chosen = data.get("verdict")
        if not chosen:
            words = says.sentence if says else _("Without a lot quantity there is no sample plan.")
            self.add_error("verdict", _("%(says)s Confirm the verdict, then save.") % {"says": words})
        elif says and chosen != self.suggestion and not data.get("note"):
            self.add_error("note", _("%(says)s Say why your verdict differs.") % {"says": says.sentence})

    @property
    def plan(self) -> SamplePlan | None:
        return SamplePlan.of(self.lot_quantity_shown(), self.severity)

    def lot_quantity_shown(self) -> int | None:
        try:
            return self.fields["lot_quantity"].clean(self["lot_quantity"].value())
        except forms.ValidationError:
            return None

    def save(self, commit=True):
        """The caller holds a transaction."""
        made = super().save(commit=False)
        made.factory_id = self.order_line.factory_id
        made.lot = self.lot or Lot.objects.create(
            factory_id=made.factory_id, line=self.order_line, code=self.cleaned_data["lot_code"] or self.free_code(),
            quantity=made.lot_quantity or None,
        )  # fmt: skip
        made.severity, made.severity_because = self.severity, self.strictness.because
        if self.cleaned_data["late_reason"]:
            later = _("Recorded later: %(reason)s") % {"reason": self.cleaned_data["late_reason"]}
            made.note = "\n".join(filter(None, [made.note, later]))
        made.is_original = self.cleaned_data["original"] == "yes"
        made.inspected_at = self.now if made.inspected_on == self.today else None
        if made.units_material_fault and self.cleaned_data.get("approved"):
            made.material_fault_approved_on = self.today
        made.recorded_by, made.recorded_at = self.user, self.now
        made.idem = self.cleaned_data["idem"] or uuid.uuid4()
        made.save()
        return made

    def free_code(self) -> str:
        """A lot code nobody has used yet, after the order line: PO-2391/L2-1."""
        stem = self.order_line.code[:54]
        lots = Lot.objects.filter(factory=self.order_line.factory_id, code__startswith=stem)
        taken = set(lots.values_list("code", flat=True))
        return next(code for number in range(1, len(taken) + 2) if (code := f"{stem}-{number}") not in taken)
