"""A factory disputes a row of its score: raised, withdrawn, answered, upheld by two people; who is told, and what is not."""

import csv
import html
import io
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from assessments import breaches, disputes, jobs
from assessments.models import Breach, Evaluation, Watch
from notifications.models import Message
from production import exclusions, rollups
from production.errors import BadInput
from production.models import Dispute, Exclusion, LineOutcome
from tests import judged, make

pytestmark = pytest.mark.django_db


@pytest.fixture
def factory(db):
    return judged.factory("VN-012", late=4, defective=2)


@pytest.fixture
def contact(factory):
    return make.user("contact", factory=factory, name="Bao")


@pytest.fixture
def buyer():
    return make.user("buyer", name="Tomas Rivas")


@pytest.fixture
def manager():
    return make.user("manager", name="Marian Hale")


@pytest.fixture
def line(factory):
    return factory.lines.get(number="L1")


@pytest.fixture
def dispute(line, contact):
    return disputes.raise_dispute(line, contact, "Your forwarder came two days late.")


def text(response):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())))


def mails(kind):
    return Message.objects.filter(kind=kind).order_by("pk")


# The rules


def test_who_watches_the_factory_is_told_of_a_dispute_in_the_same_transaction(line, contact, buyer, manager):
    Watch.objects.create(user=manager)
    Watch.objects.create(user=buyer, factory=line.factory)
    Watch.objects.create(user=make.user("buyer"), factory=make.factory())
    dispute = disputes.raise_dispute(line, contact, "Your forwarder came two days late.")
    assert {message.recipient for message in mails("dispute_raised")} == {manager, buyer}
    mail = mails("dispute_raised").first()
    assert mail.subject == f"[Disputed] order line {line.code}, {line.factory.name}"
    assert "Your forwarder came two days late." in mail.text
    assert f"http://testserver/disputes/{dispute.code}/" in mail.text


def test_a_row_has_one_open_dispute(line, contact, dispute):
    with pytest.raises(BadInput, match="disputed already"):
        disputes.raise_dispute(line, contact, "Again")
    disputes.withdraw(dispute, contact)
    assert disputes.raise_dispute(line, contact, "Again").is_open


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_dispute_says_what_is_not_right(line, contact, reason):
    with pytest.raises(BadInput, match="Say what is not right"):
        disputes.raise_dispute(line, contact, reason)


@pytest.mark.parametrize("role", ["manager", "buyer", "inspector", "admin"])
def test_only_the_factory_disputes_and_withdraws(line, dispute, role):
    person = make.user(role)
    with pytest.raises(BadInput, match="Only a contact"):
        disputes.raise_dispute(line.factory.lines.get(number="L2"), person, "x")
    with pytest.raises(BadInput, match="Only a contact"):
        disputes.withdraw(dispute, person)


def test_material_is_disputed_once_its_order_is_closed(factory, contact):
    supplied = make.order_material(order=make.order(factory=factory))
    with pytest.raises(BadInput, match="not closed"):
        disputes.raise_dispute(supplied, contact, "The rolls were short")
    closed = make.order_material(order=make.order(factory=factory, closed_on=judged.ago(3)))
    assert disputes.raise_dispute(closed, contact, "The rolls were short").kind == "material"


@pytest.mark.parametrize("upheld, state", [(True, "upheld"), (False, "declined")])
def test_the_answer_goes_to_whoever_raised_it_without_our_names(dispute, contact, buyer, upheld, state):
    disputes.answer(dispute, buyer, upheld, "We looked at the papers.")
    dispute.refresh_from_db()
    assert (dispute.state, dispute.answered_by, dispute.answer) == (state, buyer, "We looked at the papers.")
    (mail,) = mails("dispute_answered")
    assert mail.recipient == contact
    assert f"was {state}" in mail.text
    assert "We looked at the papers." in mail.text
    assert buyer.name not in mail.text + mail.subject


def test_an_answer_needs_words_and_one_of_us(dispute, buyer, contact):
    with pytest.raises(BadInput, match="Write an answer"):
        disputes.answer(dispute, buyer, True, " ")
    for person in (contact, make.user("inspector")):
        with pytest.raises(BadInput, match="Only a manager"):
            disputes.answer(dispute, person, True, "Yes")


def test_the_second_answer_comes_too_late(dispute, buyer, manager, contact):
    disputes.answer(dispute, buyer, False, "No.")
    for late in (lambda: disputes.answer(dispute, manager, True, "Yes."), lambda: disputes.withdraw(dispute, contact),
                 lambda: disputes.set_aside(dispute, manager, "Yes.")):  # fmt: skip
        with pytest.raises(BadInput, match="changed meanwhile: declined"):
            late()
    assert mails("dispute_answered").count() == 1


