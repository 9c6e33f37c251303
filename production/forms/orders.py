"""The forms of the office: orders, their lines, and what was agreed to change."""

import datetime
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from factories.models import Factory
from production.currencies import CURRENCIES
from production.duedates import due_from_cycle
from production.forms.fields import DayField, QuantityField, counts_whole, read_quantity
from production.forms.placing import PlacingForm
from production.lateness import is_published
from production.models import Cancellation, DateRevision, OrderLine, Product, PurchaseOrder, Site
from production.placing import add_note
from production.wording import amount, day

LONGEST_CYCLE = 3650
REASON_NEEDED = {"required": gettext_lazy("Give the reason in a few words.")}


def today() -> datetime.date:
    """The day it is in the seller's organisation."""
    return timezone.now().astimezone(ZoneInfo(settings.ORGANISATION_TIME_ZONE)).date()


class PastDayField(DayField):
    """A day that is not in the future; today if nothing is said."""

    def __init__(self, **kwargs):
        super().__init__(initial=today, **kwargs)

    def clean(self, value):
        on = super().clean(value)
        if on and on > today() + datetime.timedelta(days=1):  # it may be tomorrow where it happened
            raise forms.ValidationError(_("That is in the future."))
        return on


class PriceField(QuantityField):
    """An amount of money; `1,250` is asked about, never guessed."""

    def __init__(self, **kwargs):
        super().__init__(whole=False, **kwargs)
        self.widget.attrs["class"] = "w-s"

    def clean(self, value):
        return 0 if str(value or "").strip() in ("0", "0.00") else super().clean(value)


class OrderForm(PlacingForm, forms.ModelForm):
    """One purchase order, without its lines."""

    factory = forms.ModelChoiceField(Factory.objects.none(), label=gettext_lazy("Factory"), to_field_name="code")
    ordered_on = DayField(label=gettext_lazy("Ordered on"), initial=today)

    class Meta:
        model = PurchaseOrder
        fields = ["factory", "number", "currency", "ordered_on", "cycle_days", "loss_allowance", "loss_base", "note"]
        labels = {
            "number": gettext_lazy("Order number"),
            "cycle_days": gettext_lazy("Contract cycle in days"),
            "loss_allowance": gettext_lazy("Allowed loss of material"),
            "loss_base": gettext_lazy("Share"),
            "note": gettext_lazy("Internal note"),
        }
        help_texts = {
            "cycle_days": gettext_lazy("If the contract states days from confirmation instead of a date."),
            "loss_allowance": gettext_lazy("As a share: 0.03 is 3 %."),
        }

    def __init__(self, *args, user, **kwargs):
        self.user = user
        super().__init__(*args, **kwargs)
        self.fields["factory"].queryset = Factory.objects.visible_to(user).select_related("standing").order_by("name")
        for name in ("currency", "cycle_days", "loss_allowance"):
            self.fields[name].widget = forms.TextInput({"class": "w-s", "inputmode": "decimal", "autocomplete": "off"})
        self.fields["currency"].widget.attrs["inputmode"] = "text"
        self.fields["note"].widget.attrs["rows"] = 3
        self.fields["cycle_days"].is_optional = self.fields["note"].is_optional = True

    def clean_number(self):
        return " ".join(self.cleaned_data["number"].split())

    def clean_cycle_days(self):
        cycle = self.cleaned_data["cycle_days"]
        if cycle is not None and cycle > LONGEST_CYCLE:
            raise forms.ValidationError(_("Enter at most %(days)s days.") % {"days": LONGEST_CYCLE})
        return cycle

    def clean_currency(self):
        currency = self.cleaned_data["currency"].upper()
        if currency not in CURRENCIES:
            raise forms.ValidationError(_("%(code)s is no currency of ISO 4217.") % {"code": currency})
        return currency

    def clean(self):
        data = super().clean()
        if factory := data.get("factory"):
            self.ask(factory, {}, today())
        return data

    def save(self, commit=True):
        order = super().save()
        self.keep(order, self.user, today())
        return order


