"""The yardstick of the measurements gives the same sums as the product, so a ratio compares equal work."""

import pytest
from django.db import connection

from assessments import evaluations
from assessments.models import Evaluation
from bench import duck, figures, reference, world
from production import rollups
from production.models import FactoryDay, Lot, OrderLine, OrderMaterial
from tests import make


@pytest.mark.django_db
def test_the_reference_gives_every_sum_of_the_product():
    world.build(world.Size(lines=600, factories=8, years=1))
    reference.create()
    reference.fill()
    rollups.rebuild_all()
    assert set(FactoryDay.objects.values_list("family", flat=True)) == set(FactoryDay.Family.values)
    assert reference.differences() == 0
    FactoryDay.objects.filter(pk=FactoryDay.objects.filter(family="delivery")[:1].get().pk).update(qty_on_time=-1)
    assert reference.differences() == 2


def set_some_aside():
    """One row of twenty-five: approved, or lifted again, or waiting; a lot and a material among them."""
    people = {"proposed_by": make.user("buyer"), "decided_by": make.user("manager")}
    day = make.day("2026-06-01")
    for field, model in (("line", OrderLine), ("lot", Lot), ("order_material", OrderMaterial)):
        for number, row in enumerate(model.objects.order_by("pk")[::25]):
            make.exclusion(**{field: row}, **people, **[{"on": day}, {"on": day, "lifted_on": day}, {}][number % 3])


@pytest.mark.django_db
def test_a_rebuild_after_scattered_changes_still_equals_the_reference():
    world.build(world.Size(lines=600, factories=8, years=1))
    rollups.rebuild_all()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE production_delivery SET quantity = quantity + 1 WHERE mod(id, 9) = 0 AND kind = 'receipt'"
        )
    set_some_aside()
    assert rollups.rebuild().marks > 0
    reference.create()
    reference.fill()
    assert reference.differences() == 0


@pytest.mark.django_db
def test_the_reference_gives_the_windows_of_every_stored_month():
    size = world.Size(lines=1500, factories=6, years=2)
    world.build(size)
    reference.create()
    reference.create_months()
    reference.fill()
    reference.fill_months(size.today, figures.MONTHS)
    rollups.rebuild_all()
    for end in figures.month_ends(size.today):
        evaluations.evaluate_month(end)
    months = Evaluation.objects.filter(kind="month")
    assert months.count() == 6 * figures.MONTHS
    assert set(months.values_list("window_days", flat=True)) == {90, 365}
    assert reference.different_months() == 0
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE bench_month SET bad = bad + 1 WHERE last = (SELECT max(last) FROM bench_month) AND factory_id = 1"
        )
    assert reference.different_months() == 2


@pytest.mark.django_db
def test_duckdb_finds_the_same_counts():
    world.build(world.Size(lines=600, factories=8, years=1))
    reference.create()
    reference.fill()
    with duck.opened() as rows:
        duck.fill(rows)
        assert duck.differences(rows) == 0
