"""Every change of a fact leaves who, when, before and after, whichever way it comes; and the history stays."""

import pgtrigger
import pytest
from django.apps import apps
from django.db import InternalError, connection, models, transaction
from django.urls import include, path
from pghistory.models import Event

from accounts.models import User
from assessments.models import (
    Action,
    ActionStep,
    Breach,
    BreachStep,
    Claim,
    ClaimEvidence,
    ClaimStep,
    Evaluation,
    FourEyes,
    GradeConsequence,
    JobSlot,
    LiveBreaches,
    Policy,
    Watch,
)
from config.admin_site import PlumblineAdminSite
from factories.models import (
    CalendarException,
    Category,
    Contact,
    Factory,
    Membership,
    Standing,
    StandingOverride,
    WorkingCalendar,
    WorkingDay,
)
from notifications.models import Heartbeat, Message, SendAttempt
from production.models import (
    BillLine,
    BillOfMaterials,
    Cancellation,
    DateRevision,
    Delivery,
    DeliveryOutcome,
    Dispute,
    Exclusion,
    FactoryDay,
    Inspection,
    LineOutcome,
    Lot,
    LotOutcome,
    Material,
    MaterialMovement,
    MaterialOutcome,
    Milestone,
    MilestoneForecast,
    MilestoneTemplate,
    OpenMaterial,
    OrderLine,
    OrderMaterial,
    PastPlans,
    PlanOutcome,
    Product,
    PurchaseOrder,
    Rebaseline,
    Site,
    ToJudge,
    Touched,
    TouchedPlan,
    Written,
)
from tests import make
from tests.test_constraints import KEPT_FOR_EVER, OURS, a_row_of_each, breach

TRACKED = {
    Category,
    User, WorkingCalendar, CalendarException, Factory, Contact, Membership, StandingOverride, Site, Product, Material, BillOfMaterials,
    BillLine, PurchaseOrder, OrderLine, Cancellation, DateRevision, OrderMaterial, Lot, Delivery, Inspection, MaterialMovement, Breach,
    Watch, Policy, FourEyes, Claim, ClaimEvidence, Action, GradeConsequence, Exclusion, Dispute,
    MilestoneTemplate, Milestone, Rebaseline,
}  # fmt: skip
DERIVED = {
    WorkingDay: "numbered by triggers from the calendar and its exceptions",
    LineOutcome: "worked out from the facts, and rebuilt",
    DeliveryOutcome: "worked out from the facts, and rebuilt",
    LotOutcome: "worked out from the facts, and rebuilt",
    MaterialOutcome: "worked out from the facts, and rebuilt",
    OpenMaterial: "worked out from the facts, and rebuilt",
    PastPlans: "counted from the plans and deliveries, anew each night",
    PlanOutcome: "worked out from the plan, and again when that changes",
    FactoryDay: "summed from the outcomes, and rebuilt",
    Standing: "worked out from the published grade and its consequences",
    Touched: "marks for the worker, gone once they are worked off",
    TouchedPlan: "marks for the worker, gone once they are worked off",
}
LOGS = {
    Evaluation: "each judgement is a row of its own, and a trigger refuses changes",
    BreachStep: "each step is a row of its own, and a trigger refuses changes",
    ActionStep: "each step is a row of its own, and a trigger refuses changes",
    ClaimStep: "each step is a row of its own, and a trigger refuses changes",
    MilestoneForecast: "each stated day is a row of its own, and a trigger refuses changes",
    JobSlot: "which slot was done when",
    Message: "the outbox: its own record of what was owed and sent",
    SendAttempt: "each try is a row of its own",
    ToJudge: "what waits to be judged, deleted by the judge",
    LiveBreaches: "a counter, kept by triggers of the breaches",
    Written: "a counter, raised with every run that writes outcomes",
    Heartbeat: "only the latest moment matters",
}


