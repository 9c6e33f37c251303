"""When a breach opens, gets worse and is over: every line of the state table, then the same through the database."""

import datetime
import threading
from dataclasses import replace
from fractions import Fraction

import pytest
from django.db import connection, transaction

from assessments import breaches, evaluations
from assessments.lifecycle import Rules, Seen, Standing, step
from assessments.models import Breach, Evaluation, Policy
from production import rollups
from tests import make
from tests.test_constraints import wait_until_blocked

CEILING = Fraction(3, 100)
BADNESS = {"breach": Fraction(6, 100), "watch": Fraction(35, 1000), "ok": Fraction(2, 100), "no_data": None}
OPEN = Standing(
    state="open", severity="breach", stepped_on=datetime.date(2026, 3, 1), evidence_on=datetime.date(2026, 3, 1)
)  # fmt: skip
WATCHED = replace(OPEN, severity="watch")
RESOLVED = replace(
    OPEN, state="resolved", resolved_on=datetime.date(2026, 3, 4), stepped_on=datetime.date(2026, 3, 4), flaps=1
)


def march(number):
    return datetime.date(2026, 2, 28) + datetime.timedelta(days=number)


def seen(number, status, badness=None, *, evidence="today", night=True, watches=0):
    """What the evaluation of day `number` of March found; its newest record is of that day unless told otherwise."""
    evidence_on = march(number) if evidence == "today" else march(evidence) if evidence else None
    value = Fraction(str(badness)) if badness is not None else BADNESS[status]
    return Seen(march(number), status, value, CEILING, evidence_on, night, watches)


