"""A row is set aside by two people, is listed for ever, and every number says what was left out of it."""

import datetime
import threading

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from assessments import evidence, jobs
from assessments.models import Breach, Claim, Evaluation
from production import exclusions, outcomes, rates, rollup_checks, rollups
from production.errors import BadInput
from production.models import Exclusion, FactoryDay, LineOutcome, LotOutcome, MaterialOutcome
from tests import judged, make

pytestmark = pytest.mark.django_db
DAY = make.day("2026-11-20")


@pytest.fixture
def people():
    return {"buyer": make.user("buyer"), "manager": make.user("manager"), "other": make.user("manager")}


def lines_of(factory):
    return FactoryDay.objects.filter(factory=factory, family="delivery").sums()


def proposed_and_approved(subject, people, on=DAY):
    made = exclusions.propose(subject, people["buyer"], "The forwarder was late")
    return exclusions.approve(made, people["manager"], on)


# Who may


def test_the_proposer_never_decides_whatever_the_role():
    boss = make.user("manager")
    made = exclusions.propose(make.line(), boss, "The forwarder was late")
    for decide in (exclusions.approve, exclusions.decline):
        with pytest.raises(BadInput, match="Somebody else decides"):
            decide(made, boss, DAY, "yes")
    made.refresh_from_db()
    assert made.state == "proposed"


@pytest.mark.parametrize("role", ["buyer", "inspector", "officer", "contact"])
def test_only_a_manager_or_an_administrator_decides_and_lifts(role, people):
    waiting = exclusions.propose(make.line(), people["buyer"], "Why")
    approved = proposed_and_approved(make.line(), people)
    with pytest.raises(BadInput):
        exclusions.approve(waiting, make.user(role), DAY)
    with pytest.raises(BadInput):
        exclusions.lift(approved, make.user(role), DAY, "Why")


@pytest.mark.parametrize("role", ["inspector", "officer", "contact"])
def test_only_our_own_people_who_buy_propose(role):
    with pytest.raises(BadInput):
        exclusions.propose(make.line(), make.user(role), "Why")


def test_a_reason_is_needed_to_propose_and_to_lift(people):
    with pytest.raises(BadInput, match="Say why"):
        exclusions.propose(make.line(), people["buyer"], " \n")
    approved = proposed_and_approved(make.line(), people)
    with pytest.raises(BadInput, match="Say why"):
        exclusions.lift(approved, people["other"], DAY, " ")


def test_one_row_has_one_standing_exclusion_and_may_have_others_later(people):
    line = make.line()
    first = exclusions.propose(line, people["buyer"], "Why")
    with pytest.raises(BadInput, match="already"):
        exclusions.propose(line, people["manager"], "Why")
    exclusions.withdraw(first, people["buyer"])
    second = exclusions.propose(line, people["manager"], "Why")
    exclusions.decline(second, people["other"], DAY, "No")
    assert proposed_and_approved(line, people).state == "approved"
    assert Exclusion.objects.filter(line=line).count() == 3


def test_only_the_proposer_withdraws_and_only_before_the_decision(people):
    made = exclusions.propose(make.line(), people["buyer"], "Why")
    with pytest.raises(BadInput):
        exclusions.withdraw(made, people["manager"])
    exclusions.approve(made, people["manager"], DAY)
    with pytest.raises(BadInput, match="changed meanwhile"):
        exclusions.withdraw(made, people["buyer"])


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_decide_at_once_one_wins_and_the_other_is_told():
    buyer, yes, no = make.user("buyer"), make.user("manager"), make.user("manager")
    made, told, start = exclusions.propose(make.line(), buyer, "Why"), [], threading.Barrier(2)

    def decide(how, person):
        start.wait(5)
        try:
            how(made, person, DAY, "note")
        except BadInput as problem:
            told.append(problem.message)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=decide, args=each) for each in ((exclusions.approve, yes), (exclusions.decline, no))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    made.refresh_from_db()
    assert made.state in ("approved", "declined")
    assert told == [f"It was changed meanwhile: {made.get_state_display().lower()}."]


