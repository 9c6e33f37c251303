"""The jobs are doorbells: run twice, late, never, or in parallel, the end state is the same."""

import datetime
import io
import threading
import time
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from assessments import breaches, evaluations, jobs, messages, verification
from assessments.models import Breach, BreachStep, Evaluation, JobSlot, Policy, Watch
from notifications.models import Heartbeat, Message
from production import rollups
from production.models import Delivery, FactoryDay, Inspection, ToJudge, Touched
from tests import judged, make

UTC = datetime.UTC


def at(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)


def state():
    """What stands after the jobs: evaluations, breaches and messages, without ids and moments."""
    return (
        sorted(Evaluation.objects.values_list("factory__code", "kind", "as_of", "revision", "raw_grade", "digest")),
        sorted(Breach.objects.values_list("factory__code", "event", "measure", "severity", "state", "opened_on")),
        sorted(Message.objects.values_list("recipient__email", "subject")),
        Touched.objects.count(),
    )


@pytest.fixture
def company(db):
    """One factory with a watching manager, a bad lot today and a line that never came."""
    manager = make.user("manager", email="mai@example.com")
    Watch.objects.create(user=manager)
    factory = make.factory(code="VN-014", name="Hoa Binh Garment", time_zone="UTC")
    order = make.order(factory=factory, number="PO-2391")
    line = make.line(1200, order=order, committed_on=make.day("2026-11-20"))
    make.delivery(400, line=line, received_on=make.day("2026-11-22"), lot=(lot := make.lot(line=line)))
    make.inspection(lot=lot, inspected_on=make.day("2026-11-22"), inspected=125, major=20, verdict="rejected")
    return factory


def the_minutes_and_the_night():
    jobs.assess(at("2026-11-22T10:00"))
    jobs.night(at("2026-11-23T00:05"))


@pytest.mark.django_db
def test_a_bad_inspection_breaches_within_the_minute_and_the_late_order_at_night(company):
    jobs.assess(at("2026-11-22T10:00"))
    live = Evaluation.objects.get(kind="live")
    assert (live.as_of, live.measures["defect"]["status"]) == (make.day("2026-11-22"), "breach")
    assert [breach.measure for breach in Breach.objects.all()] == ["defect"]
    assert Message.objects.get().subject == "[Beyond limit] Hoa Binh Garment: defect rate 16.00%, ceiling 3.00%"
    jobs.night(at("2026-11-23T00:05"))
    late = Breach.objects.get(event="late_order")
    assert (late.order.number, late.opened_on) == ("PO-2391", make.day("2026-11-21"))
    assert Message.objects.count() == 2


@pytest.mark.django_db
def test_the_message_names_what_was_found_and_where_its_rows_are(company):
    the_minutes_and_the_night()
    text = Message.objects.get(subject__contains="defect rate").text
    assert "20 of 125 inspected units in 1 lots were defective" in text.replace("1 lot ", "1 lots ")
    assert "/factories/VN-014/score/2026-11-22/defect/" in text
    assert "/breaches/B-" in text


@pytest.mark.django_db
def test_jobs_run_twice_leave_the_same_state_as_once(company):
    the_minutes_and_the_night()
    once = state()
    the_minutes_and_the_night()
    the_minutes_and_the_night()
    assert state() == once
    jobs_done = sorted(JobSlot.objects.values_list("job", flat=True))
    assert jobs_done == ["month"] + ["month part"] * 4 + ["night"] + ["night part"] * 4 + ["verify"]


@pytest.mark.django_db
def test_a_job_that_came_late_finds_the_same(company):
    with transaction.atomic():
        the_minutes_and_the_night()
        in_time = state()
        transaction.set_rollback(True)
    jobs.assess(at("2026-11-22T23:50"))
    jobs.night(at("2026-11-23T11:00"))
    assert state() == in_time


@pytest.mark.django_db
def test_nights_that_never_ran_are_caught_up_one_by_one(company):
    jobs.assess(at("2026-11-22T10:00"))
    jobs.night(at("2026-11-23T00:05"))
    assert jobs.night(at("2026-11-26T09:00")) == [
        "night 2026-11-23", "night 2026-11-24", "night 2026-11-25", "verify 2026-11-25",
    ]  # fmt: skip
    assert jobs.night(at("2026-11-26T09:05")) == []