class LineForm(PlacingForm, forms.ModelForm):
    """One line of an order, with its terms."""

    product = forms.CharField(label=gettext_lazy("Product code"), max_length=60)
    site = forms.ModelChoiceField(Site.objects.all(), label=gettext_lazy("Received at"), to_field_name="code")
    quantity = QuantityField(label=gettext_lazy("Ordered quantity"))
    unit_price = PriceField(label=gettext_lazy("Unit price"), required=False)
    requested_on = DayField(label=gettext_lazy("Wanted by"), required=False)

    class Meta:
        model = OrderLine
        fields = [
            "number", "product", "site", "quantity", "unit_price", "requested_on", "grace_days", "grace_unit",
            "rolls_to_working_day", "calendar", "tol_under", "tol_over", "over_policy", "early_days", "early_policy",
            "single_delivery",
        ]  # fmt: skip
        labels = {
            "number": gettext_lazy("Line number"),
            "grace_days": gettext_lazy("Days of grace"),
            "grace_unit": gettext_lazy("Counted in"),
            "tol_under": gettext_lazy("Tolerance below"),
            "tol_over": gettext_lazy("Tolerance above"),
            "over_policy": gettext_lazy("More than that"),
            "early_days": gettext_lazy("Days it may come early"),
            "early_policy": gettext_lazy("Earlier than that"),
            "single_delivery": gettext_lazy("Must come in one delivery"),
        }
        help_texts = {
            "tol_under": gettext_lazy("As a share: 0.02 is 2 %."),
            "tol_over": gettext_lazy("Empty: none."),
            "early_days": gettext_lazy("Empty: any."),
        }

    TERMS = Meta.fields[6:]

    def __init__(self, *args, order, user, **kwargs):
        self.order, self.user = order, user
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            self.look(order.factory, {}, today())
            self.ticked_before(order, user, today())
        for name in ("number", "grace_days", "tol_under", "tol_over", "early_days", "quantity"):
            self.fields[name].widget = forms.TextInput({"class": "w-s", "autocomplete": "off"})
        self.fields["product"].widget.attrs |= {"list": "products", "autocomplete": "off", "class": "w-m"}
        for name in ("unit_price", "requested_on", "tol_over", "early_days", "calendar"):
            self.fields[name].is_optional = True

    def clean_number(self):
        return " ".join(self.cleaned_data["number"].split())

    def clean_product(self):
        code = self.cleaned_data["product"].strip()
        product = Product.objects.filter(code=code).first() or Product.objects.filter(code__iexact=code).first()
        if product is None:
            raise forms.ValidationError(_("No product has the code “%(code)s”.") % {"code": code})
        # The quantity is declared after the product, so its field knows the unit when it is cleaned.
        self.fields["quantity"].whole = counts_whole(product.unit)
        return product

    def clean(self):
        data = super().clean()
        if data.get("product") and "number" in data:
            self.instance.order, self.instance.factory = self.order, self.order.factory
            if self.order.lines.filter(number=data["number"]).exists():
                self.add_error("number", _("This order already has a line with that number."))
        self.ask(self.order.factory, self.worth(data), today())
        return data

    def worth(self, data):
        """What the line adds to the open orders, as far as it can be told."""
        if {"quantity", "unit_price"} & set(self.errors):
            return {}
        price = data.get("unit_price")
        return {self.order.currency: None if price is None else price * data["quantity"]}

    def save(self, commit=True):
        line = super().save(commit=False)
        line.bill = line.product.bills.order_by("-version").first()
        line.save()
        self.keep(self.order, self.user, today())
        return line


class ConfirmForm(PlacingForm):
    """The factory's confirmation: the first committed day of each line; from then on the terms are frozen."""

    confirmed_on = PastDayField(label=gettext_lazy("Confirmed by the factory on"))

    def __init__(self, *args, order, lines, user, **kwargs):
        self.order, self.lines, self.user = order, lines, user
        super().__init__(*args, **kwargs)
        self.fields["confirmed_on"].initial = order.confirmed_on or today()
        for line in lines:
            first = due_from_cycle(today(), order.cycle_days) if order.cycle_days is not None else line.requested_on
            self.fields[f"line_{line.pk}"] = DayField(
                label=_("Line %(number)s: committed day") % {"number": line.number},
                initial=first if order.cycle_days is None else None,
                required=order.cycle_days is None,
                help_text=self.hint(line),
                error_messages={"required": _("Enter the day that the factory committed to.")},
            )
        self.order_fields([name for name in self.fields if name != "anyway"])
        if not self.is_bound:
            self.look(order.factory, {}, today())
            self.ticked_before(order, user, today())

    def clean(self):
        data = super().clean()
        self.ask(self.order.factory, {}, today())  # its lines are among the open ones already
        return data

    def hint(self, line) -> str:
        told = f"{amount(line.quantity)} {line.product.unit}, {line.product.name}"
        if self.order.cycle_days is not None:
            cycle = _("empty: %(count)s days after the confirmation") % {"count": self.order.cycle_days}
            return f"{told}; {cycle}"
        return f"{told}; {_('wanted by %(day)s') % {'day': day(line.requested_on)}}" if line.requested_on else told

    def save(self):
        """The caller holds the lock of the order."""
        on = self.cleaned_data["confirmed_on"]
        self.order.confirmed_on = self.order.confirmed_on or on
        self.order.save(update_fields=["confirmed_on"])
        for line in self.lines:
            committed = self.cleaned_data[f"line_{line.pk}"]
            if committed is None:
                committed = due_from_cycle(self.order.confirmed_on, self.order.cycle_days)
            line.committed_on = line.committed_on or committed
            line.terms_frozen_on = on
            line.version += 1
            line.save(update_fields=["committed_on", "terms_frozen_on", "version"])
        self.keep(self.order, self.user, today())


class OfLine(forms.Form):
    """A change to one line of an order, seen at a version."""

    line = forms.ModelChoiceField(OrderLine.objects.none(), label=gettext_lazy("Order line"), to_field_name="number")

    def limit_to(self, lines):
        self.fields["line"].queryset = lines
        self.fields["line"].empty_label = None
        self.fields["line"].label_from_instance = lambda line: (
            f"{line.number}: {line.product.name}, {amount(line.quantity)} {line.product.unit}"
        )