def our_models():
    return [
        model
        for model in apps.get_models()
        if model._meta.app_label in OURS and not model._meta.proxy and not issubclass(model, Event)
    ]


EVENTS = {
    model.pgh_tracked_model: model
    for model in apps.get_models()
    if issubclass(model, Event) and hasattr(model, "pgh_tracked_model") and model.pgh_tracked_model in our_models()
}


def test_every_model_is_tracked_derived_or_a_log():
    known = TRACKED | DERIVED.keys() | LOGS.keys()
    assert set(our_models()) - known == set(), "does it hold facts that people write? Then @tracked(), else say why not"
    assert known - set(our_models()) == set()
    assert EVENTS.keys() == TRACKED, "tracked models are those with an event table"


def test_nothing_is_left_out_of_the_history_but_secrets():
    for model, event in EVENTS.items():
        left_out = {field.name for field in model._meta.fields} - {field.name for field in event._meta.fields}
        assert left_out == ({"password", "last_login"} if model is User else set()), model


def history(row, model=None):
    """The events of one row, oldest first."""
    return list(EVENTS[model or type(row)].objects.filter(id=row.pk).order_by("pgh_id"))


def labels(row):
    return [event.pgh_label for event in history(row)]


# Ways to write


def run(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)


def plain_sql(rows):
    run("UPDATE factories_contact SET position = 'Owner' WHERE id = ANY(%s)", [row.pk for row in rows])


def through_save(rows):
    for row in rows:
        row.position = "Owner"
        row.save()


def through_update(rows):
    Contact.objects.filter(pk__in=[row.pk for row in rows]).update(position="Owner")


def through_bulk_update(rows):
    for row in rows:
        row.position = "Owner"
    Contact.objects.bulk_update(rows, ["position"])


def through_upsert(rows):
    for row in rows:
        row.position = "Owner"
    Contact.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=["position"])


@pytest.mark.django_db
@pytest.mark.parametrize("write", [plain_sql, through_save, through_update, through_bulk_update, through_upsert])
def test_a_change_leaves_one_event_per_row_with_before_and_after(write):
    factory = make.factory()
    rows = [make.contact(factory=factory, position=f"Clerk {n}") for n in range(3)]
    bystander = make.contact(factory=factory)
    write(rows)
    for n, row in enumerate(rows):
        before, after = history(row)
        assert (before.pgh_label, before.position) == ("insert", f"Clerk {n}")
        assert (after.pgh_label, after.position) == ("update", "Owner")
        assert after.pgh_created_at >= before.pgh_created_at
    assert labels(bystander) == ["insert"]


@pytest.mark.django_db
@pytest.mark.parametrize("write", [plain_sql, through_save, through_update, through_bulk_update, through_upsert])
def test_a_write_that_changes_nothing_leaves_no_event(write):
    row = make.contact(factory=make.factory(), position="Owner")
    write([row])
    assert labels(row) == ["insert"]


@pytest.mark.django_db
def test_rows_made_in_bulk_or_by_plain_sql_leave_one_event_each():
    factory = make.factory()
    Contact.objects.bulk_create(Contact(factory=factory, name=f"Contact {n}") for n in range(5))
    run(
        "INSERT INTO factories_contact (factory_id, name, position, email, phone) "
        "SELECT %s, 'Contact ' || n, '', '', '' FROM generate_series(5, 9) AS n",
        factory.pk,
    )
    for row in Contact.objects.all():
        (event,) = history(row)
        assert (event.pgh_label, event.name) == ("insert", row.name)


@pytest.mark.django_db
@pytest.mark.parametrize("delete", [
    lambda row: row.delete(), lambda row: Contact.objects.filter(pk=row.pk).delete(),
    lambda row: run("DELETE FROM factories_contact WHERE id = %s", row.pk), lambda row: row.factory.delete(),
], ids=["delete", "queryset", "plain SQL", "with its factory"])  # fmt: skip
def test_what_is_deleted_is_kept_as_it_last_was(delete):
    row = make.contact(factory=make.factory(), name="Mai")
    Contact.objects.filter(pk=row.pk).update(name="Lan")
    copy = Contact.objects.get(pk=row.pk)
    delete(Contact.objects.get(pk=row.pk))
    assert [(event.pgh_label, event.name) for event in history(copy)] == [
        ("insert", "Mai"),
        ("update", "Lan"),
        ("delete", "Lan"),
    ]