# What counts


def test_a_line_leaves_the_sums_when_it_is_approved_and_comes_back_when_it_is_lifted(people):
    order = make.order(confirmed_on=make.day("2026-09-01"))
    late, good = make.line(100, order=order), make.line(100, order=order)
    make.delivery(100, line=late, received_on=make.day("2026-11-09"))
    make.delivery(100, line=good)
    made = exclusions.propose(late, people["buyer"], "The forwarder was late")
    rollups.rebuild()
    before = lines_of(order.factory)
    cycles = FactoryDay.objects.filter(family="cycle").count()
    assert (before["lines"], before["otif"], cycles) == (2, 1, 2), "a proposal changes nothing"
    exclusions.approve(made, people["manager"], DAY)
    rollups.rebuild()
    now = lines_of(order.factory)
    assert (now["lines"], now["otif"], now["qty_due"]) == (1, 1, 100)
    assert FactoryDay.objects.filter(family="cycle").count() == 1
    assert LineOutcome.objects.get(line=late).state == "set_aside"
    assert rollup_checks.differences() == []
    exclusions.lift(made, people["other"], DAY, "It was the factory after all")
    rollups.rebuild()
    assert lines_of(order.factory) == before


def closed_order_with_two_materials():
    order = make.order(closed_on=make.day("2026-11-10"))
    fabric, zipper = make.material(), make.material()
    product = make.product(category=order.factory.category)
    line = make.line(
        100, order=order, product=product, bill=make.bill(product=product, per_unit={fabric: 1, zipper: 1})
    )
    lot = make.lot(line=line)
    make.delivery(100, line=line, lot=lot)
    make.inspection(lot=lot, major=8, units_rejected=8)
    supplied = [make.order_material(order=order, material=each) for each in (fabric, zipper)]
    for each in supplied:
        make.material_movement(120, order_material=each)
    return order, lot, supplied


def test_a_lot_set_aside_gives_no_defects_while_its_goods_and_credits_stay(people):
    _order, lot, supplied = closed_order_with_two_materials()
    rollups.rebuild()
    coverage = FactoryDay.objects.get(family="coverage").qty_delivered_inspected
    loss = MaterialOutcome.objects.get(order_material=supplied[0]).loss
    proposed_and_approved(lot, people)
    rollups.rebuild()
    assert not LotOutcome.objects.exists()
    assert not FactoryDay.objects.filter(family="defect").exists()
    assert FactoryDay.objects.get(family="coverage").qty_delivered_inspected == coverage == 100
    assert MaterialOutcome.objects.get(order_material=supplied[0]).loss == loss == 28


def test_of_an_order_with_one_material_set_aside_the_other_counts_and_both_may_be_claimed(people):
    _order, _lot, (fabric, zipper) = closed_order_with_two_materials()
    first = proposed_and_approved(fabric, people)
    rollups.rebuild()
    day = FactoryDay.objects.get(family="material")
    assert (day.orders, day.value_net) == (1, 300), "120 at 2.50"
    assert MaterialOutcome.objects.get(order_material=fabric).is_set_aside
    assert MaterialOutcome.objects.filter(charge__gt=0).count() == 2
    proposed_and_approved(zipper, people)
    rollups.rebuild()
    assert not FactoryDay.objects.filter(family="material").exists()
    exclusions.lift(first, people["other"], DAY, "Found again")
    rollups.rebuild()
    assert FactoryDay.objects.get(family="material").orders == 1
    assert not Claim.objects.exists()


