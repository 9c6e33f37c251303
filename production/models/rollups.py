"""What is worked out from the facts: one outcome per subject, and the daily sums of the outcomes. Never edited by hand."""

import datetime

from django.db import models
from django.db.models import Count, Exists, F, Func, Min, OuterRef, Q, Sum, Value
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from factories.models import Category, Factory
from production.models.deliveries import Delivery, Lot
from production.models.inspections import Inspection
from production.models.orders import OfFactory, OrderLine, OrderMaterial, PurchaseOrder
from production.models.products import Material

# Sorted last: no day is known.
FAR = datetime.date(9999, 12, 31)


def derived(to, **options):
    """A reference from a derived row to a fact: no constraint, the row is rebuilt when the fact goes."""
    options = {"related_name": "+"} | options
    return models.ForeignKey(to, models.DO_NOTHING, db_constraint=False, db_index=False, **options)


def subject(to, related_name="outcome"):
    """The fact that a derived row is about: its key, and `fact.outcome` the other way."""
    return models.OneToOneField(to, models.DO_NOTHING, db_constraint=False, primary_key=True, related_name=related_name)


class Touched(models.Model):
    """One mark that a write left: this subject has to be worked out again. Append-only, deleted by the worker."""

    kind = models.CharField(max_length=8)
    subject_id = models.BigIntegerField()
    marked_at = models.DateTimeField(default=timezone.now, db_default=models.functions.Now())

    class Meta:
        verbose_name_plural = "touched"


class ToJudge(models.Model):
    """One factory whose sums were worked out again and that was not judged since. Append-only, deleted by the judge."""

    factory_id = models.BigIntegerField()
    first_on = models.DateField(help_text="The first day whose sums changed.")
    last_on = models.DateField(default=FAR, db_default=FAR, help_text="The last such day.")

    class Meta:
        verbose_name_plural = "to judge"


class Written(models.Model):
    """How often the outcomes of a factory were written, by whoever wrote them: while it stands, so do they and the sums."""

    factory_id = models.BigIntegerField(primary_key=True)
    number = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "written"


def day_at(zone):
    """The day it is now in the zone that the column `zone` names: an open line is late by the day of its receiving site."""
    return Cast(Func(F(zone), Value(timezone.now()), function="timezone"), models.DateField())


def days_anywhere():
    """The day it is now where it is earliest on Earth, and where it is latest."""
    now = timezone.now().astimezone(datetime.UTC)
    return (now - datetime.timedelta(hours=12)).date(), (now + datetime.timedelta(hours=14)).date()


def is_over_time():
    """A condition on the outcome of a line: the day at its site is past its last day on time."""
    earliest, latest = days_anywhere()
    # Over everywhere: no look at the site.
    over = Q(limit_on__lt=earliest) | Q(Exists(_received(there__gt=OuterRef("limit_on"))))
    return Q(limit_on__lt=latest) & over


class LineOutcomeQuerySet(OfFactory):
    def open(self):
        return self.filter(is_open=True)

    def late(self):
        """Open lines whose last day on time is over at their site."""
        return self.open().filter(is_over_time())

    def due_within(self, days):
        """Open lines whose last day on time is today at their site, or one of so many days after it."""
        ahead = datetime.timedelta(days=days)
        earliest, latest = days_anywhere()
        there = {"there__lte": OuterRef("limit_on"), "there__gte": OuterRef("limit_on") - ahead}
        near = Q(limit_on__gte=latest, limit_on__lte=earliest + ahead) | Q(Exists(_received(**there)))
        return self.open().filter(near, limit_on__gte=earliest, limit_on__lte=latest + ahead)

    def waiting_orders(self, *, late=False):
        """The orders of open lines, or of late ones: `id`, and `next_due`, the due day of the open line due first, or FAR."""
        # Grouped as the index of the open lines is sorted: read once, in order, without the table.
        orders = self.open().order_by().values("factory_id", id=F("order_id"))
        orders = orders.annotate(next_due=Coalesce(Min("due_on"), Value(FAR), output_field=models.DateField()))
        if late:
            earliest, _latest = days_anywhere()
            some = Count("line_id", filter=Q(limit_on__gte=earliest) & is_over_time())
            orders = orders.alias(first_limit=Min("limit_on"), some=some)
            orders = orders.filter(Q(first_limit__lt=earliest) | Q(some__gt=0))
        return orders.values_list("id", "next_due", named=True)

    def counted(self):
        return self.filter(state=LineOutcome.State.COUNTED)

    def due_between(self, first, last):
        return self.filter(limit_on__gte=first, limit_on__lte=last)


