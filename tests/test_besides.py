"""What stands beside the score: each figure against a small world that is counted by hand."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assessments import besides
from assessments.models import Evaluation
from tests import judged, make

pytestmark = pytest.mark.django_db
ago = judged.ago


@pytest.fixture
def factory():
    return make.factory(code="VN-014", time_zone="UTC")


@pytest.fixture
def orders(factory):
    """Four orders: one late, one whole, one that never came, one that is not due yet.

    Lines completed after 28, 35 and 30 days; two open for 59 days and one for 9; A agreed on 30 days.
    """
    made = {}
    for name, confirmed, fields in (
        ("A", 80, {"cycle_days": 30}), ("B", 70, {}), ("C", 60, {}), ("D", 10, {}),
    ):  # fmt: skip
        made[name] = make.order(factory=factory, number=f"PO-{name}", confirmed_on=ago(confirmed), **fields)
    for name, due, came in (
        ("A", 50, 52), ("A", 50, 45), ("B", 40, 40), ("C", 20, None), ("C", 20, None), ("D", -20, None),
    ):  # fmt: skip
        line = make.line(100, order=made[name], committed_on=ago(due))
        if came is not None:
            make.delivery(100, line=line, received_on=ago(came))
    return made


def lot(factory, inspected, delivered=0, **counts):
    line = make.line(100_000, order=make.order(factory=factory), committed_on=ago(-30))
    made = make.lot(line=line)
    if delivered:
        make.delivery(delivered, line=line, lot=made, received_on=ago(15))
    return make.inspection(lot=made, inspected_on=ago(15), inspected=inspected, **counts)


def judge(factory):
    judged.judge(months=0)
    return Evaluation.objects.whole().get(factory=factory, kind="night")


def page(client, evaluation, role="manager"):
    client.force_login(make.user(role, factory=evaluation.factory if role == "contact" else None))
    return client.get(evaluation.get_absolute_url())


def told(response):
    """The blocks of the section as they are written: {name: text}."""
    section = response.content.decode().split('id="besides">')[1].split("</section>")[0]
    parts = re.split(r'<div class="stack tight" id="besides-(\w+)">', section)
    texts = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", part)).replace("&#x27;", "'") for part in parts]
    return dict(zip(texts[1::2], texts[2::2], strict=True))


def test_the_cycle_is_that_of_the_completed_lines_and_with_the_open_ones_it_is_longer(client, factory, orders):
    """28, 30 and 35 days; six lines of which one left after 9 days uncompleted: S(28) = 4/5, S(30) = 3/5, S(35) = 2/5."""
    evaluation = judge(factory)
    found = besides.besides(evaluation).cycles
    assert (found.completed, found.took.p50, found.took.p80, found.took.p90) == (3, 30, 35, 35)
    assert (found.took.mean, found.took.max) == (31, 35)
    assert (found.waiting, found.median) == (3, 35)
    said = told(page(client, evaluation))["cycle"]
    assert "Lines completed 3 Half of them within 30 days 80% of them within 35 days 90% of them within 35 days" in said
    assert "Half of all, with the open ones, within 35 days" in said
    assert "3 lines were open at the end of these days. They are counted as still running" in said


def test_the_cycle_is_compared_with_the_agreed_one_where_there_is_one(client, factory, orders):
    """Of A one line took two days less than the agreed 30 and one five more; B agreed on nothing."""
    evaluation = judge(factory)
    found = besides.besides(evaluation).cycles
    assert (found.agreed, found.overran, found.beyond.p50, found.beyond.max) == (2, 1, -2, 5)
    said = told(page(client, evaluation))["cycle"]
    assert "Longer than the agreed cycle 1 of 2 lines Difference to it, half within −2 days" in said


def test_open_lines_that_are_the_most_leave_the_median_unreached(client, factory):
    order = make.order(factory=factory, confirmed_on=ago(60))
    for _ in range(3):
        make.line(100, order=order, committed_on=ago(20))
    make.delivery(100, line=make.line(100, order=order, committed_on=ago(20)), received_on=ago(30))
    evaluation = judge(factory)
    assert besides.besides(evaluation).cycles.median is None
    assert "not reached: too many are still open" in told(page(client, evaluation))["cycle"]


def test_late_and_open_lines_are_counted_with_their_days(client, factory, orders):
    """One line ended 5 days late, two are open 19 days after their due day: 5 + 38 over five lines are 8.6."""
    evaluation = judge(factory)
    found = besides.besides(evaluation).delays
    assert (found.delivery.sums.late_closed, found.delivery.sums.days_late_closed, found.median) == (1, 5, 5)
    assert (found.waiting.open_count, found.waiting.total_days_late) == (2, 38)
    assert found.ended == {-2: 1, 5: 1, 0: 1, 19: 2}
    shown = page(client, evaluation)
    said = told(shown)["delay"]
    assert "Ended late 1 line Their days late, together 5 days" in said
    assert "Still open 2 lines Their days late so far, together 38 days" in said
    assert "Days late, mean of all lines due 8.6 days" in said
    assert "3 of 5 lines ended after their last on-time day or are still open after it." in shown.content.decode()


def test_the_lines_that_ended_late_and_the_open_ones_lead_to_exactly_their_rows(client, factory, orders):
    shown = page(client, judge(factory)).content.decode()
    for part, n in (("missed", 1), ("open", 2)):
        url = re.search(rf'href="([^"]*otif/\?counted={part})"', shown)[1]
        assert len(client.get(url).context["rows"]) == n


def test_an_order_is_whole_when_every_line_is_and_those_that_are_not_are_named(client, factory, orders):
    """B of A, B and C; D is not due. Of A one line of two was on time, of C none."""
    evaluation = judge(factory)
    found = besides.besides(evaluation).orders
    assert (found.whole, found.total) == (1, 3)
    assert [(each.number, each.hits, each.lines) for each in found.missed] == [("PO-C", 0, 2), ("PO-A", 1, 2)]
    shown = page(client, evaluation)
    assert "Every line on time and in full 1 of 3 orders Share of orders 33.33%" in told(shown)["orders"]
    assert f'href="{orders["C"].get_absolute_url()}"' in shown.content.decode()


def test_a_line_set_aside_does_not_keep_its_order_from_being_whole(factory, orders):
    late = orders["A"].lines.order_by("pk").last()
    make.exclusion(line=late, on=ago(10))
    found = besides.besides(judge(factory)).orders
    assert (found.whole, found.total) == (2, 3)


def test_defects_are_shown_with_minor_ones_and_in_three_weightings(client, factory):
    """DEF-22: 8 of 80, 0 of 80 and 5 of 500, with 1,000, 9,000 and 2,000 delivered, are 1.97 %, 3.67 % and 1.00 %."""
    lot(factory, 80, 1000, major=8, minor=2)
    lot(factory, 80, 9000, minor=11)
    big = lot(factory, 500, 2000, critical=1, major=4)
    evaluation = judge(factory)
    found = besides.besides(evaluation).defects
    assert found.dominant.inspection_id == big.pk
    assert found.ppm is None
    shown = page(client, evaluation)
    said = told(shown)["defects"]
    assert "All classes, minor ones too 3.94% With minor defects only 13 units" in said
    assert "same 1.97%" in said
    assert "Every lot weighs the same 3.67%" in said
    assert "By delivered quantity 1.00%" in said
    assert "Defective units per million –" in said
    assert "shown from 10,000 inspected units on: 660 were inspected" in said
    assert re.search(rf'<a href="/inspections/{big.code}/">[^<]*</a> holds 75.76% of', shown.content.decode())


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ([16, 0, 0, 0, 0], "16.7 times as much as by chance: 400 units tell as much as 24"),
        ([3, 3, 3, 3, 4], "no more than by chance"),
        ([16, 0, 0, 0], "not told from fewer than five lots"),
    ],
)
def test_how_much_lots_differ_is_said_from_five_lots_on(client, factory, bad, said):
    for major in bad:
        lot(factory, 80, 1000, major=major)
    assert f"How much the lots differ {said}" in told(page(client, judge(factory)))["defects"]


def test_the_exact_interval_stands_beside_wilsons(client, factory):
    """DEF-31: 3 of 50 is 2.4 to 14.1 % by Wilson and, guaranteed, 1.7 to 14.8 %."""
    lot(factory, 50, major=3)
    evaluation = judge(factory)
    found = besides.besides(evaluation).defects
    assert (found.wilson.lower, found.wilson.upper) == pytest.approx((0.024231257031, 0.140941946461))
    assert (found.exact.lower, found.exact.upper) == pytest.approx((0.016551859189, 0.147837176364))
    said = told(page(client, evaluation))["defects"]
    assert "90% interval of the rate (Wilson) 2.4–14.1%" in said
    assert "Exact 90% interval (Clopper and Pearson) 1.7–14.8%" in said


def test_defects_per_million_are_shown_from_ten_thousand_units_on(client, factory):
    """37 of 12,500 are 2,960 per million."""
    lot(factory, 12_500, 20_000, major=37)
    assert "Defective units per million 2,960" in told(page(client, judge(factory)))["defects"]


def test_a_lot_counted_whole_above_the_ceiling_is_named_without_a_test(client, factory):
    """5 of 100 is above the ceiling of 3 %, 3 of 100 is not; 5 of a sample of 100 says nothing of its lot."""
    above = lot(factory, 100, major=5, lot_quantity=100)
    lot(factory, 100, major=3, lot_quantity=100)
    lot(factory, 100, major=5, lot_quantity=1000)
    evaluation = judge(factory)
    found = besides.besides(evaluation).censuses
    assert (found.total, [row.inspection_id for row in found.above]) == (2, [above.pk])
    shown = page(client, evaluation)
    said = told(shown)["census"]
    assert "Above the ceiling of 3% 1 of 2 lots" in said
    assert "5 of 100 units, 5.00%" in said
    assert f'href="/inspections/{above.code}/"' in shown.content.decode()


def test_no_data_is_said_and_is_never_a_nought(client, factory):
    """Only material moved: nothing was due, completed or inspected."""
    make.material_movement(order_material=make.order_material(order=make.order(factory=factory)), moved_on=ago(20))
    line = make.line(100, order=make.order(factory=factory), committed_on=ago(200))
    make.delivery(100, line=line, received_on=ago(200))
    evaluation = judge(factory)
    found = besides.besides(evaluation)
    assert (found.cycles.took.p50, found.cycles.median, found.delays.median, found.defects.ppm) == (None,) * 4
    assert found.defects.rates.rate_all_classes is None
    said = told(page(client, evaluation))
    for name, text in said.items():
        assert "No data" in text, name
        assert not re.search(r"\d", text), name


def test_a_past_day_does_not_see_what_was_confirmed_or_came_due_after_it(factory, orders):
    """Fifty-one days ago one line of A was complete; the other, B and both of C were open, D was unknown, nothing was due."""
    judged.jobs.judge_day(ago(51), months=0, quiet=True)
    evaluation = Evaluation.objects.whole().get(factory=factory, kind="night")
    found = besides.besides(evaluation)
    assert (found.cycles.completed, found.cycles.took.p50, found.cycles.waiting) == (1, 28, 4)
    assert found.orders.total == 0
    assert found.delays.delivery.lines == 0


def test_a_category_of_its_own_has_its_own_figures(factory, orders):
    evaluation = judge(factory)
    other = make.category()
    line = make.line(100, order=orders["B"], product=make.product(category=other), committed_on=ago(40))
    make.delivery(100, line=line, received_on=ago(30))
    judged.judge(months=0)
    evaluation = Evaluation.objects.whole().filter(factory=factory, kind="night").latest("revision")
    assert besides.besides(evaluation).orders.whole == 0
    evaluation.category = factory.category
    assert besides.besides(evaluation).orders.whole == 1


def test_a_contact_sees_it_of_the_own_factory_only(client, factory, orders):
    evaluation = judge(factory)
    assert "1 of 3 orders" in told(page(client, evaluation, "contact"))["orders"]
    client.force_login(make.user("contact", factory=make.factory(code="RIVAL-1")))
    assert client.get(evaluation.get_absolute_url()).status_code == 404


def test_few_rows_and_many_are_three_statements(factory, orders):
    lot(factory, 80, 1000, major=8)
    judged.factory("MANY-1", lines=60, late=30, lots=30, defective=3)
    judged.judge(months=0)
    for evaluation in Evaluation.objects.whole().filter(kind="night"):
        with CaptureQueriesContext(connection) as found:
            besides.besides(evaluation)
        assert len(found) == 3


def test_a_short_line_is_not_called_late_and_one_line_is_a_line(client, factory):
    """One line came short and was closed on time, one came late: two were not on time in full, one ended late."""
    order = make.order(factory=factory, confirmed_on=ago(60))
    short = make.line(100, order=order, committed_on=ago(20), closed_short_on=ago(20))
    make.delivery(10, line=short, received_on=ago(25))
    make.delivery(100, line=make.line(100, order=order, committed_on=ago(20)), received_on=ago(10))
    for _ in range(3):
        make.delivery(100, line=make.line(100, order=order, committed_on=ago(20)), received_on=ago(22))
    alone = make.order(factory=factory, number="PO-ALONE", confirmed_on=ago(60))
    make.delivery(100, line=make.line(100, order=alone, committed_on=ago(20)), received_on=ago(12))
    response = page(client, judge(factory))
    markup = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))
    assert "lines complete by the end of their limit day ÷ lines whose limit day has passed" in markup
    assert "3 of 6 not on time in full is more than the 10% that the floor of 90% leaves" in markup
    assert " late of " not in markup
    assert re.search(r"PO-ALONE\s+0 of 1 line ", markup)


@pytest.mark.parametrize(
    "part", ["otif/?counted=ran", "otif/?counted=orders", "otif/?counted=ended", "defect/?counted=above"]
)
def test_the_rows_besides_a_score_ask_as_often_for_many_as_for_few(client, factory, orders, part):
    lot(factory, 100, major=5, lot_quantity=100)
    many = make.factory(code="MANY-1", time_zone="UTC")
    for _ in range(20):
        order = make.order(factory=many, confirmed_on=ago(60))
        make.delivery(100, line=make.line(100, order=order, committed_on=ago(20)), received_on=ago(10))
        lot(many, 100, major=5, lot_quantity=100)
    judged.judge(months=0)
    client.force_login(make.user("manager"))
    asked, shown = [], []
    for each in (factory, many):
        address = Evaluation.objects.whole().get(factory=each, kind="night").get_absolute_url() + part
        client.get(address)
        with CaptureQueriesContext(connection) as found:
            shown.append(len(client.get(address).context["rows"]))
        asked.append(len(found))
    assert shown[1] >= 20 > shown[0] > 0
    assert asked[0] == asked[1]


def test_a_part_besides_a_score_is_unknown_where_no_score_was_stored(client, factory, orders):
    """The rows of any days have no window of their own to count cycles in."""
    judge(factory)
    client.force_login(make.user("manager"))
    page = client.get("/factories/VN-014/rows/otif/?counted=orders")
    assert "No part is called orders; all are shown." in page.content.decode()
