"""The demo company: the same on the same day, with every state on the screen, and gone without a trace."""

import datetime
from collections import Counter
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Count, F, Q

from accounts.models import User
from assessments.demo.calendars import CALENDARS, exceptions
from assessments.demo.company import build
from assessments.demo.keep import JOB
from assessments.demo.people import PEOPLE, passphrase
from assessments.models import Breach, Claim, ClaimEvidence, Evaluation, JobSlot, Policy, Watch
from factories.models import CalendarException, Category, Factory
from notifications.models import Message
from production import late_risk, plans, rollup_checks
from production.models import (
    Cancellation,
    DateRevision,
    Delivery,
    Exclusion,
    Inspection,
    LineOutcome,
    MaterialMovement,
    MaterialOutcome,
    Milestone,
    MilestoneForecast,
    OrderLine,
    PurchaseOrder,
    Rebaseline,
    Site,
    Touched,
)
from production.supplies import overdue
from tests import make

pytestmark = pytest.mark.django_db

DAY = datetime.date(2026, 6, 17)
YESTERDAY = DAY - datetime.timedelta(days=1)
APPS = ["accounts", "factories", "production", "assessments", "notifications", "account"]


def run(command, **options):
    output = StringIO()
    call_command(command, stdout=output, **options)
    return output.getvalue()


def counts():
    """How many rows each table has that is not history."""
    models = [model for name in APPS for model in apps.get_app_config(name).get_models()]
    return {
        model._meta.label: model.objects.count()
        for model in models
        if not model._meta.proxy and not hasattr(model, "pgh_obj")
    }


@pytest.fixture(scope="module")
def before(django_db_setup, django_db_blocker):
    """The counts before the demo was loaded, which it is; all of it is rolled back after the last test."""
    with django_db_blocker.unblock(), transaction.atomic():
        Policy.objects.get_or_create(factory=None, category=None, effective_from=datetime.date(2000, 1, 1))
        # Somebody's own category, which the demo happens to have too.
        make.category(code="footwear", name="Shoes")
        rows = counts()
        run("load_demo", day=DAY)
        connection.check_constraints()  # now, once: else each test checks all rows of the open transaction again
        yield rows
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def loaded(before):
    """Every test of this file sees the loaded demo."""


def cards():
    """Per factory: its months, oldest first, and its newest judgement of a day."""
    found = {}
    whole = Evaluation.objects.whole().filter(factory__is_demo=True).select_related("factory")
    for evaluation in whole.order_by("as_of", "computed_at", "pk"):
        months, days = found.setdefault(evaluation.factory.code, ([], []))
        (months if evaluation.kind == Evaluation.Kind.MONTH else days).append(evaluation)
    return found


def now():
    return {code: days[-1] for code, (_, days) in cards().items()}


class TestTheGenerator:
    def test_the_same_day_gives_the_same_company(self):
        assert build(DAY) == build(DAY)

    def test_nothing_has_happened_that_lies_ahead(self):
        lines = [line for order in build(DAY).orders for line in order.lines]
        happened = [delivery.known_on for line in lines for delivery in line.deliveries]
        happened += [found.inspected_on for line in lines for lot in line.lots for found in lot.inspections]
        happened += [cancelled.cancelled_on for line in lines for cancelled in line.cancellations]
        assert max(happened) == YESTERDAY
        assert max(line.due_on for line in lines) > DAY

    def test_everything_moves_with_the_day(self):
        later = DAY + datetime.timedelta(days=200)
        assert max(order.ordered_on for order in build(later).orders) > DAY + datetime.timedelta(days=190)

    @pytest.mark.parametrize("year", [2026, 2045])
    def test_every_calendar_has_its_holidays_in_any_year(self, year):
        days = exceptions(datetime.date(year, 1, 1), datetime.date(year, 12, 31))
        for calendar in CALENDARS:
            own = [off for off in days if off.calendar == calendar.code]
            assert 6 <= len(own) <= 32, calendar
            assert all(bool(off.source) == bool(calendar.country) for off in own)
        # China announces its make-up days a year at a time.
        assert any(off.is_open and off.day.isoweekday() >= 6 for off in days) == (year == 2026)


