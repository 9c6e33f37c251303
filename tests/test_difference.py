"""What moved a score: policy, late facts, rows set aside, and the rest; the parts add up to the whole move."""

import datetime
import html
import re
from decimal import Decimal

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from assessments import difference, evaluations, moves
from assessments.difference import Share, Stand, split
from assessments.figures import month_end
from assessments.models import Evaluation, Policy
from production import exclusions, rollups
from production.models import OrderLine
from tests import judged, make

D = Decimal
NAMES = ("defect", "otif", "loss")


def stand(score, otif=(9, 10, "40"), currency="USD"):
    return Stand(
        None if score is None else D(score),
        {
            "defect": Share(D(1), D(100), D(score or 0) - D(otif[2]) if score else D(0)),
            "otif": Share(D(otif[0]), D(otif[1]), D(otif[2]) if score else D(0)),
            "loss": Share(D(0), D(0), D(0), currency),
        },
    )


# Arithmetic


def test_each_cause_has_its_part_and_the_rest_is_what_is_left():
    found = split(
        stand("70.00"), stand("80.00", (12, 12, "45")), repoliced=stand("66.00"), caught_up=stand("69.50", (9, 9, "41")),
        put_back=stand("76.00", (12, 14, "42")),
    )  # fmt: skip
    assert [(part.cause, part.score) for part in found.parts] == [
        ("policy", D("-4.00")), ("late", D("3.50")), ("set_aside", D("4.00")), ("rest", D("6.50")),
    ]  # fmt: skip
    assert found.score == D("10.00")
    assert [part.changes["otif"].den for part in found.parts] == [0, -1, -2, 5]
    assert [part.changes["otif"].adds for part in found.parts] == [0, 1, 3, 1]


def test_a_policy_that_gives_the_earlier_numbers_no_score_leaves_its_part_in_the_rest():
    found = split(stand("70.00"), stand("80.00"), repoliced=stand(None))
    assert [part.score for part in found.parts] == [None, None, D("0.00"), D("10.00")]


def test_without_a_score_before_nothing_is_said_of_the_score_and_the_counts_still_move():
    found = split(stand(None, (1, 2, "0")), stand("80.00", (12, 14, "45")))
    assert found.score is None
    assert {part.score for part in found.parts} == {None}
    assert found.parts[-1].changes["otif"].den == 12


def test_two_currencies_are_not_taken_from_each_other():
    found = split(stand("70.00"), stand("70.00", currency="EUR"))
    assert found.changes["loss"].num is None


scores = st.none() | st.decimals(0, 100, places=2)


@given(
    scores,
    scores,
    st.none() | scores,
    st.none() | scores,
    st.none() | scores,
    st.lists(st.integers(0, 50), min_size=10),
)
def test_the_parts_always_add_up_to_the_whole_move(before, now, policy, late, aside, numbers):
    def one(score, at):
        return None if score is None else stand(score, (numbers[at], numbers[at + 1], "20"))

    found = split(
        stand(before, (numbers[0], 5, "20")),
        stand(now, (numbers[1], 6, "30")),
        one(policy, 2),
        one(late, 4),
        one(aside, 6),
    )
    if before is None or now is None:
        assert found.score is None
    else:
        assert sum(part.score for part in found.parts if part.score is not None) == now - before
        for name in NAMES:
            assert sum(part.changes[name].adds for part in found.parts) == found.changes[name].adds
            assert sum(part.changes[name].den for part in found.parts) == found.changes[name].den


def test_sums_of_rows_are_added_and_taken_away_exactly():
    nothing = {"value_loss_pos": "0", "value_loss_neg": "0", "charge": "0"}
    usd, eur = ({"currency": name, "orders": 1, "value_net": "100.5", **nothing} for name in ("USD", "EUR"))
    sums = {"lines": 10, "otif": 8, "s2": "0.312500000000", "largest_lot": 80, "money": [usd]}
    more = {"lines": 1, "s2": D("0.1"), "money": [eur]}
    grown = difference.add(sums, more)
    assert (grown["lines"], grown["otif"], D(grown["s2"])) == (11, 8, D("0.4125"))
    assert [row["currency"] for row in grown["money"]] == ["EUR", "USD"]
    back = difference.add(grown, more, -1)
    assert {name: D(str(back[name])) for name in ("lines", "otif", "s2")} == {"lines": 10, "otif": 8, "s2": D("0.3125")}
    assert [row["currency"] for row in back["money"]] == ["USD"]


