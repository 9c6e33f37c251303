"""The form of the material store: what was given to a factory for an order, and what came back."""

import re
import unicodedata
from decimal import Decimal

from django import forms
from django.db.models import F, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from production.errors import BadInput
from production.forms.fields import read_quantity
from production.forms.orders import PastDayField, PriceField, today
from production.lateness import is_published
from production.models import Material, MaterialMovement, OrderMaterial, PurchaseOrder
from production.placing import add_note
from production.reconcile import UNITS, conversion

Kind = MaterialMovement.Kind
TRANSFER = "transfer"
LARGEST_FACTOR = 10**15  # times the largest quantity it still fits what the database computes with


class MeasureField(forms.CharField):
    """A measure of a lot above 0, written without groups of digits: 1.525 and 1,525 are the same width."""

    def __init__(self, *, column, **kwargs):
        field = MaterialMovement._meta.get_field(column)
        self.places, self.below = field.decimal_places, 10 ** (field.max_digits - field.decimal_places)
        super().__init__(max_length=20, required=False, **kwargs)
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off", "class": "w-s"}

    def clean(self, value):
        text = unicodedata.normalize("NFKC", super().clean(value)).strip()
        if not text:
            return None
        if not re.fullmatch(r"-?[0-9]+([.,][0-9]+)?", text):
            words = _("“%(text)s” is not a number. Enter one such as 180 or 1.6.")
            raise forms.ValidationError(words % {"text": text})
        found = Decimal(text.replace(",", "."))
        if found <= 0:
            raise forms.ValidationError(_("Enter a number above 0."))
        if -found.normalize().as_tuple().exponent > self.places:
            raise forms.ValidationError(_("Enter at most %(count)s decimals.") % {"count": self.places})
        if found >= self.below:
            raise forms.ValidationError(_("That is too much. Check the number of digits."))
        return found


