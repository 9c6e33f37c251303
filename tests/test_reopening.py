"""A closed order that is opened again: by a manager, with a reason, and not under a claim that was sent."""

import pytest

from assessments import claims, reopening
from assessments.models import Claim
from assessments.views.entrance import today
from production import rollups
from production.models import FactoryDay, MaterialOutcome, Touched
from tests import make
from tests.test_claims import lossy_order

pytestmark = pytest.mark.django_db
ADDRESS = "/orders/VN-014/PO-7/reopen/"


@pytest.fixture
def outcome(db):
    return lossy_order(make.factory(code="VN-014", name="Hoa Binh Garment"), number="PO-7")


@pytest.fixture
def manager(client):
    person = make.user("manager", name="Mai Tran")
    client.force_login(person)
    return person


def loss():
    return FactoryDay.objects.filter(family="material").sums()["orders"]


def test_an_order_that_is_open_again_leaves_the_figures_until_it_is_closed_anew(client, manager, outcome):
    assert loss() == 1
    assert ADDRESS in client.get("/orders/VN-014/PO-7/").content.decode()
    response = client.post(ADDRESS, {"reason": "a return was forgotten"})
    assert response["Location"] == "/orders/VN-014/PO-7/"
    order = outcome.order
    order.refresh_from_db()
    assert order.closed_on is None
    assert "by Mai Tran, after it was closed on 10 Nov 2026: a return was forgotten" in order.note
    event = order.events.filter(closed_on=None).order_by("pgh_id").first()
    assert (event.pgh_label, event.pgh_context["user"]) == ("update", manager.pk)
    assert Touched.objects.exists(), "the marks make the sums follow"
    rollups.rebuild()
    assert not loss()
    make.material_movement(60, order_material=outcome.order_material, kind="return")
    order.closed_on = make.day("2026-11-12")
    order.save()
    rollups.rebuild()
    assert loss() == 1
    assert MaterialOutcome.objects.get().excess <= 0


def test_a_reason_is_needed(client, manager, outcome):
    page = client.post(ADDRESS, {"reason": " "})
    assert page.status_code == 422
    assert "Say why it is opened again." in page.content.decode()
    outcome.order.refresh_from_db()
    assert outcome.order.closed_on


@pytest.mark.parametrize("moves, words", [
    (["send"], "was sent to the factory"), (["send", "accept"], "Waive it first"),
])  # fmt: skip
def test_a_claim_that_was_sent_keeps_the_order_closed(client, manager, outcome, moves, words):
    claim = claims.make(outcome, manager)
    for move in moves:
        claims.move(claim, move, manager, "agreed with Ms Lan")
    page = client.get(ADDRESS).content.decode()
    assert claim.code in page
    assert words in page
    assert 'name="reason"' not in page
    page = client.post(ADDRESS, {"reason": "a return was forgotten"})
    assert page.status_code == 422
    outcome.order.refresh_from_db()
    assert outcome.order.closed_on
    claims.move(claim, "waive", manager, "counted anew")
    assert client.post(ADDRESS, {"reason": "a return was forgotten"}).status_code == 302


def test_a_draft_is_waived_with_it(client, manager, outcome):
    draft = claims.make(outcome, manager)
    client.post(ADDRESS, {"reason": "a return was forgotten"})
    draft.refresh_from_db()
    assert draft.state == Claim.State.WAIVED
    assert draft.steps.last().note == "The order was opened again."


def test_opening_twice_changes_nothing(client, manager, outcome):
    assert reopening.reopen(outcome.order, manager, "one", today())
    assert not reopening.reopen(outcome.order, manager, "two", today())
    outcome.order.refresh_from_db()
    assert "two" not in outcome.order.note
    assert client.get(ADDRESS)["Location"] == "/orders/VN-014/PO-7/"


@pytest.mark.parametrize("role, status", [("buyer", 403), ("inspector", 403), ("officer", 403), ("admin", 302)])
def test_only_managers_open_orders_again(client, outcome, role, status):
    client.force_login(make.user(role))
    assert client.post(ADDRESS, {"reason": "a return was forgotten"}).status_code == status