def _received(**there):
    """The line of an outcome where a condition holds for `there`, the day it is now at its site."""
    lines = OrderLine.objects.filter(pk=OuterRef("pk")).order_by()
    return lines.annotate(there=day_at("site__time_zone")).filter(**there)


class LineOutcome(models.Model):
    """What one order line counts as: due day, limit day, and whether it was on time and in full."""

    class State(models.TextChoices):
        COUNTED = "counted", "Counted"
        EXCLUDED = "excluded", "Cancelled by us in time"
        UNMEASURABLE = "unmeasurable", "No promised day"
        SET_ASIDE = "set_aside", "Set aside"

    line = subject(OrderLine)
    order = derived(PurchaseOrder)
    factory = derived(Factory)
    category = derived(Category)
    state = models.CharField(max_length=12, choices=State)
    due_on = models.DateField(null=True)
    limit_on = models.DateField(null=True)
    qty_due = models.DecimalField(max_digits=18, decimal_places=6)
    qty_on_time = models.DecimalField(max_digits=18, decimal_places=6)
    qty_received = models.DecimalField(max_digits=18, decimal_places=6)
    is_otif = models.BooleanField()
    is_otd = models.BooleanField()
    is_open = models.BooleanField()
    is_early = models.BooleanField()
    is_over = models.BooleanField()
    completed_on = models.DateField(null=True)
    days_late = models.IntegerField(null=True, help_text="Null while the line is open.")
    cycle_days = models.IntegerField(null=True)

    objects = LineOutcomeQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["factory", "category", "limit_on"]),
            models.Index(
                fields=["factory", "completed_on"],
                condition=Q(completed_on__isnull=False),
                name="line_outcome_completed",
            ),
            models.Index(fields=["order"]),
            # All that a list of open lines or of their orders asks, so it is read without the table.
            models.Index(
                fields=["factory", "order", "due_on", "limit_on", "line"],
                condition=Q(is_open=True),
                name="line_outcome_open",
            ),
            # What opens an event each night: a look at the last weeks only.
            models.Index(fields=["limit_on"], condition=Q(state="counted", is_otd=False), name="line_outcome_late"),
        ]


class DeliveryOutcomeQuerySet(OfFactory):
    def between(self, factory, first, last):
        """What a factory delivered from one day to another; found by the deliveries themselves, which are ordered by day."""
        days = {"factory": factory, "received_on__range": (first, last)}
        found = {f"delivery__{name}": value for name, value in days.items()}
        return self.filter(**days, **found, line=F("delivery__line"))


class DeliveryOutcome(models.Model):
    """What one delivery adds to the coverage of its day: its quantity, and whether its lot was inspected."""

    # One index finds both the deliveries of a line and a delivery.
    pk = models.CompositePrimaryKey("line_id", "delivery_id")
    line = derived(OrderLine)
    delivery = derived(Delivery)
    factory = derived(Factory)
    category = derived(Category)
    received_on = models.DateField()
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    is_inspected = models.BooleanField()

    objects = DeliveryOutcomeQuerySet.as_manager()


class LotOutcomeQuerySet(OfFactory):
    def between(self, first, last):
        return self.filter(inspected_on__gte=first, inspected_on__lte=last)