TABLE = [
    # a sentence, the standing before, what is seen, what happens, and what stands then
    ("the first breach opens at once", Standing(), seen(1, "breach"), "opened",
     {"state": "open", "severity": "breach", "flaps": 0, "stepped_on": march(1), "evidence_on": march(1)}),
    ("the first night of watch opens nothing", Standing(), seen(1, "watch", watches=1), None, {"state": None}),
    ("the second night of watch in a row opens", Standing(), seen(2, "watch", watches=2), "opened",
     {"state": "open", "severity": "watch", "stepped_on": march(2)}),
    ("a watch seen live never opens", Standing(), seen(2, "watch", watches=2, night=False), None, {"state": None}),
    ("a breach seen live opens, and the night has still to count it", Standing(), seen(2, "breach", night=False), "opened",
     {"state": "open", "severity": "breach", "stepped_on": None, "evidence_on": march(2)}),
    ("what is on target opens nothing", Standing(), seen(1, "ok"), None, {"state": None}),
    ("too few data open nothing", Standing(), seen(1, "no_data", evidence=None), None, {"state": None}),
    ("the same night seen twice changes nothing", OPEN, seen(1, "ok", 0), None,
     {"ok_streak": 0, "state": "open", "stepped_on": march(1)}),
    ("an older night changes nothing", OPEN, seen(0, "ok", 0), None, {"ok_streak": 0, "stepped_on": march(1)}),
    ("a breach that is still one stays open and moves its day", OPEN, seen(2, "breach"), None,
     {"state": "open", "stepped_on": march(2), "evidence_on": march(2), "ok_streak": 0}),
    ("a breach that became a watch stays a breach and begins its clear nights again",
     replace(OPEN, ok_streak=2), seen(2, "watch", watches=1), None, {"severity": "breach", "ok_streak": 0}),
    ("a watch that became a breach is raised", WATCHED, seen(2, "breach"), "severity_up",
     {"severity": "breach", "state": "open", "stepped_on": march(2)}),
    ("a raised breach is no longer in hand", replace(WATCHED, state="acknowledged"), seen(2, "breach"), "severity_up",
     {"severity": "breach", "state": "open"}),
    ("a raised breach stays escalated", replace(WATCHED, state="escalated"), seen(2, "breach"), "severity_up",
     {"severity": "breach", "state": "escalated"}),
    ("a live evaluation may raise, and leaves the counting to the night", replace(WATCHED, ok_streak=2),
     seen(2, "breach", night=False), "severity_up", {"severity": "breach", "stepped_on": march(1), "evidence_on": march(1)}),
    ("an acknowledged breach that goes on stays acknowledged", replace(OPEN, state="acknowledged"), seen(2, "breach"), None,
     {"state": "acknowledged"}),
    ("a live evaluation on target clears nothing", replace(OPEN, ok_streak=2), seen(4, "ok", 0, night=False), None,
     {"state": "open", "ok_streak": 2, "stepped_on": march(1)}),
    ("a live watch does not begin the clear nights again", replace(OPEN, ok_streak=2), seen(4, "watch", night=False), None,
     {"ok_streak": 2}),
    ("a clear night with new evidence counts one", OPEN, seen(2, "ok"), None,
     {"state": "open", "ok_streak": 1, "stepped_on": march(2), "evidence_on": march(2)}),
    ("exactly nine tenths of the ceiling is clear", OPEN, seen(2, "ok", "0.027"), None, {"ok_streak": 1}),
    ("above nine tenths of the ceiling is not clear", OPEN, seen(2, "ok", "0.0270001"), None, {"ok_streak": 0, "stepped_on": march(2)}),
    ("what was known on a night that was not clear is no news the next night",
     step(OPEN, seen(2, "ok", "0.028"), Rules())[0], seen(3, "ok", "0.02", evidence=2), None, {"ok_streak": 0}),
    ("a night that is not clear keeps the clear nights before it", replace(OPEN, ok_streak=2), seen(4, "ok", "0.029"), None,
     {"ok_streak": 2}),
    ("a clear night without new evidence does not count", OPEN, seen(2, "ok", 0, evidence=1), None,
     {"ok_streak": 0, "stepped_on": march(2), "evidence_on": march(1)}),
    ("a back-dated record is no new evidence", OPEN, seen(5, "ok", 0, evidence=-3), None, {"ok_streak": 0, "evidence_on": march(1)}),
    ("the third clear night resolves", replace(OPEN, ok_streak=2), seen(4, "ok"), "resolved",
     {"state": "resolved", "resolved_on": march(4), "ok_streak": 3}),
    ("an acknowledged breach resolves in the same way", replace(OPEN, state="acknowledged", ok_streak=2), seen(4, "ok"), "resolved",
     {"state": "resolved"}),
    ("too few data keep the clear nights", replace(OPEN, ok_streak=2), seen(4, "no_data", evidence=None), None,
     {"state": "open", "ok_streak": 2, "stepped_on": march(4)}),
    ("eighty-nine days without a record are silence", OPEN, seen(90, "no_data", evidence=None), None, {"state": "open"}),
    ("ninety days without a record are stale", OPEN, seen(91, "no_data", evidence=None), "resolved",
     {"state": "resolved", "resolved_on": march(91), "ok_streak": 0}),
    ("a few records within the ninety days are no silence", OPEN, seen(95, "no_data", evidence=60), None, {"state": "open"}),
    ("a relapse on the fourteenth day reopens the same breach", RESOLVED, seen(18, "breach"), "reopened",
     {"state": "open", "flaps": 2, "resolved_on": None, "ok_streak": 0}),
    ("a relapse on the fifteenth day is a new breach", RESOLVED, seen(19, "breach"), "opened", {"state": "open", "flaps": 0}),
    ("a relapse seen live reopens, too", RESOLVED, seen(6, "breach", night=False), "reopened",
     {"flaps": 2, "stepped_on": march(4)}),
    ("one night of watch is no relapse", RESOLVED, seen(6, "watch", watches=1), None, {"state": "resolved"}),
    ("two nights of watch are a relapse", RESOLVED, seen(6, "watch", watches=2), "reopened", {"severity": "watch", "flaps": 2}),
    ("after a dismissal a breach is a new one", replace(RESOLVED, state="dismissed"), seen(6, "breach"), "opened", {"flaps": 0}),
]  # fmt: skip


@pytest.mark.parametrize(
    "sentence, before, what_is_seen, happens, then", TABLE, ids=[row[0].replace(" ", "_") for row in TABLE]
)
def test_one_step(sentence, before, what_is_seen, happens, then):
    after, what = step(before, what_is_seen, Rules())
    assert what == happens, sentence
    assert {name: getattr(after, name) for name in then} == then, sentence
    if happens is None and not what_is_seen.is_night:
        assert after == before, "a live evaluation may only open or raise"
    if what_is_seen.is_night:
        assert step(after, what_is_seen, Rules()) == (after, None) or after.state is None, "the same night twice"


def states(events, rules=None):
    """The states after each event: (day, status, badness) with new evidence, or with the evidence of an earlier day."""
    rules, standing, watches, told = rules or Rules(), Standing(), 0, []
    for event in events:
        if event == "acknowledge":
            standing = replace(standing, state="acknowledged")
            continue
        number, status, *more = event
        watches = watches + 1 if status == "watch" else watches if status == "no_data" else 0
        badness, evidence = (more + [None, "today"][len(more) :])[:2]
        standing, what = step(standing, seen(number, status, badness, evidence=evidence, watches=watches), rules)
        told.append((standing.state, what))
    return told


