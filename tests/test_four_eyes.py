"""A policy never rewrites what was judged, and where a manager asks for it, it needs a second person."""

import datetime
import re
import threading
import time

import pytest
from django.db import IntegrityError, connection, transaction

from assessments import evaluations, four_eyes, jobs
from assessments.models import Evaluation, FourEyes, Policy
from assessments.views.entrance import today
from production import rollups
from production.errors import BadInput
from production.models import ToJudge
from tests import judged, make

pytestmark = pytest.mark.django_db
DAY = datetime.timedelta(days=1)


@pytest.fixture
def mai():
    return make.user("manager", name="Mai Tran")


@pytest.fixture
def jonas():
    return make.user("admin", name="Jonas Weber")


@pytest.fixture
def on(mai):
    four_eyes.switch_on(mai)


def draft(**fields):
    return Policy(**{"effective_from": today(), "defect_limit": "0.025", "note": "After the trial"} | fields)


def text(response):
    body = response.content.decode().split("<main", 1)[1].split("<footer")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def refused(write):
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        write()
    return caught.value.__cause__.diag.constraint_name


def chosen(factory, day=None):
    return evaluations.Policies().for_whole(factory, day or today())


# Never rewritten


def test_a_policy_cannot_begin_on_a_day_that_was_judged():
    factory = judged.factory("VN-014", late=6)
    judged.judge()
    last = Evaluation.objects.filter(kind="night").latest("as_of").as_of
    for day in (last, last - DAY, make.day("2020-01-01")):
        assert refused(lambda day=day: draft(effective_from=day).save()) == "policy_not_back_dated"
        assert refused(lambda day=day: draft(effective_from=day, factory=factory).save()) == "policy_not_back_dated"
        own = draft(effective_from=day, category=factory.category)
        assert refused(own.save) == "policy_not_back_dated"
    draft(effective_from=last, factory=make.factory()).save()  # of whom nothing was judged
    draft(effective_from=last, category=make.category()).save()
    draft(effective_from=last + DAY).save()


def test_a_version_never_changes_whichever_way_and_is_not_deleted_once_used():
    factory = judged.factory("VN-014", late=6)
    judged.judge()
    used, unused = chosen(factory), draft(effective_from=today() + DAY)
    unused.save()
    for policy in (used, unused):
        rows = Policy.objects.filter(pk=policy.pk)
        for values in (
            {"defect_limit": "0.028"}, {"category": factory.category}, {"factory": factory}, {"window_days": 91},
            {"effective_from": today() + 9 * DAY}, {"effective_from": make.day("1999-01-01")},
        ):  # fmt: skip
            assert refused(lambda rows=rows, values=values: rows.update(**values)) == "policy_values_never_change"
        assert refused(lambda rows=rows: rows.update(state="declined", reason="x")) == "policy_state_stands"
        assert refused(lambda rows=rows: rows.update(state="proposed")) == "policy_state_stands"
    assert refused(lambda: Policy.objects.filter(pk=used.pk).update(state="withdrawn")) == "policy_state_stands"
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        assert "policy_id" in refused(lambda: cursor.execute("DELETE FROM assessments_policy WHERE id = %s", [used.pk]))


def test_a_version_that_has_not_begun_may_be_withdrawn_and_makes_room_for_another(client, mai):
    factory = make.factory()
    policy = four_eyes.store(draft(effective_from=today() + DAY), mai)
    client.force_login(mai)
    assert "Withdraw it" in text(client.get(f"/policies/{policy.pk}/"))
    client.post(f"/policies/{policy.pk}/withdraw/")
    policy.refresh_from_db()
    assert (policy.state, policy.decided_by) == ("withdrawn", mai)
    assert chosen(factory, today() + DAY) == make.shipped_policy()
    again = four_eyes.store(draft(effective_from=today() + DAY, defect_limit="0.02"), mai)
    assert chosen(factory, today() + DAY) == again
    page = client.post(f"/policies/{policy.pk}/withdraw/")
    assert page.status_code == 422
    assert "This was decided before." in text(page)
    begun = client.post(f"/policies/{make.shipped_policy().pk}/withdraw/")
    assert "This version has begun. A change is a new version." in text(begun)


def test_two_default_versions_of_one_day_are_two_of_the_same(mai):
    four_eyes.store(draft(), mai)
    with pytest.raises(BadInput, match="already a version for this scope"):
        four_eyes.store(draft(), mai)


# Proposed


def test_a_proposal_is_never_in_force_and_asks_nobody_to_judge(on, mai, jonas):
    factory = judged.factory("VN-014", late=6)
    judged.judge()
    ToJudge.objects.all().delete()
    before = chosen(factory)
    policy = four_eyes.store(draft(), mai)
    assert policy.state == "proposed"
    assert chosen(factory) == before
    four_eyes.decline(policy.pk, jonas, "Too strict.")
    other = four_eyes.store(draft(), mai)
    four_eyes.withdraw(other.pk, mai, today())
    assert not ToJudge.objects.exists()
    assert chosen(factory) == before
    assert Policy.objects.in_force(today()).first() == before