def test_a_row_set_aside_for_a_dispute_needs_a_second_person_and_then_upholds_it(dispute, buyer, manager, contact):
    made = disputes.set_aside(dispute, buyer, "You are right: the forwarder was ours.")
    assert (made.state, made.line, made.proposed_by) == ("proposed", dispute.line, buyer)
    assert made.reason.startswith(dispute.code)
    disputes.settle()
    dispute.refresh_from_db()
    assert dispute.is_open
    assert not mails("dispute_answered").exists()
    with pytest.raises(BadInput, match="Only a manager"):
        exclusions.approve(made, buyer, judged.ago(0))
    with pytest.raises(BadInput, match="waits for the decision"):
        disputes.answer(dispute, manager, False, "No.")
    exclusions.approve(made, manager, judged.ago(0))
    jobs.assess(timezone.now())
    jobs.assess(timezone.now())
    dispute.refresh_from_db()
    assert (dispute.state, dispute.answered_by) == ("upheld", buyer)
    (mail,) = mails("dispute_answered")
    assert mail.recipient == contact
    assert "The row is set aside" in mail.text
    assert LineOutcome.objects.get(line=dispute.line).state == "set_aside"


@pytest.mark.parametrize("end", ["decline", "withdraw"])
def test_a_dispute_whose_row_is_not_set_aside_waits_for_another_answer(dispute, buyer, manager, end):
    made = disputes.set_aside(dispute, buyer, "You are right.")
    exclusions.decline(made, manager, judged.ago(0)) if end == "decline" else exclusions.withdraw(made, buyer)
    disputes.settle()
    dispute.refresh_from_db()
    assert (dispute.state, dispute.exclusion, dispute.answer, dispute.answered_by) == ("open", None, "", None)
    assert not mails("dispute_answered").exists()
    disputes.answer(dispute, manager, False, "It counts.")


def test_of_a_disputed_delivery_the_order_line_is_set_aside(factory, contact, buyer):
    receipt = factory.deliveries.first()
    dispute = disputes.raise_dispute(receipt, contact, "It was on your dock the day before.")
    assert disputes.set_aside(dispute, buyer, "So it was.").line == receipt.line


def test_a_row_that_is_set_aside_already_is_not_proposed_again(dispute, buyer, manager):
    exclusions.propose(dispute.line, manager, "Force majeure")
    with pytest.raises(BadInput, match="already an exclusion"):
        disputes.set_aside(dispute, buyer, "Yes.")
    dispute.refresh_from_db()
    assert dispute.answer == ""


def late_order(factory):
    order = make.order(factory=factory, number="PO-LATE")
    return make.line(10, order=order, committed_on=judged.ago(3))


@pytest.mark.parametrize("row", ["line", "delivery", "neither"])
def test_an_order_under_an_open_dispute_is_late_without_a_mail(factory, contact, manager, row):
    Watch.objects.create(user=manager)
    line = late_order(factory)
    receipt = make.delivery(4, line=line, received_on=judged.ago(2))
    subject = {"line": line, "delivery": receipt}.get(row)
    if subject is not None:
        disputes.raise_dispute(subject, contact, "The dock was closed.")
    rollups.rebuild()
    breaches.review([], on=judged.ago(1), night=True)
    assert Breach.objects.filter(event="late_order", order=line.order).exists()
    told = Message.objects.filter(kind="breach_opened", subject__contains="PO-LATE")
    listed = Message.objects.filter(kind="breach_list", text__contains="PO-LATE")
    assert (told.exists() or listed.exists()) == (row == "neither")


# The pages


def score_of(factory):
    return Evaluation.objects.filter(factory=factory, kind="night").latest("as_of").get_absolute_url()


def test_a_contact_disputes_a_row_from_the_page_behind_a_number(client, factory, contact):
    judged.judge()
    client.force_login(contact)
    page = client.get(score_of(factory) + "otif/?counted=late").content.decode()
    (address, *_others) = re.findall(r'href="(/disputes/new/\?line=[^"]*)">Dispute<', page)
    address = html.unescape(address)
    assert "What is not right?" in text(client.get(address))
    answer = client.post(address, {"reason": ""})
    assert answer.status_code == 422
    assert "Say what is not right" in text(answer)
    answer = client.post(address, {"reason": "The dock was closed."}, follow=True)
    assert "is raised" in text(answer)
    assert "The dock was closed." in text(answer)
    page = client.get(score_of(factory) + "otif/?counted=late").content.decode()
    assert page.count(">Disputed<") == 1
    assert answer.redirect_chain[0][0] == client.get(address).url


