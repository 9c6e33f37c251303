"""The set-based SQL judges every line, lot and material as the plain functions do."""

import datetime
import random
from decimal import Decimal

import pytest
from django.db import connection

from production import outcomes, rollups
from production.duedates import Calendar, Cancellation, Line, Receipt, Revision, Terms, judge_line
from production.models import LineOutcome, LotOutcome, MaterialOutcome, OrderLine
from production.reconcile import Supply, reconcile
from production.rollup_sums import half_up
from tests import make

DAYS = [datetime.date(2026, 3, 1) + datetime.timedelta(days=n) for n in range(50)]


def random_exclusion(chance, people, **subject):
    """Waiting, declined, approved on some day, or lifted again on the same or a later one."""
    day = chance.choice(DAYS)
    facts = chance.choice([{}, {"state": "declined", "on": day}, {"on": day}, {"on": day},
                           {"on": day, "lifted_on": max(day, chance.choice(DAYS))}])  # fmt: skip
    return make.exclusion(**subject, **people, **facts)


def is_set_aside(exclusions, as_of):
    """EXC-1 in plain words."""
    return any(
        found.state in ("approved", "lifted") and found.decided_on <= as_of
        and (found.lifted_on is None or found.lifted_on > as_of)
        for found in exclusions
    )  # fmt: skip


def random_line(chance, order, product, site, calendar):
    working = chance.random() < 0.5
    line = make.line(
        chance.choice([10, 100, 7]), order=order, product=product, site=site, calendar=calendar,
        committed_on=chance.choice([None, chance.choice(DAYS), chance.choice(DAYS)]),
        requested_on=chance.choice([None, chance.choice(DAYS)]), grace_days=chance.choice([0, 0, 1, 2, 5]),
        grace_unit="working" if working else "calendar", rolls_to_working_day=chance.random() < 0.3,
        tol_under=chance.choice(["0", "0.05", "0.1"]), tol_over=chance.choice([None, "0", "0.1"]),
        over_policy=chance.choice(["ok", "miss"]), early_days=chance.choice([None, None, 0, 3, 10]),
        early_policy=chance.choice(["ok", "miss"]), single_delivery=chance.random() < 0.3,
        closed_short_on=chance.choice([None, None, chance.choice(DAYS)]),
    )  # fmt: skip
    for _ in range(chance.choice([0, 1, 1, 2, 3])):
        receipt = make.delivery(
            chance.choice([line.quantity, line.quantity / 2, line.quantity / 10]),
            line=line,
            received_on=chance.choice(DAYS),
        )
        if chance.random() < 0.25:
            make.reversal(receipt, quantity=chance.choice([receipt.quantity, receipt.quantity / 2]),
                          known_on=max(receipt.received_on, chance.choice(DAYS)))  # fmt: skip
    left = line.quantity
    for _ in range(chance.choice([0, 0, 1, 2])):
        quantity = chance.choice([left, left / 2])
        if quantity > 0:
            make.cancellation(
                line=line, quantity=quantity, cancelled_on=chance.choice(DAYS), by=chance.choice(["buyer", "factory"])
            )
            left -= quantity
    for _ in range(chance.choice([0, 0, 1, 2])):
        make.revision(line=line, new_on=chance.choice(DAYS), cause=chance.choice(["buyer", "factory", "force_majeure"]),
                      approved_on=chance.choice([None, chance.choice(DAYS)]))  # fmt: skip
    return line


def as_facts(line, as_of):
    """The line as `judge_line` takes it: reversals that are known net out with their receipt."""
    receipts = []
    for receipt in line.deliveries.filter(kind="receipt"):
        back = sum(v.quantity for v in receipt.reversals.all() if v.known_on <= as_of)
        if receipt.quantity + back:
            receipts.append(Receipt(receipt.received_on, receipt.quantity + back))
    return Line(
        qty=line.quantity, committed_on=line.committed_on, requested_on=line.requested_on, receipts=receipts,
        cancellations=[Cancellation(c.cancelled_on, c.quantity, c.by) for c in line.cancellations.order_by("cancelled_on", "id")],
        revisions=[Revision(r.new_on, r.cause, r.approved_on is not None, r.approved_on) for r in line.revisions.order_by("id")],
        closed_short=line.closed_short_on is not None, closed_on=line.closed_short_on,
    )  # fmt: skip


def as_terms(line):
    return Terms(
        grace_days=line.grace_days, grace_unit=line.grace_unit, tol_under=line.tol_under, tol_over=line.tol_over,
        early_days=line.early_days, early_policy=line.early_policy, over_policy=line.over_policy,
        single_delivery=line.single_delivery, due_roll="next_working_day" if line.rolls_to_working_day else "none",
    )  # fmt: skip


