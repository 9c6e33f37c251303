"""Published grades that today's facts would change, and who came late with what."""

import csv
import datetime
import html
import io
import re
from decimal import Decimal

import pghistory
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assessments import evaluations, late_edits, restated
from assessments.models import Evaluation
from assessments.restated import Found, republished
from production import rollups
from production.lateness import is_published
from tests import judged, make
from tests.test_difference import BEFORE, LAST, factory_over_months

D = Decimal


def text(response):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())))


# Publishing again, as arithmetic


class Policy:
    passing_from, good_from, excellent_from = D(60), D(80), D(90)
    hysteresis_margin, carry_max = D(2), 2


def one(score, raw, published="", revision=1):
    return Found(0, revision, None if score is None else D(score), raw, raw, published, False, 1)


def chain(*months):
    days = [datetime.date(2026, n + 1, 28) for n in range(len(months))]
    return republished(7, [(day, *pair) for day, pair in zip(days, months, strict=True)], {1: Policy()})


def test_without_late_facts_the_same_grades_would_be_published():
    first = [one("85", "good", "good"), one("79.2", "passing", "good"), one("79.2", "passing", "passing")]
    found = chain(*((each, each) for each in first))
    assert [month.would_publish for month in found] == ["good", "good", "passing"]
    assert not any(month.differs for month in found)


def test_a_month_may_differ_because_an_earlier_one_does():
    found = chain(
        (one("85", "good", "good"), one("79.2", "passing", revision=2)),  # would have been published as passing
        (one("80.5", "good", "good"),) * 2,  # up only with 2 points above the line
    )
    assert [month.would_publish for month in found] == ["passing", "passing"]
    assert [month.other_grade for month in found] == [True, True]


def test_another_score_with_the_same_grade_is_listed_but_no_other_grade():
    (month,) = chain((one("85", "good", "good"), one("84", "good", revision=2)))
    assert month.differs
    assert not month.other_grade


def test_too_few_data_by_todays_facts_carry_the_grade_and_then_rate_it_no_more():
    few = one(None, "insufficient_data", revision=2)
    found = chain((one("85", "good", "good"),) * 2, *((one("85", "good", "good"), few) for _ in range(3)))
    assert [month.would_publish for month in found] == ["good", "good", "good", "not_rated"]
    assert [month.other_grade for month in found] == [False, False, False, True]


@pytest.mark.parametrize(
    "day, published", [("2026-10-31", True), ("2026-11-01", False), ("2026-11-22", False), ("2025-11-30", True)]
)
def test_a_month_is_published_when_it_is_over(day, published):
    assert is_published(make.day(day), make.day("2026-11-22")) is published


# From the facts


def again(factory, day=LAST):
    rollups.rebuild()
    evaluations.evaluate_month(day, [factory.pk])


@pytest.fixture
def factory(db):
    """A factory with two published months, all of whose lots were bad after all."""
    made = factory_over_months()
    again(made, BEFORE)
    again(made)
    return made


def come_late(factory, lines=10):
    """Some deliveries turn out not to have come."""
    for line in factory.lines.filter(committed_on__gt=BEFORE, outcome__is_otif=True).order_by("pk")[:lines]:
        make.reversal(line.deliveries.get(), reason="Never arrived", known_on=judged.ago(0))
    again(factory)


def listed():
    return restated.months(Evaluation.objects.all())


def test_nothing_is_listed_before_facts_come_late(factory):
    assert listed() == []


def test_a_month_is_listed_with_what_was_published_and_what_would_be(factory):
    come_late(factory)
    (month,) = listed()
    first = Evaluation.objects.get(factory=factory, as_of=LAST, kind="month", revision=1)
    newest = Evaluation.objects.get(factory=factory, as_of=LAST, kind="month", revision=2)
    assert (month.first.score, month.newest.score) == (first.score, newest.score)
    assert month.first.published == first.published_grade == newest.published_grade, "what was published stays"
    assert month.would_publish == "failing"
    assert month.other_grade


def test_a_revision_that_comes_back_to_the_same_numbers_is_not_listed(factory):
    line = factory.lines.get(number="L10")
    back = make.reversal(line.deliveries.get())
    again(factory)
    assert len(listed()) == 1
    back.delete()
    again(factory)
    assert listed() == []