def test_the_rows_of_any_days_lead_a_contact_to_a_dispute_too(client, factory, contact, buyer):
    judged.judge()
    days = f"/factories/{factory.code}/rows/otif/?first={judged.ago(60)}&last={judged.ago(1)}&counted=late"
    client.force_login(contact)
    page = client.get(days).content.decode()
    late = page.count(">Dispute<")
    assert late >= 1
    address = html.unescape(re.findall(r'href="(/disputes/new/\?line=[^"]*)">Dispute<', page)[0])
    client.post(address, {"reason": "The dock was closed."})
    page = client.get(days).content.decode()
    assert (page.count(">Dispute<"), page.count(">Disputed<")) == (late - 1, 1)
    client.force_login(buyer)
    page = client.get(days).content.decode()
    assert (page.count(">Dispute<"), page.count(">Disputed<")) == (0, 1)


@pytest.mark.parametrize("measure, names", [("defect", "lot="), ("loss", "material=")])
def test_lots_and_materials_are_disputed_the_same_way(client, factory, contact, measure, names):
    product = make.product(category=factory.category)
    cloth = make.material()
    order = make.order(factory=factory, closed_on=judged.ago(5))
    line = make.line(10, order=order, product=product, bill=make.bill(product=product, per_unit={cloth: 1}),
                     committed_on=judged.ago(9))  # fmt: skip
    make.delivery(10, line=line, received_on=judged.ago(10))
    make.material_movement(20, order_material=make.order_material(order=order, material=cloth), moved_on=judged.ago(20))
    judged.judge()
    client.force_login(contact)
    page = client.get(score_of(factory) + f"{measure}/").content.decode()
    (address, *_others) = re.findall(rf'href="(/disputes/new/\?{names}[^"]*)">Dispute<', page)
    assert client.post(html.unescape(address), {"reason": "Counted twice."}).status_code == 302
    assert Dispute.objects.get().factory == factory


def test_a_delivery_is_disputed_on_its_own_page(client, factory, contact, buyer):
    receipt = factory.deliveries.first()
    client.force_login(contact)
    assert f"/disputes/new/?delivery={receipt.code}" in client.get(receipt.get_absolute_url()).content.decode()
    client.post(f"/disputes/new/?delivery={receipt.code}", {"reason": "It came the day before."})
    dispute = Dispute.objects.get(delivery=receipt)
    assert dispute.get_absolute_url() in client.get(receipt.get_absolute_url()).content.decode()
    client.force_login(buyer)
    assert dispute.get_absolute_url() in client.get(receipt.get_absolute_url()).content.decode()


@pytest.mark.parametrize("query", ["line=XX-1/PO-1/L1", "lot=VN-012/none", "delivery=D-0", "delivery=x", "material=0",
                                   "material=99999999999999999999", "line=%00", "delivery=D-٣"])  # fmt: skip
def test_a_row_that_is_none_is_not_found(client, contact, query):
    client.force_login(contact)
    assert client.get(f"/disputes/new/?{query}").status_code == 404


def test_a_row_of_another_factory_is_not_found(client, contact):
    other = judged.factory("CN-001", lines=1, lots=1)
    line, lot, receipt = other.lines.get(), other.lots.get(), other.deliveries.get()
    closed = make.order_material(order=make.order(factory=other, closed_on=judged.ago(3)))
    client.force_login(contact)
    for query in (
        f"line=CN-001/{line.code}",
        f"lot=CN-001/{lot.code}",
        f"delivery={receipt.code}",
        f"material={closed.pk}",
    ):
        assert client.get(f"/disputes/new/?{query}").status_code == 404
        assert client.post(f"/disputes/new/?{query}", {"reason": "x"}).status_code == 404
    assert not Dispute.objects.exists()


def test_without_a_row_the_page_says_where_to_find_one(client, contact):
    client.force_login(contact)
    assert "Choose the row first" in text(client.get("/disputes/new/"))


def test_a_buyer_answers_and_the_contact_never_reads_who_it_was(client, dispute, contact, buyer):
    client.force_login(buyer)
    page = client.get(dispute.get_absolute_url())
    assert "Your forwarder came two days late." in text(page)
    assert (
        client.post(reverse("dispute_answer", args=[dispute.pk]), {"how": "declined", "answer": " "}).status_code == 422
    )
    assert client.post(reverse("dispute_answer", args=[dispute.pk]), {"how": "other", "answer": "x"}).status_code == 422
    client.post(reverse("dispute_answer", args=[dispute.pk]), {"how": "declined", "answer": "It was your own truck."})
    assert buyer.name in text(client.get(dispute.get_absolute_url()))
    again = client.post(reverse("dispute_answer", args=[dispute.pk]), {"how": "upheld", "answer": "x"}, follow=True)
    assert "answered first" in text(again)
    client.force_login(contact)
    for address in (dispute.get_absolute_url(), "/disputes/?state=all", "/disputes/?state=all&format=csv", "/"):
        page = client.get(address)
        assert buyer.name not in page.content.decode(), address
    assert "It was your own truck." in text(client.get(dispute.get_absolute_url()))
    assert "the seller" in text(client.get(dispute.get_absolute_url()))
    assert "It was your own truck." in text(client.get("/"))


