"""The forms of the dock: log a delivery, correct one, take one back."""

import datetime
import uuid
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import DecimalField, F, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from factories.models import FIRST_DAY, LAST_DAY
from production.forms.fields import CountField, MomentInput, QuantityField, counts_whole, write_quantity
from production.judging import Standing
from production.models import Delivery, Lot, OrderLine, Site
from production.wording import amount, day, moment

FUTURE_ALLOWED = datetime.timedelta(minutes=10)
ASK_WHY_AFTER = datetime.timedelta(hours=24)
REPEAT_WITHIN = datetime.timedelta(hours=12)
NO, YES = "no", "yes"
AS_TYPED = ["condition", "damaged_quantity", "reason", "document", "cartons", "note", "is_over"]


def read_moment(text: str) -> datetime.datetime | None:
    """A moment with its offset, as a form carries it; None for anything else."""
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo and FIRST_DAY < found.date() < LAST_DAY else None


class DeliveryForm(forms.Form):
    """One receipt for one order line, judged against the line as it is under lock."""

    line = forms.CharField(widget=forms.HiddenInput, required=False)
    idem = forms.UUIDField(widget=forms.HiddenInput, required=False)
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)
    opened = forms.CharField(widget=forms.HiddenInput, required=False)
    quantity = QuantityField(
        label=gettext_lazy("Quantity received now"),
        error_messages={"required": gettext_lazy("Enter the quantity that was received.")},
    )
    is_over = forms.BooleanField(required=False)
    again = forms.BooleanField(required=False, label=gettext_lazy("Yes, a second delivery"))
    more = forms.ChoiceField(
        label=gettext_lazy("More will follow?"),
        choices=[(NO, gettext_lazy("No, this is all")), (YES, gettext_lazy("Yes, part delivery"))],
        widget=forms.RadioSelect,
        required=False,
    )
    closes_short = forms.BooleanField(required=False)
    condition = forms.ChoiceField(
        label=gettext_lazy("Condition"),
        choices=Delivery.Condition.choices,
        widget=forms.RadioSelect,
        required=False,
    )
    received_at = forms.DateTimeField(
        label=gettext_lazy("Received at"), widget=MomentInput, required=False,
        error_messages={"invalid": gettext_lazy("Enter a day and a time, for example 2026-11-21 09:42.")},
    )  # fmt: skip
    site = forms.ModelChoiceField(
        Site.objects.all(), label=gettext_lazy("Site"), required=False, empty_label=None, to_field_name="code"
    )
    late_reason = forms.CharField(
        label=gettext_lazy("Why is it logged only now?"), max_length=200, required=False,
        help_text=gettext_lazy("Only for a delivery received more than a day ago."),
    )  # fmt: skip
    damaged_quantity = QuantityField(label=gettext_lazy("How many are damaged or wrong"), required=False)
    reason = forms.CharField(label=gettext_lazy("What is wrong"), max_length=200, required=False)
    lot_code = forms.CharField(
        label=gettext_lazy("Lot code"), max_length=60, required=False,
        help_text=gettext_lazy("Joins deliveries that are inspected as one lot."),
    )  # fmt: skip
    document = forms.CharField(label=gettext_lazy("Document number"), max_length=80, required=False)
    cartons = CountField(label=gettext_lazy("Cartons"), required=False)
    note = forms.CharField(label=gettext_lazy("Note"), widget=forms.Textarea, max_length=2000, required=False)

    ASKS_WHY_LATE = True

    def __init__(self, *args, line: OrderLine, standing: Standing, user, now=None, **kwargs):
        self.order_line, self.standing, self.user = line, standing, user
        self.now = now or timezone.now()
        super().__init__(*args, **kwargs)
        whole = counts_whole(line.product.unit)
        self.fields["quantity"].whole = self.fields["damaged_quantity"].whole = whole
        self.fields["quantity"].widget.attrs |= {
            "class": "big w-s", "data-expected": write_quantity(standing.open), "data-follow": "more", "data-yes": YES,
            "data-no": NO, "data-over": "over-box", "data-select": True,
        }  # fmt: skip
        for name in ("cartons", "damaged_quantity"):
            self.fields[name].widget.attrs["class"] = "w-s"
        self.fields["note"].widget.attrs["rows"] = 3
        self.fields["site"].label_from_instance = lambda site: f"{site.name} ({site.code})"

    @classmethod
    def defaults(cls, line: OrderLine, standing: Standing, now=None) -> dict:
        """What a fresh form holds: all that is still expected, received now, at the line's own site."""
        opened = (now or timezone.now()).astimezone(ZoneInfo(line.site.time_zone)).replace(second=0, microsecond=0)
        return {
            "line": f"{line.order.factory.code}/{line.order.number}/{line.number}",
            "idem": uuid.uuid4(),
            "seen": line.version,
            "opened": opened.isoformat(),
            "quantity": standing.open or "",
            "more": NO,
            "condition": Delivery.Condition.FINE,
            "received_at": f"{opened:%Y-%m-%dT%H:%M}",
            "site": line.site.code,
        }

    # What was typed

    def clean_seen(self):
        return self.cleaned_data["seen"] or self.order_line.version

    def clean_opened(self):
        return read_moment(self.cleaned_data["opened"])

    def clean_received_at(self):
        typed = self.cleaned_data["received_at"]
        if typed and not FIRST_DAY < typed.date() < LAST_DAY:
            raise forms.ValidationError(_("The day must lie between 2000 and 2049."))
        return typed

    def clean(self):
        data = super().clean()
        data["site"] = data.get("site") or self.order_line.site
        data["condition"] = data.get("condition") or Delivery.Condition.FINE
        if "received_at" in data:
            self.check_moment(data)
        if data.get("quantity"):
            self.check_quantity(data)
        self.check_lot(data)
        return data

    def check_moment(self, data):
        zone = ZoneInfo(data["site"].time_zone)
        typed, opened = data["received_at"], data.get("opened")
        if typed is None:
            at = self.now
        elif opened and f"{typed:%Y-%m-%d %H:%M}" == f"{opened:%Y-%m-%d %H:%M}":
            at = opened
        else:
            at = typed.replace(tzinfo=zone)
        data["moment"], data["received_on"] = at, at.astimezone(zone).date()
        ordered_on = self.order_line.order.ordered_on
        if at > self.now + FUTURE_ALLOWED:
            now = moment(self.now, data["site"].time_zone)
            self.add_error("received_at", _("That is in the future: it is now %(now)s.") % {"now": now})
        elif ordered_on and data["received_on"] < ordered_on:
            self.add_error(
                "received_at", _("That is before the order was placed on %(day)s.") % {"day": day(ordered_on)}
            )
        elif self.ASKS_WHY_LATE and at < self.now - ASK_WHY_AFTER and not data.get("late_reason"):
            self.add_error("late_reason", _("This was received more than a day ago. Say why it is logged only now."))

    def check_quantity(self, data):
        quantity, rest = data["quantity"], self.standing.open
        facts = {"quantity": amount(quantity), "rest": amount(rest), "missing": amount(rest - quantity)}
        if (data.get("damaged_quantity") or 0) > quantity:
            self.add_error("damaged_quantity", _("More are damaged than were received. Check both numbers."))
        if quantity > rest and not data["is_over"]:
            words = _(
                "Quantity %(quantity)s is more than the %(rest)s still expected. "
                "Enter %(rest)s or less, or tick over-delivery."
            )
            if not rest:
                words = _("Nothing more is expected on this line. If it really came, tick over-delivery.")
            self.add_error("quantity", words % facts)
        if quantity < rest and data.get("more") == NO and not data["closes_short"]:
            self.add_error(
                "more",
                _(
                    "%(missing)s of %(rest)s are still missing. If they will follow, answer yes. "
                    "If nothing more will come, tick that the line is closed short."
                )
                % facts,
            )
        if self.repeats(quantity) and not data["again"]:
            self.add_error("again", self.repeat_question(facts))

    def repeats(self, quantity) -> bool:
        recent = Delivery.objects.filter(
            line=self.order_line, kind=Delivery.Kind.RECEIPT, quantity=quantity,
            recorded_at__gt=self.now - REPEAT_WITHIN,
        )  # fmt: skip
        taken_back = Coalesce(Sum("reversals__quantity"), 0, output_field=DecimalField())
        standing = recent.annotate(taken_back=taken_back).filter(taken_back__gt=-F("quantity"))
        self.earlier = standing.select_related("recorded_by").first()
        return self.earlier is not None

    def repeat_question(self, facts) -> str:
        facts |= {
            "earlier": self.earlier.code,
            "at": moment(self.earlier.recorded_at, self.order_line.site.time_zone),
            "who": self.earlier.recorded_by or _("an import"),
        }
        return (
            _(
                "%(earlier)s with the same quantity, %(quantity)s, was logged for this line on %(at)s by %(who)s. "
                "Tick that this is a second delivery."
            )
            % facts
        )

    def check_lot(self, data):
        code = data.get("lot_code")
        lots = Lot.objects.filter(factory=self.order_line.factory_id, code=code).select_related("line__order")
        lot = lots.first() if code else None
        if lot and lot.line_id != self.order_line.pk:
            self.add_error("lot_code", _("Lot %(lot)s belongs to %(line)s.") % {"lot": code, "line": lot.line.code})
        data["lot"] = lot

    def moment_shown(self, zone: str) -> datetime.datetime | None:
        """When the delivery came, as the form stands now; None where that cannot be read."""
        shown, typed = str(self["opened"].value() or ""), self["received_at"].value()
        opened = read_moment(shown)
        if opened and typed and shown.startswith(str(typed)):
            return opened
        try:
            naive = self.fields["received_at"].to_python(typed)
        except forms.ValidationError:
            return None
        if naive is None:
            return self.now
        return naive.replace(tzinfo=ZoneInfo(zone)) if FIRST_DAY < naive.date() < LAST_DAY else None

    @property
    def is_stale(self) -> bool:
        """Whether somebody else changed the line after this form was shown."""
        return self.cleaned_data.get("seen", self.order_line.version) != self.order_line.version

    # What is saved; the caller holds the lock of the line

    def save(self) -> Delivery:
        data, line = self.cleaned_data, self.order_line
        lot = data["lot"]
        if data["lot_code"] and lot is None:
            lot = Lot.objects.create(factory_id=line.factory_id, line=line, code=data["lot_code"])
        later = _("Logged later: %(reason)s") % {"reason": data["late_reason"]} if data["late_reason"] else ""
        delivery = Delivery.objects.create(
            factory_id=line.factory_id,
            line=line,
            site=data["site"],
            lot=lot,
            quantity=data["quantity"],
            received_at=data["moment"],
            received_on=data["received_on"],
            known_on=data["received_on"],
            condition=data["condition"],
            damaged_quantity=data["damaged_quantity"],
            reason=data["reason"],
            document=data["document"],
            cartons=data["cartons"],
            note="\n".join(filter(None, [data["note"], later])),
            is_over=data["quantity"] > self.standing.open,
            recorded_at=self.now,
            recorded_by=self.user,
            idem=data["idem"] or uuid.uuid4(),
        )
        closes = data["quantity"] < self.standing.open and data["more"] == NO and data["closes_short"]
        touch_line(line, **({"closed_short_on": data["received_on"]} if closes else {}))
        return delivery


