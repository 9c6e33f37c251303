"""Writes the demo company into the database, works out its sums, and judges its factories month by month."""

import datetime
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import pgtrigger
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.db import connection, models, transaction

from accounts.models import User
from assessments.demo import asides, catalogue, judge, objections
from assessments.demo.calendars import CALENDARS
from assessments.demo.company import Company, build
from assessments.demo.facts import Line, Order
from assessments.demo.keep import note_existing
from assessments.demo.people import PEOPLE, passphrase
from assessments.demo.places import SITES
from assessments.demo.plans import Plans
from assessments.demo.suppliers import FACTORIES
from assessments.models import Evaluation, Policy, Watch
from factories.models import CalendarException, Category, Contact, Factory, Membership, WorkingCalendar, WorkingDay
from factories.public_holidays import last_known_year
from production import plan_outcomes, rollups
from production.models import (
    BillLine,
    BillOfMaterials,
    Cancellation,
    DateRevision,
    Delivery,
    DeliveryOutcome,
    FactoryDay,
    Inspection,
    LineOutcome,
    Lot,
    LotOutcome,
    Material,
    MaterialMovement,
    MaterialOutcome,
    Milestone,
    MilestoneForecast,
    OpenMaterial,
    OrderLine,
    OrderMaterial,
    PlanOutcome,
    Product,
    PurchaseOrder,
    Rebaseline,
    Site,
    ToJudge,
)

BATCH = 1000
STRICTER_FOR_TOYS = "Children's goods: half of what others may have"
LAST_KNOWN_DAYS = 545


FACTS = [
    Factory, WorkingDay, PurchaseOrder, OrderLine, OrderMaterial, Lot, Delivery, Inspection, MaterialMovement, Cancellation,
    DateRevision, Product, BillLine, Milestone, MilestoneForecast, Rebaseline,
]  # fmt: skip
SUMS = [FactoryDay, LineOutcome, DeliveryOutcome, LotOutcome, MaterialOutcome, OpenMaterial, PlanOutcome]


class AlreadyTaken(Exception):
    """A factory of somebody else bears a code of the demo."""


def load(day: datetime.date, now: datetime.datetime, scale: int = 1) -> bool:
    """Loads the demo as it looks on `day`, at the moment `now` of it; False and no change where it is loaded already.

    A load that was interrupted before the factories were judged is finished.
    """
    demo = Factory.objects.filter(is_demo=True)
    fresh = not demo.exists()
    company = build(day, scale) if fresh else None
    with the_worker_waiting():
        if company:
            with transaction.atomic():
                Loader(company).run()
            analyze(*FACTS)
            rollups.rebuild_all()
            plan_outcomes.rebuild()
            analyze(*SUMS)
        if company or not Evaluation.objects.filter(factory__in=demo).exists():
            judge.judge(day, now)
            objections.follow(day, now, list(demo.values_list("pk", flat=True)))
            ToJudge.objects.all().delete()  # it has just been done
    return fresh


@contextmanager
def the_worker_waiting() -> Iterator[None]:
    """Holds the lock of the sums for this connection: a worker that saw the facts first would mail about the past."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [rollups.LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [rollups.LOCK])


def analyze(*models_of_tables: type[models.Model]) -> None:
    """Tells the planner how big the tables are now; it would join them row by row until it found out by itself."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE " + ", ".join(model._meta.db_table for model in models_of_tables))


def saved(rows: Iterable[models.Model]) -> list:
    """Stores rows of one model in batches and gives them back with their keys."""
    rows = list(rows)
    return type(rows[0]).objects.bulk_create(rows, batch_size=BATCH) if rows else []