class TestWhatIsOnTheScreen:
    def test_every_grade(self):
        current = {months[-1].published_grade for months, _ in cards().values()}
        assert current == {"excellent", "good", "passing", "failing", "not_rated"}

    @pytest.mark.parametrize("measure, others", [("defect", set()), ("otif", set()), ("loss", {"not_applicable"})])
    def test_every_status_of_a_measure(self, measure, others):
        statuses = {evaluation.measures[measure]["status"] for evaluation in now().values()}
        assert statuses == {"ok", "watch", "breach", "no_data"} | others

    def test_every_warning(self):
        flags = {flag for months, days in cards().values() for flag in [*months[-1].flags, *days[-1].flags]}
        for evaluation in now().values():
            flags |= {flag for measure in evaluation.measures.values() for flag in measure["flags"]}
        assert flags >= {"extended_window", "dominance", "clustered", "low_coverage", "negative_loss"}

    def test_one_factory_gets_better_and_one_gets_worse(self):
        grades = {code: [month.published_grade for month in months] for code, (months, _) in cards().items()}
        assert grades["CN-024"][:6] == ["failing"] * 6
        assert grades["CN-024"][-1] != "failing"
        assert now()["CN-024"].score > 80
        assert grades["CN-022"][0] in ("good", "excellent")
        assert grades["CN-022"][-1] == "failing"

    def test_a_critical_defect_caps_a_good_score(self):
        month = cards()["CN-019"][0][-1]
        assert month.score > 80
        assert month.published_grade == "passing"
        assert {"label": "critical_unit:1", "cap": "passing"} in month.gates

    def test_one_material_is_charged_although_the_factory_is_within_three_per_cent(self):
        loss = now()["CN-027"].measures["loss"]
        assert loss["status"] == "ok"
        assert float(loss["charge"]) > 0
        charged = MaterialOutcome.objects.filter(factory__code="CN-027", charge__gt=0)
        assert set(charged.values_list("order_material__material__code", flat=True)) == {"QM-ZIP-20"}

    def test_a_claim_has_a_file_of_ours_and_a_disputed_one_a_picture_of_the_factory(self):
        proofs = ClaimEvidence.objects.filter(claim__factory__is_demo=True).order_by("pk")
        ours = proofs.filter(content_type="text/csv")
        assert ours.count() == Claim.objects.count() == 6
        assert b"Issued to the factory" in ours[0].file.open().read()
        (theirs,) = proofs.filter(content_type="image/png")
        assert theirs.claim.state == "disputed"
        assert {proof.added_at.date() <= DAY for proof in proofs} == {True}

    def test_some_orders_wait_to_be_reconciled(self):
        assert overdue(PurchaseOrder.objects.all(), DAY).count() == 3

    def test_amounts_of_two_currencies_at_one_factory(self):
        found = {row["currency"] for row in now()["TR-003"].measures["loss"]["currencies"]}
        assert found == {"EUR", "USD"}

    def test_lines_due_today_this_week_since_yesterday_and_never(self):
        open_lines = LineOutcome.objects.filter(is_open=True, factory__is_demo=True)
        assert open_lines.filter(due_on=DAY).count() >= 3
        assert open_lines.filter(due_on__gt=DAY, due_on__lte=DAY + datetime.timedelta(days=7)).count() >= 5
        assert open_lines.filter(due_on=YESTERDAY).exists()
        never = open_lines.filter(due_on__lt=DAY - datetime.timedelta(days=40), qty_received=0)
        assert list(never.values_list("factory__code", flat=True)) == ["ID-007"]

    def test_every_kind_of_fact(self):
        lines = OrderLine.objects.all()
        assert set(Cancellation.objects.values_list("by", flat=True)) == {"buyer", "factory"}
        assert set(DateRevision.objects.values_list("cause", flat=True)) == {"buyer", "factory", "force_majeure"}
        assert DateRevision.objects.filter(approved_on=None).exists()
        assert Delivery.objects.filter(kind="reversal", known_on__gt=F("received_on")).exists()
        assert Delivery.objects.filter(is_over=True).exists()
        assert Delivery.objects.filter(condition="damaged").exists()
        assert lines.filter(closed_short_on__isnull=False).exists()
        assert lines.annotate(times=Count("deliveries", Q(deliveries__kind="receipt"))).filter(times=2).exists()
        assert lines.filter(order__confirmed_on=None, committed_on=None).exists()
        for term in ({"grace_unit": "working", "rolls_to_working_day": True}, {"single_delivery": True},
                     {"early_policy": "miss"}, {"tol_under": "0.05"}):  # fmt: skip
            assert lines.filter(**term).exists(), term
        kinds = set(MaterialMovement.objects.values_list("kind", flat=True))
        assert kinds == {"issue", "return", "scrap", "transfer_in", "transfer_out"}
        looks = Inspection.objects.values_list("stage", "source", "is_original").distinct()
        assert len(looks) >= 6
        assert Inspection.objects.filter(units_critical__gt=0).exists()
        assert Inspection.objects.filter(units_material_fault__gt=0).exists()
        states = set(Exclusion.objects.values_list("state", flat=True))
        assert states == {"proposed", "approved", "declined", "withdrawn", "lifted"}
        assert {exclusion.kind for exclusion in Exclusion.objects.all()} == {"line", "lot", "material"}
        assert CalendarException.objects.filter(is_open=True).exists()

    def test_plans_that_slip_that_move_and_that_wait_for_the_factory(self):
        orders = PurchaseOrder.objects.filter(is_demo=True)
        found = plans.late_plans(DAY).courses(orders)
        assert 5 <= len(found) <= 60
        assert {each.slips_from.row.responsible for each in found.values()} == {"buyer", "factory"}
        assert Rebaseline.objects.filter(approved_at__isnull=False).exists()
        assert Milestone.objects.filter(frozen_at=None).exists()
        assert not Milestone.objects.filter(actual_on__gte=DAY).exists()
        assert not MilestoneForecast.objects.filter(stated_at__date__gte=DAY).exists()

    def test_the_chance_of_being_late_is_said_of_some_open_orders_and_of_others_the_base_rate(self):
        late_risk.tests.values.clear()
        said = Counter()
        for order in PurchaseOrder.objects.filter(
            lines__outcome__is_open=True, milestones__actual_on__isnull=False
        ).distinct():
            risk, tested = late_risk.risk_of(order, DAY)
            said["nothing" if risk is None else "chance" if tested.may_be_said else "base rate"] += 1
        assert min(said["chance"], said["base rate"]) >= 5

    def test_the_size_of_a_real_company(self):
        assert Factory.objects.filter(is_demo=True).count() == 24
        assert Factory.objects.values("country").distinct().count() == 6
        assert 1000 <= PurchaseOrder.objects.filter(is_demo=True).count() <= 1600
        assert 2000 <= OrderLine.objects.count() <= 2800

    def test_breaches_in_every_hand(self):
        states = set(Breach.objects.values_list("event", "state"))
        assert states >= {
            ("rate", "open"),
            ("rate", "acknowledged"),
            ("late_order", "open"),
            ("late_order", "resolved"),
        }
        assert states >= {("charge", "resolved"), ("critical_lot", "open"), ("rate", "resolved")}


