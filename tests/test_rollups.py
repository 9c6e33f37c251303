"""The daily sums always equal what the source rows say."""

import datetime
import functools
import random
import threading
import time
from unittest import mock

import pgtrigger
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from assessments.window_sums import Asked, Sums
from factories.models import CalendarException, WorkingCalendar
from production import rollup_checks, rollups
from production.models import (
    Cancellation,
    DateRevision,
    Delivery,
    DeliveryOutcome,
    Exclusion,
    FactoryDay,
    Inspection,
    LineOutcome,
    Lot,
    LotOutcome,
    MaterialMovement,
    MaterialOutcome,
    OpenMaterial,
    OrderLine,
    OrderMaterial,
    Product,
    PurchaseOrder,
    Touched,
)
from tests import make
from tests.buckets import Buckets
from tests.test_constraints import KEPT_FOR_EVER

MOMENT = datetime.datetime(2026, 4, 1, 9, tzinfo=datetime.UTC)
DERIVED = [LineOutcome, DeliveryOutcome, LotOutcome, MaterialOutcome, OpenMaterial, FactoryDay]


def everything():
    """All derived rows, in an order and form that two ways of getting there share."""
    return {
        model.__name__: sorted(
            tuple(str(value) for name, value in row.items() if name != "id") for row in model.objects.values()
        )
        for model in DERIVED
    }


