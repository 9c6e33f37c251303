"""What people type on this floor: a note, a reason, a new version of a policy."""

import datetime
import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from assessments.figures import plain_percent
from assessments.models import Policy


class AcknowledgeForm(forms.Form):
    note = forms.CharField(
        label=_("Note"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What is being done, or who was asked."),
    )


class ResolveForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        error_messages={"required": _("Say why it is resolved.")},
        help_text=_("Why it is over, for those who read this later."),
    )


class ReopenForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"), max_length=200, error_messages={"required": _("Say why it is opened again.")}
    )


class DeclineForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        error_messages={"required": _("Say why it is declined; whoever proposed it reads this.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class PercentField(forms.CharField):
    """A share typed as a percentage: "3", "3 %", "2,5". Gives the fraction 0.03 as a Decimal."""

    widget = forms.TextInput(attrs={"class": "w-s", "inputmode": "decimal", "autocomplete": "off"})

    def to_python(self, value: Any) -> Decimal | None:
        text = (
            unicodedata.normalize("NFKC", super().to_python(value))
            .replace("%", "")
            .replace("\u202f", "")
            .replace(" ", "")
        )
        if not text:
            return None
        if re.fullmatch(r"\d+,\d{1,2}", text):  # a decimal comma; "1,000" is not a percentage
            text = text.replace(",", ".")
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = None
        if number is None or not number.is_finite():
            raise ValidationError(
                _("“%(value)s” is not a percentage. Type a number such as 3 or 2.5."), params={"value": value}
            )
        if not 0 <= number <= 100:
            raise ValidationError(_("%(value)s is not between 0 and 100 %%."), params={"value": value})
        if number != number.quantize(Decimal("0.0001")):
            raise ValidationError(_("At most four decimals, please: %(value)s."), params={"value": value})
        return number / 100

    def prepare_value(self, value: Any) -> Any:
        return plain_percent(value).removesuffix("%") if isinstance(value, Decimal) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.to_python(data) != initial
        except ValidationError:
            return True


PERCENTS = [
    field.name for field in Policy._meta.fields if field.get_internal_type() == "DecimalField" and field.max_digits == 7
]
GROUPS = [
    (_("Defect rate"), ["defect_target", "defect_limit", "defect_zero"]),
    (_("Defect rate of soft goods"), ["soft_defect_target", "soft_defect_limit", "soft_defect_zero"]),
    (_("On time in full"), ["otif_target", "otif_floor", "otif_zero"]),
    (_("Material loss"), ["loss_target", "loss_limit", "loss_zero"]),
    (_("Weights"), ["defect_weight", "otif_weight", "loss_weight"]),
    (_("Grades"), ["excellent_from", "good_from", "passing_from", "hysteresis_margin", "carry_max"]),
    (
        _("Data needed"),
        [
            "min_units",
            "min_lots",
            "min_lines",
            "min_orders",
            "min_units_confirm",
            "min_coverage",
            "window_days",
            "fallback_days",
        ],
    ),
    (_("Proof"), ["alpha_month", "alpha_rolling"]),
    (_("Breaches"), ["on_delay_watch", "off_delay_ok", "clear_ratio", "reopen_days", "stale_days"]),
]
MAIN_GROUPS = 6  # the groups that are open on the page; the others are folded
VALUES = [name for _label, names in GROUPS for name in names]
SCOPE = ["factory", "category", "effective_from", "note"]
LABELS = {
    "defect_target": _("Target"),
    "defect_limit": _("Ceiling"),
    "defect_zero": _("No points from"),
    "soft_defect_target": _("Target"),
    "soft_defect_limit": _("Ceiling"),
    "soft_defect_zero": _("No points from"),
    "otif_target": _("Target"),
    "otif_floor": _("Floor"),
    "otif_zero": _("No points below"),
    "loss_target": _("Target"),
    "loss_limit": _("Limit"),
    "loss_zero": _("No points from"),
    "defect_weight": _("Defect rate"),
    "otif_weight": _("On time in full"),
    "loss_weight": _("Material loss"),
    "excellent_from": _("Excellent from"),
    "good_from": _("Good from"),
    "passing_from": _("Passing from"),
    "hysteresis_margin": _("Margin before a grade moves at once"),
    "carry_max": _("Months a grade is kept without data"),
    "min_units": _("Units inspected"),
    "min_lots": _("Lots inspected"),
    "min_lines": _("Lines due"),
    "min_orders": _("Orders closed"),
    "min_units_confirm": _("Units before a breach is proven"),
    "min_coverage": _("Share of deliveries inspected"),
    "window_days": _("Days that count"),
    "fallback_days": _("Days that count where data are few"),
    "alpha_month": _("Chance of a false alarm, month"),
    "alpha_rolling": _("Chance of a false alarm, every day"),
    "on_delay_watch": _("Nights on watch before it opens"),
    "off_delay_ok": _("Clear nights before it resolves"),
    "clear_ratio": _("Clear below (share of the limit)"),
    "reopen_days": _("Days in which a relapse reopens it"),
    "stale_days": _("Days without data before it ends"),
}


class PolicyForm(forms.ModelForm):
    """A new version: who it is for, from when, and every value; starts from the version it replaces."""

    class Meta:
        model = Policy
        fields = [*SCOPE, *VALUES]
        widgets = {
            "effective_from": forms.DateInput(attrs={"type": "date", "class": "w-m"}),
            "note": forms.TextInput(attrs={"autocomplete": "off"}),
        }
        labels = {
            **LABELS,
            "factory": _("Factory"),
            "category": _("Category"),
            "effective_from": _("In force from"),
            "note": _("Why"),
        }

    def __init__(self, *args: Any, factories: Any, today: datetime.date, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.today = today
        for name in PERCENTS:
            self.fields[name] = PercentField(label=LABELS[name], error_messages={"required": _("Type a percentage.")})
        for name in VALUES:
            if name not in PERCENTS:
                self.fields[name].widget = forms.TextInput(
                    attrs={"class": "w-s", "inputmode": "decimal", "autocomplete": "off"}
                )
        self.fields["factory"].queryset = factories
        self.fields["factory"].empty_label = _("Every factory")
        self.fields["category"].empty_label = _("Every category")
        self.fields["effective_from"].help_text = _("Today or later. Grades that were published stay as they are.")

    def clean_effective_from(self) -> datetime.date:
        first = self.cleaned_data["effective_from"]
        if first < self.today:
            raise ValidationError(
                _("A version cannot begin in the past: published grades stay as they are. Use today or a later day.")
            )
        return first

    def clean(self) -> dict[str, Any]:
        """The order of target, limit and zero, said at the field that breaks it."""
        super().clean()
        for name, low, label in (
            ("defect", True, _("Defect rate")),
            ("soft_defect", True, _("Defect rate of soft goods")),
            ("loss", True, _("Material loss")),
            ("otif", False, _("On time in full")),
        ):
            self._check_order(
                label, *(f"{name}_{part}" for part in ("target", "limit" if low else "floor", "zero")), low
            )
        return self.cleaned_data

    def _check_order(self, label: Any, target: str, limit: str, zero: str, low: bool) -> None:
        best, bound, worst = (self.cleaned_data.get(name) for name in (target, limit, zero))
        if best is None or bound is None or worst is None:
            return
        said = {
            "label": label,
            "limit": f"{str(LABELS[limit]).lower()} {plain_percent(bound)}",
            "target": plain_percent(best),
            "zero": f"{str(LABELS[zero]).lower()} {plain_percent(worst)}",
        }
        if low and best > bound:
            self.add_error(limit, _("%(label)s: the %(limit)s must not be below the target %(target)s.") % said)
        elif not low and best < bound:
            self.add_error(limit, _("%(label)s: the %(limit)s must not be above the target %(target)s.") % said)
        elif low and worst <= bound:
            self.add_error(zero, _("%(label)s: %(zero)s must be above the %(limit)s.") % said)
        elif not low and worst >= bound:
            self.add_error(zero, _("%(label)s: %(zero)s must be below the %(limit)s.") % said)
        elif bound in (0, 1):
            self.add_error(limit, _("%(label)s: the %(limit)s must lie between 0 and 100%%.") % said)

    def groups(self) -> list[tuple[Any, list[forms.BoundField]]]:
        return [(label, [self[name] for name in names]) for label, names in GROUPS]


def shown(name: str, value: Any) -> str:
    """A value of a policy as it is read and typed."""
    if name in PERCENTS:
        return plain_percent(value)
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def differences(old: Policy | None, new: Policy) -> list[tuple[str, str, str]]:
    """(name, before, after) of every value that differs; of all values where there was no version before."""
    found = []
    for group, names in GROUPS:
        for name in names:
            before = getattr(old, name) if old else None
            after = getattr(new, name)
            if old is None or before != after:
                found.append((f"{group}: {LABELS[name]}", shown(name, before) if old else "–", shown(name, after)))
    return found
