"""Where factories stand: the same numbers in the list, on the card and in the sentences, few queries however many rows."""

import datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assessments import evidence, filters, scorecards, wording
from assessments.figures import chance, closed_months, money, percent, plain_percent
from assessments.models import Evaluation, Policy
from assessments.views.csvs import plain
from assessments.views.entrance import today
from factories.models import Factory
from production import rollups
from production.models import Delivery
from tests import judged, make


def queries(client, url):
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert client.get(url).status_code == 200
    return len(found)


MEASURE = {
    "status": "watch", "sufficient": True, "applicable": True, "bad": 3, "total": 50, "num": "3", "den": "50",
    "rate": "0.060000000000", "lower": 0.0242, "upper": 0.1409, "p_value": 0.189202, "target": "0.01", "limit": "0.03",
    "zero": "0.06", "points": "0.00", "lots": 3, "flags": [],
}  # fmt: skip


def otif(**fields):
    known = {
        "status": "breach", "sufficient": True, "applicable": True, "bad": 10, "total": 35, "num": "25", "den": "35",
        "rate": "0.714285714286", "lower": 0.573, "upper": 0.823, "p_value": 0.0012, "target": "0.98", "limit": "0.90",
        "zero": "0.70", "points": "4.29", "share": "0.5", "adds": "2.15", "flags": [],
    }  # fmt: skip
    return known | fields


def test_a_rate_is_said_with_its_fraction_its_limit_and_what_is_proven():
    said = wording.sentence("otif", otif(), None)
    assert said == "On time in full 71.43% (25 of 35 lines), floor 90%: proven below."


def test_above_the_ceiling_but_not_proven_is_said_with_the_chance():
    assert wording.proof("defect", MEASURE) == (
        "3 of 50 is above the 3% ceiling but not proven: a factory exactly at 3% would show 3 or more in 18.9% of such samples."
    )


def test_a_rate_within_its_limit_needs_no_proof():
    assert wording.proof("defect", MEASURE | {"status": "ok"}) == ""


def test_the_rule_is_shown_with_the_numbers_put_in():
    said = wording.points_rule("otif", otif())
    assert said == "71.43% lies between 90% and 70%: 60 × (71.4286 − 70) ÷ (90 − 70) = 4.29 points."


def test_too_few_data_are_counts_and_never_a_rate():
    few = otif(status="ok", sufficient=False, num="2", den="2", bad=0, total=2, rate="1.000000000000")
    assert wording.state(few) == "no_data"
    assert wording.value("otif", few) == "–"
    assert wording.sentence("otif", few, Policy()) == "On time in full: too few data, 2 lines due, at least 5 needed."


def test_too_few_data_do_not_hide_a_proven_breach():
    assert wording.state(otif(sufficient=False)) == "breach"


def test_a_measure_that_does_not_apply_is_neither_good_nor_missing():
    loss = {"status": "not_applicable", "applicable": False, "sufficient": False, "rate": None}
    measures = {"defect": MEASURE | {"status": "ok"}, "otif": otif(status="ok"), "loss": loss}
    assert wording.state(loss) == "not_applicable"
    assert wording.overall(measures) == "ok"


@pytest.mark.parametrize(
    "rate, said", [("0.714285", "71.43%"), ("0.00125", "0.13%"), ("0", "0.00%"), (None, "–"), ("1", "100.00%")]
)
def test_rates_have_two_decimals_rounded_half_up(rate, said):
    assert percent(rate) == said


@pytest.mark.parametrize("rate, said", [("0.030000", "3%"), ("0.025", "2.5%"), ("0.9", "90%"), ("0.0125", "1.25%")])
def test_limits_have_no_empty_decimals(rate, said):
    assert plain_percent(Decimal(rate)) == said


@pytest.mark.parametrize("p, said", [(0.189202, "18.9%"), (0.0004, "0.04%"), (1e-9, "less than 0.01%")])
def test_small_chances_are_not_said_to_be_nothing(p, said):
    assert chance(p) == said


def test_money_names_its_currency_and_rounds_to_what_can_be_paid():
    assert money("1234.505", "USD") == "USD 1,234.51"
    assert money("1234.5", "VND") == "VND 1,235"


def test_the_running_month_is_not_closed_and_its_last_day_closes_it():
    day = datetime.date
    assert closed_months(day(2026, 11, 22), 2) == [day(2026, 9, 30), day(2026, 10, 31)]
    assert closed_months(day(2026, 11, 30), 2) == [day(2026, 10, 31), day(2026, 11, 30)]


def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless_and_a_number_is_kept():
    assert plain("=1+1") == "'=1+1"
    assert [plain(Decimal(text)) for text in ("0E-12", "12.50", "1E+3")] == ["0.000000000000", "12.50", "1000"]
    assert plain("-5") == "-5"


@pytest.fixture
def company(db):
    judged.factory("GOOD-1", late=0, defective=0)
    judged.factory("LATE-1", late=8, defective=0)
    judged.factory("BAD-1", late=6, defective=9)
    judged.factory("FEW-1", lines=2, lots=1)
    judged.judge(months=3)


