"""What factories are asked to do better: plans that a grade owes, corrections, answers, and what is overdue."""

import datetime

import pytest
from django.utils import timezone

from assessments import actions, consequences
from assessments.models import Action, GradeConsequence, Watch
from factories.models import Standing
from notifications.models import Message
from production import permission
from production.errors import BadInput
from tests import judged, make

pytestmark = pytest.mark.django_db
SOON = timezone.localdate() + datetime.timedelta(days=10)


@pytest.fixture
def factory():
    return make.factory(code="VN-914", name="Hoa Binh Garment")


@pytest.fixture
def manager():
    return make.user("manager")


@pytest.fixture
def contact(factory):
    return make.user("contact", factory=factory)


def owing(factory):
    """The factory bears a grade that owes a plan."""
    GradeConsequence.objects.filter(grade="not_rated").update(needs_plan=True)
    consequences.apply([factory.pk])
    return Action.objects.get(factory=factory)


def test_a_grade_that_owes_a_plan_asks_for_it_once_and_tells_the_factory(factory, contact):
    plan = owing(factory)
    consequences.apply([factory.pk])
    consequences.apply()
    assert Action.objects.get() == plan
    assert plan.due_on - timezone.localdate() == datetime.timedelta(days=actions.PLAN_DAYS)
    message = Message.objects.get()
    assert message.recipient == contact
    assert message.subject == "[Please do] Improvement plan, Hoa Binh Garment"
    assert plan.get_absolute_url() in message.text


def test_a_grade_that_owes_nothing_asks_for_nothing(factory):
    consequences.apply([factory.pk])
    assert not Action.objects.exists()


def test_asking_costs_the_same_for_one_factory_and_for_twenty(factory, django_assert_num_queries):
    GradeConsequence.objects.filter(grade="not_rated").update(needs_plan=True)
    with django_assert_num_queries(5):
        consequences.apply([factory.pk])
    more = [make.factory().pk for _ in range(20)]
    with django_assert_num_queries(5):
        consequences.apply(more)
    assert Action.objects.count() == 21


def test_an_overdue_plan_warns_whoever_places_an_order_until_it_is_answered(factory, manager, contact):
    plan = owing(factory)
    day = timezone.localdate()

    def warns():
        decision = permission.may_order(Standing.objects.get(factory=factory), [], {}, {}, day)
        return any("improvement plan was due" in reason for reason in decision.reasons)

    assert not warns()
    Action.objects.filter(pk=plan.pk).update(due_on=day - datetime.timedelta(days=1))
    actions.sync_standings([factory.pk])
    assert warns()
    assert actions.move(plan, "answer", contact, "A second line checks every seam")
    assert not warns()
    assert actions.move(plan, "return", manager, "Which line?")
    assert warns()


def test_a_correction_is_asked_answered_and_confirmed(factory, manager, contact):
    Watch.objects.create(user=manager, factory=factory)
    action = actions.ask(factory, manager, "Needle log", SOON, "For two weeks")
    assert actions.move(action, "answer", contact, "The log is at line 4")
    assert actions.move(action, "confirm", manager)
    assert action.state == "done"
    assert [step.what for step in action.steps.all()] == ["asked", "answer", "confirm"]
    told = list(Message.objects.order_by("pk").values_list("recipient", flat=True))
    assert told == [contact.pk, manager.pk, contact.pk]


def test_words_are_needed_where_somebody_has_to_understand(factory, manager, contact):
    action = actions.ask(factory, manager, "Needle log", SOON)
    with pytest.raises(BadInput, match="what was done"):
        actions.move(action, "answer", contact, " ")
    with pytest.raises(BadInput, match="Say why"):
        actions.move(action, "drop", manager)
    with pytest.raises(BadInput, match="in the past"):
        actions.ask(factory, manager, "Needle log", datetime.date(2020, 1, 1))
    with pytest.raises(BadInput, match="two years"):
        actions.ask(factory, manager, "Needle log", datetime.date(2049, 1, 1))


def test_who_moves_it_second_changes_nothing(factory, manager, contact):
    action = actions.ask(factory, manager, "Needle log", SOON)
    assert actions.move(action, "drop", manager, "Not needed")
    assert not actions.move(Action.objects.get(), "answer", contact, "Done")
    assert Action.objects.get().state == "dropped"


def test_the_whole_way_by_form(client, factory, manager, contact):
    client.force_login(manager)
    page = client.post("/factories/VN-914/actions/new/", {"title": "Needle log", "text": "Two weeks", "due_on": SOON})
    action = Action.objects.get()
    assert page["Location"] == action.get_absolute_url()
    client.force_login(contact)
    assert "Needle log" in client.get("/actions/").content.decode()
    refused = client.post(f"{action.get_absolute_url()}answer/", {"answer-note": ""})
    assert refused.status_code == 422
    client.post(f"{action.get_absolute_url()}answer/", {"answer-note": "The log is at line 4"})
    assert client.post(f"{action.get_absolute_url()}drop/", {"drop-note": "x"}).status_code == 403
    client.force_login(manager)
    listed = client.get("/actions/?state=answered").content.decode()
    assert "Needle log" in listed
    assert "To be checked" in listed
    client.post(f"{action.get_absolute_url()}confirm/", {})
    assert Action.objects.get().state == "done"
    rows = client.get("/actions/?state=all&format=csv").content.decode().splitlines()
    assert rows[1].startswith(f"{action.code},Done,VN-914,Needle log,{SOON}")


@pytest.mark.parametrize("data", [{}, {"title": "x", "due_on": "2020-01-01"}, {"title": "x" * 200, "due_on": "soon"}])
def test_a_form_that_cannot_be_taken_says_why_and_keeps_what_was_typed(client, factory, manager, data):
    client.force_login(manager)
    page = client.post("/factories/VN-914/actions/new/", data)
    assert page.status_code == 422
    assert not Action.objects.exists()


def test_a_contact_reads_no_name_of_ours_and_nothing_of_another_factory(client, factory, manager, contact):
    manager.name = "Secret Name"
    manager.save()
    action = actions.ask(factory, manager, "Needle log", SOON)
    other = actions.ask(make.factory(), manager, "Other", SOON)
    client.force_login(contact)
    page = client.get(action.get_absolute_url()).content.decode()
    assert "by the seller" in page
    assert "Secret Name" not in page
    assert client.get(other.get_absolute_url()).status_code == 404
    assert "Other" not in client.get("/actions/").content.decode()


def test_the_list_costs_the_same_for_two_rows_and_forty(client, factory, manager, django_assert_num_queries):
    client.force_login(manager)
    actions.ask(factory, manager, "One", SOON)
    client.get("/actions/")
    with django_assert_num_queries(4):
        client.get("/actions/")
    for _ in range(39):
        actions.ask(make.factory(), manager, "More", SOON)
    with django_assert_num_queries(4):
        client.get("/actions/")


def test_a_run_computes_again_to_the_same_and_can_be_taken_away(client, manager):
    made = judged.factory("VN-020", late=6, defective=9)
    judged.judge()
    evaluation = made.evaluations.latest("pk")
    client.force_login(manager)
    page = client.get(f"/runs/{evaluation.pk}/").content.decode()
    assert "Computes to the same" in page
    assert evaluation.digest in page
    stored = client.get(f"/runs/{evaluation.pk}/?format=json").json()
    assert stored["sums"] == evaluation.sums
    assert stored["measures"] == evaluation.measures
    assert stored["policy"]["defect_limit"] == str(evaluation.policy.defect_limit)