def test_the_page_links_both_revisions_and_says_what_came(client, factory):
    come_late(factory)
    client.force_login(make.user("manager"))
    page = client.get("/restated/")
    said = text(page)
    assert factory.name in said
    assert re.search(r"On time in full: \d+ of \d+ lines → \d+ of \d+ lines", said)
    links = re.findall(r'href="([^"]*/score/[^"]*revision=\d+[^"]*)"', page.content.decode())
    assert [re.search(r"revision=(\d+)", link)[1] for link in links] == ["1", "2"]
    for link in links:
        assert client.get(html.unescape(link)).status_code == 200
    assert f"/restated/?factory={factory.code}" in client.get(html.unescape(links[0])).content.decode()


def test_only_other_grades_one_factory_and_the_file(client, factory):
    late = factory.lines.filter(outcome__is_otif=False, committed_on__gt=BEFORE).first()
    make.reversal(late.deliveries.get())
    make.delivery(100, line=late, received_on=late.committed_on)
    again(factory)
    client.force_login(make.user("manager"))
    assert factory.name in text(client.get("/restated/"))
    assert "Every grade would be the same" in text(client.get("/restated/?only=grade"))
    assert "Nothing to restate" in text(client.get("/restated/?factory=NONE-1"))
    assert factory.name in text(client.get(f"/restated/?factory={factory.code.lower()}"))
    rows = list(csv.DictReader(io.StringIO(client.get("/restated/?format=csv").content.decode("utf-8-sig"))))
    assert [(row["factory"], row["month"], row["revision"]) for row in rows] == [(factory.code, f"{LAST:%Y-%m}", "2")]
    assert rows[0]["published_grade"] == rows[0]["grade_by_todays_facts"]


def test_a_contact_reads_the_own_factory_alone(client, factory):
    other = factory_over_months("CN-001")
    again(other)
    come_late(factory)
    come_late(other)
    client.force_login(make.user("contact", factory=other))
    for query in ("", "?format=csv", f"?factory={factory.code}", "?show=edits", "?show=edits&format=csv"):
        page = client.get(f"/restated/{query}").content.decode()
        assert factory.code not in page.replace(f'value="{factory.code}"', "").replace(f"factory={factory.code}", ""), (
            query
        )
    assert other.name in client.get("/restated/").content.decode()


def test_the_report_asks_as_many_questions_for_many_months_as_for_one(client, factory):
    come_late(factory, 2)
    client.force_login(make.user("manager"))
    client.get("/restated/")

    def questions():
        with CaptureQueriesContext(connection) as asked:
            client.get("/restated/")
        return len(asked)

    few = questions()
    for n in range(3):
        other = factory_over_months(f"CN-{n:03}")
        again(other)
        come_late(other)
    assert len(listed()) == 4
    assert questions() == few


# Late edits


@pytest.fixture
def published(transactional_db):
    """A factory whose months were published in a transaction of its own: what follows came late."""
    make.shipped_policy()
    made = factory_over_months()
    again(made, BEFORE)
    again(made)
    return made


def test_what_was_entered_before_the_publication_is_no_late_edit(published):
    assert late_edits.edits([published.pk], 50) == ([], 0)


def test_late_edits_say_who_when_what_and_why(client, published):
    buyer = make.user("buyer", name="Tomas Rivas")
    line = published.lines.get(number="L10")
    with pghistory.context(user=buyer.pk):
        make.reversal(line.deliveries.get(), reason="Never arrived", known_on=judged.ago(0))
        make.inspection(lot=line.lots.get(), inspected_on=LAST, note="Recorded later: paper lost")
    make.delivery(3, line=line, received_on=judged.ago(0))  # of this month: not late, unless it is the first day
    found, count = late_edits.edits([published.pk], 50)
    assert (count, [edit.kind for edit in found]) == (2, ["inspection", "delivery"])
    assert {edit.user for edit in found} == {buyer.pk}
    assert late_edits.edits([published.pk], 1, 1)[0] == found[1:]

    client.force_login(make.user("manager"))
    page = text(client.get("/restated/?show=edits"))
    for said in ("Tomas Rivas", "Never arrived", "Recorded later: paper lost", "Delivery taken back", line.code):
        assert said in page
    rows = list(csv.DictReader(io.StringIO(client.get("/restated/?show=edits&format=csv").content.decode("utf-8-sig"))))
    assert [row["reason"] for row in rows] == ["Recorded later: paper lost", "Never arrived"]
    client.force_login(make.user("contact", factory=published))
    page = client.get("/restated/?show=edits").content.decode()
    assert "the seller" in page
    for hidden in ("Tomas Rivas", "Never arrived", "paper lost"):
        assert hidden not in page
        assert hidden not in client.get("/restated/?show=edits&format=csv").content.decode()


