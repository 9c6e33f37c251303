"""From a reconciliation to money: claims are made, sent, answered, settled."""

import csv
import io
import re
from decimal import Decimal

import pgtrigger
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from openpyxl import load_workbook

from assessments import claims
from assessments.models import Claim, Watch
from assessments.models.claims import FIGURES, FOLLOWS, SETTLEMENT
from assessments.views import claim_lists
from notifications.models import Message
from production import rollups
from production.errors import BadInput
from production.models import MaterialMovement, MaterialOutcome
from tests import make


def lossy_order(factory, lost=60, currency="USD", **fields):
    """A closed order that lost `lost` of 980 m of cloth where 29.4 m are allowed, at 12.50 the metre."""
    cloth, product = make.material(), make.product(category=factory.category)
    order = make.order(factory=factory, currency=currency, closed_on=make.day("2026-11-10"), **fields)
    line = make.line(490, order=order, product=product, bill=make.bill(product=product, per_unit={cloth: "2"}))
    make.delivery((980 - lost) // 2, line=line)
    supply = make.order_material(order=order, material=cloth, currency=currency)
    make.material_movement(990, order_material=supply, unit_cost="12.50")
    make.material_movement(10, order_material=supply, kind="return")
    rollups.rebuild()
    return MaterialOutcome.objects.get(order=order)


@pytest.fixture
def outcome(db):
    return lossy_order(make.factory(code="VN-014", name="Hoa Binh Garment"))


@pytest.fixture
def manager(db):
    return make.user("manager")


@pytest.mark.django_db
def test_a_claim_freezes_the_reconciliation(outcome, manager):
    claim = claims.make(outcome, manager, "Weigh note 17")
    assert (claim.charge, claim.excess, claim.state) == (Decimal("382.50"), Decimal("30.6"), "draft")
    outcome.order.materials.get().movements.filter(kind="issue").update(unit_cost=1)
    rollups.rebuild()
    claim.refresh_from_db()
    assert claim.charge == Decimal("382.50")


@pytest.mark.django_db
def test_the_sheet_names_every_movement_so_that_a_calculator_comes_to_the_charge(outcome, manager, client):
    supply = outcome.order_material
    make.material_movement(4, order_material=supply, kind="transfer_in", unit_cost="12.50")
    make.material_movement(2, order_material=supply, kind="transfer_out")
    make.material_movement(5, order_material=supply, kind="scrap", salvage_unit="1.20")
    rollups.rebuild()
    claim = claims.make(MaterialOutcome.objects.get(), manager)
    assert (claim.issued, claim.taken_over, claim.returned, claim.passed_on, claim.net_issued) == (990, 4, 10, 2, 982)
    assert (claim.scrapped, claim.salvage_unit) == (5, Decimal("1.2"))
    by_hand = (claim.loss - claim.allowed) * Decimal("12.50") - 5 * Decimal("1.20")
    assert claim.charge == by_hand.quantize(Decimal("0.01"))
    client.force_login(manager)
    page = client.get(claim.get_absolute_url()).content.decode()
    for words in ("Issued", "Taken over from other orders", "Returned", "Passed to other orders", "Scrap returned"):
        assert f"<dt>{words}</dt>" in page


@pytest.mark.django_db
def test_a_cost_below_a_cent_stands_on_the_sheet_with_all_its_places(outcome, manager, client):
    MaterialMovement.objects.filter(kind="issue").update(unit_cost="0.0123")
    rollups.rebuild()
    claim = claims.make(MaterialOutcome.objects.get(), manager)
    client.force_login(manager)
    shown = dict(client.get(claim.get_absolute_url()).context["sheet"])
    assert (shown["Beyond the allowance"], shown["Unit cost, frozen at issue"]) == ("30.6 m", "USD 0.0123")
    assert shown["Charge"] == f"USD {Decimal('30.6') * Decimal('0.0123'):.2f}" == "USD 0.38"


@pytest.mark.django_db
def test_what_moved_a_moment_ago_is_worked_out_before_it_is_claimed(outcome, manager):
    make.material_movement(3, order_material=outcome.order_material, kind="return")
    with pytest.raises(BadInput, match="Try again in a minute"):
        claims.make(outcome, manager)


@pytest.mark.django_db
def test_the_other_side_is_told_of_each_step(outcome, manager):
    contact = make.user("contact", factory=outcome.factory)
    Watch.objects.create(user=manager, factory=outcome.factory)
    claim = claims.make(outcome, manager)
    assert not Message.objects.exists(), "a draft is ours"
    claims.move(claim, "send", manager)
    claims.move(claim, "dispute", contact, note="The rolls were short")
    told = [(message.recipient, message.subject) for message in Message.objects.order_by("pk")]
    assert told == [(contact, f"[Claim] {claim.code}, Hoa Binh Garment"),
                    (manager, f"[Claim disputed] {claim.code}, Hoa Binh Garment")]  # fmt: skip


@pytest.mark.django_db
def test_a_draft_that_is_waived_is_never_heard_of(outcome, manager):
    make.user("contact", factory=outcome.factory)
    claims.move(claims.make(outcome, manager), "waive", manager, note="Our mistake")
    assert not Message.objects.exists()


@pytest.mark.django_db
def test_there_is_one_claim_per_order_and_material_unless_it_was_waived(outcome, manager):
    first = claims.make(outcome, manager)
    assert list(claims.claimable()) == []
    with pytest.raises(IntegrityError), transaction.atomic():
        claims.make(outcome, manager)
    claims.move(first, "waive", manager, note="Our cloth was short")
    assert [row.pk for row in claims.claimable()] == [outcome.pk]
    claims.make(outcome, manager)


@pytest.mark.django_db
def test_a_loss_within_the_allowance_cannot_be_claimed(manager):
    within = lossy_order(make.factory(), lost=20)
    with pytest.raises(BadInput, match="within the allowance"):
        claims.make(within, manager)


@pytest.mark.django_db
def test_a_claim_goes_from_draft_to_settled_in_another_currency_with_its_rate(outcome, manager):
    contact = make.user("contact", factory=outcome.factory)
    claim = claims.make(outcome, manager)
    assert claims.move(claim, "send", manager)
    assert claims.move(claim, "dispute", contact, note="The rolls were short")
    assert claims.move(claim, "send", manager, note="See the weigh note")
    assert claims.move(claim, "accept", contact)
    settled = dict(settled_by="set_off", settled_on=make.day("2026-12-01"), reference="INV-9", settlement_currency="CNY",
                   settlement_rate=Decimal("7.1234"))  # fmt: skip
    assert claims.move(claim, "settle", manager, **settled)
    assert (claim.state, claim.settlement_amount, claim.settlement_rate) == (
        "settled",
        Decimal("2724.70"),
        Decimal("7.1234"),
    )
    assert [step.what for step in claim.steps.all()] == ["made", "send", "dispute", "send", "accept", "settle"]


@pytest.mark.django_db
def test_a_dispute_and_a_waiver_need_a_reason(outcome, manager):
    claim = claims.make(outcome, manager)
    with pytest.raises(BadInput, match="Say why"):
        claims.move(claim, "waive", manager, note=" ")
    assert Claim.objects.get().state == "draft"


@pytest.mark.django_db
def test_who_moves_it_second_changes_nothing(outcome, manager):
    claim = claims.make(outcome, manager)
    stale = Claim.objects.get()
    assert claims.move(claim, "send", manager)
    assert claims.move(claim, "accept", manager, note="Ms Lan by telephone")
    assert not claims.move(stale, "send", manager)
    assert Claim.objects.get().state == "accepted"


@pytest.mark.django_db
def test_totals_are_kept_apart_by_currency(manager):
    for currency in ("USD", "USD", "CNY"):
        claim = claims.make(lossy_order(make.factory(), currency=currency), manager)
    claims.move(claim, "waive", manager, note="Shared")
    totals = claims.totals(Claim.objects.all())
    assert [(row["currency"], row["count"], row["open"]) for row in totals] == [
        ("CNY", 0, Decimal(0)), ("USD", 2, Decimal("765.00")),
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_contact_sees_what_was_sent_to_its_own_factory_and_nothing_else(outcome, manager, client):
    contact, stranger = make.user("contact", factory=outcome.factory), make.user("contact", factory=make.factory())
    claim = claims.make(outcome, manager)
    client.force_login(contact)
    assert client.get(claim.get_absolute_url()).status_code == 404
    claims.move(claim, "send", manager)
    assert client.get(claim.get_absolute_url()).status_code == 200
    assert client.post(f"/claims/{claim.code}/waive/", {"note": "please"}).status_code == 403
    assert client.post(f"/claims/{claim.code}/dispute/", {"note": ""}).status_code == 422
    assert client.post(f"/claims/{claim.code}/dispute/", {"note": "Short rolls"}).status_code == 302
    assert Claim.objects.get().state == "disputed"
    client.force_login(stranger)
    assert client.get(claim.get_absolute_url()).status_code == 404
    assert "Hoa Binh" not in client.get("/claims/?state=all").content.decode()


@pytest.mark.django_db
def test_the_list_is_a_file_too_and_a_contact_finds_only_its_own_in_it(outcome, manager, client):
    claim = claims.make(outcome, manager)
    claims.move(claim, "send", manager)
    material = outcome.order_material.material
    material.name = "@SUM(1)"
    material.save()
    draft = claims.make(lossy_order(make.factory(code="CN-002")), manager)
    client.force_login(manager)
    rows = read_csv(client.get("/claims/?format=csv"))
    assert [row["claim"] for row in rows] == [draft.code, claim.code]
    assert (rows[1]["factory"], rows[1]["currency"], rows[1]["material_name"]) == ("VN-014", "USD", "'@SUM(1)")
    assert Decimal(rows[1]["charge"]) == claim.charge
    assert [row["claim"] for row in read_csv(client.get("/claims/?state=sent&format=csv"))] == [claim.code]
    book = load_workbook(io.BytesIO(b"".join(client.get("/claims/?format=xlsx").streaming_content)))
    assert [row[0] for row in book.active.iter_rows(values_only=True)] == ["claim", draft.code, claim.code]
    client.force_login(make.user("contact", factory=outcome.factory))
    assert [row["claim"] for row in read_csv(client.get("/claims/?state=all&format=csv"))] == [claim.code]


def read_csv(response):
    return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))


