"""Material on open orders: what the loss will be, said as a projection, and never a charge (MAT-9)."""

from decimal import Decimal
from fractions import Fraction

import pytest

from production import rollups
from production.models import MaterialOutcome, OpenMaterial
from production.reconcile import Need, project
from tests import make

pytestmark = pytest.mark.django_db


def supplied(issued, *, lines=((490, 300),), per_unit="2", returned=0, closed_on=None, factory=None, **terms):
    """An order with lines of (ordered, received) units, and cloth that was issued for it."""
    cloth = make.material()
    order = make.order(factory=factory or make.factory(), closed_on=closed_on)
    for ordered, received in lines:
        product = make.product(category=order.factory.category)
        line = make.line(
            ordered, order=order, product=product, bill=make.bill(product=product, per_unit={cloth: per_unit})
        )
        if received:
            make.delivery(received, line=line)
    found = make.order_material(order=order, material=cloth, **terms)
    make.material_movement(issued, order_material=found)
    if returned:
        make.material_movement(returned, order_material=found, kind="return")
    rollups.rebuild()
    return found


@pytest.mark.parametrize(
    ("issued", "returned", "allowance", "base"),
    [(1000, 0, "0.03", "net_issued"), (1020, 0, "0.03", "net_issued"), (1020, 20, "0.01", "theoretical"),
     (980, 0, "0", "net_issued"), (900, 0, "0.03", "net_issued")],
)  # fmt: skip
def test_the_projection_is_that_of_the_rule(issued, returned, allowance, base):
    found = supplied(issued, returned=returned, allowance=allowance, loss_base=base)
    row = OpenMaterial.objects.filter(loss__isnull=False).get()
    rule = project(issued, returned, [Need(2, 300, 190)], Fraction(allowance), base)
    assert row.loss == rule.projected_loss
    assert OpenMaterial.objects.beyond_allowance().exists() == (rule.status == "watch")
    assert row.order_material == found


def test_every_line_counts_with_what_it_received_and_what_is_open():
    supplied(2000, lines=((490, 490), (400, 0), (100, 120)))
    row = OpenMaterial.objects.filter(loss__isnull=False).get()
    assert row.needed == 2 * (490 + 400 + 120)
    assert row.loss == Decimal(2000) - row.needed


def test_a_closed_order_and_one_without_a_bill_have_no_projection():
    supplied(1100, closed_on=make.day("2026-11-10"))
    make.material_movement(10)
    assert not OpenMaterial.objects.filter(loss__isnull=False).exists()
    assert MaterialOutcome.objects.count() == 1


def test_the_order_says_projection_and_names_no_charge(client):
    order = supplied(1100).order
    client.force_login(make.user("manager"))
    page = client.get(f"/orders/{order.factory.code}/{order.number}/").content.decode()
    assert "Projected beyond the allowance" in page
    assert "120 m (10.91%)" in page
    assert "Nothing is charged before the order is closed" in page
    assert "To be charged" not in page


def test_the_claims_list_what_is_projected_beyond_the_allowance_to_those_who_may_see_it(client):
    found, other = supplied(1100), supplied(1100)
    supplied(985)
    client.force_login(make.user("manager"))
    page = client.get("/claims/")
    assert [row["loss"] for row in page.context["ahead"]] == ["120 m", "120 m"]
    assert "nothing is charged before they close" in page.content.decode()
    client.force_login(make.user("contact", factory=found.factory))
    page = client.get("/claims/").content.decode()
    assert found.order.number in page
    assert other.order.number not in page


def test_what_is_projected_is_listed_to_its_end_page_by_page(client):
    factory = make.factory()
    every = [supplied(1100, factory=factory).order.number for _ in range(21)]
    client.force_login(make.user("manager"))
    first = client.get("/claims/?state=all")
    assert [row["order"] for row in first.context["ahead"]] == every[:0:-1]
    assert first.context["ahead_count"] == 21
    assert 'href="?state=all&amp;ahead=2#ahead"' in first.content.decode()
    second = client.get("/claims/?state=all&ahead=2")
    assert [row["order"] for row in second.context["ahead"]] == every[:1]
    assert 'href="?state=all&amp;ahead=1#ahead"' in second.content.decode()
    assert [row["order"] for row in client.get("/claims/?ahead=nonsense").context["ahead"]] == every[:0:-1]


def test_the_page_asks_as_often_for_many_as_for_one(client, django_assert_max_num_queries):
    factory = make.factory()
    for _ in range(6):
        supplied(1100, factory=factory)
    client.force_login(make.user("manager"))
    client.get("/claims/")
    with django_assert_max_num_queries(12):
        assert len(client.get("/claims/").context["ahead"]) == 6


def test_the_page_of_a_closed_order_shows_the_whole_reconciliation(client):
    found = supplied(1100, returned=50, lines=((490, 490),), closed_on=make.day("2026-11-10"), allowance="0.03")
    make.material_movement(30, order_material=found, kind="transfer_in")
    make.material_movement(10, order_material=found, kind="transfer_out")
    rollups.rebuild()
    client.force_login(make.user("inspector"))
    page = client.get(found.order.get_absolute_url())
    (supply,) = page.context["supplies"]
    assert {str(name): value.replace(f" {supply['unit']}", "") for name, value in supply["result"]["rows"]} == {
        "Issued": "1,100",
        "Taken over from other orders": "30",
        "Returned": "50",
        "Passed to other orders": "10",
        "Net issued": "1,070",
        "Theoretical consumption of the goods credited": "980",
        "Loss": "90",
        "Loss rate on net issued": "8.41%",
        "Loss rate on theoretical consumption": "9.18%",
        "Allowed loss": "32.1 (3.00% of what was net issued)",
        "Beyond the allowance": "57.9",
    }
    assert "8.41%" in page.content.decode()