@pytest.mark.django_db
def test_every_line_counts_in_sql_as_in_the_rule_on_every_day():
    chance = random.Random(3)
    calendar = make.calendar()
    holiday, saturday = DAYS[8], DAYS[13]
    calendar.exceptions.create(day=holiday, is_open=False)
    calendar.exceptions.create(day=saturday, is_open=True)
    days = Calendar(frozenset({5, 6}), frozenset({holiday}), frozenset({saturday}))
    order, product, site = make.order(), make.product(), make.site()
    people = {"proposed_by": make.user("buyer"), "decided_by": make.user("manager")}
    for _ in range(250):
        line = random_line(chance, order, product, site, calendar)
        if chance.random() < 0.2:
            random_exclusion(chance, people, line=line)
    lines = list(
        OrderLine.objects.prefetch_related("deliveries__reversals", "cancellations", "revisions", "exclusions")
    )
    for as_of in (rollups.NEVER, datetime.date(2026, 3, 25), datetime.date(2026, 4, 5)):
        assert agreeing(lines, as_of, days) > 80


def agreeing(lines, as_of, days):
    """How many of the lines count; each of them, and each that does not, as the rule says."""
    with connection.cursor() as cursor:
        cursor.execute(outcomes.line_outcomes(False), {"as_of": as_of})
        names = [name.strip() for name in outcomes.LINE_COLUMNS.split(",")]
        found = {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}
    counted = 0
    for line in lines:
        row = found[line.pk]
        expected = judge_line(as_facts(line, as_of), as_terms(line), as_of, days)
        state = "unmeasurable" if not expected.measurable else "excluded" if expected.excluded else "counted"
        if state == "counted" and is_set_aside(line.exclusions.all(), as_of):
            state = "set_aside"
        assert (row["due_on"], row["limit_on"]) == (expected.due, expected.limit), line.pk
        if expected.matured is False:
            continue
        assert row["state"] == state, line.pk
        if state != "counted":
            continue
        counted += 1
        told = {
            "is_otif": expected.otif, "is_otd": expected.otd, "qty_on_time": expected.on_time_qty, "qty_due": expected.qty_due,
            "qty_received": expected.received_qty, "is_open": expected.open_overdue, "is_early": expected.early,
            "is_over": expected.over, "completed_on": expected.completed_on,
            "days_late": None if expected.open_overdue else expected.days_late,
        }  # fmt: skip
        assert {name: row[name] for name in told} == told, line.pk
    return counted


@pytest.mark.django_db
def test_the_first_original_inspection_of_the_highest_source_counts_for_a_lot():
    lot = make.lot()
    make.inspection(lot=lot, inspected_on=make.day("2026-10-01"), major=1, source="receiving", stage="receiving")
    make.inspection(lot=lot, inspected_on=make.day("2026-10-01"), major=9, source="factory")
    make.inspection(lot=lot, inspected_on=make.day("2026-10-02"), major=8, source="buyer", stage="inline")
    final = make.inspection(lot=lot, inspected_on=make.day("2026-10-05"), major=6, source="third_party")
    make.inspection(lot=lot, inspected_on=make.day("2026-10-07"), major=0, source="third_party", is_original=False)
    rollups.rebuild()
    outcome = LotOutcome.objects.get()
    assert (outcome.inspection_id, outcome.defective, outcome.inspected) == (final.pk, 6, 80)
    final.delete()
    rollups.rebuild()
    assert LotOutcome.objects.get().defective == 1


