"""Builders: each makes one row, and the rows it hangs on unless they are given. A test names only what it is about.

line = make.line(quantity=1200, committed_on=day("2026-11-14"))
make.delivery(line=line, quantity=420, received_on=day("2026-11-21"))
"""

import datetime
import hashlib
import itertools
from decimal import Decimal

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accounts.models import User
from assessments.consequences import FIELDS
from assessments.models import ClaimEvidence, GradeConsequence, Policy
from assessments.models.claim_evidence import stored_name
from factories.models import Category, Contact, Factory, Membership, Standing, StandingOverride, WorkingCalendar
from production import schedule
from production.models import (
    DEFAULT_TEMPLATE,
    PLAN_CONFIRMED,
    BillLine,
    BillOfMaterials,
    Cancellation,
    DateRevision,
    Delivery,
    Dispute,
    Exclusion,
    Inspection,
    Lot,
    Material,
    MaterialMovement,
    Milestone,
    MilestoneForecast,
    MilestoneTemplate,
    OrderLine,
    OrderMaterial,
    Product,
    PurchaseOrder,
    Rebaseline,
    Site,
)

PASSWORD = "correct horse battery staple"
ROLES = ["manager", "buyer", "inspector", "officer", "admin", "contact"]
numbers = itertools.count(1)


def day(text):
    """`day("2026-11-14")` is a date."""
    return datetime.date.fromisoformat(text)


def decimal(text):
    return Decimal(text)


def user(role="buyer", *, factory=None, password=PASSWORD, **fields):
    """A person; a contact belongs to `factory` (one, or several in a list)."""
    number = next(numbers)
    fields.setdefault("email", f"{role}{number}@example.com")
    fields.setdefault("name", f"{role.title()} {number}")
    person = User.objects.create_user(password=password, role=role, **fields)
    for each in factory if isinstance(factory, list) else [factory] if factory else []:
        membership(factory=each, user=person)
    return person


def shipped_policy():
    """The policy that every installation begins with."""
    return Policy.objects.get_or_create(factory=None, category=None, effective_from=day("2000-01-01"))[0]


def membership(*, factory, user):
    return Membership.objects.create(factory=factory, user=user)


def category(**fields):
    fields.setdefault("code", f"category-{next(numbers)}")
    fields.setdefault("name", fields["code"].title())
    return Category.objects.create(**fields)


def calendar(weekend=(6, 7), **fields):
    fields.setdefault("code", f"calendar-{next(numbers)}")
    fields.setdefault("name", fields["code"].title())
    return WorkingCalendar.objects.create(weekend=list(weekend), **fields)


def factory(**fields):
    number = next(numbers)
    fields.setdefault("code", f"VN-{number:05}")  # no code that a test names itself
    fields.setdefault("name", f"Factory {number}")
    fields.setdefault("country", "VN")
    fields.setdefault("time_zone", "Asia/Ho_Chi_Minh")
    fields["category"] = fields.get("category") or category()
    return Factory.objects.create(**fields)


def standing(factory, grade, **fields):
    """Gives a factory the standing of a grade as shipped, since 12 November 2026, without a month that published it."""
    row = GradeConsequence.objects.get(grade=grade)
    brings = {name.strip(): getattr(row, name.strip()) for name in FIELDS.split(",")}
    values = {"grade": grade, "since_on": day("2026-11-12"), **brings, **fields}
    return Standing.objects.update_or_create(factory=factory, defaults=values)[0]


def override(factory, *, from_on, until_on, **fields):
    """A permission to order from a factory in spite of its grade."""
    fields.setdefault("reason", "The moulds are there")
    fields["granted_by"] = fields.get("granted_by") or user("manager", name="Mai Tran")
    return StandingOverride.objects.create(factory=factory, from_on=from_on, until_on=until_on, **fields)


def contact(*, factory, **fields):
    """A person at a factory without an account; `user("contact", factory=...)` is one with an account."""
    fields.setdefault("name", f"Contact {next(numbers)}")
    return Contact.objects.create(factory=factory, **fields)


def site(**fields):
    fields.setdefault("code", f"SITE-{next(numbers)}")
    fields.setdefault("name", fields["code"].title())
    return Site.objects.create(**fields)


def product(**fields):
    fields.setdefault("code", f"SKU-{next(numbers)}")
    fields.setdefault("name", f"Product {fields['code']}")
    fields["category"] = fields.get("category") or category()
    return Product.objects.create(**fields)


def order(**fields):
    fields.setdefault("number", f"PO-{next(numbers)}")
    fields["factory"] = fields.get("factory") or factory()
    return PurchaseOrder.objects.create(**fields)