class RevisionForm(OfLine, forms.ModelForm):
    """A new day for a line; it moves the judgement only if the factory did not cause it and a manager approves."""

    new_on = DayField(label=gettext_lazy("New day"))
    asked_on = PastDayField(label=gettext_lazy("Asked for on"))
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200, error_messages=REASON_NEEDED)
    approve = forms.BooleanField(label=gettext_lazy("Approve it now"), required=False)

    class Meta:
        model = DateRevision
        fields = ["line", "new_on", "cause", "asked_on", "reason"]
        labels = {"cause": gettext_lazy("Who caused it")}

    def __init__(self, *args, lines, user, may_approve, **kwargs):
        self.user = user
        super().__init__(*args, **kwargs)
        self.limit_to(lines)
        if not may_approve:
            del self.fields["approve"]

    def clean(self):
        data = super().clean()
        same = {name: data.get(name) for name in ("line", "new_on", "cause")}
        if all(same.values()) and DateRevision.objects.filter(**same).exists():
            self.add_error("new_on", _("This revision is on record already."))
        return data

    def save(self, commit=True):
        revision = super().save(commit=False)
        if self.cleaned_data.get("approve"):
            revision.approved_on, revision.approved_by = today(), self.user
        revision.save()
        OrderLine.objects.filter(pk=revision.line_id).update(version=F("version") + 1)
        return revision


class CancellationForm(OfLine, forms.ModelForm):
    """A quantity that will not be delivered, and who cancelled it."""

    quantity = forms.CharField(label=gettext_lazy("Cancelled quantity"), max_length=40)
    cancelled_on = PastDayField(label=gettext_lazy("Cancelled on"))
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200, error_messages=REASON_NEEDED)
    again = forms.BooleanField(label=gettext_lazy("Yes, a second cancellation"), required=False)

    class Meta:
        model = Cancellation
        fields = ["line", "quantity", "by", "cancelled_on", "reason"]
        labels = {"by": gettext_lazy("Cancelled by")}

    def __init__(self, *args, lines, **kwargs):
        super().__init__(*args, **kwargs)
        self.limit_to(lines)
        self.fields["quantity"].widget.attrs |= {"class": "w-s", "inputmode": "numeric", "autocomplete": "off"}
        if not self.is_bound:
            self.fields["again"].widget = forms.HiddenInput()

    def clean_quantity(self):
        line = self.cleaned_data.get("line")
        return read_quantity(self.cleaned_data["quantity"], whole=line is None or counts_whole(line.product.unit))

    def clean(self):
        data = super().clean()
        same = {name: data.get(name) for name in ("line", "quantity", "by", "cancelled_on")}
        if all(same.values()) and not data.get("again") and Cancellation.objects.filter(**same).exists():
            self.add_error("again", _("The same cancellation is on record already. Tick that this is a second one."))
        elif "again" not in self.errors:
            self.fields["again"].widget = forms.HiddenInput()
        return data

    def save(self, commit=True):
        cancellation = super().save()
        OrderLine.objects.filter(pk=cancellation.line_id).update(version=F("version") + 1)
        return cancellation


class CloseShortForm(OfLine):
    """Nothing more will come on a line, though it is not complete."""

    closed_short_on = PastDayField(label=gettext_lazy("Closed on"))
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200, error_messages=REASON_NEEDED)

    def __init__(self, *args, lines, **kwargs):
        super().__init__(*args, **kwargs)
        self.limit_to(lines)

    def save(self):
        line, on = self.cleaned_data["line"], self.cleaned_data["closed_short_on"]
        OrderLine.objects.filter(pk=line.pk).update(closed_short_on=on, version=F("version") + 1)
        told = _("Line %(number)s closed short on %(day)s: %(reason)s")
        add_note(line.order, told % {"number": line.number, "day": day(on), "reason": self.cleaned_data["reason"]})
        return line


class CloseOrderForm(forms.Form):
    """The order is finished: its materials are reconciled as of that day."""

    closed_on = PastDayField(label=gettext_lazy("Closed on"))
    reason = forms.CharField(label=gettext_lazy("Remark"), max_length=200, required=False)
    sure = forms.BooleanField(
        label=gettext_lazy("All returns and scrap of our material are entered"),
        error_messages={"required": gettext_lazy("Tick this once all returns and scrap are entered.")},
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reason"].is_optional = True

    def clean(self):
        data = super().clean()
        if data.get("closed_on") and not data.get("reason") and is_published(data["closed_on"], today()):
            self.add_error("reason", _("The grade of that month is published. Say why it is closed only now."))
        return data

    def save(self, order):
        order.closed_on = self.cleaned_data["closed_on"]
        order.save(update_fields=["closed_on"])
        if self.cleaned_data["reason"]:
            add_note(order, _("Closed: %(reason)s") % {"reason": self.cleaned_data["reason"]})