@pytest.mark.parametrize("sentence, events, told", [
    ("the same breach next day is the same breach", [(1, "breach"), (2, "breach", "0.061")], [("open", "opened"), ("open", None)]),
    ("a night on target begins the watch again",
     [(1, "watch"), (2, "ok", "0.029"), (3, "watch"), (4, "watch")], [(None, None)] * 3 + [("open", "opened")]),
    ("a night without data does not", [(1, "watch"), (2, "no_data"), (3, "watch")], [(None, None)] * 2 + [("open", "opened")]),
    ("a raised breach is no longer in hand", [(1, "watch"), (2, "watch"), "acknowledge", (3, "breach")],
     [(None, None), ("open", "opened"), ("open", "severity_up")]),
    ("it takes three clear nights with news", [
        (1, "breach"), "acknowledge", (2, "ok", "0.026", 1), (3, "ok", "0.029"), (4, "ok", "0.026"), (5, "ok", "0.025"), (6, "ok", "0.025"),
    ], [("open", "opened")] + [("acknowledged", None)] * 4 + [("resolved", "resolved")]),
    ("bad lots that age out of the window are no recovery",
     [(1, "breach"), "acknowledge", *[(n, "ok", 0, 1) for n in range(2, 7)]], [("open", "opened")] + [("acknowledged", None)] * 5),
    ("a relapse within fourteen days is the same breach",
     [(1, "breach"), (2, "ok"), (3, "ok"), (4, "ok"), (11, "breach")],
     [("open", "opened"), ("open", None), ("open", None), ("resolved", "resolved"), ("open", "reopened")]),
    ("a relapse later is another one",
     [(1, "breach"), (2, "ok"), (3, "ok"), (4, "ok"), (19, "breach")],
     [("open", "opened"), ("open", None), ("open", None), ("resolved", "resolved"), ("open", "opened")]),
    ("what is played again has no effect",
     [(1, "breach"), (1, "breach"), (1, "breach", "0.09")], [("open", "opened")] + [("open", None)] * 2),
    ("a watch that stays one is told once", [(n, "watch") for n in range(1, 13)],
     [(None, None), ("open", "opened")] + [("open", None)] * 10),
])  # fmt: skip
def test_a_course_of_nights(sentence, events, told):
    assert states(events) == told, sentence


@pytest.mark.parametrize("rules, events, told", [
    (Rules(on_delay_watch=3), [(n, "watch") for n in (1, 2, 3)], [(None, None), (None, None), ("open", "opened")]),
    (Rules(off_delay_ok=1), [(1, "breach"), (2, "ok")], [("open", "opened"), ("resolved", "resolved")]),
    (Rules(reopen_days=0, off_delay_ok=1), [(1, "breach"), (2, "ok"), (3, "breach")],
     [("open", "opened"), ("resolved", "resolved"), ("open", "opened")]),
    (Rules(clear_ratio=Fraction(1, 2), off_delay_ok=1), [(1, "breach"), (2, "ok"), (3, "ok", "0.015")],
     [("open", "opened"), ("open", None), ("resolved", "resolved")]),
    (Rules(stale_days=5), [(1, "breach"), (6, "no_data", None, None)], [("open", "opened"), ("resolved", "resolved")]),
])  # fmt: skip
def test_the_policys_numbers_decide(rules, events, told):
    assert states(events, rules) == told


def test_the_rules_of_a_new_policy_are_the_defaults_of_the_function():
    assert breaches._rules(Policy()) == replace(Rules(), clear_ratio=Fraction(str(Policy().clear_ratio)))


# Through the database


def judged(factory, day, *, major=0, inspected=125):
    """One lot of this day, judged and reviewed as that night."""
    make.shipped_policy()
    line = make.line(10_000, order=make.order(factory=factory), committed_on=make.day("2027-06-01"))
    make.inspection(lot=make.lot(line=line), inspected_on=day, inspected=inspected, major=major)
    return review_night(day)


def review_night(day):
    rollups.rebuild()
    return [breach.measure for breach in breaches.review(evaluations.evaluate_night(day), on=day, night=True)]


@pytest.mark.django_db
def test_a_policy_that_asks_for_three_nights_of_watch_opens_on_the_third():
    Policy.objects.create(effective_from=make.day("2020-01-01"), on_delay_watch=3)
    factory = make.factory()
    assert judged(factory, march(1), major=5) == []
    assert review_night(march(2)) == []
    assert review_night(march(3)) == ["defect"]


@pytest.mark.django_db
def test_a_night_without_data_stands_between_two_watches_and_a_night_on_target_ends_them():
    factory = make.factory()
    assert judged(factory, march(1), major=5) == []
    Evaluation.objects.all().delete()  # nothing was judged before
    for number, status in ((1, "watch"), (2, "no_data"), (3, "ok"), (4, "watch"), (5, "no_data")):
        stored_night(factory, number, status)
    assert watch_nights(factory, 6) == 1
    stored_night(factory, 6, "watch")
    assert watch_nights(factory, 7) == 2
    stored_night(factory, 6, "ok", revision=2)
    assert watch_nights(factory, 7) == 0, "the last revision of a night counts"