@pytest.mark.django_db
def test_lots_and_materials_are_set_aside_from_the_day_of_the_decision_until_they_are_lifted():
    chance = random.Random(11)
    fabric, product = make.material(), make.product()
    bill = make.bill(product=product, per_unit={fabric: "2"})
    people = {"proposed_by": make.user("buyer"), "decided_by": make.user("manager")}
    lots, materials = {}, {}
    for _ in range(40):
        order = make.order(closed_on=DAYS[5])
        line = make.line(500, order=order, product=product, bill=bill)
        lot = make.lot(line=line)
        make.delivery(500, line=line, lot=lot, received_on=DAYS[2])
        make.inspection(lot=lot, inspected_on=DAYS[3], major=10, units_rejected=10)
        supplied = make.order_material(order=order, material=fabric)
        make.material_movement(1100, order_material=supplied, moved_on=DAYS[0])
        lots[lot.pk] = random_exclusion(chance, people, lot=lot)
        materials[supplied.pk] = random_exclusion(chance, people, order_material=supplied)
    for as_of in (rollups.NEVER, DAYS[10], DAYS[30]):
        with connection.cursor() as cursor:
            cursor.execute(outcomes.lot_outcomes(False), {"as_of": as_of})
            found = {row[0] for row in cursor.fetchall()}
            assert found == {pk for pk, exclusion in lots.items() if not is_set_aside([exclusion], as_of)}
            assert 0 < len(found) < 40
            cursor.execute(outcomes.material_outcomes(False), {"as_of": as_of})
            rows = {row[0]: row for row in cursor.fetchall()}
        for pk, exclusion in materials.items():
            assert rows[pk][-1] == is_set_aside([exclusion], as_of)
            assert rows[pk][7:10] == (1100, 980, 120), "what was credited does not change with a lot set aside"


@pytest.mark.django_db
@pytest.mark.parametrize("base", ["net_issued", "theoretical"])
def test_every_material_is_reconciled_in_sql_as_in_the_rule(base):
    chance = random.Random(5)
    fabric, product = make.material(), make.product()
    bill = make.bill(product=product, per_unit={fabric: "2"})
    supplies = {}
    for number in range(40):
        order = make.order(
            loss_base=base, closed_on=make.day("2026-11-20"), loss_allowance=chance.choice(["0.03", "0", "0.1"])
        )
        line = make.line(500, order=order, product=product, bill=bill)
        received = chance.choice([400, 450, 500])
        lot = make.lot(line=line)
        make.delivery(received, line=line, lot=lot)
        rejected, fault = chance.choice([(0, 0), (10, 4)])
        make.inspection(lot=lot, major=rejected, units_rejected=rejected, units_material_fault=fault,
                        material_fault_approved_on=make.day("2026-11-02") if number % 2 else None)  # fmt: skip
        supplied = make.order_material(order=order, material=fabric)
        issued, returned, scrap = chance.randint(850, 1200), chance.randint(0, 50), chance.choice([0, 3, 200])
        moved_in, moved_out = chance.choice([0, 20]), chance.choice([0, 30])
        make.material_movement(issued, order_material=supplied, unit_cost="12.50")
        for kind, quantity in (
            ("return", returned),
            ("scrap", scrap),
            ("transfer_in", moved_in),
            ("transfer_out", moved_out),
        ):
            if quantity:
                make.material_movement(
                    quantity, order_material=supplied, kind=kind, unit_cost="12.50", salvage_unit="2"
                )
        credited = received - rejected + (fault if number % 2 else 0)
        supplies[supplied.pk] = Supply(
            issued=issued, returned=returned, theoretical=2 * credited, allowance=Decimal(order.loss_allowance), base=base,
            unit_cost=Decimal("12.50"), transfer_in=moved_in, transfer_out=moved_out, scrap_returned=scrap,
            salvage_unit=Decimal(2),
        )  # fmt: skip
    rollups.rebuild()
    found = MaterialOutcome.objects.in_bulk()
    assert found.keys() == supplies.keys()
    for id_, supply in supplies.items():
        expected = reconcile(supply)
        row = found[id_]
        told = (expected.net, expected.loss, expected.allowed, expected.excess, expected.charge)
        assert (row.net_issued, row.loss, row.allowed, row.excess, half_up(row.charge, 2)) == told
        assert (row.excess > 0) == expected.liable


@pytest.mark.django_db
def test_a_quantity_in_another_unit_is_converted_by_two_whole_numbers():
    movement = make.material_movement(750, unit="yd", factor_numerator=9144, factor_denominator=10000)
    movement.refresh_from_db()
    assert movement.quantity == Decimal("685.8")
    third = make.material_movement(1, factor_numerator=1, factor_denominator=3)
    third.refresh_from_db()
    assert third.quantity == Decimal("0.333333333333")


@pytest.mark.django_db
def test_material_that_no_bill_names_is_not_judged():
    order = make.order(closed_on=make.day("2026-11-20"))
    make.line(order=order)
    make.material_movement(100, order_material=make.order_material(order=order))
    rollups.rebuild()
    assert not MaterialOutcome.objects.exists()


@pytest.mark.django_db
def test_an_open_line_has_no_days_late_yet():
    line = make.line(10)
    rollups.rebuild()
    outcome = LineOutcome.objects.get(line=line)
    assert (outcome.is_open, outcome.days_late, outcome.is_otif) == (True, None, False)
