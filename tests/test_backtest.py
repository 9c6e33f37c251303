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


@pytest.fixture
def toys(two_factories):
    """Both factories make toys, too: those of the first are worse than the rest of its goods."""
    category = make.category(code="toys")
    product = make.product(category=category)
    for factory, bad in zip(two_factories, (14, 0), strict=True):
        for month in ("08", "09", "10"):
            on = make.day(f"2026-{month}-20")
            line = make.line(100, order=make.order(factory=factory), product=product, committed_on=on)
            make.delivery(100, line=line, received_on=on, lot=(lot := make.lot(line=line)))
            make.inspection(lot=lot, inspected_on=on, inspected=200, major=bad)
    rollups.rebuild()
    return category


def published():
    months = Evaluation.objects.filter(kind="month", category=None, revision=1)
    return {(row.factory_id, row.as_of): row.published_grade for row in months}


def grades(side):
    return {key: month.grade for key, month in side.months.items()}


@pytest.mark.django_db
def test_a_draft_for_a_category_caps_the_grade_of_a_factory_in_breach_there(two_factories, toys):
    good, _bad = two_factories
    found = backtest.compare(draft(category=toys), make.day("2026-11-21"))
    [(factory, months)] = found.changes()
    assert factory == good
    assert {then.grade for _, _, then in months} == {"passing"}
    assert "defect:toys" in months[-1][2].breaches
    assert (found.now.opened, found.draft.opened) == (0, 1)


@pytest.mark.django_db
@pytest.mark.parametrize("named", [(), ("category",), ("factory",), ("category", "factory")])
@pytest.mark.parametrize("among", [(), ("category",), ("category", "factory")])
def test_a_draft_is_tried_as_the_months_would_really_be_judged_by_it(two_factories, toys, named, among):
    scopes = {"factory": two_factories[0], "category": toys}
    for scope in {frozenset(among)} - {frozenset(), frozenset(named)}:
        Policy.objects.create(
            effective_from=make.day("2000-01-02"), defect_limit=Decimal("0.04"), **{n: scopes[n] for n in scope}
        )
    tried = draft(defect_limit=Decimal("0.02"), **{name: scopes[name] for name in named})
    found = backtest.compare(tried, make.day("2026-11-21"), months=3)
    tried.effective_from = make.day("2000-01-02")
    tried.save()
    evaluations.evaluate_months(backtest.month_ends(make.day("2026-10-31"), 3))
    assert {key: grade for key, grade in grades(found.draft).items() if key in published()} == {
        key: grade for key, grade in published().items() if key in grades(found.draft)
    }
    gates = Evaluation.objects.filter(category=None, factory__in=found.factories).values_list(
        "factory", "as_of", "gates"
    )
    for factory, as_of, hits in gates:
        confirmed = {hit["label"].partition(":")[2] for hit in hits if hit["label"].startswith("confirmed_breach:")}
        assert found.draft.months[factory, as_of].breaches == confirmed


@pytest.mark.django_db
def test_nothing_is_stored_and_the_past_comes_out_as_it_was_published(two_factories):
    for end in backtest.month_ends(make.day("2026-10-31"), 3):
        evaluations.evaluate_month(end)
    stored = published()
    policies = Policy.objects.count()
    found = backtest.compare(draft(), make.day("2026-11-21"), months=3)
    assert grades(found.now) == stored
    assert (Evaluation.objects.count(), Policy.objects.count()) == (6, policies)
    assert verification.verify(Evaluation.objects.all()) == []


def publish(factory, end, grade, **measures):
    """A month that published a grade, whatever today's facts say."""
    Evaluation.objects.create(
        factory=factory, kind="month", as_of=make.day(end), policy=make.shipped_policy(), window_days=90, sums={},
        measures={name: {"status": status} for name, status in measures.items()}, raw_grade=grade, published_grade=grade,
        digest="x", code_version="1",
    )  # fmt: skip


@pytest.mark.django_db
def test_the_first_month_is_published_after_the_one_before_it(two_factories):
    good, _bad = two_factories
    key = good.pk, make.day("2026-10-31")
    assert backtest.compare(draft(), make.day("2026-11-21"), months=1).now.months[key].grade == "excellent"
    publish(good, "2026-09-30", "good")
    found = backtest.compare(draft(), make.day("2026-11-21"), months=1)
    assert found.now.months[key].score == "90.00", "up only with 2 points above the line"
    assert (found.now.months[key].grade, found.draft.months[key].grade) == ("good", "good")
    evaluations.evaluate_month(make.day("2026-10-31"))
    assert published()[key] == "good"


@pytest.mark.django_db
def test_a_breach_that_stood_before_the_first_month_is_not_opened_in_it(two_factories):
    _good, bad = two_factories
    found = backtest.compare(draft(), make.day("2026-11-21"), months=1)
    assert (found.now.opened, found.now.closed) == (1, 0)
    publish(bad, "2026-09-30", "passing", defect="breach", otif="ok")
    found = backtest.compare(
        draft(defect_limit=Decimal("0.05"), defect_zero=Decimal("0.10")), make.day("2026-11-21"), months=1
    )
    assert (found.now.opened, found.now.closed) == (0, 0)
    assert (found.draft.opened, found.draft.closed) == (0, 1)


@pytest.mark.django_db
def test_months_that_were_published_otherwise_than_todays_facts_give_are_counted(two_factories):
    good, bad = two_factories
    publish(good, "2026-10-31", "failing")
    publish(bad, "2026-10-31", "passing")
    assert backtest.compare(draft(), make.day("2026-11-21")).restated == 1


@pytest.mark.django_db
@pytest.mark.parametrize("more", [0, 12])
def test_the_statements_do_not_grow_with_factories_categories_or_months(
    two_factories, toys, more, django_assert_max_num_queries
):
    for _ in range(more):
        line = make.line(10)
        make.delivery(10, line=line)
        Policy.objects.create(category=line.product.category, effective_from=make.day("2026-01-01"))
    rollups.rebuild()
    with django_assert_max_num_queries(9):
        backtest.compare(draft(category=toys), make.day("2026-11-21"))