@pytest.mark.django_db
def test_a_manager_makes_sends_and_settles_a_claim_on_the_pages(outcome, manager, client):
    client.force_login(manager)
    assert "Not claimed yet" in client.get("/claims/").content.decode()
    made = client.post(f"/claims/new/{outcome.pk}/", {"evidence": "Weigh note 17"})
    claim = Claim.objects.get()
    assert made.url == claim.get_absolute_url()
    assert client.post(f"/claims/new/{outcome.pk}/", {}).url == claim.get_absolute_url()
    assert client.post(f"/claims/{claim.code}/send/", {}).status_code == 302
    assert client.post(f"/claims/{claim.code}/accept/", {"note": "Ms Lan by telephone"}).status_code == 302
    refused = client.post(f"/claims/{claim.code}/settle/", {"settled_by": "payment", "settled_on": "2026-12-01",
                                                             "settlement_currency": "CNY"})  # fmt: skip
    assert refused.status_code == 422
    assert "needs its rate" in refused.content.decode()
    client.post(f"/claims/{claim.code}/settle/", {"settled_by": "payment", "settled_on": "2026-12-01"})
    claim.refresh_from_db()
    assert (claim.state, claim.settlement_amount) == ("settled", Decimal("382.50"))


@pytest.mark.django_db
def test_the_sheet_is_a_pdf(outcome, manager, client):
    claim = claims.make(outcome, manager)
    client.force_login(manager)
    answer = client.get(f"/claims/{claim.code}/sheet.pdf")
    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")