# From the facts


LAST = month_end(judged.ago(0).replace(day=1) - datetime.timedelta(days=1))
BEFORE = month_end(LAST.replace(day=1) - datetime.timedelta(days=1))


def evaluation(factory, revision=1, as_of=LAST):
    found = Evaluation.objects.select_related("policy", "category", "factory__category")
    return found.get(factory=factory, kind="month", category=None, as_of=as_of, revision=revision)


def factory_over_months(code="VN-001"):
    """Twenty lines due over the last four months, one in four late, and an inspected lot of each."""
    made = make.factory(code=code, time_zone="UTC")
    order = make.order(factory=made, number=f"PO-{code}")
    product, site = make.product(category=made.category), make.site()
    for n in range(20):
        due = LAST - datetime.timedelta(days=4 + 5 * n)
        line = make.line(100, order=order, product=product, site=site, committed_on=due, number=f"L{n + 1}")
        lot = make.lot(line=line, code=f"{code}-{n}")
        late = n in (1, 2, 3, 10)
        make.delivery(100, line=line, lot=lot, received_on=due + datetime.timedelta(days=4 if late else -1))
        make.inspection(lot=lot, inspected_on=due, major=4 if n == 5 else 0)
    return made


def again(factory, day=LAST):
    rollups.rebuild()
    evaluations.evaluate_month(day, [factory.pk])


def parts(found):
    return {part.cause: part.score for part in found.difference.parts}


def whole(found):
    return found.now.score - found.before.score


@pytest.mark.django_db
def test_a_revision_differs_by_late_facts_alone():
    factory = factory_over_months()
    again(factory)
    late = OrderLine.objects.get(factory=factory, number="L2")
    make.reversal(late.deliveries.get())
    make.delivery(100, line=late, received_on=late.committed_on)
    again(factory)
    found = moves.explain(evaluation(factory, 2))
    assert found.same_days
    assert parts(found) == {"policy": 0, "late": 0, "set_aside": 0, "rest": whole(found)}
    assert whole(found) > 0
    assert found.difference.parts[-1].changes["otif"].num == 1


@pytest.mark.django_db
def test_between_two_months_late_facts_of_the_earlier_one_stand_apart_from_the_days_that_moved():
    factory = factory_over_months()
    again(factory, BEFORE)
    late = OrderLine.objects.filter(factory=factory, committed_on__lte=BEFORE).order_by("-committed_on").first()
    make.delivery(1, line=late, received_on=late.committed_on)  # changes nothing that counts
    again(factory, BEFORE)
    bad = OrderLine.objects.filter(factory=factory, committed_on__lte=BEFORE, outcome__is_otif=True).first()
    make.reversal(bad.deliveries.get())
    again(factory, BEFORE)
    again(factory, LAST)
    found = moves.explain(evaluation(factory))
    assert found.before.revision == 1
    assert found.newest.revision > 1
    newest = evaluation(factory, found.newest.revision, BEFORE)
    assert parts(found)["late"] == newest.score - found.before.score < 0
    assert parts(found)["rest"] == evaluation(factory).score - newest.score
    assert parts(found)["policy"] == parts(found)["set_aside"] == 0


@pytest.mark.django_db
def test_a_stricter_policy_is_told_apart_from_the_facts():
    factory = factory_over_months()
    again(factory, BEFORE)
    Policy.objects.create(
        factory=factory, effective_from=LAST, otif_target=D("0.999"), otif_floor=D("0.95"), otif_zero=D("0.80")
    )
    again(factory, LAST)
    found = moves.explain(evaluation(factory))
    assert parts(found)["policy"] < 0
    assert sum(parts(found).values()) == whole(found)


def set_aside(subject):
    found = exclusions.propose(subject, make.user("buyer"), "The port was closed")
    return exclusions.approve(found, make.user("manager"), judged.ago(0))


