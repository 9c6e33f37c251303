"""Form parts of this floor: quantities as people write them, and the sentences of the database."""

import re
import unicodedata
from decimal import Decimal

from django import forms
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import Model

WHOLE_UNITS = set(
    "pcs pc pce ea unit units set sets pair pairs dozen gross box boxes carton cartons roll rolls 件 个".split()
)
SPACES = re.compile(r"(?<=[0-9])[\s'’](?=[0-9]{3}(?![0-9]))")
LARGEST_DIGITS = 12
PLACES = 6


def counts_whole(unit: str) -> bool:
    """Whether a unit is counted in whole numbers, such as pieces; metres and kilograms are not."""
    return unit.strip().lower() in WHOLE_UNITS


def read_quantity(text: str, *, whole: bool) -> Decimal:
    """A quantity above 0 as people write it: 1200, 1,200, 1 200, １２００; `1.200` pieces are 1200.

    Raises ValidationError with what to do for anything else. Where parts of a unit exist, `1.200` may be 1200 or 1.2:
    that is asked, never guessed.
    """
    text = unicodedata.normalize("NFKC", text).strip().replace("−", "-")
    digits = SPACES.sub("", text)
    if re.fullmatch(r"-[0-9.,]+", digits) or (re.fullmatch(r"[0-9.,]+", digits) and not re.search(r"[1-9]", digits)):
        raise ValidationError("Enter a quantity above 0.", code="not_positive")
    found = _whole(digits) if whole else _decimal(digits)
    if found is None:
        need = "a whole number, for example 1200" if whole else "a number, for example 1200 or 12.5"
        raise ValidationError("“%(text)s” is not a quantity. Enter %(need)s.", code="invalid",
                              params={"text": text[:40], "need": need})  # fmt: skip
    if found >= 10**LARGEST_DIGITS:
        raise ValidationError("That is more than any order. Check the number of digits.", code="too_large")
    if -found.as_tuple().exponent > PLACES:
        raise ValidationError("Enter at most six decimals.", code="too_precise")
    return found


def _whole(digits: str) -> Decimal | None:
    if re.fullmatch(r"[0-9]{1,40}", digits) or re.fullmatch(r"[0-9]{1,3}([.,])[0-9]{3}(\1[0-9]{3}){0,9}", digits):
        return Decimal(re.sub(r"[.,]", "", digits))
    return None


def _decimal(digits: str) -> Decimal | None:
    if re.fullmatch(r"[1-9][0-9]{0,2}[.,][0-9]{3}", digits):
        large = re.sub(r"[.,]", "", digits)
        small = f"{Decimal(digits.replace(',', '.')).normalize():f}"
        raise ValidationError(
            "“%(text)s” may be %(large)s or %(small)s. Enter %(large)s, or %(small)s0 for the smaller one.",
            code="ambiguous", params={"text": digits, "large": large, "small": small if "." in small else small + "."},
        )  # fmt: skip
    if re.fullmatch(r"[0-9]{1,40}([.,][0-9]{1,20})?", digits):
        return Decimal(digits.replace(",", "."))
    if re.fullmatch(r"[0-9]{1,3}([.,])[0-9]{3}(\1[0-9]{3}){1,9}", digits):
        return Decimal(re.sub(r"[.,]", "", digits))
    for group, point in ((",", "."), (".", ",")):
        if re.fullmatch(rf"[0-9]{{1,3}}(\{group}[0-9]{{3}}){{1,9}}\{point}[0-9]{{1,20}}", digits):
            return Decimal(digits.replace(group, "").replace(point, "."))
    return None


def write_quantity(value: Decimal | None) -> str:
    """A quantity as a field shows it, so that reading it again gives the same: no grouping, never `1.234` alone."""
    if value is None:
        return ""
    value = Decimal(value).normalize()
    places = max(0, -value.as_tuple().exponent)
    return f"{value:.{4 if places == 3 else places}f}"


class QuantityField(forms.CharField):
    """A quantity as text: a number field of the browser drops letters silently and changes when the page scrolls."""

    def __init__(self, *, whole=True, **kwargs):
        self.whole = whole
        super().__init__(**kwargs)
        self.widget.attrs.setdefault("autocomplete", "off")

    def get_bound_field(self, form, field_name):
        self.widget.attrs["inputmode"] = "numeric" if self.whole else "decimal"
        return super().get_bound_field(form, field_name)

    def prepare_value(self, value):
        return write_quantity(value) if isinstance(value, (Decimal, int)) else value

    def clean(self, value):
        text = super().clean(value)
        return read_quantity(text, whole=self.whole) if text else None


class CountField(QuantityField):
    """A whole number of units from 0."""

    def clean(self, value):
        text = forms.CharField.clean(self, value)
        if not text:
            return None
        if re.fullmatch(r"0+", unicodedata.normalize("NFKC", text).strip()):
            return 0
        found = int(read_quantity(text, whole=True))
        if found > 2_000_000_000:
            raise ValidationError("That is more than any lot. Check the number of digits.", code="too_large")
        return found


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self, attrs=None):
        super().__init__({"class": "w-m"} | (attrs or {}), format="%Y-%m-%d")


class MomentInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self, attrs=None):
        super().__init__({"class": "w-m"} | (attrs or {}), format="%Y-%m-%dT%H:%M")


class DayField(forms.DateField):
    widget = DayInput


def refuse(form: forms.Form, error: IntegrityError, *models: type[Model], **fields: str) -> None:
    """Write what the database refused into the form, as the sentence of the constraint.

    `fields` maps a constraint's name to the field it is about; without one the sentence goes to the summary.
    """
    told = getattr(error.__cause__, "diag", None)
    name, raised = getattr(told, "constraint_name", None), getattr(told, "message_primary", None)
    known = {each.name: each for model in models for each in model._meta.constraints}
    if name in known:
        sentence = known[name].get_violation_error_message()
    elif raised and getattr(told, "sqlstate", "") == "23514" and "violates" not in raised:
        sentence = raised
    else:
        sentence = "Something else changed at the same moment, so nothing was saved. Check the page and save again."
    form.add_error(fields.get(name), sentence)
