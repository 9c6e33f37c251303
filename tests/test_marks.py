"""A write marks what it touched, and what is worked out from the marks is what the source rows say."""

import re
from pathlib import Path

import pgtrigger
import pytest
from django.conf import settings
from django.db import connection, transaction

from factories.models import WorkingDay
from production import outcomes, rollups
from production.models import OrderLine, Touched
from tests import make
from tests.test_constraints import KEPT_FOR_EVER, a_row_of_each

PAGE = (Path(settings.BASE_DIR) / "docs" / "marks.md").read_text()


def rows_of(heading):
    """The rows of the first table under a heading of the page, as cells."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    assert rows
    return rows


def named(cell):
    return re.findall(r"`(\w+)`", cell)


COUNTING = {named(table)[0]: named(columns) for table, columns, *_ in rows_of("The table")}
IDLE = {named(table)[0]: named(columns) for table, columns, _ in rows_of("Columns that change no outcome")}
MARKS = {named(table)[0]: dict(re.findall(r"`(\w+)` by `(\w+)`", marks)) for table, _, marks, _ in rows_of("The table")}


def sql(text, *values):
    with connection.cursor() as cursor:
        cursor.execute(text, values or None)
        return cursor.fetchall() if cursor.description else cursor.rowcount


# The page against the database


def test_the_page_names_the_marks_that_the_triggers_leave():
    found = {}
    for model, trigger in pgtrigger.registered():
        if trigger.name in ("mark_insert", "mark_update", "mark_delete"):
            kinds = dict(re.findall(r"SELECT '(\w+)', (\w+) FROM", str(trigger.func)))
            found.setdefault(model._meta.db_table, {})[trigger.name] = kinds
    assert found.keys() == MARKS.keys()
    for table, kinds in MARKS.items():
        assert found[table] == dict.fromkeys(["mark_insert", "mark_update", "mark_delete"], kinds), table


@pytest.mark.django_db
def test_the_page_says_of_every_column_whether_it_counts():
    for table in COUNTING:
        columns = [row[0] for row in sql(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped", table
        )]  # fmt: skip
        assert sorted(COUNTING[table] + IDLE[table]) == sorted(columns), table
    assert COUNTING.keys() == IDLE.keys()


def read_by_the_rules():
    """(table, column) of everything the rules read, as PostgreSQL notes it for views made of them."""
    with connection.cursor() as cursor:
        for table in rollups.TABLES:
            rule = table.sql(False).replace("%(as_of)s", "DATE '9999-12-31'")
            cursor.execute(f"CREATE TEMPORARY VIEW reads_{table.name} ({table.columns}) AS {rule}", None)
        cursor.execute(
            "SELECT DISTINCT d.refobjid::regclass::text, a.attname FROM pg_depend d "
            "JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class "
            "JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid "
            "WHERE d.classid = 'pg_rewrite'::regclass AND starts_with(v.relname, 'reads_') AND d.refobjsubid > 0",
            None,
        )
        return set(cursor.fetchall())


@pytest.mark.django_db
def test_every_column_that_a_rule_reads_counts_by_the_page():
    found = read_by_the_rules()
    assert len(found) > 60
    # Keys never change; working days are numbered from the calendar; outcomes are worked out from what is marked; and one
    # rule takes the whole row of an inspection.
    missing = {
        (table, column)
        for table, column in found
        if table not in {"factories_workingday", "production_lineoutcome"}
        and column != "id"
        and column not in COUNTING.get(table, [])
    } - {("production_inspection", column) for column in IDLE["production_inspection"]}
    assert missing == set(), "a change of it has to mark something, and the page has to say so"


# Each column changed


MOVED = "UPDATE production_purchaseorder SET factory_id = {other_factory} WHERE id = {order}"
CHANGES = {
    "production_purchaseorder": {
        "factory_id": MOVED, "confirmed_on": "confirmed_on - 7", "closed_on": "closed_on + 7", "loss_allowance": "0.5",
        "loss_base": "'theoretical'",
    },
    "production_orderline": {
        "factory_id": MOVED, "order_id": "{other_order}", "product_id": "{other_product}", "bill_id": "NULL", "quantity": "quantity + 50",
        "requested_on": ("asked", "requested_on + 7"), "committed_on": ("full", "committed_on + 7"),
        "closed_short_on": ("short", "DATE '2026-11-10'"), "grace_days": ("full", "9"), "grace_unit": ("full", "'working'"),
        "tol_under": ("short", "0.2"), "tol_over": ("full", "0.5"), "over_policy": ("full", "'miss'"), "early_days": ("full", "60"),
        "early_policy": ("full", "'miss'"), "single_delivery": ("full", "TRUE"), "rolls_to_working_day": ("full", "TRUE"),
        "calendar_id": ("short", "{other_calendar}"),
    },
    "production_cancellation": {
        "line_id": "{other_line}", "quantity": "20", "cancelled_on": "DATE '2026-11-25'", "by": "'factory'",
    },
    "production_daterevision": {
        "line_id": "{other_line}", "new_on": "new_on + 7", "cause": "'factory'", "approved_on": "NULL",
    },
    "production_delivery": {
        "factory_id": MOVED,
        "line_id": "UPDATE production_delivery SET line_id = {other_line}, lot_id = NULL WHERE id = {delivery}",
        "lot_id": "NULL",
        "kind": "UPDATE production_delivery SET kind = 'reversal', quantity = -quantity, received_on = '2026-11-01', "
        "reverses_id = {delivery} WHERE id = {second}",
        "reverses_id": "UPDATE production_delivery SET reverses_id = {second}, received_on = '2026-11-02', known_on = '2026-11-02' "
        "WHERE kind = 'reversal' AND line_id = {line}",
        "quantity": "quantity + 7",
        "received_on": "UPDATE production_delivery SET received_on = '2026-11-09', known_on = '2026-11-09' WHERE id = {delivery}",
        "known_on": "UPDATE production_delivery SET known_on = '2026-11-30' WHERE kind = 'reversal' AND line_id = {line}",
    },
    "production_lot": {"factory_id": MOVED, "line_id": "{other_line}"},
    "production_inspection": {
        "factory_id": MOVED, "lot_id": "{other_lot}", "stage": "'inline'", "source": "'factory'", "is_original": "FALSE",
        "inspected_on": "inspected_on + 7", "lot_quantity": "units_inspected", "units_inspected": "90", "units_critical": "1",
        "units_major": "5", "units_minor": "5", "verdict": "'rejected'", "units_rejected": "5", "units_material_fault": "2",
        "material_fault_approved_on": "NULL",
    },
    "production_ordermaterial": {
        "factory_id": MOVED, "order_id": "{other_order}", "material_id": "{third_material}", "currency": "'EUR'", "allowance": "0.5",
        "loss_base": "'theoretical'",
    },
    "production_materialmovement": {
        "factory_id": MOVED, "order_material_id": ("scrap", "{other_supply}"), "kind": ("scrap", "'return'"), "moved_on": "moved_on + 7",
        "quantity": "UPDATE production_materialmovement SET quantity_entered = quantity_entered + 7 WHERE id = {movement}",  # generated
        "quantity_entered": "quantity_entered + 7", "factor_numerator": "2", "factor_denominator": "3", "unit_cost": "unit_cost + 1",
        "salvage_unit": ("scrap", "2"),
    },
    "production_exclusion": {
        "line_id": "{other_line}", "lot_id": ("lot_aside", "{lot}"), "order_material_id": ("material_aside", "{supply}"),
        "state": "'declined'", "decided_on": "decided_on + 1",
        "lifted_on": "UPDATE production_exclusion SET state = 'lifted', lifted_on = decided_on, lifted_at = decided_at, "
        "lifted_by_id = decided_by_id, lift_reason = 'Again' WHERE id = {aside}",
    },
    "production_product": {"category_id": "{other_category}"},
    "production_billline": {"bill_id": "{other_bill}", "material_id": "{third_material}", "quantity_per_unit": "quantity_per_unit + 1"},
    "factories_workingcalendar": {"weekend": "'{{1,7}}'", "base_id": "{other_calendar}"},
    "factories_calendarexception": {
        "calendar_id": "{other_calendar}", "day": "DATE '2026-12-01'", "is_open": "NOT is_open",
        "source": "UPDATE factories_calendarexception SET source = 'holidays 0' WHERE id = {exception}",
    },
}  # fmt: skip
# They count from their day on, and the sums of today know every day.
UNSEEN = {
    ("production_materialmovement", "moved_on"),
    ("production_delivery", "known_on"),
    ("production_exclusion", "decided_on"),
    # Which of two rows of one day counts; neither can become the other, for a day has one of each kind.
    ("factories_calendarexception", "source"),
}


@pytest.fixture
def world(db):
    """One order of everything, worked out; and beside each thing another one to move it to."""
    one = a_row_of_each()
    line, factory = one["line"], one["factory"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('plumbline.correcting', 'on', TRUE)"
        )  # the first committed day is frozen otherwise
    sql("UPDATE production_orderline SET terms_frozen_on = NULL")
    make.material_movement(1000, order_material=one["supplied"])  # so much that some of it has to be paid
    second = make.delivery(8, line=line, received_on=make.day("2026-11-02"))
    terms = {
        "order": line.order,
        "product": line.product,
        "bill": line.bill,
        "site": line.site,
        "calendar": factory.calendar,
    }
    saturday = make.day("2026-11-14")
    full = make.line(
        100, committed_on=saturday, grace_days=2, early_days=3, **terms
    )  # early, more than ordered, in two parts
    make.delivery(60, line=full, received_on=make.day("2026-10-20"))
    make.delivery(52, line=full, received_on=make.day("2026-10-25"))
    short = make.line(100, committed_on=saturday, grace_days=2, grace_unit="working", **terms)
    make.delivery(95, line=short, received_on=saturday)
    holiday = factory.calendar.exceptions.create(day=make.day("2026-11-17"))
    asked = make.line(100, committed_on=None, requested_on=saturday, **terms)
    other_line = make.line(200, **terms)
    other_order = make.order(factory=factory, closed_on=make.day("2026-11-21"))
    other_material = make.material()
    line.bill.lines.create(material=other_material, quantity_per_unit=2)
    other_supply = make.order_material(order=line.order, material=other_material)
    make.material_movement(50, order_material=other_supply)
    other_product = make.product()
    aside_line, since = make.line(200, **terms), make.day("2026-11-18")
    aside = make.exclusion(line=aside_line, on=since)
    ids = {
        "order": line.order, "line": line, "lot": one["lot"], "delivery": line.deliveries.get(quantity=95), "second": second,
        "movement": one["supplied"].movements.filter(kind="issue").first(), "supply": one["supplied"], "factory": factory,
        "product": line.product, "bill_line": line.bill.lines.first(), "calendar": factory.calendar,
        "exception": holiday, "full": full, "short": short, "asked": asked,
        "scrap": one["supplied"].movements.get(kind="scrap"), "third_material": make.material(), "inspection": one["lot"].inspections.get(),
        "cancellation": line.cancellations.get(), "revision": line.revisions.get(),
        "other_factory": make.factory(), "other_order": other_order, "other_line": other_line, "other_material": other_material,
        "other_supply": other_supply, "other_product": other_product, "other_category": other_product.category,
        "other_lot": make.lot(line=other_line), "other_calendar": make.calendar(weekend=[5]),
        "other_bill": make.bill(product=line.product, version=2), "aside": aside,
        "lot_aside": make.exclusion(lot=make.lot(line=aside_line), on=since),
        "material_aside": make.exclusion(order_material=other_supply, on=since),
    }  # fmt: skip
    ids["other_calendar"].exceptions.create(day=make.day("2026-11-16"))
    rollups.rebuild()
    assert stored() == fresh()
    sql("SET CONSTRAINTS ALL IMMEDIATE")  # the checks of what was built here are not done again with each change below
    sql("SET CONSTRAINTS ALL DEFERRED")
    return {name: thing.pk for name, thing in ids.items()}


ROW = {
    "production_purchaseorder": "order", "production_orderline": "line", "production_cancellation": "cancellation",
    "production_daterevision": "revision", "production_delivery": "delivery", "production_lot": "lot",
    "production_inspection": "inspection", "production_ordermaterial": "supply", "production_materialmovement": "movement",
    "production_product": "product", "production_billline": "bill_line", "factories_workingcalendar": "calendar",
    "factories_calendarexception": "exception", "production_exclusion": "aside",
}  # fmt: skip


def rows(text):
    with connection.cursor() as cursor:
        cursor.execute(text, {"as_of": rollups.NEVER})
        return sorted(cursor.fetchall(), key=str)


def stored():
    """The outcomes as they were worked out from the marks; and the sums, which have to fit them."""
    for family, (source, day) in rollups.SOURCE_OF.items():
        columns = outcomes.bucket_columns(family)
        sums = outcomes.bucket_sums(family, f"(SELECT * FROM {source} WHERE {day} IS NOT NULL) AS rows")
        assert rows(f"SELECT {columns} FROM production_factoryday WHERE family = '{family}'") == rows(sums), family
    return {table.name: rows(f"SELECT {table.columns} FROM {table.name}") for table in rollups.TABLES}


def fresh():
    """The outcomes worked out from all source rows."""
    return {table.name: rows(table.sql(False)) for table in rollups.TABLES}


def test_every_column_of_the_page_is_changed_below():
    assert {table: sorted(columns) for table, columns in COUNTING.items()} == {
        table: sorted(columns) for table, columns in CHANGES.items()
    }


@pytest.mark.django_db
def test_a_change_of_each_column_marks_its_subject_and_what_is_worked_out_is_right(world):
    before, unseen = stored(), set()
    for table, column, change in [(table, *item) for table, changes in CHANGES.items() for item in changes.items()]:
        row, change = change if isinstance(change, tuple) else (ROW[table], change)
        with transaction.atomic():
            statement = (
                change
                if change.startswith("UPDATE")
                else f"UPDATE {table} SET {column} = {change} WHERE id = {{{row}}}"
            )
            assert sql(statement.format(**world)) == 1, (table, column)
            sql("SET CONSTRAINTS ALL IMMEDIATE")
            kinds = set(Touched.objects.values_list("kind", flat=True))
            one_of_them = table == "production_exclusion" and kinds and kinds <= MARKS[table].keys()
            assert one_of_them or kinds >= MARKS[table].keys() - {"lot"}, (table, column)
            right = fresh()
            if right == before:
                unseen.add((table, column))
            rollups.rebuild()
            assert stored() == right, (table, column)
            transaction.set_rollback(True)
    assert unseen == UNSEEN, "a change that changes nothing proves nothing: make the world tell"


@pytest.mark.django_db
def test_what_is_deleted_is_marked(world):
    for table in CHANGES:
        # What hangs on the rows would be missed at the end of the transaction, which does not come.
        with pgtrigger.ignore(*KEPT_FOR_EVER), transaction.atomic():
            sql(f"DELETE FROM {table}")
            assert MARKS[table].keys() <= set(Touched.objects.values_list("kind", flat=True)), table
            transaction.set_rollback(True)


@pytest.mark.django_db
def test_a_write_of_many_rows_leaves_one_mark_per_subject():
    line = make.line(1000)
    for _ in range(5):
        make.delivery(10, line=line)
    Touched.objects.all().delete()
    sql("UPDATE production_delivery SET quantity = quantity + 1")
    assert list(Touched.objects.values_list("kind", "subject_id")) == [("line", line.pk)]


@pytest.mark.django_db
def test_what_moves_is_marked_where_it_was_and_where_it_is():
    delivery = make.delivery(10)
    left, other = delivery.line_id, make.line(10, order=delivery.line.order)
    Touched.objects.all().delete()
    sql("UPDATE production_delivery SET line_id = %s WHERE id = %s", other.pk, delivery.pk)
    assert set(Touched.objects.values_list("kind", "subject_id")) == {("line", left), ("line", other.pk)}


@pytest.mark.django_db
def test_a_new_holiday_numbers_the_working_days_again_before_it_is_worked_out():
    calendar = make.calendar()
    line = make.line(10, calendar=calendar, grace_unit="working", grace_days=2, committed_on=make.day("2026-11-02"))
    rollups.rebuild()
    assert OrderLine.objects.get(pk=line.pk).outcome.limit_on == make.day("2026-11-04")
    calendar.exceptions.create(day=make.day("2026-11-03"))
    assert not WorkingDay.objects.filter(calendar=calendar, day=make.day("2026-11-03")).exists()
    rollups.rebuild()
    assert OrderLine.objects.get(pk=line.pk).outcome.limit_on == make.day("2026-11-05")
    calendar.exceptions.all().delete()
    calendar.weekend = [2, 3]
    calendar.save()
    rollups.rebuild()
    assert OrderLine.objects.get(pk=line.pk).outcome.limit_on == make.day("2026-11-06")