def test_a_rate_of_the_past_knows_only_what_was_decided_then(people):
    order, lot, supplied = closed_order_with_two_materials()
    make.line(100, order=order, committed_on=make.day("2026-11-02"))
    approved = {"on": make.day("2026-11-15"), "lifted_on": make.day("2026-11-18")}
    for subject in ({"line": lot.line}, {"lot": lot}, {"order_material": supplied[0]}):
        make.exclusion(**subject, **approved)
    first, last = make.day("2026-11-01"), make.day("2026-11-30")
    found = {}
    for day in ("2026-11-14", "2026-11-15", "2026-11-17", "2026-11-18"):
        found[day] = {rate.measure: rate.denominator for rate in rates.rates(first, last, make.day(day))}
    counted, aside = {"defect": 80, "otif": 2, "loss": 600}, {"defect": 0, "otif": 1, "loss": 300}
    assert found == {"2026-11-14": counted, "2026-11-15": aside, "2026-11-17": aside, "2026-11-18": counted}


def test_a_late_order_of_a_line_set_aside_opens_no_breach(people):
    factory = make.factory()
    make.shipped_policy()
    aside, late = make.line(factory=factory), make.line(factory=factory)
    proposed_and_approved(aside, people)
    jobs.judge_day(make.day("2026-11-05"))
    assert [breach.order_id for breach in Breach.objects.filter(event="late_order")] == [late.order_id]


def test_the_full_computation_reads_the_few_exclusions_once():
    """In the plan the exclusions are hashed; no line costs a scan of them."""
    for _ in range(3):
        make.line()
    with connection.cursor() as cursor:
        for rule in (outcomes.line_outcomes, outcomes.lot_outcomes, outcomes.material_outcomes):
            cursor.execute(f"EXPLAIN (VERBOSE) {rule(False)}", {"as_of": DAY})
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "production_exclusion" in plan
            assert "hashed SubPlan" in plan, plan


# Judged again


def factory_with_one_bad_lot():
    return judged.factory("VN-100", late=3, defective=5)


def test_after_an_approval_the_factory_is_judged_again_in_a_new_revision(people):
    factory = factory_with_one_bad_lot()
    judged.judge()
    month = Evaluation.objects.whole().filter(factory=factory, kind="month").latest("as_of", "revision")
    row = evidence.split("otif", evidence.rows(month, "otif"), "late").first()
    made = proposed_and_approved(row.line, people, on=judged.ago(0))
    jobs.assess(datetime.datetime.now(datetime.UTC))
    again = Evaluation.objects.whole().filter(factory=factory, kind="month", as_of=month.as_of).latest("revision")
    assert again.revision == month.revision + 1
    assert int(again.measures["otif"]["den"]) == int(month.measures["otif"]["den"]) - 1
    assert list(evidence.set_aside(again, "otif")) == [made]
    shown = evidence.effect(again, made)
    assert shown.counted == (int(month.measures["otif"]["num"]), int(month.measures["otif"]["den"]))
    assert shown.set_aside == (int(again.measures["otif"]["num"]), int(again.measures["otif"]["den"]))


def test_every_kind_of_row_is_found_behind_its_number_and_says_what_it_does(people):
    order, lot, supplied = closed_order_with_two_materials()
    window = Evaluation(
        factory=order.factory, as_of=make.day("2026-11-30"), window_days=90, measures={"loss": {"currency": "USD"}}
    )
    for subject, measure, counted, left in (
        (lot.line, "otif", (1, 1), (0, 0)),
        (lot, "defect", (8, 80), (0, 0)),
        (supplied[0], "loss", (140, 600), (70, 300)),
    ):
        made = exclusions.propose(subject, people["buyer"], "Why")
        rollups.rebuild()
        waiting = evidence.effect(window, made)
        assert (waiting.counted, waiting.set_aside) == (counted, left)
        assert not evidence.set_aside(window, measure).exists()
        exclusions.approve(made, people["manager"], DAY)
        rollups.rebuild()
        assert evidence.effect(window, made) == waiting, "the same numbers, seen from the other side"
        assert list(evidence.set_aside(window, measure)) == [made]
        before = Evaluation(factory=order.factory, as_of=make.day("2026-10-01"), window_days=30, measures={})
        assert not evidence.set_aside(before, measure).exists()
        assert evidence.effect(before, made) is None
    assert not evidence.not_counted(window, "defect").exists(), "its inspections stand in one place only"


