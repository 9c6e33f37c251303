"""A draft policy is tried on the past before it is saved."""

from decimal import Decimal

import pytest

from assessments import backtest, evaluations, verification
from assessments.models import Evaluation, Policy
from production import rollups
from tests import make


@pytest.fixture
def two_factories(db):
    """One factory at 2 % defects and one at 4 %, both punctual, from August to October."""
    factories = []
    for bad in (4, 8):
        factory = make.factory()
        for month in ("08", "09", "10"):
            for n in range(6):
                on = make.day(f"2026-{month}-1{n}")
                line = make.line(100, order=make.order(factory=factory), committed_on=on)
                make.delivery(100, line=line, received_on=on, lot=(lot := make.lot(line=line)))
                make.inspection(lot=lot, inspected_on=on, inspected=200, major=bad)
        factories.append(factory)
    rollups.rebuild()
    return factories


def draft(**fields):
    return Policy(effective_from=make.day("2026-11-22"), **fields)


@pytest.mark.django_db
def test_the_draft_that_changes_nothing_changes_no_grade(two_factories):
    found = backtest.compare(draft(), make.day("2026-11-21"))
    assert found.changes() == []
    assert (found.now.opened, found.now.closed) == (found.draft.opened, found.draft.closed)
    assert len(found.ends) == 12


@pytest.mark.django_db
def test_a_wider_ceiling_lifts_the_factory_that_was_beyond_the_old_one(two_factories):
    _good, bad = two_factories
    found = backtest.compare(draft(defect_limit=Decimal("0.05"), defect_zero=Decimal("0.10")), make.day("2026-11-21"))
    changed = dict(found.changes())
    assert bad in changed
    assert next((now.grade, then.grade) for _, now, then in changed[bad]) == ("passing", "good")
    assert (found.now.opened, found.draft.opened) == (1, 0)


@pytest.mark.django_db
def test_a_draft_for_one_factory_leaves_the_others(two_factories):
    good, _bad = two_factories
    found = backtest.compare(
        draft(factory=good, defect_limit=Decimal("0.015"), defect_zero=Decimal("0.02")), make.day("2026-11-21")
    )
    assert found.factories == (good,)
    assert [factory for factory, _ in found.changes()] == [good]


@pytest.mark.django_db
def test_nothing_is_stored_and_the_past_comes_out_as_it_was_published(two_factories):
    for end in backtest.month_ends(make.day("2026-10-31"), 3):
        evaluations.evaluate_month(end)
    stored = {(row.factory_id, row.as_of): row.published_grade for row in Evaluation.objects.filter(kind="month")}
    policies = Policy.objects.count()
    found = backtest.compare(draft(), make.day("2026-11-21"), months=3)
    assert {key: month.grade for key, month in found.now.months.items()} == stored
    assert (Evaluation.objects.count(), Policy.objects.count()) == (6, policies)
    assert verification.verify(Evaluation.objects.all()) == []


@pytest.mark.django_db
def test_the_statements_do_not_grow_with_factories_or_months(two_factories, django_assert_max_num_queries):
    with django_assert_max_num_queries(9):
        backtest.compare(draft(), make.day("2026-11-21"))