def stored_night(factory, number, status, revision=1):
    return Evaluation.objects.create(
        factory=factory, kind="night", as_of=march(number), revision=revision, policy=make.shipped_policy(), window_days=90, sums={},
        measures={name: {"status": status} for name in ("defect", "otif", "loss")}, raw_grade="not_rated", digest="", code_version="1",
    )  # fmt: skip


def watch_nights(factory, number):
    tonight = Evaluation(factory=factory, kind="night", as_of=march(number))
    return breaches._watch_nights([tonight]).get(breaches.key(factory.pk, "defect_rate"), 0)


@pytest.mark.django_db
def test_a_raised_breach_shows_nobody_as_having_it_in_hand():
    factory = make.factory()
    judged(factory, march(1), major=5)
    review_night(march(2))
    breach = Breach.objects.get(measure="defect")
    breaches.acknowledge(breach, make.user("buyer"), "on it", march(2))
    judged(factory, march(3), major=60)
    breach.refresh_from_db()
    assert (breach.severity, breach.state, breach.acknowledged_by, breach.acknowledged_at) == (
        "breach",
        "open",
        None,
        None,
    )
    assert list(breach.steps.values_list("what", flat=True)) == ["opened", "acknowledged", "severity_up"]


@pytest.mark.django_db
def test_a_reopened_breach_no_longer_bears_the_reason_it_was_closed_with():
    factory = make.factory()
    judged(factory, march(1), major=60)
    judged(factory, march(2), inspected=5000)
    breach = Breach.objects.get(measure="defect")
    assert breaches.resolve(breach, make.user("manager"), "New tooling.", march(2))
    judged(factory, march(5), major=5000, inspected=5000)
    breach.refresh_from_db()
    assert (breach.state, breach.flaps, breach.reason, breach.resolved_on, breach.resolved_at) == (
        "open",
        1,
        "",
        None,
        None,
    )


@pytest.mark.django_db
def test_a_breach_is_not_closed_by_hand_while_its_limit_is_broken():
    factory = make.factory()
    judged(factory, march(1), major=60)
    breach = Breach.objects.get(measure="defect")
    assert not breaches.resolve(breach, make.user("manager"), "I do not like it.", march(1))
    breach.refresh_from_db()
    assert breach.is_live


@pytest.mark.django_db
def test_no_line_is_late_while_it_is_its_limit_day_where_the_goods_go():
    make.shipped_policy()
    factory = make.factory(time_zone="Asia/Ho_Chi_Minh")
    site = make.site(time_zone="America/Los_Angeles")
    make.line(order=make.order(factory=factory), committed_on=march(5), site=site)
    rollups.rebuild()
    for hour, lines in (
        (20, 0),
        (31, 0),
        (32, 1),
    ):  # in Vietnam the sixth begins at 17:00 UTC, in Los Angeles at 8:00 the day after
        now = datetime.datetime(2026, 3, 5, tzinfo=datetime.UTC) + datetime.timedelta(hours=hour)
        evaluations.evaluate_live(now, [factory.pk])
        newest = Evaluation.objects.filter(kind="live", factory=factory).order_by("-pk").first()
        assert (newest.as_of, int(newest.sums.get("lines", 0))) == (march(6), lines)
    assert newest.sums["due_last"] == "2026-03-05"


@pytest.mark.django_db(transaction=True)
def test_two_reviews_at_once_open_one_breach_and_both_end():
    factory = make.factory()
    make.shipped_policy()
    line = make.line(10_000, order=make.order(factory=factory), committed_on=make.day("2027-06-01"))
    make.inspection(lot=make.lot(line=line), inspected_on=march(1), inspected=125, major=60)
    rollups.rebuild()
    night, live = evaluations.evaluate_night(march(1)), evaluations.evaluate_live(ten_o_clock(march(1)), [factory.pk])
    found = []

    def other():
        try:
            found.append(breaches.review(live, on=march(1)))
        finally:
            connection.close()

    with transaction.atomic():
        assert [breach.measure for breach in breaches.review(night, on=march(1), night=True)] == ["defect"]
        thread = threading.Thread(target=other)
        thread.start()
        wait_until_blocked()
    thread.join(20)
    assert found == [[]]
    assert Breach.objects.count() == 1


def ten_o_clock(day):
    return datetime.datetime.combine(day, datetime.time(10), datetime.UTC)
