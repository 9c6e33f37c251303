"""How strictly the next lot is inspected by what became of the lots before it: the rule, the form, the report, the order."""

import datetime
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assessments import actions, consequences
from assessments.models import Breach
from assessments.views.entrance import today
from factories.models import Standing
from production import placing, rollups, switching
from production.models import Inspection, PurchaseOrder
from production.samples import CLASSES
from production.switching import Judged, State, state, walk
from tests import judged, make

FIRST = make.day("2026-03-02")
ONE = datetime.timedelta(days=1)


def text(response):
    body = response.content.decode().split("<main", 1)[1].split("<footer")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)).replace(" ,", ",").replace("( ", "(").replace(" )", ")")


def series(verdicts, refused=CLASSES):
    """Lots a day apart: `A` accepted, `R` not accepted in the classes named."""
    return [
        Judged(n, f"LOT-{n}", n, FIRST + n * ONE, frozenset(refused) if verdict == "R" else frozenset())
        for n, verdict in enumerate(verdicts)
    ]


# The rule


@pytest.mark.parametrize(
    "verdicts, severity, named, accepted",
    [
        ("", "normal", [], 0),
        ("RAAAA", "normal", [], 4),
        ("ARAAR", "tightened", [1, 4], 0),
        ("RAAAAR", "normal", [], 0),
        ("RRAAAA", "tightened", [0, 1], 4),
        ("RRAAAAA", "normal", [], 0),
        ("RRARRRR", "tightened", [0, 1], 0),
        ("RRARRRRR", "discontinued", [3, 4, 5, 6, 7], 0),
        ("RRARRRRRAAAAAAAA", "discontinued", [3, 4, 5, 6, 7], 0),
    ],
)
def test_the_lots_before_decide_and_those_that_did_are_named(verdicts, severity, named, accepted):
    found = walk(series(verdicts), "major")
    assert (found.severity, [lot.lot for lot in found.lots], found.accepted) == (severity, named, accepted)


def test_two_of_four_in_a_row_are_said_as_such():
    assert walk(series("ARAAR"), "major").among == 4
    assert walk(series("RR"), "major").among == 2


def test_a_confirmed_correction_begins_anew_tightened_on_its_day():
    stopped = series("RRRRRRR")
    day = FIRST + 10 * ONE
    assert walk(stopped, "major", [day]) == State("tightened", day, corrected_on=day, classes=("major",))
    after = [Judged(99, "NEW", 99, day + n * ONE) for n in range(5)]
    assert walk([*stopped, *after[:4]], "major", [day]).accepted == 4
    assert walk([*stopped, *after], "major", [day]).severity == "normal"
    again = [Judged(n, f"B-{n}", n, day, frozenset(CLASSES)) for n in range(50, 55)]
    assert walk([*stopped, *again], "major", [day]).is_discontinued
    later = day + 3 * ONE
    assert walk([*stopped, *again], "major", [day, later]).corrected_on == later


def test_a_correction_confirmed_before_inspection_was_discontinued_changes_nothing():
    assert walk(series("RRRRRRR"), "major", [FIRST + 2 * ONE]).is_discontinued
    assert walk(series("RR"), "major", [FIRST + 9 * ONE]).corrected_on is None


def test_lots_looked_at_while_it_was_discontinued_do_not_count_for_the_new_beginning():
    lots = series("RRRRRRR" + "R" * 5)
    day = FIRST + 20 * ONE
    assert walk(lots, "major", [day]) == State("tightened", day, corrected_on=day, classes=("major",))


def test_classes_are_walked_apart_and_the_strictest_decides():
    majors = series("RAR", ["major"])
    assert walk(majors, "minor").severity == "normal"
    assert state(majors).classes == ("major",)
    mixed = [*series("R", ["major"]), *[Judged(n, f"M-{n}", n, FIRST + n * ONE, frozenset(["minor"])) for n in (1,)]]
    assert state(mixed).severity == "normal"  # one of each is not two of one
    assert state(series("RR")).classes == CLASSES


# From the stored outcomes


@pytest.fixture
def factory(db):
    return make.factory(code="VN-014", name="Hoa Binh Garment", time_zone="UTC")


@pytest.fixture
def product(factory):
    return make.product(category=factory.category)