@pytest.mark.django_db
def test_an_inspector_and_an_officer_see_no_claims(outcome, manager, client):
    claims.make(outcome, manager)
    for role in ("inspector", "officer"):
        client.force_login(make.user(role))
        assert client.get("/claims/").status_code == 403


# Who accepts


@pytest.mark.django_db
def test_one_of_us_who_accepts_for_the_factory_says_who_agreed_and_the_factory_accepts_by_a_click(
    outcome, manager, client
):
    contact = make.user("contact", factory=outcome.factory)
    claim = claims.make(outcome, manager)
    claims.move(claim, "send", manager)
    client.force_login(manager)
    assert "Who accepted it, and how" in client.get(claim.get_absolute_url()).content.decode()
    answer = client.post(f"/claims/{claim.code}/accept/", {"note": "  "})
    assert answer.status_code == 422
    assert "Say who accepted it, and how." in answer.content.decode()
    with pytest.raises(BadInput, match="Say who accepted it, and how"):
        claims.move(claim, "accept", make.user("buyer"))
    assert Claim.objects.get().state == "sent"
    client.force_login(contact)
    assert "Who accepted it, and how" not in client.get(claim.get_absolute_url()).content.decode()
    assert client.post(f"/claims/{claim.code}/accept/", {}).status_code == 302
    assert Claim.objects.get().state == "accepted"