def test_an_approved_proposal_is_applied_within_the_minute(on, mai, jonas):
    judged.factory("VN-014", late=6)
    rollups.rebuild()
    now = datetime.datetime.now(datetime.UTC)
    jobs.assess(now)
    before = Evaluation.objects.filter(kind="live").latest("pk")
    policy = four_eyes.store(draft(otif_floor="0.3", otif_zero="0.1"), mai)
    jobs.assess(now)
    assert Evaluation.objects.filter(kind="live").latest("pk") == before
    four_eyes.approve(policy.pk, jonas, today())
    jobs.assess(now)
    newest = Evaluation.objects.filter(kind="live").latest("pk")
    assert (newest.policy, newest.revision) == (policy, before.revision + 1)


def test_approved_late_it_begins_on_the_day_of_the_approval(client, on, mai, jonas):
    policy = four_eyes.store(draft(), mai)
    agreed = four_eyes.approve(policy.pk, jonas, today() + 2 * DAY)
    assert (agreed.effective_from, agreed.proposed_from) == (today() + 2 * DAY, today())
    client.force_login(mai)
    assert "begins on the day it was approved" in text(client.get(f"/policies/{policy.pk}/"))
    early = four_eyes.store(draft(effective_from=today() + 9 * DAY), mai)
    assert four_eyes.approve(early.pk, jonas, today()).effective_from == today() + 9 * DAY


def test_approving_cannot_rewrite_a_judged_day_either(on, mai, jonas):
    judged.factory("VN-014", late=6)
    judged.judge()
    policy = draft(effective_from=judged.ago(1), state="proposed", created_by=mai)
    policy.save()
    rows = Policy.objects.filter(pk=policy.pk)
    assert refused(lambda: rows.update(state="agreed", decided_by=jonas)) == "policy_not_back_dated"
    assert four_eyes.approve(policy.pk, jonas, today()).effective_from == today()


def test_nobody_decides_about_an_own_proposal(client, on, mai, jonas):
    policy = four_eyes.store(draft(), mai)
    client.force_login(mai)
    assert "Your decision" not in text(client.get(f"/policies/{policy.pk}/"))
    for move, data in (("approve", {}), ("decline", {"reason": "mine"})):
        page = client.post(f"/policies/{policy.pk}/{move}/", data)
        assert page.status_code == 422
        assert "You proposed it: somebody else decides." in text(page)
    rows = Policy.objects.filter(pk=policy.pk)
    assert refused(lambda: rows.update(state="agreed", decided_by=mai)) == "policy_decided_by_another"
    assert refused(lambda: rows.update(state="agreed")) == "policy_state_stands"
    assert refused(lambda: rows.update(created_by=jonas)) == "policy_values_never_change"
    assert refused(lambda: rows.update(defect_limit="0.02")) == "policy_values_never_change"
    client.force_login(jonas)
    page = client.post(f"/policies/{policy.pk}/withdraw/")
    assert "Only who proposed it takes it back." in text(page)
    rows.get(state="proposed")


def test_nothing_gets_past_the_proposal_while_four_eyes_are_asked_for(on, mai):
    assert refused(lambda: draft(created_by=mai).save()) == "policy_begins_as_a_proposal"
    assert refused(lambda: Policy.objects.bulk_create([draft()])) == "policy_begins_as_a_proposal"


def test_to_take_back_an_agreed_version_needs_two_as_well(client, on, mai, jonas):
    policy = four_eyes.store(draft(effective_from=today() + DAY), mai)
    four_eyes.approve(policy.pk, jonas, today())
    rows = Policy.objects.filter(pk=policy.pk)
    assert refused(lambda: rows.update(state="withdrawn")) == "policy_state_stands"
    client.force_login(mai)
    assert "Withdraw it" not in text(client.get(f"/policies/{policy.pk}/"))
    page = client.post(f"/policies/{policy.pk}/withdraw/")
    assert "needs two persons: propose another version" in text(page)


def test_two_proposals_for_one_day_are_not_both_approved(client, on, mai, jonas):
    first, second = (four_eyes.store(draft(defect_limit=limit), mai) for limit in ("0.02", "0.025"))
    client.force_login(jonas)
    client.post(f"/policies/{first.pk}/approve/")
    page = client.post(f"/policies/{second.pk}/approve/")
    assert page.status_code == 422
    assert "There is already a version for this scope from that day." in text(page)
    second.refresh_from_db()
    assert second.state == "proposed"


@pytest.mark.django_db(transaction=True)
def test_approved_and_declined_at_once_is_one_of_both(mai, jonas):
    four_eyes.switch_on(mai)
    make.shipped_policy()
    third = make.user("manager")
    policy = four_eyes.store(draft(), mai)
    outcomes = []

    def second():
        try:
            four_eyes.decline(policy.pk, third, "No.")
            outcomes.append("declined")
        except BadInput as problem:
            outcomes.append(problem.message)
        finally:
            connection.close()

    with transaction.atomic():
        four_eyes.approve(policy.pk, jonas, today())
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.5)
    thread.join()
    policy.refresh_from_db()
    assert (outcomes, policy.state) == (["This was decided before."], "agreed")