def test_setting_aside_from_the_page_keeps_the_answer_back_until_it_is_decided(
    client, dispute, contact, buyer, manager
):
    client.force_login(buyer)
    client.post(reverse("dispute_answer", args=[dispute.pk]), {"how": "set_aside", "answer": "You are right."})
    made = Exclusion.objects.get()
    assert made.get_absolute_url() in client.get(dispute.get_absolute_url()).content.decode()
    client.force_login(contact)
    page = text(client.get(dispute.get_absolute_url()))
    assert "You are right." not in page
    assert "Being decided" in page
    exclusions.approve(made, manager, judged.ago(0))
    disputes.settle()
    page = text(client.get(dispute.get_absolute_url()))
    assert "You are right." in page
    assert "no longer counts" in page


def test_a_contact_withdraws(client, dispute, contact):
    client.force_login(contact)
    page = client.post(reverse("dispute_withdraw", args=[dispute.pk]), follow=True)
    assert "is withdrawn" in text(page)
    again = client.post(reverse("dispute_withdraw", args=[dispute.pk]), follow=True)
    assert "changed meanwhile: withdrawn" in text(again)


def test_home_says_how_many_wait_for_an_answer(client, dispute, buyer, manager, contact):
    for person in (buyer, manager):
        client.force_login(person)
        assert "1 dispute waits for an answer" in text(client.get("/"))
    disputes.set_aside(dispute, buyer, "Yes.")
    assert "waits for an answer" not in text(client.get("/"))
    client.force_login(contact)
    assert "Your disputes" in text(client.get("/"))


def test_the_list_narrows_and_the_file_holds_the_same_rows(client, dispute, contact, manager):
    other = judged.factory("CN-001", lines=1)
    foreign = disputes.raise_dispute(other.lines.get(), make.user("contact", factory=other), "=1+1")
    client.force_login(manager)

    def listed(query):
        return set(re.findall(r"/disputes/(Q-\d+)/", client.get(f"/disputes/?{query}").content.decode()))

    assert listed("") == listed("state=nonsense") == {dispute.code, foreign.code}
    assert listed("factory=cn-001") == {foreign.code}
    assert listed("state=answered") == set()
    assert "No dispute in this state" in text(client.get("/disputes/?state=answered"))
    rows = list(csv.DictReader(io.StringIO(client.get("/disputes/?format=csv").content.decode("utf-8-sig"))))
    assert [row["dispute"] for row in rows] == [foreign.code, dispute.code]
    assert rows[0]["reason"] == "'=1+1"
    client.force_login(contact)
    assert listed("state=all") == {dispute.code}
    assert foreign.factory.name not in client.get("/disputes/?state=all").content.decode()
    assert client.get(foreign.get_absolute_url()).status_code == 404


def test_the_list_asks_as_many_questions_for_many_rows_as_for_one(client, factory, contact, manager):
    def questions():
        with CaptureQueriesContext(connection) as asked:
            client.get("/disputes/")
        return len(asked)

    client.force_login(manager)
    disputes.raise_dispute(factory.lines.get(number="L1"), contact, "x")
    client.get("/disputes/")
    few = questions()
    for number in range(2, 9):
        disputes.raise_dispute(factory.lines.get(number=f"L{number}"), contact, "x")
    for row in [*factory.lots.all()[:2], *factory.deliveries.all()[:2]]:
        disputes.raise_dispute(row, contact, "x")
    assert questions() == few


def test_rows_ask_for_their_disputes_once(client, factory, contact):
    judged.judge()
    client.force_login(contact)
    client.get(score_of(factory) + "otif/?counted=late")

    def questions(part):
        with CaptureQueriesContext(connection) as asked:
            client.get(score_of(factory) + f"otif/?counted={part}")
        return len(asked)

    assert questions("late") == questions("all")


def test_an_account_without_a_factory_disputes_nothing(client, line):
    client.force_login(make.user("contact"))
    assert client.get(f"/disputes/new/?line={line.factory.code}/{line.code}").status_code == 404
    assert client.get("/disputes/").status_code == 200


def test_an_inspector_reads_disputes_and_answers_none(client, dispute):
    client.force_login(make.user("inspector"))
    page = client.get(dispute.get_absolute_url())
    assert "It waits for an answer." in text(page)
    assert (
        client.post(reverse("dispute_answer", args=[dispute.pk]), {"how": "upheld", "answer": "x"}).status_code == 403
    )


def test_what_was_disputed_leaves_history(dispute, buyer):
    disputes.answer(dispute, buyer, False, "No.")
    assert [event.pgh_label for event in dispute.events.order_by("pgh_id")] == ["insert", "update"]