def line(quantity=1000, **fields):
    """An order line, due on 1 November 2026 unless told otherwise."""
    fields["order"] = fields.get("order") or order(factory=fields.pop("factory", None))
    fields.pop("factory", None)
    fields.setdefault("number", f"L{next(numbers)}")
    fields.setdefault("committed_on", day("2026-11-01"))
    fields["product"] = fields.get("product") or product(category=fields["order"].factory.category)
    fields["site"] = fields.get("site") or site()
    return OrderLine.objects.create(factory=fields["order"].factory, quantity=quantity, **fields)


new_line = line


def cancellation(*, line, quantity, cancelled_on, by="buyer", **fields):
    return Cancellation.objects.create(line=line, quantity=quantity, cancelled_on=cancelled_on, by=by, **fields)


def revision(*, line, new_on, cause="buyer", approved_on=None, **fields):
    return DateRevision.objects.create(line=line, new_on=new_on, cause=cause, approved_on=approved_on, **fields)


def lot(*, line=None, **fields):
    line = line or new_line()
    fields.setdefault("code", f"LOT-{next(numbers)}")
    return Lot.objects.create(factory=line.factory, line=line, **fields)


new_lot = lot


def delivery(quantity=1000, *, line=None, received_on=None, **fields):
    """A receipt, on 1 November 2026 unless told otherwise."""
    line = line or new_line()
    received_on = received_on or day("2026-11-01")
    fields.setdefault("known_on", received_on)
    fields.setdefault("site", line.site)
    return Delivery.objects.create(
        factory=line.factory, line=line, quantity=quantity, received_on=received_on, **fields
    )


def reversal(receipt, quantity=None, known_on=None, **fields):
    """Takes back all of a receipt, or `quantity` of it."""
    return Delivery.objects.create(
        factory=receipt.factory, line=receipt.line, site=receipt.site, kind=Delivery.Kind.REVERSAL, reverses=receipt,
        quantity=-(quantity or receipt.quantity), received_on=receipt.received_on,
        known_on=known_on or receipt.received_on, **fields,
    )  # fmt: skip


def inspection(*, lot=None, inspected_on=None, inspected=80, critical=0, major=0, minor=0, **fields):
    """An accepted final inspection by our inspector, of 80 units on 1 November 2026, unless told otherwise."""
    lot = lot or new_lot()
    fields.setdefault("verdict", Inspection.Verdict.ACCEPTED)
    return Inspection.objects.create(
        factory=lot.factory, lot=lot, inspected_on=inspected_on or day("2026-11-01"), units_inspected=inspected,
        units_critical=critical, units_major=major, units_minor=minor, **fields,
    )  # fmt: skip


def exclusion(*, on=None, lifted_on=None, **fields):
    """A proposal about `line`, `lot` or `order_material` (a new line if none); approved `on` that day, or lifted again."""
    subject = fields.get("line") or fields.get("lot") or fields.get("order_material")
    if subject is None:
        subject = fields["line"] = new_line()
    fields.setdefault("reason", "Our forwarder missed the ship")
    fields["proposed_by"] = fields.get("proposed_by") or user("buyer")
    moment = datetime.datetime(2026, 11, 20, 9, tzinfo=datetime.UTC)
    decider = fields.pop("decided_by", None)
    if on:
        decider = decider or user("manager")
        fields.setdefault("state", Exclusion.State.LIFTED if lifted_on else Exclusion.State.APPROVED)
        fields |= {"decided_by": decider, "decided_at": moment, "decided_on": on}
    if lifted_on:
        fields.setdefault("lift_reason", "The forwarder was on time after all")
        fields |= {"lifted_by": decider, "lifted_at": moment, "lifted_on": lifted_on}
    return Exclusion.objects.create(factory_id=subject.factory_id, **fields)


def dispute(**fields):
    """An open dispute of `line`, `lot`, `delivery` or `order_material` (a new line if none), raised by a contact."""
    subject = next((fields[name] for name in ("line", "lot", "delivery", "order_material") if fields.get(name)), None)
    if subject is None:
        subject = fields["line"] = new_line()
    fields.setdefault("reason", "The dock was closed that day")
    fields["raised_by"] = fields.get("raised_by") or user("contact", factory=subject.factory)
    return Dispute.objects.create(factory_id=subject.factory_id, **fields)