@pytest.mark.django_db
def test_what_is_rolled_back_leaves_no_event():
    row = make.contact(factory=make.factory())
    with transaction.atomic():
        plain_sql([row])
        transaction.set_rollback(True)
    assert labels(row) == ["insert"]


@pytest.mark.django_db
def test_a_password_is_not_in_the_history_and_a_sign_in_is_no_change():
    person = make.user()
    person.set_password("another long pass phrase")
    person.save()
    assert labels(person) == ["insert"]


# Who did it: a page, with the middleware as it is

site = PlumblineAdminSite(name="history")
site.register(Contact)
urlpatterns = [path("people/", site.urls), path("", include("config.urls"))]


@pytest.mark.django_db
@pytest.mark.urls("tests.test_history")
def test_a_form_leaves_who_changed_it(client):
    row = make.contact(factory=make.factory(), name="Mai")
    person = make.user("admin", is_superuser=True)
    client.force_login(person)
    entered = {"factory": row.factory_id, "name": "Lan", "position": "", "email": "", "phone": ""}
    address = f"/people/factories/contact/{row.pk}/change/"
    assert client.post(address, entered).status_code == 302
    before, after = history(row)
    assert (before.name, before.pgh_context) == ("Mai", None), "nobody in particular: a test wrote it"
    assert (after.name, after.pgh_context["user"], after.pgh_context["url"]) == ("Lan", person.pk, address)
    client.post(address, entered)
    assert len(history(row)) == 2, "saved again without a change"
    client.post(f"/people/factories/contact/{row.pk}/delete/", {"post": "yes"})
    assert [event.pgh_context and event.pgh_context["user"] for event in history(row)] == [None, person.pk, person.pk]


@pytest.mark.django_db
@pytest.mark.urls("tests.test_history")
def test_two_requests_of_two_people_are_told_apart(client):
    row = make.contact(factory=make.factory(), name="Mai")
    people = [make.user("admin", is_superuser=True), make.user("admin", is_superuser=True)]
    for person in people:
        client.force_login(person)
        entered = {"factory": row.factory_id, "name": f"Mai {person.pk}", "position": "", "email": "", "phone": ""}
        client.post(f"/people/factories/contact/{row.pk}/change/", entered)
    events = history(row)[1:]
    assert [event.pgh_context["user"] for event in events] == [person.pk for person in people]
    assert len({event.pgh_context_id for event in events}) == 2


# The same for every tracked table


CHANGES = {  # of tables without a plain word in them: one column, and what it becomes
    CalendarException: ("is_open", "NOT is_open"),
    Membership: ("user_id", "(SELECT max(id) FROM accounts_user)"),
    StandingOverride: ("reason", "'Another'"),
    BillOfMaterials: ("version", "version + 1"),
    BillLine: ("quantity_per_unit", "quantity_per_unit + 1"),
    OrderLine: ("number", "number || 'X'"),
    OrderMaterial: ("currency", "'EUR'"),
    Watch: ("factory_id", "NULL"),
    FourEyes: ("changed_at", "now()"),
    Claim: ("evidence", "'Photos'"),
    ClaimEvidence: ("removed_at", "removed_at + interval '1 day'"),
    Action: ("title", "'Another'"),
    MilestoneTemplate: ("title", "title || 'X'"),
    Milestone: ("title", "title || 'X'"),
    GradeConsequence: ("deposit_terms", "'30 % in advance'"),
}  # fmt: skip


