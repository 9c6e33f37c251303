"""Many windows and many months in one go are the same as one after the other."""

import datetime
from decimal import Decimal

import pytest
from django.db.models import Q

from assessments import evaluations, window_sums
from assessments.models import Action, Evaluation, Policy
from assessments.window_sums import COUNTS, Asked, Sums
from factories.models import Category, Factory, Standing
from production import rollups
from production.models import FactoryDay, LotOutcome
from tests import make

ENDS = [datetime.date(2026, month, day) for month, day in ((6, 30), (7, 31), (8, 31), (9, 30), (10, 31))]
STORED = [field.name for field in Evaluation._meta.fields if field.name not in {"id", "computed_at"}]


@pytest.fixture
def two_factories(db):
    """Two factories with two categories each, good in summer and worse and worse in autumn, from May to October."""
    factories = []
    for place in range(2):
        factory = make.factory()
        products = [make.product(category=factory.category), make.product(category=make.category())]
        for number in range(36):
            on = make.day("2026-05-01") + datetime.timedelta(days=5 * number)
            line = make.line(100, order=make.order(factory=factory), product=products[number % 3 == 0], committed_on=on)
            late = 4 if number > 20 and number % 2 == place else 0
            make.delivery(
                100, line=line, received_on=on + datetime.timedelta(days=late), lot=(lot := make.lot(line=line))
            )
            make.inspection(lot=lot, inspected_on=on, inspected=80, major=number // 7 + place)
        factories.append(factory)
    rollups.rebuild()
    return factories


def everything():
    return list(Evaluation.objects.order_by("factory", "category", "as_of", "revision").values(*STORED))


@pytest.mark.django_db
def test_many_months_at_once_are_stored_and_published_as_one_after_the_other(two_factories):
    for factory in two_factories:
        Policy.objects.create(
            category=factory.category, effective_from=make.day("2026-01-01"), defect_limit=Decimal("0.02")
        )
    for end in ENDS:
        evaluations.evaluate_month(end)
    stored, standings = everything(), list(Standing.objects.order_by("pk").values_list("factory", "grade", "since_on"))
    assert {row["published_grade"] for row in stored} > {""}
    assert any(row["category"] for row in stored)
    Standing.objects.all().delete()
    Evaluation.objects.all().delete()
    assert len(evaluations.evaluate_months(reversed(ENDS))) == len(stored)
    assert everything() == stored
    assert list(Standing.objects.order_by("pk").values_list("factory", "grade", "since_on")) == standings
    assert evaluations.evaluate_months(ENDS) == []


def other_category(factory):
    """The category in which a factory works beside its main one."""
    of_lots = LotOutcome.objects.filter(factory=factory).values("category")
    return Category.objects.filter(pk__in=of_lots).exclude(pk=factory.category_id).get()


def judged_by(factory, end):
    """Which policy judged the month of a factory, as a whole and in each category."""
    rows = Evaluation.objects.filter(factory=factory, as_of=end).select_related("policy")
    return {row.category_id: row.policy for row in rows}


@pytest.mark.django_db
def test_the_most_specific_policy_judges_a_factory_and_its_categories(two_factories):
    factory, other = two_factories
    main, second = factory.category, other_category(factory)
    default = make.shipped_policy()

    def agreed(first, **scope):
        return Policy.objects.create(effective_from=make.day(first), **scope)

    for_main = agreed("2026-06-01", category=main)
    for_second = agreed("2026-07-01", category=second)
    own = agreed("2026-08-01", factory=factory)
    own_second = agreed("2026-09-01", factory=factory, category=second)
    evaluations.evaluate_months(ENDS[:4])
    assert [judged_by(factory, end) for end in ENDS[:4]] == [
        {None: for_main, main.pk: for_main},
        {None: for_main, main.pk: for_main, second.pk: for_second},
        {None: own, main.pk: own, second.pk: own},
        {None: own, main.pk: own, second.pk: own_second},
    ]
    assert [judged_by(other, end) for end in ENDS[:4]] == [{None: default}] * 4


@pytest.mark.django_db
def test_a_category_named_for_one_factory_is_not_judged_at_another_with_a_policy_of_its_own(two_factories):
    one, other = two_factories
    for factory in two_factories:
        make.delivery(
            10, line=make.line(10, order=make.order(factory=factory), product=make.product(category=one.category))
        )
    rollups.rebuild()
    Policy.objects.create(factory=one, category=one.category, effective_from=make.day("2026-01-01"))
    own = Policy.objects.create(factory=other, effective_from=make.day("2026-01-01"))
    evaluations.evaluate_months(ENDS[-1:])
    assert judged_by(other, ENDS[-1]) == {None: own}
    assert set(judged_by(one, ENDS[-1])) == {None, one.category_id}


@pytest.mark.django_db
def test_a_breach_in_a_category_caps_the_grade_of_the_factory_by_the_policy_of_the_factory(two_factories):
    factory, _ = two_factories
    second = other_category(factory)
    strict = {"defect_target": 0, "defect_limit": Decimal("0.0001"), "defect_zero": Decimal("0.0002")}
    Policy.objects.create(category=second, effective_from=make.day("2026-01-01"), **strict)
    evaluations.evaluate_months(ENDS[:1])
    whole = Evaluation.objects.get(factory=factory, category=None)
    assert {"label": f"confirmed_breach:defect:{second.code}", "cap": "passing"} in whole.gates
    assert (whole.ungated_grade, whole.raw_grade) == ("excellent", "passing")
    Policy.objects.create(factory=factory, effective_from=make.day("2026-07-01"))  # as wide as the default
    evaluations.evaluate_months(ENDS[1:2])
    assert Evaluation.objects.get(factory=factory, category=None, as_of=ENDS[1]).gates == []


@pytest.mark.django_db
def test_batches_do_not_show(two_factories, monkeypatch):
    evaluations.evaluate_months(ENDS)
    stored = everything()
    Evaluation.objects.all().delete()
    monkeypatch.setattr(evaluations, "BATCH", 3)
    evaluations.evaluate_months(ENDS)
    assert everything() == stored


@pytest.mark.django_db
def test_a_day_inside_a_month_ends_none(two_factories):
    with pytest.raises(ValueError):
        evaluations.evaluate_months([ENDS[0], make.day("2026-07-30")])
    assert not Evaluation.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("more", [0, 12])
def test_all_sums_and_months_take_twenty_statements_for_any_number_of_factories(
    two_factories, more, django_assert_max_num_queries
):
    for _ in range(more):
        make.delivery(10)
    Policy.objects.create(
        category=two_factories[0].category, effective_from=make.day("2026-01-01"), defect_limit=Decimal("0.02")
    )
    with django_assert_max_num_queries(24):  # twenty and the ends of two savepoints
        rollups.rebuild_all()
        evaluations.evaluate_months(ENDS)
    assert set(Evaluation.objects.values_list("factory", flat=True)) == set(
        Factory.objects.values_list("pk", flat=True)
    )
    assert Action.objects.count() >= 2, "two statements more where grades ask for a plan"


@pytest.mark.django_db
def test_so_many_days_that_they_take_memory_take_twenty_statements_too(
    two_factories, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(evaluations, "FEW", 0)
    with django_assert_max_num_queries(24) as captured:  # twenty and the ends of two savepoints
        rollups.rebuild_all()
        evaluations.evaluate_months(ENDS)
    assert [query["sql"] for query in captured if "work_mem" in query["sql"]][1:] == [
        "SET LOCAL work_mem = '128MB'; SET LOCAL max_parallel_workers_per_gather = 2"
    ]
    assert Action.objects.exists(), "plans were asked for"


@pytest.mark.django_db
@pytest.mark.parametrize("few", [0, 1_000_000])
def test_overlapping_windows_hold_the_daily_sums_between_their_days(
    two_factories, few, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(window_sums, "FEW", few)
    day, one = make.day("2026-05-20"), datetime.timedelta(days=1)
    asked = [
        Asked(factory.pk, category, first, first + length * one, first + (length - shorter) * one)
        for factory in two_factories
        for category in (None, factory.category_id)
        for first in (day, day + 30 * one, day + 37 * one, make.day("2020-01-01"))
        for length in (0, 6, 40, 100)
        for shorter in (0, 1)
    ]
    with django_assert_num_queries(1):
        sums = Sums(asked)
        found = [sums.of(window) for window in asked]
    for window, got in zip(asked, found, strict=True):
        scope = {"factory": window.factory} | ({"category": window.category} if window.category else {})
        days = FactoryDay.objects.filter(**scope).between(window.first, window.last)
        days = days.filter(~Q(family="delivery") | Q(day__lte=window.due_last))
        expected = days.sums()
        assert {name: got.counts.get(name, 0) for name in COUNTS} == {name: expected[name] or 0 for name in COUNTS}
        assert bool(got.counts) == days.exists()
        last = days.filter(family="delivery").order_by("-day").first()
        assert got.evidence_on.get("otif") == (last.day if last else None)
        lots = LotOutcome.objects.filter(**scope, inspected_on__range=(window.first, window.last))
        assert got.largest_lot == max(lots.values_list("inspected", flat=True), default=0)
