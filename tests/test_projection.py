"""The projected grade and what lifts it: the month's own rules, and the smallest number found by trying every one."""

import datetime
import random
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assessments import evaluations, grading, projection
from assessments.models import Evaluation, Policy
from assessments.projection import Basis, Outlook, Step
from assessments.publication import publication
from assessments.views import outlook
from assessments.wording import few
from factories.models import Category
from tests import judged, make

DAY = datetime.date(2026, 11, 21)
EMPTY = {
    "first": "2026-08-24", "last": "2026-11-21", "due_last": "2026-11-21", "largest_lot": 0, "money": [],
    "qty_delivered": "1000", "qty_delivered_inspected": "1000",
}  # fmt: skip


def sums(lines=20, otif=19, units=800, bad=12, lots=10, s2=None, critical_lots=0, loss=None, **more):
    """The stored sums of one window; the bad units lie evenly in the lots unless `s2` says otherwise."""
    even = Decimal(bad) ** 2 / units if units else Decimal(0)
    money = [
        {
            "currency": "USD",
            "orders": 3,
            "value_net": "1000",
            "value_loss_pos": loss,
            "value_loss_neg": "0",
            "charge": "0",
        }
    ]
    return EMPTY | {
        "lines": lines, "otif": otif, "otd": otif, "units_inspected": units, "units_major": bad, "units_critical": 0,
        "lots": lots, "s2": str(s2 if s2 is not None else even), "lots_with_critical": critical_lots,
        "money": money if loss else [],
    } | more  # fmt: skip


def basis(*windows, before=(), policy=None, **fields):
    policy = policy or Policy(effective_from=datetime.date(2020, 1, 1))
    return Basis(windows, policy, Category(code="x"), DAY, bool(windows[0]["money"]), before=tuple(before), **fields)


def month(published, raw=None, is_carried=False):
    return {"published_grade": published, "raw_grade": raw or published, "is_carried": is_carried}


def by_trying(given, more, most):
    """The smallest count by trying them all."""
    now = projection.project(given)
    for count in range(1, most + 1):
        later = projection.project(more(given, count))
        if projection.lifts(now, later):
            return Step(count, later.grade)
    return None


def assert_smallest(given, most_lines=50, most_units=2000):
    found = projection.outlook(given, most_lines, most_units)
    assert found.lines == by_trying(given, projection.more_lines, most_lines)
    assert found.units == by_trying(given, projection.more_units, most_units)
    return found


# The smallest number


def test_the_next_lines_on_time_that_lift_a_late_factory_are_the_smallest_that_do():
    found = assert_smallest(basis(sums(lines=20, otif=17, bad=4), before=[month("passing")]), 50, 60)
    assert found.now.grade == "passing"
    assert found.lines.grade == "good"
    assert (
        projection.project(projection.more_lines(basis(sums(lines=20, otif=17, bad=4)), found.lines.count)).grade
        == "good"
    )


def test_the_next_good_units_that_lift_a_factory_with_defects_are_the_smallest_that_do():
    found = assert_smallest(basis(sums(otif=20, bad=30), before=[month("passing")]), 10, 700)
    assert (found.lines, found.units.grade) == (None, "good")


def test_one_step_up_needs_the_margin_and_no_more():
    """A score of 82 lifts a passing factory to good, 81.99 does not."""
    given = basis(sums(otif=20, bad=30), before=[month("passing")])
    step = projection.outlook(given, most_lines=1).units
    before, after = (projection.project(projection.more_units(given, step.count + move)) for move in (-1, 0))
    assert (before.grade, after.grade) == ("passing", "good")
    assert before.judged.score < 82 <= after.judged.score
    assert before.held


def test_a_second_month_above_the_line_needs_no_margin():
    once = basis(sums(otif=20, bad=30), before=[month("passing")])
    twice = basis(sums(otif=20, bad=30), before=[month("passing", raw="good")])
    assert projection.outlook(twice, 1).units.count < projection.outlook(once, 1).units.count


def test_a_grade_of_two_months_ago_still_holds():
    """Passing alone, but within two points of good: held at good, which a cap that bites ends at once."""
    given = basis(sums(lines=20, otif=19, bad=12, critical_lots=1), before=[month("good")])
    assert_smallest(given, 50, 300)


@pytest.mark.parametrize("seed", range(12))
def test_any_factory_is_answered_as_by_trying_every_number(seed):
    """Few data and many, clustered defects, caps, two windows, every grade before."""
    chance = random.Random(seed)
    for _ in range(4):
        lines, lots = chance.choice([2, 4, 6, 20, 60]), chance.choice([2, 4, 9])
        units = chance.choice([25, 80, 190, 400, 1200])
        bad = round(units * chance.choice([0, 0.01, 0.03, 0.05, 0.08]))
        window = {
            "lines": lines, "otif": lines - min(lines, chance.choice([0, 1, 2, 5])), "units": units, "bad": bad, "lots": lots,
            "s2": Decimal(bad) ** 2 / units * chance.choice([1, 2, 6]), "critical_lots": chance.choice([0, 0, 0, 1, 2]),
            "loss": chance.choice([None, "5", "25", "50"]),
            "qty_delivered_inspected": chance.choice(["1000", "1000", "300"]),
        }  # fmt: skip
        wider = window | {
            "lines": lines * 3,
            "otif": window["otif"] * 3,
            "units": units * 3,
            "bad": bad * 2,
            "lots": lots * 2,
        }
        before = chance.choice(
            [[], [month("good", raw="passing")], [month("passing")], [month("failing", raw="passing")]]
        )
        assert_smallest(basis(sums(**window), sums(**wider), before=before), 30, 120)