class World:
    """A small company on which random things happen."""

    def __init__(self):
        self.random = random.Random(7)
        self.categories = [make.category(), make.category()]
        self.calendar = make.calendar()
        self.products = [make.product(category=category) for category in self.categories]
        self.material = make.material()
        self.bills = [make.bill(product=product, per_unit={self.material: "1.5"}) for product in self.products]
        self.site = make.site()
        self.two_people = {"proposed_by": make.user("buyer"), "decided_by": make.user("manager")}
        self.factories = [make.factory(category=self.categories[0]), make.factory(category=self.categories[1])]
        for factory in self.factories:
            for _ in range(2):
                make.order_material(order=make.order(factory=factory, confirmed_on=self.day()), material=self.material)

    def day(self, low=0, high=40):
        return datetime.date(2026, 3, 1) + datetime.timedelta(days=self.random.randint(low, max(low, high)))

    def pick(self, queryset):
        rows = list(queryset.order_by("pk"))
        return self.random.choice(rows) if rows else None

    def add_line(self):
        which = self.random.randrange(2)
        working = self.random.random() < 0.5
        make.line(
            self.random.choice([10, 100]), order=self.pick(PurchaseOrder.objects), product=self.products[which],
            bill=self.bills[which], site=self.site, calendar=self.calendar,
            committed_on=self.random.choice([None, self.day(), self.day()]),
            requested_on=self.random.choice([None, self.day()]), grace_days=self.random.choice([0, 0, 2]),
            grace_unit="working" if working else "calendar", rolls_to_working_day=self.random.random() < 0.3,
            tol_under=self.random.choice(["0", "0.1"]), single_delivery=self.random.random() < 0.2,
            early_days=self.random.choice([None, 3]), early_policy=self.random.choice(["ok", "miss"]),
        )  # fmt: skip

    def deliver(self):
        if line := self.pick(OrderLine.objects):
            lot = self.pick(Lot.objects.filter(line=line))
            make.delivery(self.random.choice([10, 50, 100]), line=line, received_on=self.day(), lot=lot)

    def deliver_in_bulk(self):
        if line := self.pick(OrderLine.objects):
            days = [self.day() for _ in range(4)]
            Delivery.objects.bulk_create(
                Delivery(factory=line.factory, line=line, site=self.site, quantity=5, received_on=day, known_on=day)
                for day in days
            )

    def reverse(self):
        if receipt := self.pick(Delivery.objects.filter(kind="receipt", reversals=None)):
            make.reversal(receipt, quantity=min(receipt.quantity, 10), known_on=self.day())

    def move_delivery(self):
        if receipt := self.pick(Delivery.objects.filter(kind="receipt")):
            Delivery.objects.filter(pk=receipt.pk).update(received_on=(day := self.day()), known_on=day)

    def delete_delivery(self):
        if delivery := self.pick(Delivery.objects):
            delivery.delete()

    def change_quantity_by_plain_sql(self):
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE production_delivery SET quantity = quantity + 5 WHERE kind = 'receipt' AND mod(id, 2) = 0"
            )

    def make_lot(self):
        if line := self.pick(OrderLine.objects):
            lot = make.lot(line=line)
            Delivery.objects.filter(line=line, lot=None).update(lot=lot)

    def inspect(self):
        if lot := self.pick(Lot.objects):
            bad = self.random.randint(0, 5)
            make.inspection(
                lot=lot, inspected_on=self.day(), major=bad, critical=self.random.choice([0, 0, 1]), units_rejected=bad,
                source=self.random.choice(["buyer", "receiving", "factory", "third_party"]),
                stage=self.random.choice(["final", "inline", "receiving"]), is_original=self.random.random() < 0.8,
                units_material_fault=self.random.randint(0, bad), material_fault_approved_on=self.random.choice([None, self.day()]),
            )  # fmt: skip

    def delete_inspection(self):
        if inspection := self.pick(Inspection.objects):
            inspection.delete()

    def delete_lot(self):
        if lot := self.pick(Lot.objects.filter(exclusions=None)):
            lot.delete()

    def revise(self):
        if line := self.pick(OrderLine.objects):
            make.revision(
                line=line, new_on=self.day(), cause=self.random.choice(["buyer", "factory", "force_majeure"]),
                approved_on=self.random.choice([None, self.day()]),
            )  # fmt: skip

    def approve(self):
        if revision := self.pick(DateRevision.objects.filter(approved_on=None)):
            revision.approved_on = self.day()
            revision.save()

    def cancel(self):
        if line := self.pick(OrderLine.objects.filter(cancellations=None)):
            quantity = self.random.choice([line.quantity, line.quantity / 2])
            make.cancellation(
                line=line, quantity=quantity, cancelled_on=self.day(), by=self.random.choice(["buyer", "factory"])
            )

    def undo_cancellation(self):
        Cancellation.objects.all()[:1].get().delete() if Cancellation.objects.exists() else None

    def close_short(self):
        if line := self.pick(OrderLine.objects):
            OrderLine.objects.filter(pk=line.pk).update(closed_short_on=self.random.choice([None, self.day()]))

    def set_aside(self):
        field, model = self.random.choice([("line", OrderLine), ("lot", Lot), ("order_material", OrderMaterial)])
        if row := self.pick(model.objects.exclude(exclusions__in=Exclusion.objects.standing())):
            make.exclusion(**{field: row}, **self.two_people, on=self.random.choice([None, self.day(), self.day()]))

    def decide(self):
        decided = {"decided_by": self.two_people["decided_by"], "decided_at": MOMENT, "decided_on": self.day()}
        state = self.random.choice(["approved", "declined"])
        Exclusion.objects.filter(state="proposed").update(state=state, **decided)

    def lift(self):
        if exclusion := self.pick(Exclusion.objects.in_force()):
            Exclusion.objects.filter(pk=exclusion.pk).update(
                state="lifted",
                lifted_by=exclusion.decided_by,
                lifted_at=MOMENT,
                lifted_on=exclusion.decided_on,
                lift_reason="Again",
            )

    def delete_line(self):
        if line := self.pick(OrderLine.objects):
            with pgtrigger.ignore(*KEPT_FOR_EVER):
                Exclusion.objects.filter(Q(line=line) | Q(lot__line=line)).delete()
            line.delete()

    def move_order_to_other_factory(self):
        order = self.pick(PurchaseOrder.objects)
        PurchaseOrder.objects.filter(pk=order.pk).update(factory=self.random.choice(self.factories))

    def close_order(self):
        order = self.pick(PurchaseOrder.objects)
        PurchaseOrder.objects.filter(pk=order.pk).update(closed_on=self.random.choice([None, self.day()]))

    def confirm_order(self):
        PurchaseOrder.objects.filter(pk=self.pick(PurchaseOrder.objects).pk).update(confirmed_on=self.day())

    def change_category(self):
        product = self.random.choice(self.products)
        Product.objects.filter(pk=product.pk).update(category=self.random.choice(self.categories))

    def change_calendar(self):
        CalendarException.objects.update_or_create(
            calendar=self.calendar, day=self.day(), defaults={"is_open": self.random.random() < 0.5}
        )

    def change_weekend(self):
        WorkingCalendar.objects.filter(pk=self.calendar.pk).update(weekend=self.random.choice([[6, 7], [5], []]))

    def move_material(self):
        kind = self.random.choice(["issue", "issue", "scrap", "transfer_in"])
        make.material_movement(
            self.random.randint(1, 300), order_material=self.pick(OrderMaterial.objects), kind=kind, moved_on=self.day()
        )

    def return_material(self):
        issue = self.pick(MaterialMovement.objects.filter(kind="issue"))
        if issue and not MaterialMovement.objects.filter(order_material=issue.order_material, kind="return").exists():
            make.material_movement(1, order_material=issue.order_material, kind="return", moved_on=self.day())

    def change_bill(self):
        line = self.random.choice(self.bills).lines.get()
        line.quantity_per_unit += 1
        line.save()

    def work(self):
        rollups.rebuild()