@pytest.mark.django_db
def test_a_month_is_judged_once_it_is_over_and_missed_months_are_caught_up(company):
    assert "month 2026-10" in jobs.night(at("2026-11-23T00:05"))
    assert [slot for slot in jobs.night(at("2027-01-02T00:05")) if "month" in slot] == [
        "month 2026-11",
        "month 2026-12",
    ]
    published = Evaluation.objects.filter(kind="month").order_by("as_of").values_list("as_of", "published_grade")
    assert [(str(day), grade) for day, grade in published] == [
        ("2026-10-31", "not_rated"), ("2026-11-30", "not_rated"), ("2026-12-31", "not_rated"),
    ]  # fmt: skip


@pytest.mark.django_db
def test_no_touched_row_means_no_evaluation_and_still_a_heartbeat(company):
    jobs.assess(at("2026-11-22T10:00"))
    before = Evaluation.objects.count()
    assert jobs.assess(at("2026-11-22T10:01")) == 0
    assert Evaluation.objects.count() == before
    assert Heartbeat.objects.filter(name="evaluator").exists()


@pytest.mark.django_db
def test_a_late_fact_makes_a_revision_and_leaves_the_published_grade(company):
    for number in range(6):
        line = make.line(100, order=make.order(factory=company), committed_on=make.day("2026-10-05"))
        make.delivery(100, line=line, received_on=make.day("2026-10-05"), lot=(lot := make.lot(line=line)))
        make.inspection(lot=lot, inspected_on=make.day("2026-10-05"), inspected=80, minor=number)
    the_minutes_and_the_night()
    first = Evaluation.objects.get(kind="month", revision=1)
    assert first.published_grade == "excellent"
    Inspection.objects.filter(lot__line__order__factory=company, inspected_on=make.day("2026-10-05")).update(
        units_major=40
    )
    jobs.assess(at("2026-11-23T10:00"))
    second = Evaluation.objects.get(kind="month", revision=2)
    assert (second.raw_grade, second.published_grade) == ("failing", "excellent")
    first.refresh_from_db()
    assert first.raw_grade == "excellent"


@pytest.mark.django_db
def test_a_night_closed_after_today_was_judged_does_not_bring_its_older_figures_back(company):
    jobs.assess(at("2026-11-22T10:00"))
    jobs.night(at("2026-11-23T00:05"))
    Inspection.objects.update(units_major=15)
    jobs.assess(at("2026-11-24T00:01"))  # the day is over, and its night not closed yet
    today = Evaluation.objects.filter(kind="live").latest("pk")
    jobs.night(at("2026-11-24T00:05"))
    breach = Breach.objects.get(measure="defect")
    assert (today.as_of, breach.latest, breach.value) == (make.day("2026-11-24"), today, Decimal("0.12"))
    assert breach.stepped_on == make.day("2026-11-23"), "the night counted all the same"


@pytest.mark.django_db
def test_an_evaluation_cannot_be_changed(company):
    jobs.assess(at("2026-11-22T10:00"))
    with pytest.raises(Exception, match="Cannot update rows"), transaction.atomic():
        Evaluation.objects.update(score=100)


@pytest.mark.django_db
def test_watch_opens_on_its_second_night_in_a_row(company):
    Breach.objects.all().delete()
    Inspection.objects.update(units_major=5)  # 4 %: above the ceiling of 3 %, not proven
    for day in ("2026-11-23T00:05", "2026-11-24T00:05"):
        assert not Breach.objects.filter(measure="defect").exists()
        jobs.night(at(day))
    breach = Breach.objects.get(measure="defect")
    assert (breach.severity, breach.opened_on) == ("watch", make.day("2026-11-23"))


@pytest.mark.django_db
def test_bad_lots_that_only_age_out_of_the_window_are_no_recovery(company):
    the_minutes_and_the_night()
    breach = Breach.objects.get(measure="defect")
    for n in range(100):
        evaluations_ids = evaluations.evaluate_night(make.day("2026-11-23") + datetime.timedelta(days=n))
        breaches.review(evaluations_ids, on=make.day("2026-11-23") + datetime.timedelta(days=n), night=True)
        breach.refresh_from_db()
        if n < 88:
            assert breach.state == "open", "no new evidence, so it stays"
    assert breach.state == "resolved", "stale after ninety days without data"


@pytest.mark.django_db
def test_three_clear_nights_with_new_evidence_resolve_a_breach(company):
    the_minutes_and_the_night()
    for n in range(1, 5):
        day = make.day("2026-11-22") + datetime.timedelta(days=n)
        line = make.line(100, order=make.order(factory=company), committed_on=make.day("2026-12-30"))
        for _ in range(6):
            make.inspection(lot=make.lot(line=line), inspected_on=day, inspected=315, major=0)
        jobs.night(at(f"{day + datetime.timedelta(days=1)}T00:05"))
    breach = Breach.objects.get(measure="defect")
    assert (breach.state, breach.ok_streak, breach.resolved_on) == ("resolved", 3, make.day("2026-11-25"))
    assert list(breach.steps.values_list("what", flat=True)) == ["opened", "resolved"]