class CorrectionForm(DeliveryForm):
    """What a delivery should have said: the old one is taken back, a new one stands in its place."""

    correction_reason = forms.CharField(
        label=gettext_lazy("Why is it corrected?"), max_length=200,
        error_messages={"required": gettext_lazy("Say why it is corrected, for example: counted again.")},
    )  # fmt: skip

    ASKS_WHY_LATE = False

    def repeats(self, quantity) -> bool:
        return False

    @classmethod
    def as_logged(cls, receipt: Delivery, line: OrderLine, standing: Standing) -> dict:
        """What the form holds at first: the delivery as it was logged."""
        zone, at = ZoneInfo(receipt.site.time_zone), receipt.received_at
        noon = datetime.datetime.combine(receipt.received_on, datetime.time(12))
        return cls.defaults(line, standing) | {
            "opened": "",
            "quantity": receipt.quantity,
            "received_at": f"{at.astimezone(zone) if at else noon:%Y-%m-%dT%H:%M}",
            "site": receipt.site.code,
            "lot_code": receipt.lot.code if receipt.lot else "",
            **{name: getattr(receipt, name) for name in AS_TYPED},
        }


class TakeBackForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Why is it taken back?"), max_length=200,
        error_messages={"required": gettext_lazy("Say why it is taken back, for example: logged on the wrong line.")},
    )  # fmt: skip


def take_back(receipt: Delivery, *, by, reason: str, now: datetime.datetime) -> Delivery | None:
    """Reverses what still stands of a receipt; None where nothing does. The caller holds the lock of the line."""
    standing = receipt.quantity + sum(each.quantity for each in receipt.reversals.all())
    if standing <= 0:
        return None
    today = now.astimezone(ZoneInfo(receipt.site.time_zone)).date()
    reversal = Delivery.objects.create(
        factory_id=receipt.factory_id,
        line=receipt.line,
        site=receipt.site,
        kind=Delivery.Kind.REVERSAL,
        reverses=receipt,
        quantity=-standing,
        received_at=now,
        received_on=receipt.received_on,
        known_on=max(today, receipt.received_on),
        reason=reason,
        recorded_at=now,
        recorded_by=by,
    )
    touch_line(receipt.line)
    return reversal


def touch_line(line: OrderLine, **changes) -> None:
    """Gives the line a new version, so that a form opened before this change says so."""
    OrderLine.objects.filter(pk=line.pk).update(version=F("version") + 1, **changes)