STEPS = sorted(name for name in vars(World) if not name.startswith("_") and name not in ("day", "pick"))


@pytest.mark.django_db
def test_sums_equal_a_full_recompute_after_any_sequence_of_changes():
    world = World()
    steps = st.lists(st.sampled_from([*STEPS, "add_line", "deliver", "inspect"]), min_size=5, max_size=25)

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(seed=st.integers(0, 2**32), steps=steps, few=st.sampled_from([0, rollups.FEW]))
    def holds(seed, steps, few):
        with transaction.atomic(), mock.patch.object(rollups, "FEW", few):  # plans of their own, and kept ones
            world.random.seed(seed)
            for name in ["add_line", "add_line", *steps]:
                getattr(world, name)()
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            rollups.rebuild()
            assert rollups.rebuild().marks == 0, "a second run finds nothing to do"
            kept_up = everything()
            rollups.rebuild_all()
            assert kept_up == everything()
            transaction.set_rollback(True)

    holds()


@st.composite
def lot_histories(draw):
    """Inspected lots and a sequence of inserts, corrections, moves and deletes that fit them."""
    days = st.integers(1, 4).map(lambda day: f"2026-03-{day:02}")
    totals = st.integers(1, 300)

    def counted():
        inspected = draw(totals)
        return {"inspected": inspected, "defective": draw(st.integers(0, inspected))}

    def event(id):
        return {"id": id, "factory": draw(st.integers(1, 3)), "day": draw(days)} | counted()

    events = [event(id) for id in range(draw(st.integers(0, 4)))]
    alive, operations = [each["id"] for each in events], []
    for id in range(100, 100 + draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(["insert", "recount", "move", "delete"]))
        if kind == "insert" or not alive:
            operations.append({"op": "insert", "row": event(id)})
            alive.append(id)
        elif kind == "delete":
            operations.append({"op": "delete", "id": alive.pop(draw(st.integers(0, len(alive) - 1)))})
        else:
            changes = {"factory": draw(st.integers(1, 3)), "day": draw(days)} if kind == "move" else counted()
            operations.append({"op": "update", "id": draw(st.sampled_from(alive)), "set": changes})
    return events, operations


def for_any_lots(examples):
    """Run a test on many drawn histories, the same ones each time; nothing of one is left for the next."""

    def decorate(test):
        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(lot_histories(), st.data())
        def each(history, data):
            with transaction.atomic():
                test(*history, data)
                transaction.set_rollback(True)

        @pytest.mark.django_db
        @functools.wraps(test)
        def whole():
            each()

        del whole.__wrapped__  # what pytest is to fill in is nothing
        return whole

    return decorate


def summed(events, operations=()):
    """The daily sums after the operations, each worked out on its own."""
    buckets = Buckets()
    for event in events:
        buckets.insert(event)
    buckets.rebuilt()
    for operation in operations:
        buckets.carry_out(operation)
        buckets.rebuilt()
    shown = buckets.shown()
    buckets.clear()
    return shown


def total(shown):
    return [sum(sums[name] for sums in shown.values()) for name in ("lots", "inspected", "defective", "s2")]


@for_any_lots(60)
def test_the_order_in_which_lots_come_does_not_matter(events, operations, data):
    assert summed(data.draw(st.permutations(events))) == summed(events)


@for_any_lots(60)
def test_changes_to_different_lots_may_come_in_any_order(events, operations, data):
    ids = [step["row"]["id"] if step["op"] == "insert" else step["id"] for step in operations]
    assume(len(set(ids)) == len(ids))
    assert summed(events, operations[::-1]) == summed(events, operations)


@for_any_lots(60)
def test_changes_worked_out_together_give_what_they_give_one_by_one(events, operations, data):
    one_by_one = summed(events, operations)
    buckets = Buckets()
    for event in events:
        buckets.insert(event)
    for operation in operations:
        buckets.carry_out(operation)
    buckets.rebuilt()
    assert buckets.shown() == one_by_one
    assert not buckets.rebuilt(), "a replay must change nothing"


@for_any_lots(60)
def test_moving_lots_keeps_the_grand_total_and_deleting_all_leaves_nothing(events, operations, data):
    factory, on = data.draw(st.integers(1, 3)), f"2026-03-{data.draw(st.integers(1, 4)):02}"
    moves = [{"op": "update", "id": event["id"], "set": {"factory": factory, "day": on}} for event in events]
    moved = summed(events, moves)
    assert total(moved) == total(summed(events))
    assert set(moved) <= {f"{factory}|{on}"}
    assert summed(events, [{"op": "delete", "id": event["id"]} for event in events]) == {}