class MovementForm(forms.Form):
    """One movement of material for an order; a transfer writes one row on each of two orders."""

    KINDS = [
        (Kind.ISSUE, gettext_lazy("Issued to the factory")),
        (Kind.RETURN, gettext_lazy("Returned, good")),
        (Kind.SCRAP, gettext_lazy("Returned, scrap")),
        (TRANSFER, gettext_lazy("Passed to another order")),
    ]

    kind = forms.ChoiceField(label=gettext_lazy("What happened"), choices=KINDS, widget=forms.RadioSelect)
    material = forms.CharField(label=gettext_lazy("Material code"), max_length=60)
    quantity = forms.CharField(label=gettext_lazy("Quantity"), max_length=40)
    unit = forms.ChoiceField(label=gettext_lazy("Unit"), choices=[], required=False)
    gsm = MeasureField(
        label=gettext_lazy("Grams per square metre of the lot"), column="gsm",
        help_text=gettext_lazy("Only for a weight of a fabric that is counted in metres: 300 kg at 180 g/m², 1.6 m wide."),
    )  # fmt: skip
    width_m = MeasureField(label=gettext_lazy("Width of the lot in metres"), column="width_m")
    moved_on = PastDayField(label=gettext_lazy("On"))
    unit_cost = PriceField(
        label=gettext_lazy("Cost of one base unit"), required=False,
        help_text=gettext_lazy("Needed when material is issued: it is frozen now and used when the order closes."),
    )  # fmt: skip
    salvage_unit = PriceField(
        label=gettext_lazy("Salvage value of one base unit"), required=False, help_text=gettext_lazy("Only for scrap.")
    )
    to_order = forms.CharField(
        label=gettext_lazy("To which order"), max_length=60, required=False,
        help_text=gettext_lazy("Only for a transfer."),
    )  # fmt: skip
    document = forms.CharField(label=gettext_lazy("Document number"), max_length=80, required=False)
    late_reason = forms.CharField(
        label=gettext_lazy("Why is it entered only now?"), max_length=200,
        help_text=gettext_lazy("The order closed in a month whose grade is published."),
        error_messages={"required": gettext_lazy("The grade of that month is published. Say why it is entered only now.")},
    )  # fmt: skip
    again = forms.BooleanField(label=gettext_lazy("Yes, a second movement"), required=False)

    def __init__(self, *args, order: PurchaseOrder, **kwargs):
        self.order = order
        super().__init__(*args, **kwargs)
        own = Material.objects.exclude(unit__in=UNITS).values_list("unit", flat=True).distinct()
        units = [*UNITS, *own.order_by("unit")]
        self.fields["unit"].choices = [("", _("the material's own unit")), *((unit, unit) for unit in units)]
        self.fields["material"].widget.attrs |= {"list": "materials", "autocomplete": "off", "class": "w-m"}
        self.fields["quantity"].widget.attrs |= {"inputmode": "decimal", "autocomplete": "off", "class": "w-s"}
        self.fields["unit"].widget.attrs["class"] = "w-s"
        for name in ("document", "gsm", "width_m"):
            self.fields[name].is_optional = True
        if order.closed_on is None or not is_published(order.closed_on, today()):
            del self.fields["late_reason"]
        if not self.is_bound:
            self.fields["again"].widget = forms.HiddenInput()

    def clean_material(self):
        code = self.cleaned_data["material"].strip()
        material = Material.objects.filter(code=code).first() or Material.objects.filter(code__iexact=code).first()
        if material is None:
            raise forms.ValidationError(_("No material has the code “%(code)s”.") % {"code": code})
        return material

    def clean_quantity(self):
        material = self.cleaned_data.get("material")
        return read_quantity(self.cleaned_data["quantity"], whole=material is not None and material.unit == "pc")

    def clean(self):
        data = super().clean()
        kind, material = data.get("kind"), data.get("material")
        if kind == Kind.ISSUE and data.get("unit_cost") is None and "unit_cost" not in self.errors:
            self.add_error("unit_cost", _("Enter the cost: it is frozen now and used when the order closes."))
        if kind == TRANSFER:
            self.check_transfer(data)
        if material:
            self.check_unit(data, material)
        if not self.errors:
            self.check_repeat(data)
        if "again" not in self.errors:
            self.fields["again"].widget = forms.HiddenInput()
        return data

    def check_unit(self, data, material):
        """The exact conversion to the material's own unit; a fabric's weight by the lot's own weight and width (MAT-6)."""
        data["unit"] = data.get("unit") or material.unit
        if {"gsm", "width_m"} & set(self.errors):
            return
        try:
            factor = data["factor"] = conversion(data["unit"], material.unit, data.get("gsm"), data.get("width_m"))
        except BadInput as problem:
            if problem.field in ("gsm", "width_m"):
                self.add_error(problem.field, problem.message)
                return
            words = _("%(unit)s cannot be converted to %(base)s, the unit of %(material)s.")
            self.add_error("unit", words % {"unit": data["unit"], "base": material.unit, "material": material.code})
        else:
            if max(factor.numerator, factor.denominator) > LARGEST_FACTOR:
                self.add_error("gsm", _("Enter the weight and the width with fewer digits."))

    def check_transfer(self, data):
        number = (data.get("to_order") or "").strip()
        others = PurchaseOrder.objects.filter(factory=self.order.factory_id, number=number).exclude(pk=self.order.pk)
        data["other"] = others.first() if number else None
        if data["other"] is None:
            self.add_error("to_order", _("Enter the number of another order of this factory."))
        if data.get("material"):
            issued = MaterialMovement.objects.filter(
                order_material__order=self.order, order_material__material=data["material"],
                kind__in=[Kind.ISSUE, Kind.TRANSFER_IN],
            ).aggregate(sum=Sum("quantity"), value=Sum(F("quantity") * F("unit_cost")))  # fmt: skip
            if not issued["sum"]:
                self.add_error("material", _("Nothing of this material has been issued for this order."))
            else:
                data["average"] = (issued["value"] / issued["sum"]).quantize(Decimal("0.000001"))

    def check_repeat(self, data):
        kind = Kind.TRANSFER_OUT if data["kind"] == TRANSFER else data["kind"]
        same = MaterialMovement.objects.filter(
            order_material__order=self.order, order_material__material=data["material"], kind=kind,
            moved_on=data["moved_on"], quantity_entered=data["quantity"], unit_entered=data["unit"],
            gsm=data["gsm"], width_m=data["width_m"], document=data["document"],
        )  # fmt: skip
        if not data.get("again") and same.exists():
            self.add_error("again", _("The same movement is on record already. Tick that this is a second one."))

    def save(self) -> MaterialMovement:
        """The caller holds the lock of the order."""
        data = self.cleaned_data
        if data.get("late_reason"):
            add_note(self.order, _("Material entered later: %(reason)s") % {"reason": data["late_reason"]})
        if data["kind"] == TRANSFER:
            self.write(data["other"], Kind.TRANSFER_IN, unit_cost=data["average"])
            return self.write(self.order, Kind.TRANSFER_OUT)
        costs = {"unit_cost": data["unit_cost"]} if data["kind"] == Kind.ISSUE else {}
        if data["kind"] == Kind.SCRAP:
            costs = {"salvage_unit": data["salvage_unit"] or 0}
        return self.write(self.order, data["kind"], **costs)

    def write(self, order, kind, **costs):
        data = self.cleaned_data
        own = {"factory_id": order.factory_id, "currency": order.currency}
        supplied, _made = OrderMaterial.objects.get_or_create(order=order, material=data["material"], defaults=own)
        return MaterialMovement.objects.create(
            factory_id=order.factory_id, order_material=supplied, kind=kind, moved_on=data["moved_on"],
            quantity_entered=data["quantity"], unit_entered=data["unit"], document=data["document"],
            gsm=data["gsm"], width_m=data["width_m"],
            factor_numerator=data["factor"].numerator, factor_denominator=data["factor"].denominator, **costs,
        )  # fmt: skip