class LotOutcome(models.Model):
    """The inspection of a lot that counts, the first original one of the highest source (DEF-4)."""

    lot = subject(Lot)
    line = derived(OrderLine)
    order = derived(PurchaseOrder)
    inspection = derived(Inspection)
    factory = derived(Factory)
    category = derived(Category)
    inspected_on = models.DateField()
    inspected = models.IntegerField()
    critical = models.IntegerField()
    major = models.IntegerField()
    minor = models.IntegerField()
    is_accepted = models.BooleanField(null=True)
    is_census = models.BooleanField()
    qty_delivered = models.DecimalField(max_digits=18, decimal_places=6)

    objects = LotOutcomeQuerySet.as_manager()

    class Meta:
        indexes = [
            # The largest lot of a window is read from the index alone.
            models.Index(
                fields=["factory", "inspected_on"], include=["category", "inspected"], name="lot_outcome_size"
            ),
            models.Index(fields=["factory", "inspected_on"], condition=Q(critical__gt=0), name="lot_outcome_critical"),
            models.Index(fields=["line"]),
        ]

    @property
    def defective(self):
        return self.critical + self.major


class MaterialOutcomeQuerySet(OfFactory):
    def counted(self):
        return self.filter(is_set_aside=False)


class MaterialOutcome(models.Model):
    """The reconciliation of one material of one closed order (MAT-1 to MAT-5)."""

    order_material = subject(OrderMaterial)
    order = derived(PurchaseOrder)
    factory = derived(Factory)
    category = derived(Category)
    closed_on = models.DateField()
    currency = models.CharField(max_length=3)
    issued = models.DecimalField(max_digits=38, decimal_places=12)
    net_issued = models.DecimalField(max_digits=38, decimal_places=12)
    theoretical = models.DecimalField(max_digits=38, decimal_places=12)
    loss = models.DecimalField(max_digits=38, decimal_places=12)
    allowed = models.DecimalField(max_digits=38, decimal_places=12)
    excess = models.DecimalField(max_digits=38, decimal_places=12)
    unit_cost = models.DecimalField(max_digits=38, decimal_places=12)
    value_net = models.DecimalField(max_digits=38, decimal_places=12)
    value_loss = models.DecimalField(max_digits=38, decimal_places=12)
    charge = models.DecimalField(
        max_digits=38, decimal_places=12, help_text="Unrounded; rounded once where it is shown."
    )
    is_set_aside = models.BooleanField(default=False, help_text="It may be claimed, but it does not count.")

    objects = MaterialOutcomeQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["factory", "category", "closed_on"]),
            models.Index(
                fields=["factory", "closed_on"],
                condition=Q(excess__gt=0, is_set_aside=False),
                name="material_outcome_charged",
            ),
            # What may be claimed, newest first.
            models.Index(
                fields=["-closed_on", "-order_material"],
                condition=Q(excess__gt=0, charge__gt=0),
                name="material_outcome_claimable",
            ),
            models.Index(fields=["order"]),
        ]


class OpenMaterialQuerySet(OfFactory):
    def beyond_allowance(self):
        """Those whose projected loss is above the allowance: a warning, the newest orders first."""
        return self.filter(loss__gt=F("allowed")).order_by("-order_id", "material_id")


class OpenMaterial(models.Model):
    """Where one material of an open order is heading (MAT-9): what was issued, what the units received and open need of it.

    Without a row: never issued, or the order is closed. Eighteen places are all that a quantity times a consumption has.
    """

    order_material = subject(OrderMaterial, "projection")
    order = derived(PurchaseOrder, related_name="open_materials")
    factory = derived(Factory)
    material = derived(Material)
    currency = models.CharField(max_length=3)
    net = models.DecimalField(max_digits=38, decimal_places=12)
    needed = models.DecimalField(
        max_digits=44, decimal_places=18, null=True, help_text="Null where no bill of the order names the material."
    )
    loss = models.DecimalField(max_digits=44, decimal_places=18, null=True)
    allowed = models.DecimalField(max_digits=38, decimal_places=12, null=True)
    goods_in_on = models.DateField(
        null=True, help_text="The day of the order's last receipt; null while a line waits for goods."
    )

    objects = OpenMaterialQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["-order", "material"], condition=Q(loss__gt=F("allowed")), name="open_material_beyond"
            ),
            models.Index(
                fields=["goods_in_on", "order"],
                condition=Q(goods_in_on__isnull=False),
                name="open_material_goods_in",
            ),
        ]


