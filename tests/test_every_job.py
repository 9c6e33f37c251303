"""Every job may run twice, and with nothing to do; a job that is not in the table here fails."""

import datetime

import pytest
from django.apps import apps
from django.conf import settings
from django.core import mail
from pghistory.models import Event

from assessments.models import Breach, Evaluation, JobSlot, Watch
from config.celery import app
from notifications import outbox
from notifications.models import Message
from production.models import FactoryDay, Touched
from tests import make

OURS = ("accounts.", "factories.", "production.", "assessments.", "notifications.")
MOMENTS = {"notifications.heartbeat": "at"}  # what each run may write anew


def today():
    return datetime.datetime.now(datetime.UTC).date()


def days_ago(number):
    return today() - datetime.timedelta(days=number)


def a_bad_lot_and_an_order_that_never_came():
    """Marks that nobody has worked off, and a manager who wants to know."""
    make.shipped_policy()
    Watch.objects.create(user=make.user("manager"))
    order = make.order(factory=make.factory(time_zone="UTC"))
    line = make.line(1000, order=order, committed_on=days_ago(10))
    make.delivery(400, line=line, received_on=days_ago(1), lot=(lot := make.lot(line=line)))
    make.inspection(lot=lot, inspected_on=days_ago(1), inspected=125, major=30)


def a_mail_is_owed():
    outbox.owe(make.user(), "test", "1", "Hello", "There is something.")


def marks_were_worked_off():
    assert not Touched.objects.exists()
    assert FactoryDay.objects.exists()
    assert Evaluation.objects.filter(kind="live").count() == 1
    assert list(Breach.objects.values_list("measure", flat=True)) == ["defect"]
    assert Message.objects.count() == 1


def the_night_was_judged():
    assert set(JobSlot.objects.values_list("job", flat=True)) >= {"night", "month"}
    assert Evaluation.objects.filter(kind="night", as_of=days_ago(1)).exists()
    assert Breach.objects.filter(event="late_order").count() == 1
    assert Message.objects.count() == 2, "the bad lot and the late order"


def the_mail_is_out():
    assert [sent.subject for sent in mail.outbox] == ["Hello"]
    assert Message.objects.get().state == "sent"


# task: the world in which it has work to do, and what is so afterwards
JOBS = {
    "assessments.tasks.assess": (a_bad_lot_and_an_order_that_never_came, marks_were_worked_off),
    "assessments.tasks.night": (a_bad_lot_and_an_order_that_never_came, the_night_was_judged),
    "notifications.tasks.send_due": (a_mail_is_owed, the_mail_is_out),
}


def registered():
    app.loader.import_default_modules()
    return {name for name in app.tasks if name.startswith(OURS)}


def everything():
    """Every row of every table of ours, but for the moments that each run writes; event tables by their number of rows."""
    found = {}
    for model in apps.get_models():
        label = model._meta.label_lower
        if not label.startswith(OURS) or model._meta.proxy:
            continue
        if issubclass(model, Event):
            found[label] = model.objects.count()
            continue
        skipped = MOMENTS.get(label)
        names = [field.attname for field in model._meta.concrete_fields if field.name != skipped]
        found[label] = sorted(map(str, model._base_manager.values_list(*names)))
    return found


def run(name):
    app.loader.import_default_modules()
    app.tasks[name].apply(throw=True)


@pytest.fixture
def mailbox(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def test_every_job_is_in_the_table_and_rung_by_the_clock():
    assert registered() == JOBS.keys(), "a new job needs a world here, in which it has work to do"
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} == JOBS.keys(), "nobody rings for it"


def test_no_ring_outlives_the_next_one():
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        assert entry["options"]["expires"] <= entry["schedule"], "rings would pile up while no worker listens"
        assert not entry.get("args"), "what is due stands in the database"
        assert not entry.get("kwargs")


@pytest.mark.django_db
@pytest.mark.parametrize("name", JOBS)
def test_a_job_run_twice_leaves_what_it_left_once(name, mailbox):
    world, done = JOBS[name]
    world()
    before = everything()
    run(name)
    done()
    once = everything()
    assert once != before
    run(name)
    run(name)
    assert everything() == once
    done()


@pytest.mark.django_db
@pytest.mark.parametrize("name", JOBS)
def test_a_job_with_nothing_to_do_does_nothing(name, mailbox):
    run(name)
    found = {label: rows for label, rows in everything().items() if rows}
    assert found.keys() <= {
        "assessments.policy", "assessments.policyevent", "assessments.gradeconsequence", "assessments.gradeconsequenceevent",
        "notifications.heartbeat", "assessments.jobslot", "production.milestonetemplate", "production.milestonetemplateevent",
    }  # fmt: skip
    assert mail.outbox == []
    run(name)
    assert {label: rows for label, rows in everything().items() if rows} == found


@pytest.mark.django_db
@pytest.mark.parametrize("order", [list(JOBS), list(reversed(JOBS))], ids=["forwards", "backwards"])
def test_all_jobs_in_either_order_leave_the_same(order, mailbox):
    a_bad_lot_and_an_order_that_never_came()
    for name in order + order:
        run(name)
    found = Breach.objects.values_list("event", "measure", "severity", "state").order_by("event")
    assert list(found) == [("late_order", "otif", "breach", "open"), ("rate", "defect", "breach", "open")]
    assert list(Message.objects.values_list("state", flat=True)) == ["sent", "sent"]