def looked(factory, product, verdicts, ago=60, **counts):
    """Inspected lots a day apart, and everything worked out."""
    order = make.order(factory=factory)
    made = []
    for n, verdict in enumerate(verdicts):
        lot = make.lot(line=make.line(1200, order=order, product=product), code=f"{ago}-{n}", quantity=1200)
        bad = (counts or {"major": 9}) if verdict == "R" else {}
        made.append(
            make.inspection(
                lot=lot, inspected_on=today() - (ago - n) * ONE, lot_quantity=1200,
                verdict={"R": "rejected", "A": "accepted", "P": "pending"}[verdict], **bad,
            )
        )  # fmt: skip
    rollups.rebuild()
    return made


def now(factory, category):
    factory = type(factory).objects.select_related("standing").get(pk=factory.pk)
    return switching.of(factory, today(), category.pk).get(category.pk, State())


def test_the_state_follows_from_the_inspections_that_count(factory, product):
    first, _, third = looked(factory, product, "RAR")
    found = now(factory, product.category)
    assert (found.severity, found.classes) == ("tightened", ("major",))
    assert [lot.inspection for lot in found.lots] == [first.pk, third.pk]
    make.inspection(lot=third.lot, inspected_on=today(), is_original=False)  # a repeat after rework launders nothing
    make.inspection(lot=make.lot(line=third.lot.line), source="factory", inspected_on=today(), verdict="rejected")
    rollups.rebuild()
    assert now(factory, product.category) == found


def test_a_lot_that_waits_for_its_verdict_is_no_lot_and_one_set_aside_is_none_either(factory, product):
    made = looked(factory, product, "RPR")
    assert now(factory, product.category).among == 2
    make.exclusion(lot=made[0].lot, on=today())
    rollups.rebuild()
    assert now(factory, product.category).severity == "normal"


def test_each_category_is_walked_by_itself(factory, product):
    looked(factory, product, "R")
    other = make.product()
    looked(factory, other, "R", ago=30)
    assert now(factory, product.category).severity == now(factory, other.category).severity == "normal"
    assert set(switching.of(factory, today())) == {product.category_id, other.category_id}


def test_lots_of_more_than_a_year_ago_say_nothing(factory, product):
    looked(factory, product, "RR", ago=366)
    assert now(factory, product.category).severity == "normal"
    looked(factory, product, "RR", ago=364)
    assert now(factory, product.category).severity == "tightened"


def test_only_the_last_hundred_lots_are_walked():
    row = {
        "category": 1,
        "lot": 1,
        "code": "L",
        "inspection": 1,
        "on": "2026-03-01",
        "critical": 0,
        "major": 0,
        "minor": 0,
    }
    refused, accepted = ({**row, "accepted": good, "quantity": None, "severity": "normal"} for good in (False, True))
    assert switching.states([refused] * 2 + [accepted] * 98, [])[1].severity == "normal"  # five accepted relax
    assert switching.states([refused] * 7 + [accepted] * 93, [])[1].severity == "discontinued"
    assert switching.states([refused] * 7 + [accepted] * 99, [])[1].severity == "normal"


def test_a_rejection_that_no_class_explains_counts_in_all_of_them(factory, product):
    looked(factory, product, "RR", major=1)
    assert now(factory, product.category).classes == CLASSES


def test_reading_the_lots_is_one_query_however_many(factory, product, django_assert_num_queries):
    looked(factory, product, "RA")
    factory = type(factory).objects.select_related("standing").get(pk=factory.pk)
    for verdicts in ("", "RAAARAAAAARRA"):
        looked(factory, product, verdicts, ago=40)
        with django_assert_num_queries(1):
            switching.of(factory, today(), product.category_id)


# The form and the report


@pytest.fixture
def inspector(client, db):
    person = make.user("inspector")
    client.force_login(person)
    return person


def waiting(factory, product, code="NEXT"):
    return make.lot(line=make.line(1200, order=make.order(factory=factory), product=product), code=code, quantity=1200)


def typed(units=80):
    return {"do": "save", "stage": "final", "source": "buyer", "inspected_on": str(today()), "original": "yes",
            "lot_quantity": "1200", "units_inspected": str(units), "units_major": "0", "verdict": "accepted"}  # fmt: skip