class FactoryDayQuerySet(OfFactory):
    def between(self, first, last):
        return self.filter(day__gte=first, day__lte=last)

    def sums(self):
        """Every sum of the chosen days as one dict; None where no row had a value."""
        return self.aggregate(**{name: Sum(name) for name in SUM_FIELDS})


class FactoryDay(models.Model):
    """The sums of one factory, category, day and family (and currency, for material); sums only, never a rate."""

    class Family(models.TextChoices):
        DEFECT = "defect"
        COVERAGE = "coverage"
        DELIVERY = "delivery"
        CYCLE = "cycle"
        MATERIAL = "material"

    pk = models.CompositePrimaryKey("factory_id", "family", "day", "category_id", "currency")
    # No constraint in the database: checking two of them row by row doubled the time of a full rebuild.
    factory = models.ForeignKey(Factory, models.CASCADE, related_name="days", db_index=False, db_constraint=False)
    category = models.ForeignKey(Category, models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    day = models.DateField()
    family = models.CharField(max_length=8, choices=Family)
    currency = models.CharField(max_length=3, blank=True, default="")
    # defect, by inspection day
    lots = models.BigIntegerField(null=True)
    lots_accepted = models.BigIntegerField(null=True)
    lots_rejected = models.BigIntegerField(null=True)
    lots_with_critical = models.BigIntegerField(null=True)
    units_inspected = models.BigIntegerField(null=True)
    units_critical = models.BigIntegerField(null=True)
    units_major = models.BigIntegerField(null=True)
    units_minor = models.BigIntegerField(null=True)
    s2 = models.DecimalField(max_digits=38, decimal_places=12, null=True)
    sum_rate = models.DecimalField(max_digits=38, decimal_places=12, null=True)
    sum_q = models.DecimalField(max_digits=38, decimal_places=12, null=True)
    sum_q_rate = models.DecimalField(max_digits=38, decimal_places=12, null=True)
    # coverage, by receipt day
    qty_delivered = models.DecimalField(max_digits=38, decimal_places=12, null=True)
    qty_delivered_inspected = models.DecimalField(max_digits=38, decimal_places=12, null=True)
    # delivery, by limit day
    lines = models.BigIntegerField(null=True)
    otif = models.BigIntegerField(null=True)
    otd = models.BigIntegerField(null=True)
    qty_due = models.DecimalField(max_digits=38, decimal_places=12, null=True)
    qty_on_time = models.DecimalField(max_digits=38, decimal_places=12, null=True)
    late_closed = models.BigIntegerField(null=True)
    days_late_closed = models.BigIntegerField(null=True)
    open_count = models.BigIntegerField(null=True)
    open_due_ordinal = models.BigIntegerField(null=True)
    # cycle, by completion day: {days: lines}
    cycle_histogram = models.JSONField(null=True)
    # material, by close day
    orders = models.BigIntegerField(null=True)
    value_net = models.DecimalField(max_digits=38, decimal_places=12, null=True)
    value_loss_pos = models.DecimalField(max_digits=38, decimal_places=12, null=True)
    value_loss_neg = models.DecimalField(max_digits=38, decimal_places=12, null=True)
    charge = models.DecimalField(max_digits=38, decimal_places=12, null=True)

    objects = FactoryDayQuerySet.as_manager()


SUM_FIELDS = [
    field.name
    for field in FactoryDay._meta.fields
    if field.name not in {"pk", "factory", "category", "day", "family", "currency", "cycle_histogram"}
]