# The pages


def shown(client, evaluation, **query):
    """The set-aside rows of the page that explains a score, and the page."""
    page = client.get(evaluation.get_absolute_url(), query)
    return page.context["set_aside"], page.content.decode()


def test_the_score_page_lists_what_was_set_aside_of_each_measure_and_by_whom(client, people):
    factory = factory_with_one_bad_lot()
    judged.judge()
    night = Evaluation.objects.whole().filter(factory=factory, kind="night").latest("as_of", "revision")
    signed_in(client, people["manager"])
    rows, page = shown(client, night)
    assert not rows
    assert "Nothing was set aside." in page
    line = evidence.split("otif", evidence.rows(night, "otif"), "late").first().line
    made = [proposed_and_approved(each, people, on=judged.ago(0)) for each in (line, factory.lots.last())]
    exclusions.propose(factory.lots.first(), people["buyer"], "Only proposed")
    rollups.rebuild()
    rows, page = shown(client, night)
    assert [(row["exclusion"], row["measure"]) for row in rows] == [
        (made[1], "Defect rate"),
        (made[0], "On time in full"),
    ]
    assert {row["since"] for row in rows} == {"After this was computed"}, "its numbers still hold them"
    assert str(people["buyer"]) in rows[0]["proposed"]
    assert str(people["manager"]) in rows[0]["decided"]
    assert "The forwarder was late" in page
    judged.judge()
    again = Evaluation.objects.whole().filter(factory=factory, kind="night").latest("as_of", "revision")
    assert again.revision > night.revision
    assert {row["since"] for row in shown(client, again)[0]} == {""}
    exclusions.lift(made[0], people["manager"], judged.ago(0), "It was not")
    rollups.rebuild()
    rows, _page = shown(client, again)
    assert [row["exclusion"] for row in rows] == made[::-1], "it was out of these numbers and stays listed"
    assert rows[1]["since"].startswith("Counted again since")
    rows, _page = shown(client, night, kind="night", revision=night.revision)
    assert [row["exclusion"] for row in rows] == [made[1]], "it was never out of the earlier ones"


def test_the_score_page_tells_a_contact_why_and_no_name_of_ours(client, people):
    factory = factory_with_one_bad_lot()
    made = proposed_and_approved(factory.lots.first(), people, on=judged.ago(0))
    other = judged.factory("VN-200")
    proposed_and_approved(other.lots.first(), people, on=judged.ago(0))
    judged.judge()
    night = Evaluation.objects.whole().filter(factory=factory, kind="night").latest("as_of", "revision")
    signed_in(client, make.user("contact", factory=factory))
    rows, page = shown(client, night)
    assert [row["exclusion"] for row in rows] == [made]
    assert "The forwarder was late" in page
    assert rows[0]["decided"].startswith("the seller")
    assert not [str(person) for person in people.values() if str(person) in page]


def test_the_score_page_asks_once_for_what_was_set_aside(client, people):
    factory = factory_with_one_bad_lot()
    judged.judge()
    night = Evaluation.objects.whole().filter(factory=factory, kind="night").latest("as_of", "revision")
    signed_in(client, people["manager"])
    for lot in [None, *factory.lots.all()]:
        if lot:
            proposed_and_approved(lot, people, on=judged.ago(0))
        with CaptureQueriesContext(connection) as asked:
            shown(client, night)
        assert len([each for each in asked if 'FROM "production_exclusion"' in each["sql"].split("WHERE")[0]]) == 1


@pytest.fixture
def judged_factory():
    factory = factory_with_one_bad_lot()
    judged.judge()
    return factory


def open_score(client, factory, measure="otif", **query):
    month = Evaluation.objects.whole().filter(factory=factory, kind="month").latest("as_of")
    return client.get(reverse("score_rows", args=[factory.code, month.period, measure]), query)