class TestLoading:
    def test_no_mail_about_the_past_and_nothing_left_to_work_out(self):
        assert not Message.objects.exists()
        assert not Touched.objects.exists()
        assert rollup_checks.differences() == []

    def test_loading_twice_changes_nothing(self):
        rows = counts()
        assert "already" in run("load_demo", day=DAY + datetime.timedelta(days=3))
        assert counts() == rows

    def test_it_does_not_touch_what_was_there(self):
        assert Category.objects.get(code="footwear").name == "Shoes"
        assert list(JobSlot.objects.filter(job=JOB).values_list("slot", flat=True)) == ["category:footwear"]

    def test_next_to_real_factories_only_when_asked(self):
        make.factory()
        assert "not loaded" in run("load_demo", if_empty=True)

    def test_a_factory_code_of_somebody_else_stops_it(self):
        Factory.objects.filter(is_demo=True).exclude(code="CN-011").update(code=F("code"), is_demo=False)
        Factory.objects.update(is_demo=False)
        with pytest.raises(CommandError, match="CN-011"):
            run("load_demo", day=DAY)


class TestAccounts:
    def test_one_account_per_role_and_two_contacts(self):
        assert [person.role for person in PEOPLE] == ["manager", "buyer", "inspector", "officer", "admin"] + [
            "contact"
        ] * 2
        for person in PEOPLE:
            user = User.objects.get(email=person.email)
            assert user.check_password(passphrase())
            assert user.emailaddress_set.get().verified
        assert len(passphrase()) >= 12

    def test_a_contact_sees_one_factory(self):
        for email, code in (("bao.tran@plumbline.example", "VN-012"), ("wenjing.li@plumbline.example", "CN-011")):
            user = User.objects.get(email=email)
            assert [factory.code for factory in Factory.objects.visible_to(user)] == [code]

    def test_the_manager_watches_everything_and_the_buyer_some(self):
        assert Watch.objects.get(user__role="manager").factory is None
        assert Watch.objects.filter(user__role="buyer", factory__isnull=False).count() == 4

    def test_the_table_names_only_accounts_that_exist_and_passwords_that_work(self):
        User.objects.get(email="ingrid.solberg@plumbline.example").delete()
        buyer = User.objects.get(role="buyer")
        buyer.set_password("my own words instead")
        buyer.save()
        table = run("demo_accounts")
        assert "ingrid.solberg" not in table
        assert table.count(passphrase()) == 5
        assert "changed by its owner" in next(line for line in table.splitlines() if buyer.email in line)


def test_removal_takes_everything_of_the_demo_and_nothing_else(before):
    own = make.line(site=Site.objects.get(code="LAX"))
    assert "24 factories" in run("remove_demo")
    assert not Factory.objects.filter(is_demo=True).exists()
    assert not User.objects.filter(email__endswith="plumbline.example").exists()
    own.refresh_from_db()
    more = {label: count - before[label] for label, count in counts().items() if count != before[label]}
    del more["factories.CalendarException"], more["factories.WorkingDay"]
    # One row each of what the own line hangs on: its site with that site's calendar stays, since it is in use.
    assert set(more) == {
        "factories.Category", "factories.Factory", "factories.WorkingCalendar", "production.FactoryDay",
        "production.LineOutcome", "production.OrderLine", "production.Product", "production.PurchaseOrder",
        "production.Site", "production.ToJudge", "production.Written",
    }  # fmt: skip
    assert set(more.values()) == {1}
    assert "no demo" in run("remove_demo")
    assert "no demo accounts" in run("demo_accounts")