def test_after_two_of_five_the_form_asks_for_the_tightened_plan_and_names_the_lots(client, inspector, factory, product):
    make.standing(factory, "good")
    first, _, third = looked(factory, product, "RAR")
    lot = waiting(factory, product)
    page = client.get("/inspections/new/?lot=VN-014/NEXT")
    since = f"{third.inspected_on:%-d %b %Y}"
    said = f"Tightened since {since}: 2 of 3 lots in a row were not accepted for major defects ({first.lot.code}, {third.lot.code})."
    assert said in text(page)
    assert "5 more accepted in a row bring normal inspection back." in text(page)
    assert "tightened, level II" in text(page)
    assert f'href="{first.get_absolute_url()}"' in page.content.decode()
    assert "accept 3 · reject 4 · in 80" in text(page)
    assert client.post("/inspections/new/?lot=VN-014/NEXT", typed()).status_code == 303
    made = lot.inspections.get()
    assert made.severity == "tightened"
    looked(factory, product, "AAAAA", ago=20)  # what comes later does not change what was said then
    assert now(factory, product.category).severity == "normal"
    report = client.get(made.get_absolute_url())
    assert said in text(report)
    assert f'href="{third.get_absolute_url()}"' in report.content.decode()
    assert "as the grade of the factory asked" not in text(report)


@pytest.mark.parametrize(
    "grade, verdicts, severity, sentences",
    [
        ("good", "A", "normal", 0),
        ("good", "RR", "tightened", 1),
        ("passing", "A", "tightened", 1),
        ("passing", "RR", "tightened", 2),
        ("failing", "RR", "full", 2),
    ],
)
def test_the_stricter_of_the_grade_and_the_lots_holds(
    client, inspector, factory, product, grade, verdicts, severity, sentences
):
    make.standing(factory, grade)
    looked(factory, product, verdicts)
    waiting(factory, product)
    form = client.get("/inspections/new/?lot=VN-014/NEXT").context["form"]
    assert (form.severity, len(form.strictness.sentences)) == (severity, sentences)


def test_goods_of_another_category_are_inspected_as_usual(client, inspector, factory, product):
    looked(factory, product, "RR")
    waiting(factory, make.product())
    assert client.get("/inspections/new/?lot=VN-014/NEXT").context["form"].severity == "normal"


def test_a_discontinued_inspection_is_said_and_may_be_recorded_all_the_same(client, inspector, factory, product):
    looked(factory, product, "RRRRRRR")
    waiting(factory, product)
    page = client.get("/inspections/new/?lot=VN-014/NEXT")
    assert "Inspection is discontinued since" in text(page)
    assert "5 lots were not accepted for major defects while it was tightened" in text(page)
    assert "may be recorded all the same" in text(page)
    assert client.post("/inspections/new/?lot=VN-014/NEXT", typed()).status_code == 303
    assert Inspection.objects.get(lot__code="NEXT").severity == "tightened"


def test_the_form_asks_as_many_queries_for_many_lots_as_for_few(client, inspector, factory, product):
    looked(factory, product, "RR")
    waiting(factory, product)
    counts = []
    for verdicts in ("", "RRRRRAAARAAAARAA"):
        looked(factory, product, verdicts, ago=40)
        with CaptureQueriesContext(connection) as found:
            client.get("/inspections/new/?lot=VN-014/NEXT")
        counts.append(len(found))
    assert counts[0] == counts[1]


# A correction ends it


def confirmed(factory, manager, breach=None):
    action = actions.ask(factory, manager, "Needle log", timezone.localdate() + ONE, breach=breach)
    assert actions.move(action, "confirm", manager, "Seen at the line")
    return action


def test_a_confirmed_correction_is_written_down_and_ends_the_discontinuation(factory, product):
    consequences.apply([factory.pk])
    looked(factory, product, "RRRRRRR")
    assert now(factory, product.category).is_discontinued
    confirmed(factory, make.user("manager"))
    assert Standing.objects.get(factory=factory).corrected_on == [timezone.now().date()]
    found = now(factory, product.category)
    assert (found.severity, found.corrected_on) == ("tightened", timezone.now().date())


def test_a_correction_of_late_goods_or_one_that_is_only_answered_ends_nothing(factory, product):
    consequences.apply([factory.pk])
    looked(factory, product, "RRRRRRR")
    manager = make.user("manager")
    late = Breach.objects.create(
        key="k", factory=factory, measure="otif", severity="breach", event="late_order", opened_on=today(),
        order=PurchaseOrder.objects.filter(factory=factory).first(),
    )  # fmt: skip
    confirmed(factory, manager, breach=late)
    action = actions.ask(factory, manager, "Needle log", timezone.localdate() + ONE)
    actions.move(action, "answer", manager, "Done")
    assert Standing.objects.get(factory=factory).corrected_on is None
    assert now(factory, product.category).is_discontinued