def signed_in(client, person):
    client.force_login(person)
    return client


def test_a_row_is_set_aside_from_behind_its_number_by_two_people(client, people, judged_factory):
    signed_in(client, people["buyer"])
    page = open_score(client, judged_factory, counted="late")
    new = page.context["rows"][0]["exclusion"]["url"]
    assert new.startswith("/exclusions/new/?line=")
    shown = client.get(new).content.decode()
    assert "With this row" in shown
    assert client.post(new, {"reason": " "}).status_code == 422
    answer = client.post(new, {"reason": "The forwarder was late", "evidence": "Mail of 3 November"})
    made = Exclusion.objects.get()
    assert answer["Location"] == made.get_absolute_url()
    assert client.get(new)["Location"] == made.get_absolute_url(), "asked twice it leads to the first"
    page = client.get(made.get_absolute_url()).content.decode()
    assert "You proposed this." in page
    assert "Set it aside" not in page
    approve = reverse("exclusion_move", args=[made.pk, "approve"])
    assert client.post(approve).status_code == 403
    signed_in(client, people["manager"])
    assert b"1 row waits for your decision" in client.get("/").content
    assert client.post(approve).status_code == 302
    made.refresh_from_db()
    assert (made.state, made.decided_by) == ("approved", people["manager"])
    assert b"waits for your decision" not in client.get("/").content
    jobs.assess(datetime.datetime.now(datetime.UTC))
    page = open_score(client, judged_factory, counted="set-aside")
    text = page.content.decode()
    for words in (made.title, "The forwarder was late", str(people["buyer"]), str(people["manager"])):
        assert words in text
    (tab,) = [tab for tab in page.context["tabs"] if tab["current"]]
    assert (str(tab["label"]), tab["count"]) == ("Set aside", 1)
    file = open_score(client, judged_factory, counted="set-aside", format="csv").content.decode()
    assert f"{people['buyer']},{people['manager']}" in file


def test_a_manager_cannot_approve_the_own_proposal_through_the_page(client, people):
    made = exclusions.propose(make.line(), people["manager"], "Why")
    signed_in(client, people["manager"])
    answer = client.post(reverse("exclusion_move", args=[made.pk, "approve"]))
    assert answer.status_code == 422
    assert b"Somebody else decides." in answer.content
    made.refresh_from_db()
    assert made.state == "proposed"


def test_a_forged_form_is_refused(people):
    client = signed_in(Client(enforce_csrf_checks=True), people["manager"])
    made = exclusions.propose(make.line(), people["buyer"], "Why")
    assert client.post(reverse("exclusion_move", args=[made.pk, "approve"])).status_code == 403
    made.refresh_from_db()
    assert made.state == "proposed"


def test_declining_and_lifting_need_a_note(client, people):
    waiting = exclusions.propose(make.line(), people["buyer"], "Why")
    approved = proposed_and_approved(make.line(), people)
    signed_in(client, people["other"])
    for made, name, after in ((waiting, "decline", "declined"), (approved, "lift", "lifted")):
        address = reverse("exclusion_move", args=[made.pk, name])
        assert client.post(address, {f"{name}-note": ""}).status_code == 422
        assert client.post(address, {f"{name}-note": "Because"}).status_code == 302
        made.refresh_from_db()
        assert made.state == after
        assert b"Nothing is left for you to do here." in client.get(made.get_absolute_url()).content


def every_state(people):
    """One exclusion in each state, at one factory."""
    order = make.order()
    rows = [make.line(order=order) for _ in range(5)]
    waiting = exclusions.propose(rows[0], people["buyer"], "Reason A", "Evidence A")
    declined = exclusions.decline(
        exclusions.propose(rows[1], people["buyer"], "Reason B"), people["manager"], DAY, "No"
    )
    withdrawn = exclusions.withdraw(exclusions.propose(rows[2], people["buyer"], "Reason C"), people["buyer"])
    approved = proposed_and_approved(rows[3], people)
    lifted = exclusions.lift(proposed_and_approved(rows[4], people), people["other"], DAY, "Wrong")
    return order.factory, [waiting, declined, withdrawn, approved, lifted]