# What the database holds


def accepted(outcome, manager):
    claim = claims.make(outcome, manager, "Weigh note 17")
    claims.move(claim, "send", manager)
    claims.move(claim, "accept", make.user("contact", factory=outcome.factory))
    return claim


def refused(statement):
    with pytest.raises(IntegrityError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    diag = caught.value.__cause__.diag
    assert diag.constraint_name == "claim_is_kept", statement
    return diag.message_primary


def run(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.rowcount


CHANGES_OF_FIGURES = {
    "closed_on": "'2026-01-01'", "issued": "issued + 1, net_issued = net_issued + 1", "taken_over": "1, issued = issued - 1",
    "returned": "returned + 1, issued = issued + 1", "passed_on": "1, issued = issued + 1", "scrapped": "5", "salvage_unit": "1",
    "net_issued": "net_issued + 1, issued = issued + 1", "theoretical": "1", "loss": "1", "allowed": "1", "excess": "1",
    "unit_cost": "1", "charge_exact": "1", "currency": "'CNY'", "charge": "1", "evidence": "'another'",
    "created_at": "now()", "created_by_id": "(SELECT max(id) FROM accounts_user)",
    "factory_id": "(SELECT max(id) FROM factories_factory)",
    "order_material_id": "(SELECT max(id) FROM production_ordermaterial)",
}  # fmt: skip


@pytest.mark.django_db
def test_plain_sql_changes_no_figure_of_a_claim_that_was_sent(outcome, manager):
    assert set(CHANGES_OF_FIGURES) == set(FIGURES)
    claim = claims.make(outcome, manager, "Weigh note 17")
    make.order_material()
    make.user()
    run("UPDATE assessments_claim SET evidence = 'Weigh note 18'")  # a draft is still written
    claims.move(claim, "send", manager)
    for column, becomes in CHANGES_OF_FIGURES.items():
        assert "stay as they were sent" in refused(f"UPDATE assessments_claim SET {column} = {becomes}")


@pytest.mark.django_db
def test_plain_sql_writes_a_settlement_once_and_only_with_the_settling(outcome, manager):
    claim = accepted(outcome, manager)
    settled = (
        "settled_by = 'payment', settled_on = '2026-12-01', settlement_currency = 'CNY', settlement_rate = 7.1234, "
    )
    settled += "settlement_amount = 2724.70, reference = 'INV-9'"
    assert "written once" in refused(f"UPDATE assessments_claim SET {settled}")
    run(f"UPDATE assessments_claim SET {settled}, state = 'settled'")
    for column in SETTLEMENT:
        becomes = {"settled_on": "'2026-12-02'", "settled_by": "'set_off'", "settlement_currency": "'USD'"}.get(
            column, "9"
        )
        assert "written once" in refused(f"UPDATE assessments_claim SET {column} = {becomes}")
    claim.refresh_from_db()
    assert claim.settlement_rate == Decimal("7.1234")


@pytest.mark.django_db
def test_plain_sql_moves_a_claim_only_along_the_steps_that_people_may_take(outcome, manager):
    """The law and the moves of the product say the same, state by state."""
    moves = {(source, move.target) for move in claims.MOVES.values() for source in move.sources}
    assert {(state, after) for state, afters in FOLLOWS.items() for after in afters} == moves
    how = "settled_by = 'payment', settled_on = '2026-12-01', settlement_amount = 1"
    claim, tried = claims.make(outcome, manager), 0
    for state in Claim.State.values:
        with pgtrigger.ignore("assessments.Claim:claim_is_kept"):
            run(f"UPDATE assessments_claim SET {how}, state = '{state}'" if state == "settled"
                else f"UPDATE assessments_claim SET settled_by = '', settled_on = NULL, state = '{state}'")  # fmt: skip
        for after in Claim.State.values:
            write = f"UPDATE assessments_claim SET state = '{after}'"
            write += f", {how}" if after == "settled" and state != "settled" else ""
            if after == state:
                continue
            tried += 1
            if (state, after) in moves:
                with transaction.atomic():
                    assert run(write) == 1
                    transaction.set_rollback(True)
            else:
                assert "cannot take this step" in refused(write), (state, after)
    assert (tried, Claim.objects.get().pk) == (30, claim.pk)


@pytest.mark.django_db
@pytest.mark.parametrize("statement", ["DELETE FROM assessments_claim", "DELETE FROM assessments_claimstep",
                                       "UPDATE assessments_claimstep SET note = 'another'"])  # fmt: skip
def test_plain_sql_deletes_neither_a_claim_that_was_sent_nor_what_happened_to_it(outcome, manager, statement):
    claims.move(claims.make(outcome, manager), "send", manager)
    if "step" not in statement:
        assert "is kept" in refused(statement)
        return
    with pytest.raises(DatabaseError), transaction.atomic():
        run(statement)


# The lists


@pytest.mark.django_db
def test_the_list_and_its_totals_are_narrowed_by_factory_in_the_address(outcome, manager, client):
    mine = claims.make(outcome, manager)
    other = claims.make(lossy_order(make.factory(code="CN-002", name="Yiwu Toys"), currency="CNY"), manager)
    client.force_login(manager)
    page = client.get("/claims/?factory=VN-014")
    assert [row["claim"].code for row in page.context["rows"]] == [mine.code]
    assert [total["currency"] for total in page.context["totals"]] == ["USD"]
    assert page.context["totals"][0]["url"] == "?factory=VN-014&state=made&currency=USD"
    assert "factory=VN-014" in page.context["tabs"][1]["url"]
    assert "Yiwu Toys" in page.content.decode(), "it is still offered"
    rows = read_csv(client.get("/claims/?factory=CN-002&format=csv"))
    assert [row["claim"] for row in rows] == [other.code]
    assert len(client.get("/claims/?factory=XX-9").context["rows"]) == 2, "what is no choice narrows nothing"
    client.force_login(make.user("contact", factory=outcome.factory))
    assert "Yiwu Toys" not in client.get("/claims/?factory=CN-002").content.decode()


@pytest.mark.django_db
def test_what_nobody_has_claimed_has_a_list_of_its_own_with_every_row(manager, client, monkeypatch):
    monkeypatch.setattr(claim_lists, "WAITING", 2)
    monkeypatch.setattr(claim_lists, "PAGE", 3)
    factory, other = make.factory(code="VN-014"), make.factory(code="JP-003")
    for _ in range(4):
        lossy_order(factory)
    lossy_order(other, currency="JPY")
    client.force_login(manager)
    page = client.get("/claims/")
    assert len(page.context["waiting"]) == 2
    assert 'href="/claims/unclaimed/?">all 5 reconciliations</a>' in page.content.decode()
    first, second = client.get("/claims/unclaimed/"), client.get("/claims/unclaimed/?page=2")
    assert [len(each.context["rows"]) for each in (first, second)] == [3, 2]
    assert [(total["currency"], total["count"], total["charge"]) for total in first.context["totals"]] == [
        ("JPY", 1, "JPY 383"), ("USD", 4, "USD 1,530.00"),
    ]  # fmt: skip
    narrowed = client.get("/claims/unclaimed/?factory=JP-003")
    assert [row["charge"] for row in narrowed.context["rows"]] == ["JPY 383"]
    rows = read_csv(client.get("/claims/unclaimed/?currency=USD&format=csv"))
    assert [(row["factory"], row["charge"]) for row in rows] == [("VN-014", "382.50")] * 4
    assert client.get("/claims/unclaimed/?format=xlsx")["Content-Type"].endswith("sheet")
    claims.make(MaterialOutcome.objects.get(factory=other), manager)
    assert "Nothing to claim here" in client.get("/claims/unclaimed/?currency=JPY").content.decode()


@pytest.mark.django_db
def test_what_was_waived_and_may_be_claimed_again_is_marked_with_its_claim(outcome, manager, client):
    never = lossy_order(make.factory(code="CN-002"))
    for note in ("Short rolls", "Shared"):
        claim = claims.make(outcome, manager)
        claims.move(claim, "waive", manager, note=note)
    client.force_login(manager)
    for address in ("/claims/", "/claims/unclaimed/"):
        page = client.get(address).content.decode()
        assert page.count("A claim was waived") == 1, address
        assert f'href="{claim.get_absolute_url()}">A claim was waived ({claim.code})</a>' in page, address
    rows = read_csv(client.get("/claims/unclaimed/?format=csv"))
    assert {row["order"]: row["waived_claim"] for row in rows} == {
        outcome.order.number: claim.code, never.order.number: "",
    }  # fmt: skip


@pytest.mark.django_db
def test_files_of_claims_have_money_in_its_minor_units_and_quantities_without_zeros_at_the_end(manager, client):
    for code, currency in (("VN-014", "USD"), ("JP-003", "JPY")):
        claims.make(lossy_order(make.factory(code=code), currency=currency), manager)
        lossy_order(make.factory(), currency=currency)
    client.force_login(manager)
    for address in ("/claims/?format=csv", "/claims/unclaimed/?format=csv"):
        rows = read_csv(client.get(address))
        assert sorted(row["charge"] for row in rows) == ["382.50", "383"], address
        for row in rows:
            for name in ("net_issued", "theoretical", "loss", "allowed", "excess"):
                assert re.fullmatch(r"\d+(\.\d*[1-9])?", row[name]), (address, name, row[name])
            least = r"\d+\.\d{2,}" if row["currency"] == "USD" else r"\d+(\.\d*[1-9])?"
            assert re.fullmatch(least, row["unit_cost"]), row


@pytest.mark.django_db
def test_both_lists_ask_as_often_for_many_rows_as_for_one(manager, client, django_assert_num_queries):
    def rows(count):
        for _ in range(count):
            claims.make(lossy_order(make.factory()), manager)
            lossy_order(make.factory())

    client.force_login(manager)
    rows(1)
    client.get("/claims/")
    for count in (0, 4):
        rows(count)
        with django_assert_num_queries(8):
            client.get("/claims/")
        with django_assert_num_queries(5):
            client.get("/claims/unclaimed/")