class Loader:
    """Turns the plain values of one company into rows."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.day = company.day

    def run(self) -> None:
        taken = Factory.objects.filter(code__in=[seed.code for seed in FACTORIES]).values_list("code", flat=True)
        if taken:
            raise AlreadyTaken(", ".join(sorted(taken)))
        note_existing()
        self._calendars()
        self._catalogue()
        self._factories()
        self._people()
        self._orders()
        self._plans()
        self._supplies()
        self._exclusions()

    def _calendars(self) -> None:
        known = self._named(WorkingCalendar)
        seeds = [seed for seed in CALENDARS if seed.code not in known]
        years = {off.day.year for off in self.company.days_off}
        # Its working days are numbered once, when the exceptions come.
        with pgtrigger.ignore("factories.WorkingCalendar:a_working_days_insert"):
            new = {
                row.code: row
                for row in saved(
                    WorkingCalendar(
                        code=seed.code, name=seed.name, weekend=list(seed.weekend), country=seed.country,
                        known_years=sorted(year for year in years if year <= last_known_year(seed.country)),
                    )
                    for seed in seeds if not seed.base
                )
            }  # fmt: skip
            bases = known | new
            own = saved(
                WorkingCalendar(code=seed.code, name=seed.name, weekend=list(seed.weekend), base=bases[seed.base])
                for seed in seeds if seed.base
            )  # fmt: skip
        self.calendars = bases | {row.code: row for row in own}
        written = {seed.code for seed in seeds}
        saved(
            CalendarException(
                calendar=self.calendars[off.calendar], day=off.day, is_open=off.is_open, name=off.name, source=off.source
            )
            for off in self.company.days_off if off.calendar in written
        )  # fmt: skip
        self.sites = self._ensured(
            Site, (Site(code=site.code, name=site.name, time_zone=site.zone, calendar=self.calendars[site.calendar])
                   for site in SITES.values())
        )  # fmt: skip

    def _catalogue(self) -> None:
        self.categories = self._ensured(
            Category,
            (Category(code=seed.code, name=seed.name, is_soft=seed.is_soft) for seed in catalogue.CATEGORIES.values()),
        )
        self.materials = self._ensured(
            Material,
            (Material(code=seed.code, name=seed.name, unit=seed.unit) for seed in catalogue.MATERIALS.values()),
        )
        self.products = self._ensured(
            Product, (Product(code=code, name=name, category=self.categories[style.category])
                      for code, name, style in catalogue.articles())
        )  # fmt: skip
        begin = self.day - datetime.timedelta(days=LAST_KNOWN_DAYS + 100)
        second = self.day - datetime.timedelta(days=catalogue.SECOND_BILL_DAYS_AGO)
        versions = [
            (self.products[code], style, version, begin if version == 1 else second)
            for code, _, style in catalogue.articles() if style.bill
            for version in ((1, 2) if style.key == catalogue.SECOND_BILL[0] else (1,))
        ]  # fmt: skip
        rows = saved(
            BillOfMaterials(product=product, version=version, effective_on=on) for product, _, version, on in versions
        )
        self.bills = {(row.product.code, row.version): row for row in rows}
        saved(
            BillLine(
                bill=self.bills[product.code, version], material=self.materials[material], quantity_per_unit=quantity
            )
            for product, style, version, _ in versions
            for material, quantity in catalogue.consumption(style, version).items()
        )

    def _factories(self) -> None:
        own = {seed.factory: seed.code for seed in CALENDARS if seed.factory}
        self.factories = {
            row.code: row
            for row in saved(
                Factory(
                    code=seed.code, name=seed.name, local_name=seed.local_name, local_language=seed.language,
                    country=seed.country, city=seed.city, time_zone=seed.zone, category=self.categories[seed.category],
                    calendar=self.calendars[own.get(seed.code, seed.calendar)], status=seed.status, is_demo=True,
                    since_on=self.day - datetime.timedelta(days=110 + 365 * seed.years + 7 * place),
                )
                for place, seed in enumerate(FACTORIES)
            )
        }  # fmt: skip
        saved(
            Contact(factory=self.factories[seed.code], name=contact.name, position=contact.position,
            phone=contact.phone,
                    email=f"{contact.position.split()[0].lower()}@{seed.domain}")
            for seed in FACTORIES for contact in seed.contacts
        )  # fmt: skip
        # Toys are judged more strictly than the rest, since before the first order; but not the toys of others, which were
        # judged already.
        toys = self.categories["toys"]
        if Evaluation.objects.filter(models.Q(factory__category=toys) | models.Q(category=toys)).exists():
            return
        first = (self.day - datetime.timedelta(days=LAST_KNOWN_DAYS + 60)).replace(day=1)
        with pgtrigger.ignore("assessments.Policy:begins_as_a_proposal"):  # the past was agreed long ago
            Policy.objects.create(
                category=toys, effective_from=first, note=STRICTER_FOR_TOYS,
                defect_target=Decimal("0.005"), defect_limit=Decimal("0.015"), defect_zero=Decimal("0.03"),
            )  # fmt: skip

    def _people(self) -> None:
        password = make_password(passphrase())
        begin = self.day - datetime.timedelta(days=LAST_KNOWN_DAYS + 30)
        joined = datetime.datetime.combine(begin, datetime.time(9), datetime.UTC)
        known = set(User.objects.filter(email__in=[person.email for person in PEOPLE]).values_list("email", flat=True))
        rows = saved(
            User(email=person.email, name=person.name, role=person.role, time_zone=person.zone, password=password,
                 joined_at=joined)
            for person in PEOPLE if person.email not in known
        )  # fmt: skip
        self.users = {row.email: row for row in rows}
        self.by_role = {row.role: row for row in rows}
        saved(EmailAddress(user=row, email=row.email, verified=True, primary=True) for row in rows)
        present = [(self.users[person.email], person) for person in PEOPLE if person.email in self.users]
        saved(
            Membership(user=user, factory=self.factories[code]) for user, person in present for code in person.factories
        )
        saved(
            Watch(user=user, factory=self.factories[code] if code else None)
            for user, person in present
            for code in person.watches
        )

    def _orders(self) -> None:
        orders = self.company.orders
        rows = saved(
            PurchaseOrder(
                factory=self.factories[order.factory.code], number=order.number, currency=order.currency,
                ordered_on=order.ordered_on, confirmed_on=order.confirmed_on, cycle_days=order.cycle_days,
                closed_on=order.closed_on, note=order.note, is_demo=True,
            )
            for order in orders
        )  # fmt: skip
        self.order_rows = dict(zip(map(id, orders), rows, strict=True))
        lines = [(order, line) for order in orders for line in order.lines]
        line_rows = saved(self._line(order, line) for order, line in lines)
        pairs = list(zip(line_rows, [line for _, line in lines], strict=True))
        saved(
            DateRevision(
                line=row, new_on=revision.new_on, cause=revision.cause, reason=revision.reason,
                asked_on=revision.asked_on,
                approved_on=revision.approved_on,
                approved_by=self.by_role.get("manager") if revision.approved_on else None,
            )
            for row, line in pairs for revision in line.revisions
        )  # fmt: skip
        saved(
            Cancellation(line=row, quantity=cancelled.quantity, cancelled_on=cancelled.cancelled_on, by=cancelled.by,
                         reason=cancelled.reason)
            for row, line in pairs for cancelled in line.cancellations
        )  # fmt: skip
        lots = [(row, lot) for row, line in pairs for lot in line.lots]
        lot_rows = saved(
            Lot(factory_id=row.factory_id, line=row, code=lot.code, quantity=lot.quantity) for row, lot in lots
        )
        self.lot_rows = dict(zip((id(lot) for _, lot in lots), lot_rows, strict=True))
        saved(self._inspections(lots))
        self._deliveries(pairs)

    def _line(self, order: Order, line: Line) -> OrderLine:
        terms, site = line.terms, self.sites[line.site]
        named = terms.grace_unit == "working" or terms.rolls_to_working_day
        row = self.order_rows[id(order)]
        return OrderLine(
            factory_id=row.factory_id, order=row, number=line.number, product=self.products[line.product], site=site,
            bill=self.bills[line.product, line.bill] if line.bill else None, quantity=line.quantity,
            unit_price=line.price,
            requested_on=line.requested_on, committed_on=line.committed_on, forecast_on=line.forecast_on,
            closed_short_on=line.closed_short_on, terms_frozen_on=line.frozen_on,
            grace_days=terms.grace_days, grace_unit=terms.grace_unit, tol_under=Decimal(terms.tol_under),
            tol_over=Decimal(terms.tol_over) if terms.tol_over else None, early_days=terms.early_days,
            early_policy=terms.early_policy, single_delivery=terms.single_delivery,
            rolls_to_working_day=terms.rolls_to_working_day, calendar_id=site.calendar_id if named else None,
        )  # fmt: skip

    def _inspections(self, lots: list) -> Iterator[Inspection]:
        for row, lot in lots:
            for found in lot.inspections:
                by = "buyer" if found.stage == "receiving" else "inspector"
                yield Inspection(
                    factory_id=row.factory_id, lot=self.lot_rows[id(lot)], stage=found.stage, source=found.source,
                    is_original=found.is_original, inspected_at=found.inspected_at, inspected_on=found.inspected_on,
                    lot_quantity=found.lot_quantity, units_inspected=found.units, units_critical=found.critical,
                    units_major=found.major, units_minor=found.minor, verdict=found.verdict,
                    units_rejected=found.units_rejected, units_material_fault=found.material_fault,
                    material_fault_approved_on=found.material_fault_approved_on, note=found.note.strip(),
                    recorded_at=found.inspected_at + datetime.timedelta(hours=2), recorded_by=self.by_role.get(by),
                )  # fmt: skip

    def _deliveries(self, pairs: list) -> None:
        receipts: dict[int, Delivery] = {}
        # Receipts first: a reversal points at the row of its receipt.
        for reversing in (False, True):
            facts = [
                (row, delivery) for row, line in pairs for delivery in line.deliveries
                if (delivery.reverses is not None) == reversing
            ]  # fmt: skip
            rows = saved(
                Delivery(
                    factory_id=row.factory_id, line=row, site_id=row.site_id, lot=self.lot_rows[id(delivery.lot)],
                    kind="reversal" if reversing else "receipt",
                    reverses=receipts[id(delivery.reverses)] if reversing else None,
                    quantity=delivery.quantity, received_at=delivery.received_at, received_on=delivery.received_on,
                    known_on=delivery.known_on, condition="damaged" if delivery.damaged else "fine",
                    damaged_quantity=delivery.damaged or None, reason=delivery.reason, document=delivery.document,
                    cartons=delivery.cartons, note=delivery.note, is_over=delivery.is_over,
                    recorded_at=delivery.received_at + (delivery.known_on - delivery.received_on)
                    + datetime.timedelta(minutes=35),
                    recorded_by=self.by_role.get("buyer"),
                )
                for row, delivery in facts
            )  # fmt: skip
            receipts |= {id(delivery): row for (_, delivery), row in zip(facts, rows, strict=True)}

    def _plans(self) -> None:
        orders = [(self.order_rows[id(order)], order) for order in self.company.orders]
        for rows in Plans(self.day, orders, self.by_role).rows():
            saved(rows)

    def _supplies(self) -> None:
        supplies = [(self.order_rows[id(order)], supply) for order in self.company.orders for supply in order.supplies]
        rows = saved(
            OrderMaterial(factory_id=order.factory_id, order=order, material=self.materials[supply.material],
                          currency=supply.currency, allowance=supply.allowance, loss_base=supply.base)
            for order, supply in supplies
        )  # fmt: skip
        saved(
            MaterialMovement(
                factory_id=row.factory_id, order_material=row, kind=move.kind, moved_on=move.moved_on,
                quantity_entered=move.quantity, unit_entered=move.unit, factor_numerator=move.numerator,
                factor_denominator=move.denominator, unit_cost=move.cost, salvage_unit=move.salvage,
                document=move.document,
            )
            for row, (_, supply) in zip(rows, supplies, strict=True) for move in supply.movements
        )  # fmt: skip

    def _named(self, model: type[models.Model]) -> dict:
        return {row.code: row for row in model.objects.all()}

    def _ensured(self, model: type[models.Model], rows: Iterable) -> dict:
        """The rows by code, those that exist already as they are."""
        known = self._named(model)
        return known | {row.code: row for row in saved(row for row in rows if row.code not in known)}

    def _exclusions(self) -> None:
        """A few rows that somebody wants set aside; none where the three people are not all new here."""
        people = [self.by_role.get(role) for role in ("buyer", "manager", "admin")]
        if all(people):
            saved(asides.exclusions(self.day, self.factories, *people))