def evidence(*, claim, content="", **fields):
    """A note of a claim, or with `content` a file of it that lies where such files are kept."""
    fields["added_by"] = fields.get("added_by") or user("buyer")
    if content:
        written = content.encode() if isinstance(content, str) else content
        fields.setdefault("name", "note.txt")
        fields.setdefault("content_type", "text/plain")
        fields |= {
            "size": len(written), "sha256": hashlib.sha256(written).hexdigest(),
            "file": default_storage.save(stored_name(None, ""), ContentFile(written)),
        }  # fmt: skip
    else:
        fields.setdefault("caption", "The rolls were weighed")
    return ClaimEvidence.objects.create(claim=claim, **fields)


def material(**fields):
    fields.setdefault("code", f"MAT-{next(numbers)}")
    fields.setdefault("name", f"Material {fields['code']}")
    fields.setdefault("unit", "m")
    return Material.objects.create(**fields)


def bill(*, product, per_unit=None, **fields):
    """A bill of materials; `per_unit` = {material: quantity for one unit}."""
    made = BillOfMaterials.objects.create(product=product, **fields)
    for each, quantity in (per_unit or {}).items():
        BillLine.objects.create(bill=made, material=each, quantity_per_unit=quantity)
    return made


def order_material(**fields):
    fields["order"] = fields.get("order") or order()
    fields["material"] = fields.get("material") or material()
    return OrderMaterial.objects.create(factory=fields["order"].factory, **fields)


new_order_material = order_material


def material_movement(quantity=100, *, order_material=None, kind="issue", moved_on=None, unit=None, **fields):
    order_material = order_material or new_order_material()
    if kind in ("issue", "transfer_in"):
        fields.setdefault("unit_cost", "2.50")
    return MaterialMovement.objects.create(
        factory=order_material.factory, order_material=order_material, kind=kind, quantity_entered=quantity,
        unit_entered=unit or order_material.material.unit, moved_on=moved_on or day("2026-10-01"), **fields,
    )  # fmt: skip


def moment(on):
    """Noon of a day, in UTC."""
    return datetime.datetime.combine(on, datetime.time(12), datetime.UTC)


def milestone_template():
    """The template that every installation begins with."""
    names = ("code", "title", "predecessors", "gap_days", "responsible")
    for place, step in enumerate(DEFAULT_TEMPLATE, start=1):
        values = dict(zip(names, step, strict=True)) | {"position": place}
        MilestoneTemplate.objects.get_or_create(category=None, code=values.pop("code"), defaults=values)


def milestone(*, order=None, reached_on=None, **fields):
    """One milestone of a frozen plan, planned on 1 October 2026 unless told otherwise; reached and recorded `reached_on`."""
    order = order or new_order()
    fields.setdefault("code", f"step-{next(numbers)}")
    fields.setdefault("title", fields["code"].title())
    fields.setdefault("position", 1)
    fields.setdefault("responsible", "factory")
    fields.setdefault("planned_on", day("2026-10-01"))
    fields.setdefault("frozen_at", moment(day("2026-08-01")))
    if reached_on:
        fields = {"actual_on": reached_on, "evidence": "Report", "recorded_at": moment(reached_on)} | fields
    return Milestone.objects.create(factory=order.factory, order=order, **fields)


new_order = order


def plan(order, finish, *, begin=None, is_frozen=True, reached=None, **planned):
    """The shipped template as the plan of an order that is to end on a day; `reached` and other planned days by code.

    Frozen on the day its confirmation was planned for.
    """
    steps = [schedule.Step(code, tuple(preds), gap) for code, _title, preds, gap, _by in DEFAULT_TEMPLATE]
    days = schedule.backward(steps, finish, begin) | planned
    frozen = moment(days[PLAN_CONFIRMED]) if is_frozen else None
    return {
        code: milestone(
            order=order, code=code, title=title, predecessors=preds, responsible=by, position=place, planned_on=days[code],
            reached_on=(reached or {}).get(code), frozen_at=frozen,
        )
        for place, (code, title, preds, _gap, by) in enumerate(DEFAULT_TEMPLATE, start=1)
    }  # fmt: skip


def forecast(milestone, on, *, said_on=None, **fields):
    return MilestoneForecast.objects.create(
        factory_id=milestone.factory_id, milestone=milestone, forecast_on=on, stated_at=moment(said_on or on), **fields
    )


def rebaseline(milestone=None, new_on=None, **fields):
    """A move of a planned day that waits for approval."""
    milestone = milestone or new_milestone()
    fields.setdefault("reason", "We changed the print")
    fields.setdefault("asked_at", moment(day("2026-09-01")))
    fields.setdefault("was_on", milestone.planned_on)
    return Rebaseline.objects.create(
        factory_id=milestone.factory_id, milestone=milestone,
        new_on=new_on or milestone.planned_on + datetime.timedelta(days=5), **fields,
    )  # fmt: skip


new_milestone = milestone