def test_the_list_keeps_every_exclusion_for_ever_and_its_state_stands_in_the_address(client, people):
    factory, made = every_state(people)
    exclusions.propose(make.line(), people["buyer"], "Elsewhere")
    signed_in(client, people["buyer"])
    page = client.get("/exclusions/")
    assert [row["exclusion"].pk for row in page.context["rows"]][1:] == [each.pk for each in reversed(made)]
    assert [tab["count"] for tab in page.context["tabs"]] == [6, 2, 1, 1, 1, 1]
    for each in made:
        rows = client.get("/exclusions/", {"state": each.state, "factory": factory.code.lower()}).context["rows"]
        assert [row["exclusion"] for row in rows] == [each]
    file = client.get("/exclusions/", {"factory": factory.code, "format": "csv"}).content.decode().splitlines()
    assert len(file) == 6
    assert file[0].lstrip("\ufeff").startswith("exclusion,state,factory,kind,row,reason,evidence")
    assert "Evidence A" in file[-1]
    assert b"Nothing in this state" in client.get("/exclusions/", {"factory": "NO-1"}).content
    assert client.get("/exclusions/", {"state": "\0", "page": "x", "factory": "\0"}).status_code == 200


def test_no_view_and_no_admin_deletes_an_exclusion(client, people):
    _factory, made = every_state(people)
    signed_in(client, make.user("admin"))
    for each in made:
        assert client.delete(each.get_absolute_url()).status_code == 405
    assert client.get("/admin-area/production/exclusion/").status_code == 404
    assert Exclusion.objects.count() == 5


def test_a_contact_reads_the_exclusions_of_the_own_factory_without_our_names(client, people):
    factory, made = every_state(people)
    other = proposed_and_approved(make.line(), people)
    signed_in(client, make.user("contact", factory=factory))
    pages = [client.get("/exclusions/"), client.get("/exclusions/", {"format": "csv"})]
    pages += [client.get(each.get_absolute_url()) for each in made]
    for page in pages:
        text = page.content.decode()
        assert page.status_code == 200
        assert not [str(person) for person in people.values() if str(person) in text]
        assert other.code not in text
    assert "Reason A" in pages[0].content.decode()
    assert "the seller" in pages[0].content.decode()
    assert client.get(other.get_absolute_url()).status_code == 404
    assert client.get(f"/exclusions/new/?line={made[0].line_id}").status_code == 403


def test_an_inspector_reads_no_amount_of_money(client, people):
    make.shipped_policy()
    _order, _lot, supplied = closed_order_with_two_materials()
    made = exclusions.propose(supplied[0], people["buyer"], "Why")
    jobs.judge_day(make.day("2026-11-20"))
    signed_in(client, people["buyer"])
    assert "USD" in client.get(made.get_absolute_url()).content.decode()
    signed_in(client, make.user("inspector"))
    text = client.get(made.get_absolute_url()).content.decode()
    assert "23.33%" in text
    assert "USD" not in text


@pytest.mark.parametrize("query", ["line=x", "line=0", "lot=99999999999999999999", "material=-1", "lot=1%00"])
def test_a_row_that_is_none_is_not_found(client, people, query):
    signed_in(client, people["buyer"])
    assert client.get(f"/exclusions/new/?{query}").status_code == 404


def test_without_a_row_the_page_says_where_to_choose_one(client, people):
    signed_in(client, people["buyer"])
    assert b"Choose the row first" in client.get("/exclusions/new/").content