def test_bisection_finds_the_first_of_what_comes_and_goes():
    """Reached at 3 and 4, lost at 5, reached again from 40: the state tells where it may change."""
    reached = {3, 4, *range(40, 51)}
    assert projection.smallest(reached.__contains__, lambda count: count >= 5, [], 50) == 3
    assert projection.smallest({40}.__contains__, lambda count: 0, [41], 50) == 40
    assert projection.smallest(lambda count: False, lambda count: 0, [], 50) is None


# Why not


def said(given, **found):
    return " ".join(outlook.sentences(projection.outlook(given), given.policy))


def test_the_sentence_names_both_ways_to_the_same_grade():
    given = basis(sums(lines=30, otif=28, bad=16), before=[month("passing")])
    found = projection.outlook(given)
    assert found.lines
    assert found.units
    assert said(given) == (
        f"Good takes the next {found.lines.count} order lines on time in full, "
        f"or the next {found.units.count} inspected units without a defect."
    )


def test_one_line_is_said_in_the_singular():
    now = projection.project(basis(sums()))
    seen = Outlook(now, Step(1, "good"), None, now)
    assert outlook.reach(seen) == "Good takes the next order line on time in full."


def test_a_cap_is_named_where_no_line_and_no_unit_can_lift_the_grade():
    given = basis(sums(otif=20, bad=0, critical_lots=1), before=[month("passing")])
    found = assert_smallest(given, 50, 60)
    assert (found.lines, found.units) == (None, None)
    assert "One lot with a critical defect: the grade is at most Passing." in said(given)


def test_a_factory_too_far_down_is_told_the_score_that_is_in_reach():
    given = basis(sums(lines=400, otif=300, bad=400, units=8000, s2=Decimal(150)), before=[month("failing")])
    assert "would not lift the grade: the score would be" in said(given)


def test_where_only_both_together_help_that_is_said():
    given = basis(sums(lines=100, otif=84, bad=60, units=1000, s2=Decimal("3.6")), before=[month("failing")])
    found = projection.outlook(given)
    if not (found.lines or found.units) and projection.lifts(found.now, found.best):
        assert "both together would lift the grade" in said(given)
    else:
        pytest.fail("these sums should need both")


def test_the_best_grade_needs_nothing():
    given = basis(sums(otif=20, bad=0))
    assert projection.outlook(given).now.grade == "excellent"
    assert said(given) == ""


def test_too_few_data_are_said_with_what_is_needed():
    given = basis(sums(lines=20, otif=20, units=0, bad=0, lots=0))
    found = projection.outlook(given)
    assert found.now.grade == grading.NOT_RATED
    assert few("defect", found.now.judged.measures["defect"], given.policy) in said(given)


# On the page


@pytest.fixture
def company(db):
    judged.factory("GOOD-1", late=0)
    judged.factory("LATE-1", lines=20, late=2, lots=12, defective=1)
    judged.factory("FEW-1", lines=2, lots=1)
    judged.judge(months=2)


def test_the_projected_grade_is_what_a_month_that_closed_today_would_publish(client, company):
    client.force_login(make.user("manager"))
    for now in Evaluation.objects.whole().filter(kind="night").select_related("factory__category"):
        page = client.get(f"/factories/{now.factory.code}/")
        policies = evaluations.Policies()
        subject = evaluations.Subject("month", now.factory, None, now.as_of)
        ((_, policy, _, expected),) = evaluations.judge_all([subject], policies)
        before = list(
            Evaluation.objects.whole()
            .filter(factory=now.factory, kind="month", revision=1, as_of__lt=now.as_of)
            .order_by("-as_of")
            .values("published_grade", "raw_grade", "is_carried")
        )
        shown = page.context["projection"]
        assert shown["projected"] == publication(expected, policy, before)[0]
        assert shown["projected_score"] == outlook.points(expected.score)


def test_the_scorecard_says_what_it_takes(client, company):
    client.force_login(make.user("manager"))
    page = client.get("/factories/LATE-1/")
    sentences = page.context["projection"]["sentences"]
    assert sentences
    assert sentences[0].split(" takes ")[0] in ("Good", "Excellent", "Passing")
    assert sentences[0] in page.content.decode()


def test_the_scorecard_shows_an_arrow_where_it_got_worse(client, db):
    factory = judged.factory("DOWN-1", lines=40, late=20, lots=0)
    order = make.order(factory=factory)
    for n in range(30):
        line = make.line(10, order=order, committed_on=judged.ago(120 + n))
        make.delivery(10, line=line, received_on=judged.ago(121 + n))
    judged.judge(months=0)
    client.force_login(make.user("manager"))
    stats = {stat["label"]: stat["unit"] for stat in client.get("/factories/DOWN-1/").context["stats"]}
    assert stats["On time in full"] == "↓ worse"
    assert stats["Defect rate"] == ""


def test_a_scorecard_asks_as_little_with_too_few_data_as_with_many(client, company):
    client.force_login(make.user("manager"))
    client.get("/help/")
    found = {}
    for code in ("LATE-1", "FEW-1", "GOOD-1"):
        with CaptureQueriesContext(connection) as seen:
            assert client.get(f"/factories/{code}/").status_code == 200
        found[code] = len(seen)
    assert len(set(found.values())) == 1