def change_of(model):
    """A column, and SQL for another value of it that breaks no law."""
    words = {field.name for field in model._meta.fields} & {"name", "note", "reason", "code", "document"}
    return CHANGES.get(model) or (min(words), f"{min(words)} || 'X'")


def newest_event(model):
    return EVENTS[model].objects.aggregate(newest=models.Max("pgh_id"))["newest"] or 0


@pytest.mark.django_db
def test_every_tracked_table_keeps_each_insert_change_and_deletion():
    """By plain SQL over whole tables, which is what the triggers see of every other way, too."""
    a_row_of_each()
    for model in TRACKED:
        table = model._meta.db_table
        rows = set(model._base_manager.values_list("pk", flat=True))
        assert rows, f"no row of {table} to try it on"
        inserted = EVENTS[model].objects.filter(pgh_label="insert", id__in=rows)
        assert sorted(inserted.values_list("id", flat=True)) == sorted(rows) or model in (Policy, GradeConsequence), (
            table
        )
        column, becomes = change_of(model)
        run("SELECT set_config('plumbline.correcting', 'on', TRUE)")  # what a trigger keeps from being changed by hand
        newest = newest_event(model)
        run(f"UPDATE {table} SET {column} = {column}")
        assert newest_event(model) == newest, f"a write to {table} without a change"
        run(f"UPDATE {table} SET {column} = {becomes}")
        made = EVENTS[model].objects.filter(pgh_id__gt=newest)
        assert sorted((found.pgh_label, found.id) for found in made) == [("update", pk) for pk in sorted(rows)], table
        now = dict(model._base_manager.values_list("pk", column))
        assert {found.id: getattr(found, column) for found in made} == now, table
        newest = newest_event(model)
        with pgtrigger.ignore(*KEPT_FOR_EVER), transaction.atomic():
            run(f"DELETE FROM {table}")  # what hangs on the rows would be missed at the end of the transaction only
            made = EVENTS[model].objects.filter(pgh_id__gt=newest)
            assert sorted((found.pgh_label, found.id) for found in made) == [("delete", pk) for pk in sorted(rows)], (
                table
            )
            transaction.set_rollback(True)


@pytest.mark.django_db
def test_the_history_can_be_read_and_not_rewritten():
    a_row_of_each()
    for model in TRACKED:
        table = EVENTS[model]._meta.db_table
        rows = EVENTS[model].objects.count()
        assert rows, table
        for statement in (f"UPDATE {table} SET pgh_label = 'insert'", f"DELETE FROM {table}"):
            with pytest.raises(InternalError, match="Cannot"), transaction.atomic():
                run(statement)
        with pytest.raises(InternalError, match="Cannot"), transaction.atomic():
            EVENTS[model].objects.first().delete()
        assert EVENTS[model].objects.count() == rows


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Evaluation, BreachStep], ids=["evaluations", "steps"])
def test_a_judgement_and_a_step_cannot_be_rewritten(model):
    a_row_of_each()
    changes = {"code_version": "2"} if model is Evaluation else {"note": "It was not me."}
    with pytest.raises(InternalError, match="Cannot update rows"), transaction.atomic():
        model.objects.update(**changes)


@pytest.mark.django_db
def test_a_step_outlives_the_person_who_took_it():
    opened, person = breach(), make.user()
    step = opened.steps.create(on=opened.opened_on, what="acknowledged", by=person)
    person.delete()
    step.refresh_from_db()
    assert (step.by, step.what) == (None, "acknowledged")


@pytest.mark.django_db
def test_every_event_table_is_append_only_and_written_by_statement():
    found = [trigger for model, trigger in pgtrigger.registered() if model in EVENTS.values()]
    assert {trigger.name for trigger in found} == {"append_only"}
    assert len(found) == len(TRACKED)
    for model, trigger in pgtrigger.registered():
        if model in TRACKED and trigger.name in ("insert_insert", "update_update", "delete_delete"):
            assert trigger.level == pgtrigger.Statement, "at row level a bulk write costs many times as much"