# On the screen


def typed(client, **changes):
    form = client.get("/policies/new/").context["form"]
    return {field.html_name: "" if field.value() is None else str(field.value()) for field in form} | changes


def test_from_the_switch_to_the_approval(client, mai, jonas):
    judged.factory("VN-014", name="Hoa Binh Garment", late=6)
    judged.judge()
    client.force_login(mai)
    assert "One person is enough" in text(client.get("/policies/"))
    client.post("/policies/four-eyes/", {"do": "on"})
    data = typed(client, otif_floor="40", otif_zero="20", otif_target="50", note="Slower sea freight")
    page = client.post("/policies/new/", data | {"do": "check"})
    assert "Propose this version" in page.content.decode()
    saved = client.post("/policies/new/", data | {"do": "save", "checked": page.context["checked"]}, follow=True)
    assert "It counts once somebody else has approved it." in saved.content.decode()
    policy = Policy.objects.latest("pk")
    assert "Waits for approval" in text(client.get("/policies/"))
    assert "waits for your approval" not in text(client.get("/"))
    client.force_login(jonas)
    home = client.get("/")
    assert "A policy waits for your approval: All factories" in text(home)
    assert f"/policies/{policy.pk}/" in home.content.decode()
    page = text(client.get(f"/policies/{policy.pk}/"))
    assert "On time in full: Floor 90% 40%" in page
    assert "1 factory of 1 would have had another grade" in page, "what it would have changed is shown before approving"
    assert client.post(f"/policies/{policy.pk}/decline/", {"reason": " "}).status_code == 422
    client.post(f"/policies/{policy.pk}/approve/")
    page = text(client.get(f"/policies/{policy.pk}/"))
    assert "In force" in page
    assert "Approved by Jonas Weber" in page
    assert "waits for your approval" not in text(client.get("/"))


def test_a_declined_proposal_says_why(client, on, mai, jonas):
    policy = four_eyes.store(draft(), mai)
    client.force_login(jonas)
    client.post(f"/policies/{policy.pk}/decline/", {"reason": "Wait for the audit."})
    client.force_login(mai)
    page = text(client.get(f"/policies/{policy.pk}/"))
    assert "Declined by Jonas Weber" in page
    assert "Wait for the audit." in page
    assert "Declined" in text(client.get("/policies/"))


def test_the_list_marks_what_is_in_force_whatever_was_proposed(client, on, mai, jonas):
    four_eyes.store(draft(), mai)
    four_eyes.withdraw(four_eyes.store(draft(), mai).pk, mai, today())
    client.force_login(mai)
    rows = client.get("/policies/").context["groups"][0]["rows"]
    assert [row["word"] for row in rows] == ["Withdrawn", "Waits for approval", "In force"]
    assert client.get("/policies/new/").context["form"]["defect_limit"].value() == "3", "what is in force, not 2.5"


def test_two_switch_it_off(client, mai, jonas):
    client.force_login(mai)
    client.post("/policies/four-eyes/", {"do": "ask_off"})
    assert not four_eyes.setting().is_on
    client.post("/policies/four-eyes/", {"do": "on"})
    page = client.post("/policies/four-eyes/", {"do": "agree_off"}, follow=True)
    assert "Nobody has asked to switch it off." in page.content.decode()
    client.post("/policies/four-eyes/", {"do": "ask_off"})
    page = client.post("/policies/four-eyes/", {"do": "agree_off"}, follow=True)
    assert "You asked for it: somebody else agrees." in page.content.decode()
    for values in ({}, {"changed_by": jonas, "off_asked_by": None}, {"off_asked_by": jonas, "changed_by": mai}):
        assert refused(lambda values=values: FourEyes.objects.update(is_on=False, **values)).startswith("four_eyes_off")
    assert four_eyes.setting().is_on
    client.force_login(jonas)
    assert "Shall policies need one person only?" in text(client.get("/"))
    client.post("/policies/four-eyes/", {"do": "keep_on"})
    assert four_eyes.setting().off_asked_by is None
    client.post("/policies/four-eyes/", {"do": "ask_off"})
    client.force_login(mai)
    client.post("/policies/four-eyes/", {"do": "agree_off"})
    found = four_eyes.setting()
    assert (found.is_on, found.off_asked_by, found.changed_by) == (False, jonas, mai)
    assert four_eyes.store(draft(), mai).state == "agreed"
    history = FourEyes.objects.get().events.order_by("pgh_id").values_list("is_on", flat=True)
    assert list(history)[-1] is False
    assert True in history
    client.post("/policies/four-eyes/", {"do": "nonsense"})
    assert client.post("/policies/four-eyes/").status_code == 302


def test_it_is_not_deleted_while_it_is_on(on):
    with pytest.raises(Exception, match="Cannot delete rows"), transaction.atomic():
        FourEyes.objects.all().delete()