def test_the_number_of_queries_does_not_grow_with_the_list(client, people, django_assert_max_num_queries):
    every_state(people)
    signed_in(client, people["manager"])
    client.get("/exclusions/")
    for _ in range(20):
        proposed_and_approved(make.lot(), people)
    with django_assert_max_num_queries(12):
        assert len(client.get("/exclusions/").context["rows"]) == 25


def test_the_pages_of_a_delivery_an_inspection_and_an_order_lead_to_the_form(client, people):
    lot = make.lot()
    delivery, look = make.delivery(lot=lot, line=lot.line), make.inspection(lot=lot)
    signed_in(client, people["buyer"])
    assert f"/exclusions/new/?line={lot.line_id}" in client.get(delivery.get_absolute_url()).content.decode()
    assert f"/exclusions/new/?lot={lot.pk}" in client.get(look.get_absolute_url()).content.decode()
    assert f"/exclusions/new/?line={lot.line_id}" in client.get(lot.line.order.get_absolute_url()).content.decode()
    proposed_and_approved(lot.line, people)
    assert "Counts in no rate: two people set it aside." in client.get(delivery.get_absolute_url()).content.decode()
    signed_in(client, make.user("inspector"))
    assert "/exclusions/new/" not in client.get(delivery.get_absolute_url()).content.decode()


# For ever


def one_in_each_state(people):
    """One exclusion in each state, by what people do."""
    waiting = exclusions.propose(make.line(), people["buyer"], "The forwarder was late")
    approved = proposed_and_approved(make.line(), people)
    declined = exclusions.decline(
        exclusions.propose(make.line(), people["buyer"], "The forwarder was late"), people["manager"], DAY
    )
    withdrawn = exclusions.withdraw(exclusions.propose(make.line(), people["buyer"], "A mistake"), people["buyer"])
    lifted = exclusions.lift(proposed_and_approved(make.line(), people), people["other"], DAY, "It was not late")
    found = [waiting, approved, declined, withdrawn, lifted]
    assert [one.state for one in found] == ["proposed", "approved", "declined", "withdrawn", "lifted"]
    return found


def refused(statement, law):
    with pytest.raises(IntegrityError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert caught.value.__cause__.diag.constraint_name == law, statement


def test_plain_sql_deletes_no_exclusion_whatever_became_of_it(people):
    for one in one_in_each_state(people):
        refused(f"DELETE FROM production_exclusion WHERE id = {one.pk}", "exclusion_is_never_deleted")
        with connection.cursor() as cursor:  # what an import that corrects may do else
            cursor.execute("SELECT set_config('plumbline.correcting', 'on', TRUE)")
            refused(f"DELETE FROM production_exclusion WHERE id = {one.pk}", "exclusion_is_never_deleted")
            cursor.execute("SELECT set_config('plumbline.correcting', 'off', TRUE)")
    assert Exclusion.objects.count() == 5


def test_plain_sql_changes_nothing_of_what_was_decided_and_may_only_lift_it(people):
    _waiting, approved, declined, withdrawn, lifted = one_in_each_state(people)
    for one in (approved, declined, withdrawn, lifted):
        for change in ("reason = 'another'", "evidence = 'another'", "proposed_at = now()"):
            refused(f"UPDATE production_exclusion SET {change} WHERE id = {one.pk}", "exclusion_is_kept")
    for one in (approved, declined, lifted):
        for change in (
            "decision_note = 'another'",
            "decided_on = '2026-11-01'",
            f"decided_by_id = {people['other'].pk}",
        ):
            refused(f"UPDATE production_exclusion SET {change} WHERE id = {one.pk}", "exclusion_is_kept")
    refused(f"UPDATE production_exclusion SET lift_reason = 'another' WHERE id = {lifted.pk}", "exclusion_is_kept")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE production_exclusion SET state = 'lifted', lifted_by_id = %s, lifted_at = now(), lifted_on = %s, "
            "lift_reason = 'It was not late' WHERE id = %s",
            [people["other"].pk, DAY, approved.pk],
        )
        assert cursor.rowcount == 1