@for_any_lots(60)
def test_a_window_is_the_sum_of_its_halves(events, operations, data):
    """What judges a window asks the database for it as a whole."""
    buckets = Buckets()
    for event in events:
        buckets.insert(event)
    buckets.rebuilt()
    first, cut, last = (datetime.date(2026, 3, day) for day in (1, data.draw(st.integers(1, 3)), 4))

    def window(begin, end):
        asked = [Asked(factory, None, begin, end, end) for factory in buckets.names]
        sums = Sums(asked)
        names = ("lots", "units_inspected", "units_major", "s2")
        return [{name: sums.of(each).counts.get(name, 0) for name in names} for each in asked]

    halves = zip(window(first, cut), window(cut + datetime.timedelta(days=1), last), strict=True)
    assert window(first, last) == [{name: one[name] + other[name] for name in one} for one, other in halves]


@pytest.mark.django_db
def test_a_sequence_of_every_step_leaves_no_mark_and_no_empty_bucket():
    world = World()
    for name in ["add_line"] * 5 + ["deliver"] * 5 + STEPS * 3:
        getattr(world, name)()
    rollups.rebuild()
    assert not Touched.objects.exists()
    assert rollup_checks.differences() == []
    assert rollup_checks.differences_of_orders(PurchaseOrder.objects.values_list("pk", flat=True)) == []
    with pgtrigger.ignore(*KEPT_FOR_EVER):
        Exclusion.objects.all().delete()
    PurchaseOrder.objects.all().delete()
    rollups.rebuild()
    assert everything() == {model.__name__: [] for model in DERIVED}


@pytest.mark.django_db
def test_a_wrong_sum_is_noticed():
    make.delivery(10)
    rollups.rebuild()
    FactoryDay.objects.filter(family="coverage").update(qty_delivered=11)
    assert len(rollup_checks.differences()) == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE production_lineoutcome SET qty_on_time = qty_on_time + 1",
        "DELETE FROM production_lineoutcome",
        "DELETE FROM production_deliveryoutcome",
        "UPDATE production_factoryday SET otif = otif + 1 WHERE family = 'delivery'",
        "DELETE FROM production_factoryday WHERE family = 'coverage'",
        "INSERT INTO production_factoryday (factory_id, category_id, day, family, currency, lines) "
        "SELECT factory_id, category_id + 1, day, family, 'X', 1 FROM production_factoryday WHERE family = 'delivery'",
    ],
)
def test_what_differs_is_noticed_in_the_orders_of_a_night_and_in_no_others(sql):
    delivery, other = make.delivery(10), make.delivery(10)
    rollups.rebuild()
    orders = [delivery.line.order_id], [other.line.order_id]
    assert [rollup_checks.differences_of_orders(each) for each in orders] == [[], []]
    with connection.cursor() as cursor:
        cursor.execute(
            sql + (" AND " if "WHERE" in sql else " WHERE ") + f"factory_id = {delivery.factory_id}",
        )
    assert rollup_checks.differences_of_orders(orders[0])
    assert rollup_checks.differences_of_orders(orders[1]) == []


@pytest.mark.django_db
def test_a_plan_is_kept_for_each_connection_and_outlives_a_rollback():
    def kept():
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM pg_prepared_statements WHERE name = %s", [rollups.EXPAND.name])
            return len(cursor.fetchall())

    line = make.line()
    for _ in range(2):
        with transaction.atomic():
            make.delivery(10, line=line)
            rollups.rebuild()
            transaction.set_rollback(True)
        assert kept() == 1
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = '{rollups.EXPAND.name}'"
        )
        generic, custom = cursor.fetchone()
    assert generic >= 2
    assert custom == 0


@pytest.mark.django_db(transaction=True)
def test_a_new_connection_plans_anew():
    for _ in range(2):
        make.delivery(10)
        assert rollups.rebuild().marks
        connection.close()
    assert rollup_checks.differences() == []


@pytest.mark.django_db
def test_one_changed_delivery_takes_ten_statements_for_the_sums_however_many_there_are(django_assert_max_num_queries):
    line = make.line()
    for _ in range(30):
        make.delivery(10, line=line)
    rollups.rebuild()
    Delivery.objects.filter(line=line)[:1].get().delete()
    with django_assert_max_num_queries(12):  # ten and the two ends of a savepoint
        rollups.rebuild()