@pytest.mark.django_db(transaction=True)
def test_rows_set_aside_and_lifted_are_put_back_to_see_what_they_did(client):
    factory = factory_over_months()
    again(factory)
    late = OrderLine.objects.get(factory=factory, number="L2")
    found_line = set_aside(late)
    bad_lot = OrderLine.objects.get(factory=factory, number="L6").lots.get()
    set_aside(bad_lot)
    again(factory)
    found = moves.explain(evaluation(factory, 2))
    assert parts(found) == {"policy": 0, "late": 0, "set_aside": whole(found), "rest": 0}
    assert found.difference.parts[2].changes["otif"].den == -1
    assert found.difference.parts[2].changes["defect"].den == -80
    assert found.difference.parts[2].changes["defect"].num == -4

    exclusions.lift(found_line, make.user("manager"), judged.ago(0), "It was open after all")
    on_time = OrderLine.objects.get(factory=factory, number="L10")
    make.reversal(on_time.deliveries.get())
    again(factory)
    found = moves.explain(evaluation(factory, 3))
    assert parts(found)["set_aside"] < 0
    assert parts(found)["rest"] < 0
    assert sum(parts(found).values()) == whole(found)
    assert found.difference.parts[2].changes["otif"].den == 1
    assert found.difference.parts[3].changes["otif"].num == -1

    client.force_login(make.user("manager"))
    page = client.get(f"{evaluation(factory, 3).get_absolute_url()}?revision=3").content.decode()
    assert "1 row counts again." in page
    assert found_line.get_absolute_url() in page


# On the page


def text(response):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())))


@pytest.mark.django_db
def test_the_page_names_each_cause_and_links_to_what_it_rests_on(client):
    factory = factory_over_months()
    again(factory, BEFORE)
    policy = Policy.objects.create(factory=factory, effective_from=LAST, defect_target=D("0.001"), defect_limit=D("0.002"),
                                   defect_zero=D("0.02"))  # fmt: skip
    again(factory, LAST)
    client.force_login(make.user("manager"))
    response = client.get(evaluation(factory).get_absolute_url())
    page = text(response)
    for said in (
        "Why it changed",
        "judged by the rules of now",
        "None came since it was judged",
        "None since then",
        "Together",
    ):
        assert said in page
    assert f"/policies/{policy.pk}/" in response.content.decode()
    client.force_login(make.user("contact", factory=factory))
    assert f"/policies/{policy.pk}/" not in client.get(evaluation(factory).get_absolute_url()).content.decode()


@pytest.mark.django_db
def test_the_first_month_has_nothing_to_compare_with(client):
    factory = factory_over_months()
    again(factory)
    client.force_login(make.user("manager"))
    page = text(client.get(evaluation(factory).get_absolute_url()))
    assert "There is no earlier evaluation to compare with" in page
    assert "Why it changed" not in page


@pytest.mark.django_db
def test_the_page_of_a_live_day_compares_with_the_newest_of_the_day_before(client):
    factory = factory_over_months()
    rollups.rebuild()
    now = timezone.now()
    evaluations.evaluate_live(now - datetime.timedelta(days=1), [factory.pk])
    evaluations.evaluate_live(now, [factory.pk])
    client.force_login(make.user("manager"))
    response = client.get(Evaluation.objects.filter(kind="live").latest("as_of").get_absolute_url())
    assert "Other days" in text(response)


@pytest.mark.django_db
def test_the_first_live_day_compares_with_the_newest_night_before_it(client):
    factory = factory_over_months()
    rollups.rebuild()
    now = timezone.now()
    for days in (9, 2):
        evaluations.evaluate_night(now.date() - datetime.timedelta(days=days), [factory.pk])
    evaluations.evaluate_live(now, [factory.pk])
    found = Evaluation.objects.get(kind="live", category=None)
    before = moves.explain(found).before
    assert (before.kind, before.as_of) == ("night", now.date() - datetime.timedelta(days=2))
    client.force_login(make.user("manager"))
    page = client.get(found.get_absolute_url())
    assert "There is no earlier evaluation" not in text(page)
    assert f'href="{before.get_absolute_url()}?revision=1&amp;kind=night"' in page.content.decode()