def test_the_list_starts_with_the_worst_and_puts_too_few_data_between(company):
    found = filters.sort(scorecards.standings(Factory.objects.all()), "")
    assert [s.factory.code for s in found] == ["BAD-1", "LATE-1", "FEW-1", "GOOD-1"]
    assert {s.factory.code: s.status for s in found}["FEW-1"] == "no_data"
    assert {s.factory.code: s.score for s in found}["FEW-1"] is None


def test_unknown_values_come_last_whichever_way_a_column_is_sorted(company):
    standings = scorecards.standings(Factory.objects.all())
    for order in ("score", "-score", "otif", "-defect"):
        assert filters.sort(standings, order)[-1].factory.code == "FEW-1", order


def test_the_state_now_is_the_newest_evaluation_and_the_grade_the_newest_month(company):
    factory = Factory.objects.get(code="LATE-1")
    standing = next(s for s in scorecards.standings(Factory.objects.all()) if s.factory.pk == factory.pk)
    night = Evaluation.objects.get(factory=factory, kind="night")
    month = Evaluation.objects.filter(factory=factory, kind="month").order_by("-as_of").first()
    assert (standing.score, standing.as_of) == (night.score, night.as_of)
    assert standing.grade == month.published_grade
    assert standing.measures == night.measures
    card = scorecards.card(factory, today())
    assert (card.now, card.month) == (night, month)


def test_standings_take_two_queries_for_one_factory_or_many(company, django_assert_num_queries):
    with django_assert_num_queries(2):
        scorecards.standings(Factory.objects.filter(code="GOOD-1"))
    with django_assert_num_queries(2):
        assert len(scorecards.standings(Factory.objects.all())) == 4


def test_the_rows_behind_a_number_are_as_many_as_the_number_says(company):
    for evaluation in Evaluation.objects.whole().select_related("factory", "policy"):
        lines, lots = evaluation.measures["otif"], evaluation.measures["defect"]
        found = evidence.rows(evaluation, "otif")
        now = evidence.counted(evaluation, "otif", found)
        assert (now.every, now.parts["late"]) == (lines["total"], lines["bad"]), evaluation
        assert evidence.split("otif", found, "late").count() == lines["bad"]
        found = evidence.rows(evaluation, "defect")
        now = evidence.counted(evaluation, "defect", found)
        assert (now.every, now.num, now.den) == (lots["lots"], lots["bad"], lots["total"]), evaluation
        assert not evidence.differs(evaluation, "defect", now)


def test_rows_say_that_facts_changed_also_where_only_a_weight_did(company):
    evaluation = Evaluation.objects.whole().filter(measures__defect__lots__gt=0).latest("pk")
    lots = evidence.rows(evaluation, "defect")
    before = evidence.counted(evaluation, "defect", lots)
    assert not evidence.differs(evaluation, "defect", before)
    delivery = Delivery.objects.filter(lot__in=lots.values("lot"), kind="receipt").first()
    Delivery.objects.filter(pk=delivery.pk).update(quantity=delivery.quantity + 1)
    rollups.rebuild()
    now = evidence.counted(evaluation, "defect", evidence.rows(evaluation, "defect"))
    assert (now.num, now.den) == (before.num, before.den)
    assert evidence.differs(evaluation, "defect", now)


def test_the_parts_of_a_score_add_up_exactly(company):
    for evaluation in Evaluation.objects.exclude(score=None):
        parts = [measure["adds"] for measure in evaluation.measures.values() if measure.get("adds")]
        assert sum(map(Decimal, parts)) == evaluation.score


def test_one_more_line_on_time_is_worth_what_the_score_would_gain(company):
    evaluation = Evaluation.objects.filter(factory__code="LATE-1", kind="night").get()
    stored = evaluation.measures["otif"]
    assert (stored["num"], stored["den"]) == (4, 12)
    assert evidence.one_more_on_time(evaluation) == Decimal("0.00")  # 5 of 12 is still beyond the zero of 70 %


def test_the_pages_of_a_list_cost_the_same_for_few_factories_and_for_many(client, company):
    client.force_login(make.user("manager"))
    client.get("/help/")  # what the frame of every page asks is kept for a minute
    few = {url: queries(client, url) for url in ("/factories/", "/breaches/?state=all", "/")}
    for n in range(6):
        judged.factory(f"MORE-{n}", late=7)
    judged.judge(months=3)
    many = {url: queries(client, url) for url in few}
    assert many["/factories/"] == few["/factories/"] <= 6
    assert many["/breaches/?state=all"] == few["/breaches/?state=all"] <= 6
    assert many["/"] <= few["/"] + 3  # a list that is cut off asks how many there are in all


def test_a_scorecard_costs_the_same_for_few_lines_and_for_many(client, company):
    client.force_login(make.user("manager"))
    client.get("/help/")
    judged.factory("MANY-1", lines=60, late=30, lots=30, defective=3)
    judged.judge(months=3)
    few, many = (queries(client, f"/factories/{code}/") for code in ("LATE-1", "MANY-1"))
    assert few == many <= 10
    day = Evaluation.objects.filter(kind="night").first().period
    for page in ("", "otif/", "defect/", "loss/"):
        few, many = (queries(client, f"/factories/{code}/score/{day}/{page}") for code in ("LATE-1", "MANY-1"))
        assert few == many <= 10, (
            page
        )  # the score itself: six, three for what stands besides it, one for what was set aside