@pytest.mark.django_db
def test_somebody_who_acknowledges_second_changes_nothing(company):
    jobs.assess(at("2026-11-22T10:00"))
    breach, first, second = Breach.objects.get(), make.user("buyer"), make.user("buyer")
    assert breaches.acknowledge(breach, first, "on it", make.day("2026-11-22"))
    assert not breaches.acknowledge(Breach.objects.get(), second, "me too", make.day("2026-11-22"))
    assert Breach.objects.get().acknowledged_by == first
    assert BreachStep.objects.filter(what="acknowledged").count() == 1


@pytest.mark.django_db
def test_five_hundred_broken_limits_at_once_are_one_mail():
    Watch.objects.create(user=make.user("manager"))
    factory = make.factory()
    for _ in range(12):
        make.line(10, order=make.order(factory=factory), committed_on=make.day("2026-11-10"))
    jobs.night(at("2026-11-23T00:05"))
    assert Breach.objects.filter(event="late_order").count() == 12
    assert Message.objects.get().kind == "breach_list"


def queries_of_a_night(factories, django_assert_max_num_queries):
    for _ in range(factories):
        line = make.line(10, committed_on=make.day("2026-11-10"))
        make.delivery(5, line=line, lot=make.lot(line=line), received_on=make.day("2026-11-12"))
    with django_assert_max_num_queries(200) as captured:
        jobs.night(at("2026-11-23T00:05"))
    return len(captured)


@pytest.mark.django_db
def test_the_statements_of_a_night_do_not_grow_with_the_factories(django_assert_max_num_queries):
    found = []
    for factories in (4, 12):  # one in each part at least
        with transaction.atomic():
            found.append(queries_of_a_night(factories, django_assert_max_num_queries))
            transaction.set_rollback(True)
    assert found[0] == found[1]


@pytest.mark.django_db
def test_the_statements_of_a_quiet_night_do_not_grow_with_what_was_judged_before(
    company, django_assert_max_num_queries
):
    def of_a_quiet_night():
        with django_assert_max_num_queries(20) as captured:
            assert jobs.night(at("2026-12-02T00:10")) == []
        return len(captured)

    jobs.night(at("2026-12-02T00:05"))
    before = of_a_quiet_night()
    for number in range(30):
        evaluations.evaluate_night(make.day("2026-10-01") + datetime.timedelta(days=number))
        JobSlot.objects.create(job="night", slot=f"2026-10-{number + 1:02}", finished_at=at("2026-11-01T00:00"))
    assert of_a_quiet_night() == before


@pytest.mark.django_db(transaction=True)
def test_jobs_that_run_in_parallel_leave_the_state_of_one():
    Watch.objects.create(user=make.user("manager"))
    factory = make.factory()
    line = make.line(10, order=make.order(factory=factory), committed_on=make.day("2026-11-10"))
    make.delivery(10, line=line, received_on=make.day("2026-11-20"))
    errors = []

    def run():
        try:
            for _ in range(3):
                the_minutes_and_the_night()
        except Exception as problem:
            errors.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert Evaluation.objects.filter(kind="night").count() == 1
    assert Breach.objects.filter(event="late_order").count() == 1
    assert Message.objects.count() == 1


@pytest.mark.kill
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_in_the_middle_of_judging_loses_nothing(celery_worker_process):
    from config.celery import app  # noqa: PLC0415  the application that the worker under test listens to

    Watch.objects.create(user=make.user("manager"))
    line = make.line(10, committed_on=make.day("2026-11-10"))
    make.delivery(10, line=line, lot=(lot := make.lot(line=line)))
    make.inspection(lot=lot, inspected=100, major=50, inspected_on=datetime.datetime.now(UTC).date())
    worker = celery_worker_process()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "LOCK TABLE assessments_breach IN ACCESS EXCLUSIVE MODE"
        )  # it stops between evaluation and breach
        app.send_task("assessments.tasks.assess")
        wait_until(lambda: sleeping_on_the_lock() > 0)
        worker.kill()
    assert FactoryDay.objects.exists(), "the sums stand"
    assert ToJudge.objects.exists(), "and what is owed for them"
    assert not Evaluation.objects.exists()
    celery_worker_process()
    app.send_task("assessments.tasks.assess")
    wait_until(lambda: Breach.objects.exists())
    assert Message.objects.filter(kind="breach_opened").count() == 1
    assert Evaluation.objects.filter(kind="live").count() == 1
    assert not Touched.objects.exists()
    assert not ToJudge.objects.exists()


