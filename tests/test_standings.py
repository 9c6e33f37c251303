"""Where all factories stand is read in one look; it is what looking for each of them alone would find."""

import datetime
import random

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Count, Q

from assessments import scorecards, verification
from assessments.models import Breach, Evaluation
from factories.models import Factory
from production.kept import Kept
from tests import make

FIRST = datetime.datetime(2026, 5, 1, tzinfo=datetime.UTC)
GRADES = ["excellent", "good", "passing", "failing"]


def judged(chance, factories):
    """Judgements of all kinds on some days, of some factories, in some revisions and categories, in any order of time."""
    policy, rows = make.shipped_policy(), []
    keys = {
        (chance.choice(factories), kind, chance.choice([None, None, factories[0].category]), day, revision)
        for kind in ("live", "night", "month")
        for day in (make.day("2026-03-31"), make.day("2026-04-29"), make.day("2026-04-30"))
        for revision in (1, 2)
        for _ in range(2)
    }
    moments = chance.sample(range(1_000), len(keys))
    for (factory, kind, category, day, revision), moment in zip(sorted(keys, key=str), moments, strict=True):
        rows.append(
            Evaluation(
                factory=factory,
                kind=kind,
                category=category,
                as_of=day,
                revision=revision,
                policy=policy,
                window_days=90,
                sums={},
                measures={},
                raw_grade=chance.choice(GRADES),
                digest="",
                code_version="1",
                published_grade=chance.choice(GRADES) if kind == "month" else "",
                computed_at=FIRST + datetime.timedelta(minutes=moment),
            )
        )
    return Evaluation.objects.bulk_create(rows)


def newest(rows, factory, kind):
    found = [row for row in rows if (row.factory_id, row.kind, row.category_id) == (factory.pk, kind, None)]
    return max(found, key=lambda row: (row.as_of, row.revision), default=None)


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(12))
def test_the_newest_judgements_are_found_whatever_was_judged_and_when(seed):
    chance = random.Random(seed)
    factories = [make.factory() for _ in range(4)]
    rows = judged(chance, factories)
    for factory in chance.sample(factories, 2):
        for state in chance.sample(Breach.State.values, 3):
            resolved = {"resolved_on": make.day("2026-04-30"), "resolved_at": FIRST}
            Breach.objects.create(
                key=f"{factory.pk} {state}", factory=factory, measure="otif", severity="breach", state=state,
                opened_on=make.day("2026-04-01"), **(resolved if state in ("resolved", "dismissed") else {}),
            )  # fmt: skip
    for standing in scorecards.standings(Factory.objects.all()):
        factory = next(each for each in factories if each.pk == standing.factory.pk)
        days = [row for kind in ("live", "night") if (row := newest(rows, factory, kind))]
        now = max(days, key=lambda row: (row.as_of, row.computed_at), default=None)
        month = newest(rows, factory, "month")
        assert standing.evaluation == (now.pk if now else None)
        assert standing.grade == (month.published_grade if month else "not_rated")
        assert standing.open_breaches == Breach.objects.live().filter(factory=factory).count()


@pytest.mark.django_db
def test_only_the_factories_asked_for_stand_there():
    one, _other = make.factory(), make.factory()
    assert [s.factory.code for s in scorecards.standings(Factory.objects.filter(pk=one.pk))] == [one.code]
    assert scorecards.standings(Factory.objects.none()) == []


def test_what_is_kept_is_made_once_and_never_too_much():
    made, kept = [], Kept(3)
    for key in [1, 2, 1, 3, 1, 4, 1]:
        assert kept.get(key, lambda key=key: made.append(key) or key * 10) == key * 10
        assert len(kept.values) <= 3
    assert made == [1, 2, 3, 4, 1]


@pytest.mark.django_db(transaction=True)
def test_the_list_says_how_many_breaches_are_live_after_any_change():
    def shown():
        return {
            standing.factory.code: standing.open_breaches for standing in scorecards.standings(Factory.objects.all())
        }

    def counted():
        live = Factory.objects.annotate(n=Count("breaches", filter=Q(breaches__state__in=Breach.LIVE_STATES)))
        return dict(live.values_list("code", "n"))

    one, other = make.factory(), make.factory()
    states = ["open", "acknowledged", "escalated", "resolved", "dismissed"]
    Breach.objects.bulk_create(
        Breach(key=f"{factory.pk}-{number}", factory=factory, measure="otif", severity="watch", opened_on="2026-11-01", state=state)
        for factory in (one, other)
        for number, state in enumerate(states)
    )  # fmt: skip
    assert shown() == counted() == {one.code: 3, other.code: 3}
    for state in states:
        Breach.objects.filter(factory=one, key__in=[f"{one.pk}-0", f"{one.pk}-3"]).update(state=state)
        assert shown() == counted()
    assert shown() == {one.code: 2, other.code: 3}
    Breach.objects.filter(factory=one).update(factory=other)
    assert shown() == counted() == {one.code: 0, other.code: 5}
    Breach.objects.filter(state="open").delete()
    assert shown() == counted() == {one.code: 0, other.code: 4}
    assert verification.miscounted() == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE assessments_livebreaches SET number = 7 WHERE factory_id = %s", [other.pk])
        assert verification.miscounted() == [f"Factory {other.code} has 4 live breaches, its list says 7."]
        with pytest.raises(CommandError, match="1 factories"):
            call_command("verify_evaluations")
        cursor.execute("TRUNCATE assessments_breach CASCADE")
    assert shown() == counted() == {one.code: 0, other.code: 0}