def test_changes_deletions_and_closings_are_late_edits_too(published):
    inspection = published.inspections.order_by("-inspected_on").first()
    inspection.units_major = 9
    inspection.save()
    order = make.order(factory=published)
    order.closed_on = LAST
    order.save()
    order.note = "Another word"
    order.save()
    supplied = make.order_material(order=order)
    make.material_movement(5, order_material=supplied, moved_on=LAST)
    line = published.lines.get(number="L9")
    make.cancellation(line=line, quantity=1, cancelled_on=LAST, reason="Less is needed")
    make.revision(line=line, new_on=LAST, approved_on=judged.ago(0), reason="Our artwork was late")
    inspection.delete()
    found, _count = late_edits.edits([published.pk], None)
    assert [(edit.kind, edit.label) for edit in found] == [
        ("inspection", "delete"), ("revision", "insert"), ("cancellation", "insert"), ("movement", "insert"),
        ("closing", "update"), ("inspection", "update"),
    ]  # fmt: skip


def test_no_late_edits_is_said(client, factory):
    client.force_login(make.user("manager"))
    assert "No late edits" in text(client.get("/restated/?show=edits"))
    assert client.get("/restated/?show=edits&page=99").status_code == 200
    assert client.get("/restated/?show=edits&page=x&factory=%00").status_code == 200


# Whoever writes for a published month says why


@pytest.fixture
def signed_in(client, db):
    client.force_login(make.user("manager"))
    return client


def inspected(client, on, **typed):
    lot = make.lot(line=make.line(order=make.order(factory=make.factory(time_zone="UTC"))))
    form = {"do": "save", "stage": "final", "source": "buyer", "inspected_on": str(on), "original": "yes",
            "units_inspected": "10", "verdict": "accepted", "note": "as agreed"} | typed  # fmt: skip
    return lot, client.post(f"/inspections/new/?lot={lot.factory.code}/{lot.code}", form)


def test_an_inspection_of_a_published_month_needs_a_reason(signed_in):
    lot, answer = inspected(signed_in, LAST)
    assert answer.status_code == 422
    assert "Say why it is recorded only now" in text(answer)
    assert not lot.inspections.exists()
    lot, answer = inspected(signed_in, LAST, late_reason="The paper was lost")
    assert answer.status_code == 303
    assert lot.inspections.get().note == "as agreed\nRecorded later: The paper was lost"


def test_an_inspection_of_this_month_needs_none(signed_in):
    assert inspected(signed_in, timezone.now().date())[1].status_code == 303


def closed(client, on, **typed):
    order = make.order(factory=make.factory(time_zone="UTC"))
    return order, client.post(order.get_absolute_url() + "close/", {"closed_on": str(on), "sure": "on"} | typed)


def test_closing_an_order_in_a_published_month_needs_a_reason(signed_in):
    order, answer = closed(signed_in, LAST)
    assert answer.status_code == 422
    assert "Say why it is closed only now" in text(answer)
    order, answer = closed(signed_in, LAST, reason="The scrap came late")
    assert answer.status_code == 303
    order.refresh_from_db()
    assert "The scrap came late" in order.note


def test_material_of_an_order_closed_in_a_published_month_needs_a_reason(signed_in):
    order = make.order(factory=make.factory(time_zone="UTC"), closed_on=LAST)
    supplied = make.order_material(order=order)
    make.material_movement(50, order_material=supplied, moved_on=LAST)
    form = {"kind": "return", "material": supplied.material.code, "quantity": "5", "moved_on": str(LAST)}
    address = order.get_absolute_url() + "materials/new/"
    answer = signed_in.post(address, form)
    assert answer.status_code == 422
    assert "Say why it is entered only now" in text(answer)
    assert signed_in.post(address, form | {"late_reason": "Found in the store"}).status_code == 303
    order.refresh_from_db()
    assert "Material entered later: Found in the store" in order.note