def sleeping_on_the_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'assessments_breach'::regclass")
        return cursor.fetchone()[0]


def wait_until(happened, seconds=30):
    give_up = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.django_db
def test_what_is_deleted_is_judged_again(company):
    jobs.assess(at("2026-11-22T10:00"))
    Inspection.objects.all().delete()
    Delivery.objects.all().delete()
    jobs.assess(at("2026-11-22T10:01"))
    newest = Evaluation.objects.filter(kind="live").order_by("-revision").first()
    assert (newest.revision, newest.measures["defect"]["status"]) == (2, "no_data")
    assert newest.measures["defect"]["rate"] is None


@pytest.mark.django_db
def test_every_stored_evaluation_computes_to_what_it_says(company):
    the_minutes_and_the_night()
    evaluations_stored = Evaluation.objects.select_related("factory__category", "category")
    assert evaluations_stored.count() == 3
    assert verification.verify(evaluations_stored) == []


@pytest.mark.django_db
def test_a_stored_number_that_was_tampered_with_is_found_and_the_administrators_are_told(company):
    admin = make.user("admin")
    the_minutes_and_the_night()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE assessments_evaluation DISABLE TRIGGER USER")
        cursor.execute("""UPDATE assessments_evaluation SET sums = jsonb_set(sums, '{units_major}', '3')""")
        cursor.execute("ALTER TABLE assessments_evaluation ENABLE TRIGGER USER")
    assert {difference.what for difference in verification.verify(Evaluation.objects.all())} >= {"measures", "sums"}
    for day in range(50):  # the sample goes round in fifty days
        problems = verification.verify_night(make.day("2026-11-23") + datetime.timedelta(days=day))
        if problems:
            break
    messages.alarm(make.day("2026-11-23"), problems)
    assert Message.objects.get(recipient=admin).subject.startswith("[Check failed]")


@pytest.mark.django_db
@pytest.mark.parametrize("first", ["the night", "an import or a repair"])
def test_what_somebody_else_rebuilt_is_still_judged(company, first):
    if first == "the night":
        jobs.night(at("2026-11-22T09:59"))
    else:
        rollups.rebuild()
    assert not Touched.objects.exists()
    jobs.assess(at("2026-11-22T10:00"))
    assert Evaluation.objects.get(kind="live").measures["defect"]["num"] == 20
    assert Breach.objects.filter(measure="defect", event="rate").exists()
    assert not ToJudge.objects.exists()


@pytest.mark.django_db
def test_a_policy_from_today_is_applied_within_the_minute(company):
    today = datetime.datetime.now(UTC)
    jobs.assess(today)
    before = Evaluation.objects.filter(kind="live").order_by("-pk").first()
    policy = Policy.objects.create(effective_from=today.date(), defect_limit="0.25", defect_zero="0.5")
    jobs.assess(today)
    newest = Evaluation.objects.filter(kind="live").order_by("-pk").first()
    assert (newest.policy, newest.revision) == (policy, before.revision + 1)


@pytest.mark.django_db
def test_an_order_is_not_late_while_its_last_day_still_runs_at_the_receiving_site():
    site = make.site(time_zone="America/Los_Angeles")
    make.line(10, committed_on=make.day("2026-11-22"), site=site)
    jobs.night(at("2026-11-23T00:05"))  # 16:05 of the 22nd in Los Angeles
    assert not Breach.objects.filter(event="late_order").exists()
    jobs.night(at("2026-11-24T00:05"))
    assert Breach.objects.get(event="late_order").opened_on == make.day("2026-11-23")


def a_late_line():
    """A factory of its own with an order that never came."""
    return make.line(10, order=make.order(factory=make.factory(time_zone="UTC")), committed_on=make.day("2026-11-10"))


def in_thread(work, errors):
    def run():
        try:
            work()
        except Exception as problem:
            errors.append(problem)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture
def slow_review(monkeypatch):
    """The first review of breaches stops, with its evaluations written and not committed, until it is told to go on."""
    reached, go_on, review = threading.Event(), threading.Event(), breaches.review_made

    def slow(*arguments, **options):
        if not reached.is_set():
            reached.set()
            assert go_on.wait(30)
        return review(*arguments, **options)

    monkeypatch.setattr(breaches, "review_made", slow)
    return reached, go_on


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("protected", [True, False])
def test_a_fact_that_comes_while_the_night_judges_is_in_the_night_afterwards(monkeypatch, protected):
    if not protected:  # the twin: the minute finds no night to judge again yet, and the night never hears of the fact

        def look(where="TRUE", values=()):
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT id FROM factories_factory WHERE {where}", values)
                return [row[0] for row in cursor.fetchall()]

        monkeypatch.setattr(jobs, "_hold", look)
    reached, go_on, errors, evaluate_night = threading.Event(), threading.Event(), [], evaluations.evaluate_night

    def slow(*arguments):
        made = evaluate_night(*arguments)
        if made and not reached.is_set():
            reached.set()
            assert go_on.wait(30)
        return made

    monkeypatch.setattr(evaluations, "evaluate_night", slow)
    line = a_late_line()
    first = in_thread(lambda: jobs.night(at("2026-11-23T00:05")), errors)
    assert reached.wait(30)
    make.delivery(10, line=line, received_on=make.day("2026-11-10"))
    jobs.assess(at("2026-11-23T00:06"))
    assert ToJudge.objects.exists() == protected, "the factory is in the hands of the night"
    go_on.set()
    first.join(30)
    assert errors == []
    jobs.assess(at("2026-11-23T00:07"))
    newest = Evaluation.objects.filter(kind="night").order_by("-revision").first()
    assert newest.measures["otif"]["num"] == (1 if protected else 0)


@pytest.mark.django_db(transaction=True)
def test_while_one_worker_judges_some_factories_another_judges_the_others(slow_review, monkeypatch):
    monkeypatch.setattr(jobs, "JUDGED_AT_ONCE", 1)
    reached, go_on = slow_review
    errors, called = [], []
    lines = [a_late_line() for _ in range(3)]
    first = in_thread(lambda: jobs.assess(at("2026-11-22T10:00"), called.append), errors)
    assert reached.wait(30)
    assert called == [2], "for three factories, one at a time, two more workers are of use"
    jobs.assess(at("2026-11-22T10:00"))
    judged = set(Evaluation.objects.filter(kind="live").values_list("factory_id", flat=True))
    assert judged == {line.factory_id for line in lines[1:]}
    go_on.set()
    first.join(30)
    assert errors == []
    assert Evaluation.objects.filter(kind="live").count() == 3
    assert not ToJudge.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_night_is_closed_by_whoever_finds_every_part_of_it_judged(monkeypatch):
    lines = [a_late_line() for _ in range(8)]
    reached, go_on, errors, called, mine = threading.Event(), threading.Event(), [], [], threading.get_ident()
    evaluate_night = evaluations.evaluate_night

    def slow(*arguments):
        if threading.get_ident() != mine and not reached.is_set():
            reached.set()
            assert go_on.wait(30)
        return evaluate_night(*arguments)

    monkeypatch.setattr(evaluations, "evaluate_night", slow)
    first = in_thread(lambda: jobs.night(at("2026-11-23T00:05"), called.append), errors)
    assert reached.wait(30)
    assert called == [3], "with the one that came by the clock not more than five messages"
    assert jobs.night(at("2026-11-23T00:05")) == ["month 2026-10"], "one part is in the hands of the other"
    assert Evaluation.objects.filter(kind="night").count() == 6
    assert not Breach.objects.exists()
    go_on.set()
    first.join(30)
    assert errors == []
    assert Evaluation.objects.filter(kind="night").count() == len(lines)
    assert Breach.objects.filter(event="late_order").count() == len(lines)
    assert jobs.night(at("2026-11-23T00:10")) == []


@pytest.mark.django_db
def test_a_published_grade_that_does_not_follow_from_the_months_before_is_found():
    factory = judged.factory("GOOD-1", late=1)
    judged.judge(months=3)
    months = Evaluation.objects.filter(factory=factory, kind="month").order_by("as_of")
    assert {month.published_grade for month in months} != {""}
    call_command("verify_evaluations")
    last = months.last()
    other = "failing" if last.published_grade != "failing" else "good"
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE assessments_evaluation DISABLE TRIGGER USER")
        cursor.execute("UPDATE assessments_evaluation SET published_grade = %s WHERE id = %s", [other, last.pk])
        cursor.execute("ALTER TABLE assessments_evaluation ENABLE TRIGGER USER")
    (found,) = verification.verify(Evaluation.objects.select_related("factory__category"))
    assert (found.evaluation, found.what) == (last.pk, "publication")
    errors = io.StringIO()
    with pytest.raises(CommandError, match="1 differences"):
        call_command("verify_evaluations", stderr=errors)
    assert f"Evaluation {last.pk}: publication is" in errors.getvalue()