def test_a_factory_judged_only_after_its_correction_knows_of_it_all_the_same(factory):
    confirmed(factory, make.user("manager"))
    assert not Standing.objects.exists()
    consequences.apply([factory.pk])
    assert Standing.objects.get(factory=factory).corrected_on == [timezone.now().date()]


# Orders


@pytest.mark.parametrize("grade", ["good", None])
def test_orders_warn_while_inspection_is_discontinued(factory, product, grade):
    if grade:
        make.standing(factory, grade)
    looked(factory, product, "RRRRRR")
    assert placing.decide(factory, {}, today()).reasons == ()
    looked(factory, product, "R", ago=30)
    decision = placing.decide(factory, {}, today())
    assert (decision.allowed, decision.warning) == (True, True)
    assert decision.reasons[0].startswith(f"{product.category.name}: Inspection is discontinued since")
    make.override(factory, from_on=today(), until_on=today())
    lifted = placing.decide(factory, {}, today())
    assert (lifted.allowed, lifted.warning) == (True, False)


def test_the_warning_must_be_ticked_and_stays_with_the_order(client, factory, product):
    make.standing(factory, "good")
    looked(factory, product, "RRRRRRR")
    client.force_login(make.user("buyer"))
    form = {"factory": factory.code, "number": "PO-77", "currency": "USD", "ordered_on": str(today()),
            "loss_allowance": "0.03", "loss_base": "net_issued"}  # fmt: skip
    page = client.post("/orders/new/", form)
    assert page.status_code == 422
    assert "Inspection is discontinued since" in text(page)
    assert client.post("/orders/new/", form | {"anyway": "on"}).status_code == 303
    assert "Inspection is discontinued" in PurchaseOrder.objects.get(number="PO-77").note


def test_an_order_asks_as_many_queries_for_many_lots_as_for_few(factory, product):
    make.standing(factory, "good")
    counts = []
    for verdicts in ("R", "RAAARAAAAARA"):
        looked(factory, product, verdicts, ago=40 if len(verdicts) > 1 else 60)
        with CaptureQueriesContext(connection) as found:
            placing.decide(factory, {}, today())
        counts.append(len(found))
    assert counts == [1, 1]


# One lot and its looks


def test_of_the_looks_at_a_lot_one_counts_and_the_last_one_decides_about_shipment(client, inspector, factory, product):
    (first,) = looked(factory, product, "R")
    own = make.inspection(lot=first.lot, source="factory", inspected_on=first.inspected_on - ONE)
    again = make.inspection(lot=first.lot, is_original=False, inspected_on=first.inspected_on + ONE)
    for shown in (first, again):
        rows = {row["inspection"].pk: row for row in client.get(shown.get_absolute_url()).context["looks"]["rows"]}
        assert [rows[each.pk]["counts"] for each in (own, first, again)] == [False, True, False]
        assert [rows[each.pk]["releases"] for each in (own, first, again)] == [False, False, True]
    page = text(client.get(first.get_absolute_url()))
    assert f"{again.code} releases the lot for shipment." in page
    assert now_counted(first) == first.pk


def now_counted(inspection):
    rollups.rebuild()
    return inspection.lot.outcome.inspection_id


def test_a_lot_that_is_set_aside_says_that_none_of_its_looks_counts(client, inspector, factory, product):
    (first,) = looked(factory, product, "A")
    make.exclusion(lot=first.lot, on=today())
    page = client.get(first.get_absolute_url())
    assert "The lot is set aside: none of them counts in the rate." in text(page)
    assert not any(row["counts"] for row in page.context["looks"]["rows"])


def test_a_lot_with_the_factorys_own_report_only_has_none_that_counts(client, inspector, factory, product):
    own = make.inspection(lot=waiting(factory, product), source="factory", inspected_on=today())
    page = text(client.get(own.get_absolute_url()))
    assert "No inspection counts" in page
    assert "Nothing decides about shipment yet." in page


# The scorecard


def test_the_scorecard_says_the_state_of_each_category(client, factory, product):
    looked(factory, product, "RR")
    other = make.product(category=make.category(name="Umbrellas"))
    looked(factory, other, "A", ago=30)
    judged.judge(months=0)
    client.force_login(make.user("manager"))
    page = client.get("/factories/VN-014/")
    assert f"{factory.category.name} Tightened" in text(page)
    assert "2 of 2 lots in a row were not accepted" in text(page)
    assert "Umbrellas Normal inspection" in text(page)
    client.force_login(make.user("contact", factory=factory))
    assert "2 of 2 lots in a row" in text(client.get("/factories/VN-014/"))