def keys_and_indexes():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisvalid, c.contype, pg_get_constraintdef(c.oid) "
            "FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid "
            "WHERE i.indrelid = ANY(%s::regclass[]) ORDER BY 1",
            [[model._meta.db_table for model in DERIVED]],
        )
        return cursor.fetchall()


@pytest.mark.django_db
def test_a_full_rebuild_leaves_every_key_and_index_as_it_was():
    make.delivery(10)
    before = keys_and_indexes()
    assert sum(kind == "p" for _, _, _, kind, _ in before) == len(DERIVED)
    rollups.rebuild_all()
    assert keys_and_indexes() == before
    twice = FactoryDay.objects.first()
    with pytest.raises(IntegrityError, match="one_bucket"), transaction.atomic():
        twice.save(force_insert=True)


@pytest.mark.django_db
@pytest.mark.parametrize("factories", [1, 12])
def test_a_full_rebuild_takes_ten_statements_for_any_number_of_factories(factories, django_assert_num_queries):
    for _ in range(factories):
        make.delivery(10)
    with django_assert_num_queries(12):  # ten and the two ends of a savepoint
        rollups.rebuild_all()
    assert FactoryDay.objects.values("factory").distinct().count() == factories


def in_threads(*functions):
    """Runs each function in a thread with a connection of its own; gives the errors."""
    errors = []

    def run(function):
        try:
            function()
        except Exception as problem:
            errors.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[function]) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.django_db(transaction=True)
def test_two_workers_and_ten_writers_lose_no_update():
    site, product = make.site(), make.product()
    factory = make.factory(category=product.category)
    lines = [make.line(1000, order=make.order(factory=factory), product=product, site=site) for _ in range(10)]
    writing = threading.Event()
    writing.set()

    def writer(number):
        def write():
            for turn in range(20):
                delivery = make.delivery(1, line=lines[(number + turn) % 10], received_on=make.day("2026-10-20"))
                if turn % 3 == 0:
                    Delivery.objects.filter(pk=delivery.pk).update(quantity=2)
                if turn % 5 == 0:
                    delivery.delete()

        return write

    def worker():
        while writing.is_set():
            rollups.rebuild()
            time.sleep(0.002)

    workers = [threading.Thread(target=in_threads, args=[worker]) for _ in range(2)]
    for thread in workers:
        thread.start()
    errors = in_threads(*[writer(number) for number in range(10)])
    writing.clear()
    for thread in workers:
        thread.join()
    assert errors == []
    rollups.rebuild()
    assert rollup_checks.differences() == []
    assert not Touched.objects.exists()


def change_that_commits_after_the_worker_ran():
    """A line is marked; a second change of it is not yet committed while the worker runs, and commits afterwards."""
    line = make.line(10)
    make.delivery(4, line=line)
    changed, worked = threading.Event(), threading.Event()

    def late_writer():
        with transaction.atomic():
            make.delivery(3, line=line)
            changed.set()
            worked.wait(10)

    def worker():
        changed.wait(10)
        rollups.rebuild()
        worked.set()

    assert in_threads(late_writer, worker) == []
    rollups.rebuild()


@pytest.mark.django_db(transaction=True)
def test_a_change_that_commits_after_the_worker_ran_is_not_lost():
    change_that_commits_after_the_worker_ran()
    assert rollup_checks.differences() == []
    assert LineOutcome.objects.get().qty_received == 7


@pytest.mark.django_db(transaction=True)
def test_with_one_mark_per_subject_that_change_would_be_lost():
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION one_mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN EXISTS ("
            "SELECT 1 FROM production_touched t WHERE t.kind = NEW.kind AND t.subject_id = NEW.subject_id) "
            "THEN NULL ELSE NEW END; END $$;"
            "CREATE TRIGGER one_mark BEFORE INSERT ON production_touched FOR EACH ROW EXECUTE FUNCTION one_mark()"
        )
    try:
        change_that_commits_after_the_worker_ran()
        assert LineOutcome.objects.get().qty_received == 4
        assert rollup_checks.differences() != []
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION one_mark() CASCADE")


@pytest.mark.django_db(transaction=True)
def test_a_second_worker_waits_for_the_first():
    make.delivery(5)
    began = threading.Event()
    ended = []

    def slow():
        with transaction.atomic():
            rollups.rebuild()
            began.set()
            time.sleep(0.4)
            ended.append("first")

    def quick():
        began.wait(5)
        assert rollups.rebuild().marks == 0
        ended.append("second")

    assert in_threads(slow, quick) == []
    assert ended == ["first", "second"]
