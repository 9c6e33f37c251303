"""The database keeps the law, whichever way a write comes, and says it in a sentence."""

import copy
import datetime
import re
import threading
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pgtrigger
import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import Model, Sum

from accounts.models import User
from assessments.models import (
    Action,
    Breach,
    Claim,
    Evaluation,
    FourEyes,
    Grade,
    GradeConsequence,
    JobSlot,
    Policy,
    Watch,
)
from factories.models import CalendarException, Standing, StandingOverride, WorkingDay
from notifications.models import Heartbeat, Message
from production import late_risk
from production.models import (
    BillLine,
    FactoryDay,
    MaterialMovement,
    MilestoneTemplate,
    OrderLine,
)
from tests import make

OURS = ["accounts", "factories", "production", "assessments", "notifications"]
BEFORE, AFTER = make.day("1999-12-31"), make.day("2050-01-01")
MOMENT = datetime.datetime(2026, 11, 1, 10, tzinfo=datetime.UTC)


@dataclass
class Law:
    """One constraint: a row that keeps it, values (for "never two", names) that break it, and the sentence a person reads."""

    name: str
    row: Any
    breaks: list[Any]
    sentence: str = ""


def evaluation(**fields):
    fields.setdefault("factory", make.factory())
    return Evaluation.objects.create(
        **{"kind": "night", "as_of": make.day("2026-11-01"), "policy": make.shipped_policy(), "window_days": 90, "sums": {},
           "measures": {}, "raw_grade": "not_rated", "digest": "", "code_version": "1"} | fields
    )  # fmt: skip


def policy(**fields):
    return Policy.objects.create(**{"factory": make.factory(), "effective_from": make.day("2030-01-01")} | fields)


def breach(**fields):
    return Breach.objects.create(
        **{"key": "k", "factory": make.factory(), "measure": "otif", "severity": "breach", "opened_on": make.day("2026-11-01")} | fields
    )  # fmt: skip


def claim(**fields):
    supplied = fields.pop("order_material", None) or make.order_material()
    numbers = dict.fromkeys(
        ["issued", "net_issued", "theoretical", "loss", "allowed", "excess", "unit_cost", "charge_exact", "charge"], 1
    )
    return Claim.objects.create(
        **{"order_material": supplied, "factory": supplied.factory, "closed_on": make.day("2026-11-20"), "currency": "USD",
           "created_by": make.user()} | numbers | fields
    )  # fmt: skip


def proof(**fields):
    return make.evidence(**{"claim": claim(), "content": f"Weigh note {next(make.numbers)}"} | fields)


def action(**fields):
    return Action.objects.create(
        **{"factory": make.factory(), "title": "Needle log", "due_on": make.day("2026-12-01"), "asked_by": make.user()} | fields
    )  # fmt: skip


def plan(**fields):
    return action(**{"kind": "plan", "grade_since": make.day("2026-11-01")} | fields)


def override(**fields):
    return StandingOverride.objects.create(
        **{"factory": make.factory(), "reason": "Samples only.", "from_on": make.day("2026-11-01"), "until_on": make.day("2026-11-30"),
           "granted_by": make.user("manager")} | fields
    )  # fmt: skip


def consequence():
    return GradeConsequence.objects.get_or_create(grade=Grade.values[next(make.numbers) % len(Grade.values)])[0]


def message(**fields):
    return Message.objects.create(
        **{"recipient": make.user(), "address": "a@example.com", "kind": "k", "key": "1", "subject": "s", "text": "t"} | fields
    )  # fmt: skip


def exception(**fields):
    return CalendarException.objects.create(**{"calendar": make.calendar(), "day": make.day("2026-12-25")} | fields)


def day_of(**fields):
    factory = make.factory()
    return FactoryDay.objects.create(
        factory=factory, category=factory.category, day=make.day("2026-11-01"), family="defect", **fields
    )


def bill_line(**fields):
    bill = make.bill(product=make.product())
    return BillLine.objects.create(bill=bill, material=make.material(), quantity_per_unit=1, **fields)


def a_scrap():
    supplied = make.order_material()
    make.material_movement(100, order_material=supplied)
    return make.material_movement(5, order_material=supplied, kind="scrap")


def a_template_step():
    return MilestoneTemplate.objects.create(
        category=make.category(), code=f"step-{next(make.numbers)}", title="Step", position=1
    )


def a_forecast():
    return make.forecast(make.milestone(), make.day("2026-10-05"))


def a_reversal():
    return make.reversal(make.delivery(100), 40, known_on=make.day("2026-11-05"))


def outside(*names):
    return [{name: day} for name in names for day in (BEFORE, AFTER)]


def shares(name):
    """Target, limit and zero of a measure that is better when smaller, each out of order once."""
    return [
        {f"{name}_target": "-0.01"}, {f"{name}_target": "0.5"}, {f"{name}_limit": "0.5"}, {f"{name}_zero": "1.01"},
        {f"{name}_target": 0, f"{name}_limit": 0},
    ]  # fmt: skip


DAY, DAYS = "The day must lie between 2000 and 2049.", "Days must lie between 2000 and 2049."
CHECKS = [
    Law("template_gap_within_a_year", a_template_step, [{"gap_days": 366}], "Enter at most 365 days."),
    Law("milestone_within_calendar", lambda: make.milestone(frozen_at=None, reached_on=make.day("2026-10-02")),
        outside("planned_on", "actual_on"), DAYS),
    Law("a_reached_milestone_has_evidence", lambda: make.milestone(frozen_at=None),
        [{"actual_on": make.day("2026-10-02")}, {"evidence": "Report"}, {"recorded_at": MOMENT},
         {"actual_on": make.day("2026-10-02"), "recorded_at": MOMENT, "evidence": " "}],
        "Say what shows that the milestone is reached."),
    Law("forecast_within_calendar", a_forecast, outside("forecast_on"), DAY),
    Law("a_move_names_another_day", make.rebaseline, [{"new_on": make.day("2026-10-01")}, *outside("was_on", "new_on")],
        "Enter another day, between 2000 and 2049."),
    Law("a_move_has_a_reason", make.rebaseline, [{"reason": " "}], "Say what we changed."),
    Law("role_is_known", make.user, [{"role": "owner"}]),
    Law("weekend_days_are_iso", make.calendar, [{"weekend": [0]}, {"weekend": [8]}],
        "Days off are numbers from 1 (Monday) to 7 (Sunday)."),
    Law("a_week_has_a_working_day", make.calendar, [{"weekend": [1, 2, 3, 4, 5, 6, 7]}],
        "At least one day of the week must be a working day."),
    Law("calendar_code_is_plain", make.calendar, [{"code": "a b"}, {"code": "-a"}, {"code": "a/b"}],
        "Use letters A to Z, digits, hyphen, dot or underscore."),
    Law("calendar_country_is_iso", make.calendar, [{"country": "cn"}, {"country": "C"}],
        "Use the two-letter country code, for example VN."),
    Law("holidays_come_from_the_base", lambda: make.calendar(base=make.calendar()), [{"country": "CN"}],
        "A calendar that builds on another has the holidays of that one."),
    Law("exception_within_calendar", exception, outside("day"), DAY),
    Law("factory_code_is_plain", make.factory, [{"code": "vn-1"}, {"code": "-VN"}, {"code": "VN 1"}],
        "Use capital letters A to Z, digits, hyphen, dot or underscore."),
    Law("country_is_iso", make.factory, [{"country": "vn"}, {"country": "V"}],
        "Use the two-letter country code, for example VN."),
    Law("consumption_is_positive", bill_line, [{"quantity_per_unit": 0}, {"quantity_per_unit": -1}],
        "The consumption of one unit must be more than 0."),
    Law("loss_allowance_is_a_fraction", make.order, [{"loss_allowance": "-0.01"}, {"loss_allowance": 1}],
        "The loss allowance is a share between 0 and 1, for example 0.03."),
    Law("order_currency_is_iso", make.order, [{"currency": "usd"}, {"currency": "US"}],
        "Use the three-letter currency code, for example USD."),
    Law("order_days_within_calendar", make.order, outside("ordered_on", "confirmed_on", "closed_on"), DAYS),
    Law("ordered_quantity_is_positive", make.line, [{"quantity": 0}, {"quantity": -1}],
        "The ordered quantity must be more than 0."),
    Law("unit_price_not_negative", make.line, [{"unit_price": "-0.01"}], "The unit price cannot be negative."),
    Law("tolerances_are_fractions", make.line, [{"tol_under": "-0.1"}, {"tol_under": 1}, {"tol_over": "-0.1"}],
        "A tolerance is a share such as 0.05."),
    Law("working_day_terms_name_a_calendar", make.line, [{"grace_unit": "working"}, {"rolls_to_working_day": True}],
        "Terms in working days need a calendar."),
    Law("terms_within_ten_years", make.line, [{"grace_days": 3651}, {"early_days": 3651}], "Grace and early days may be at most 3650."),
    Law("line_days_within_calendar", lambda: make.line(committed_on=None),
        outside("requested_on", "committed_on", "forecast_on", "closed_short_on"), DAYS),
    Law("cancelled_quantity_is_positive", lambda: make.cancellation(line=make.line(), quantity=1, cancelled_on=make.day("2026-11-01")),
        [{"quantity": 0}, {"quantity": -1}], "The cancelled quantity must be more than 0."),
    Law("cancellation_within_calendar", lambda: make.cancellation(line=make.line(), quantity=1, cancelled_on=make.day("2026-11-01")),
        outside("cancelled_on"), DAY),
    Law("revision_within_calendar", lambda: make.revision(line=make.line(), new_on=make.day("2026-12-01")),
        outside("new_on", "approved_on", "asked_on"), DAYS),
    Law("allowance_is_a_fraction", make.order_material, [{"allowance": "-0.01"}, {"allowance": 1}],
        "The loss allowance is a share between 0 and 1, for example 0.03."),
    Law("lot_quantity_is_positive", make.lot, [{"quantity": 0}], "The lot quantity must be more than 0."),
    Law("only_a_reversal_is_negative", make.delivery, [{"quantity": 0}, {"quantity": -5}, {"kind": "reversal"}, {"kind": "other"}],
        "A receipt needs a quantity above 0; a reversal names its receipt and is below 0."),
    Law("only_a_reversal_is_negative", a_reversal, [{"quantity": 5}, {"reverses_id": None}],
        "A receipt needs a quantity above 0; a reversal names its receipt and is below 0."),
    Law("delivery_within_calendar", make.delivery, [{"received_on": day, "known_on": day} for day in (BEFORE, AFTER)], DAY),
    Law("delivery_within_calendar", a_reversal, outside("known_on"), DAY),
    Law("a_receipt_counts_from_its_day", make.delivery, [{"known_on": make.day("2026-11-02")}],
        "A receipt counts from the day it was received."),
    Law("exclusion_has_one_subject", make.exclusion, [{"line_id": None}],
        "Choose one order line, one lot or one material of an order."),
    Law("exclusion_has_a_reason", make.exclusion, [{"reason": ""}, {"reason": " \n"}], "Say why it should not count."),
    Law("exclusion_says_who_and_when", make.exclusion, [
            {"state": "approved"}, {"state": "declined"}, {"state": "lifted"}, {"state": "withdrawn"}, {"state": "other"},
            {"withdrawn_at": MOMENT}, {"decided_on": make.day("2026-11-20")}, {"lifted_on": make.day("2026-11-20")},
        ], "A decision has a person and a day; what is lifted also has a reason."),
    Law("exclusion_says_who_and_when", lambda: make.exclusion(on=make.day("2026-11-20")), [
            {"decided_by_id": None}, {"decided_on": None}, {"decided_at": None}, {"state": "proposed"}, {"state": "lifted"},
            {"lifted_on": make.day("2026-11-21")},
        ], "A decision has a person and a day; what is lifted also has a reason."),
    Law("exclusion_says_who_and_when", lambda: make.exclusion(on=make.day("2026-11-20"), lifted_on=make.day("2026-11-21")), [
            {"lift_reason": " "}, {"lifted_by_id": None}, {"lifted_on": make.day("2026-11-19")}, {"state": "approved"},
        ], "A decision has a person and a day; what is lifted also has a reason."),
    Law("exclusion_within_calendar", lambda: make.exclusion(on=make.day("2026-11-20")), outside("decided_on"), DAYS),
    Law("dispute_has_one_subject", make.dispute, [{"line_id": None}],
        "Choose one order line, one lot, one delivery or one material of an order."),
    Law("dispute_has_a_reason", make.dispute, [{"reason": ""}, {"reason": " \n"}], "Say what is not right."),
    Law("dispute_says_who_answered_what", make.dispute, [
            {"state": "upheld"}, {"state": "declined"}, {"state": "withdrawn"}, {"state": "other"}, {"answered_at": MOMENT},
            {"withdrawn_at": MOMENT}, {"state": "declined", "answered_at": MOMENT, "answer": "No"},
        ], "An answer has a person, a moment and a text."),
    Law("something_was_inspected", lambda: make.inspection(inspected=5), [{"units_inspected": 0}], "At least one unit must be inspected."),
    Law("defective_within_inspected", lambda: make.inspection(inspected=5), [
            {"units_critical": 6}, {"units_major": 6}, {"units_minor": 6}, {"units_critical": 2, "units_major": 2, "units_minor": 2},
        ], "Critical, major and minor together cannot be more than the units inspected."),
    Law("inspected_within_lot", make.inspection, [{"lot_quantity": 79}], "More units were inspected than the lot has."),
    Law("material_fault_within_rejected", make.inspection, [{"units_material_fault": 1}],
        "Rejects because of our material cannot be more than all rejects."),
    Law("inspection_within_calendar", make.inspection, outside("inspected_on", "material_fault_approved_on"), DAY),
    Law("moved_quantity_is_positive", a_scrap, [{"quantity_entered": 0}, {"quantity_entered": -1}], "The quantity must be more than 0."),
    Law("conversion_is_positive", a_scrap, [{"factor_numerator": 0}, {"factor_denominator": -1}],
        "The unit conversion must be two whole numbers above 0."),
    Law("issued_material_has_a_cost", make.material_movement, [{"unit_cost": None}, {"unit_cost": -1}],
        "Issued material needs its unit cost: it is frozen now and used at order close."),
    Law("fabric_has_weight_and_width", a_scrap,
        [{"gsm": 180}, {"width_m": "1.6"}, {"gsm": 0, "width_m": "1.6"}, {"gsm": 180, "width_m": -1}],
        "The weight of a fabric is converted by its g/m² and its width, both above 0."),
    Law("salvage_not_negative", a_scrap, [{"salvage_unit": "-0.01"}], "The salvage value cannot be negative."),
    Law("movement_within_calendar", a_scrap, outside("moved_on"), DAY),
    Law("defect_thresholds_in_order", policy, shares("defect")),
    Law("soft_defect_thresholds_in_order", policy, shares("soft_defect")),
    Law("loss_thresholds_in_order", policy, shares("loss")),
    Law("otif_thresholds_in_order", policy, [
            {"otif_target": "1.01"}, {"otif_target": "0.8"}, {"otif_floor": "0.6"}, {"otif_zero": "-0.1"},
            {"otif_floor": 1, "otif_target": 1},
        ]),
    Law("some_weight", policy, [{"defect_weight": 0, "otif_weight": 0, "loss_weight": 0}], "At least one weight must be more than 0."),
    Law("bands_in_order", policy, [{"passing_from": 0}, {"passing_from": 80}, {"good_from": 95}, {"excellent_from": 101}],
        "Bands must rise: 0 < passing < good < excellent ≤ 100."),
    Law("windows_in_order", policy, [{"window_days": 0}, {"window_days": 366}, {"fallback_days": 732}],
        "The window must be at least 1 day and no longer than the fallback (at most 731)."),
    Law("alphas_are_probabilities", policy, [{"alpha_month": 0}, {"alpha_month": 1}, {"alpha_rolling": 0}, {"alpha_rolling": 1}],
        "Alpha must lie between 0 and 1."),
    Law("declined_policy_has_a_reason", lambda: policy(state="proposed"), [{"state": "declined"}], "Say why."),
    Law("policy_state_is_known", lambda: policy(state="proposed"), [{"state": "perhaps"}]),
    Law("claim_is_for_an_excess", claim, [{"charge": 0}, {"excess": 0}], "Only a loss beyond the allowance can be claimed."),
    Law("claimed_movements_give_the_net", claim, [{"issued": 2}, {"returned": 1}],
        "Issued and taken over, less returned and passed on, must give the net issued."),
    Law("evidence_is_a_file_or_a_note", proof, [{"size": None}, {"size": 0}, {"name": ""}, {"sha256": "x"}, {"content_type": ""},
        {"file": "", "name": "", "size": None, "sha256": "", "content_type": "", "caption": " "}],
        "Choose a file, or write what there is to know."),
    Law("evidence_says_who_removed_it", proof, [{"removed_at": MOMENT}], "A removal has a person and a moment."),
    Law("plan_belongs_to_a_grade", action, [{"kind": "plan"}, {"grade_since": make.day("2026-11-01")}],
        "An improvement plan, and nothing else, belongs to a grade."),
    Law("action_says_what", action, [{"title": ""}], "Say what."),
    Law("settlement_rate_is_positive", claim, [{"settlement_rate": 0}], "The rate must be more than 0."),
    Law("settled_claim_says_how", claim, [
            {"state": "settled"}, {"state": "settled", "settled_by": "payment"}, {"state": "settled", "settled_on": BEFORE},
        ], "Say how and when it was settled."),
    Law("override_ends_after_it_begins", override, [{"until_on": make.day("2026-10-31")}], "The last day cannot lie before the first."),
    Law("override_has_a_reason", override, [{"reason": ""}], "Say why."),
    Law("a_sent_message_has_its_moment", message, [{"state": "sent"}, {"sent_at": MOMENT}, {"state": "lost"}]),
]  # fmt: skip

NEVER_TWO = [
    Law("accounts_user_email_key", make.user, ["email"], "User with this Email already exists."),
    Law("factories_category_code_key", make.category, ["code"], "Category with this Code already exists."),
    Law("factories_workingcalendar_code_key", make.calendar, ["code"], "Working calendar with this Code already exists."),
    Law("one_exception_per_day", exception, ["calendar_id", "day"], "This calendar already has an entry for that day."),
    Law("one_public_holiday_per_day", lambda: exception(source="holidays 0.109"), ["calendar_id", "day"],
        "This calendar already has a public holiday on that day."),
    Law("factories_factory_code_key", make.factory, ["code"], "Factory with this Code already exists."),
    Law("one_membership", lambda: make.membership(factory=make.factory(), user=make.user("contact")), ["factory_id", "user_id"],
        "This person already belongs to this factory."),
    Law("production_site_code_key", make.site, ["code"], "Site with this Code already exists."),
    Law("production_product_code_key", make.product, ["code"], "Product with this Code already exists."),
    Law("production_material_code_key", make.material, ["code"], "Material with this Code already exists."),
    Law("one_bill_per_version", lambda: make.bill(product=make.product()), ["product_id", "version"],
        "Bill of materials with this Product and Version already exists."),
    Law("one_bill_line_per_material", bill_line, ["bill_id", "material_id"], "Bill line with this Bill and Material already exists."),
    Law("order_number_unique_in_factory", make.order, ["factory_id", "number"], "This factory already has an order with that number."),
    Law("line_number_unique_in_order", make.line, ["order_id", "factory_id", "number"], "This order already has a line with that number."),
    Law("source_key_unique", lambda: make.line(source_key=f"a file, line {next(make.numbers)}"), ["source_key"],
        "Order line with this Source key already exists."),
    Law("one_row_per_order_and_material", make.order_material, ["order_id", "factory_id", "material_id"],
        "Order material with this Order and Material already exists."),
    Law("template_code_unique_in_category", a_template_step, ["category_id", "code"],
        "This template already has a milestone with that code."),
    Law("milestone_code_unique_in_order", lambda: make.milestone(frozen_at=None), ["order_id", "factory_id", "code"],
        "This plan already has a milestone with that code."),
    Law("one_waiting_move_per_milestone", make.rebaseline, ["milestone_id", "factory_id"],
        "A move of this milestone waits for approval already."),
    Law("lot_code_unique_in_factory", make.lot, ["factory_id", "line_id", "code"], "This factory already has a lot with that code."),
    Law("one_standing_exclusion_per_line", make.exclusion, ["line_id", "factory_id"], "There is already an exclusion of this row."),
    Law("one_standing_exclusion_per_lot", lambda: make.exclusion(lot=make.lot()), ["lot_id", "factory_id"],
        "There is already an exclusion of this row."),
    Law("one_standing_exclusion_per_order_material", lambda: make.exclusion(order_material=make.order_material()),
        ["order_material_id", "factory_id"], "There is already an exclusion of this row."),
    Law("one_open_dispute_per_line", make.dispute, ["line_id", "factory_id"], "This row is disputed already."),
    Law("one_open_dispute_per_lot", lambda: make.dispute(lot=make.lot()), ["lot_id", "factory_id"], "This row is disputed already."),
    Law("one_open_dispute_per_delivery", lambda: make.dispute(delivery=make.delivery()), ["delivery_id", "factory_id"],
        "This row is disputed already."),
    Law("one_open_dispute_per_order_material", lambda: make.dispute(order_material=make.order_material()),
        ["order_material_id", "factory_id"], "This row is disputed already."),
    Law("one_policy_per_scope_and_day", policy, ["factory_id", "effective_from"],
        "There is already a version for this scope from that day."),
    Law("one_live_breach_per_key", lambda: breach(key=str(next(make.numbers))), ["key"], "This breach is already open."),
    Law("one_watch", lambda: Watch.objects.create(user=make.user(), factory=make.factory()), ["user_id", "factory_id"],
        "This person already watches that."),
    Law("one_claim_per_order_and_material", claim, ["order_material_id"],
        "There is already a claim for this material of this order."),
    Law("a_file_once_in_a_claim", proof, ["claim_id", "sha256"], "This file belongs to the claim already."),
    Law("one_plan_for_one_stretch_of_a_grade", plan, ["factory_id", "grade_since"],
        "This stretch of the grade has its plan already."),
    Law("assessments_gradeconsequence_grade_key", consequence, ["grade"], "Grade consequence with this Grade already exists."),
    Law("one_run_per_slot", lambda: JobSlot.objects.create(job="night", slot=str(next(make.numbers))), ["slot"],
        "Job slot with this Job and Slot already exists."),
    Law("notifications_heartbeat_name_key", lambda: Heartbeat.objects.create(name=str(next(make.numbers))), ["name"],
        "Heartbeat with this Name already exists."),
    Law("one_message_per_recipient_and_key", message, ["recipient_id", "key"], "Message with this Recipient and Key already exists."),
]  # fmt: skip

# Kept from being broken by hand, and named in a test of their own below.
OTHERS = {
    "one_account_per_email", "production_delivery_idem_key", "production_inspection_idem_key", "one_evaluation_per_revision",
    "only_a_month_publishes_a_grade", "one_working_ordinal",
    "exclusion_needs_a_second_person",
    "policy_decided_by_another", "one_setting_of_four_eyes", "four_eyes_off_by_another",
}  # fmt: skip
FRAMEWORK = {  # of Django's own many-to-many tables: nobody is given groups or permissions, the role decides
    "accounts_user_groups_user_id_group_id_59c0b32f_uniq", "accounts_user_user_permi_user_id_permission_id_2ab516c2_uniq",
}  # fmt: skip


# Ways to write


# What a trigger keeps from being deleted: here another law is at stake.
KEPT_FOR_EVER = ["production.Exclusion:exclusion_is_never_deleted", "assessments.ClaimEvidence:evidence_is_kept"]


def refused(write):
    """The name of the law that refuses the write, and its words."""
    with pytest.raises(IntegrityError) as caught:
        checked_at_once(write)
    diag = caught.value.__cause__.diag
    return diag.constraint_name, diag.message_primary


def checked_at_once(write):
    with transaction.atomic(), connection.cursor() as cursor:
        write()
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def changed(row, values):
    """A copy of the row in memory, with other values."""
    other = copy.copy(row)
    other._state = copy.copy(row._state)
    other._state.fields_cache = {}
    for name, value in values.items():
        setattr(other, name, value)
    return other


def by_save(row, values):
    changed(row, values).save()


def by_update(row, values):
    type(row)._base_manager.filter(pk=row.pk).update(**values)


def by_bulk_update(row, values):
    type(row)._base_manager.bulk_update([changed(row, values)], list(values))


def by_bulk_create(row, values):
    fresh = changed(row, values | {"pk": None})
    fresh._state.adding = True
    with pgtrigger.ignore(*KEPT_FOR_EVER):
        type(row)._base_manager.filter(pk=row.pk).delete()
    type(row)._base_manager.bulk_create([fresh])


def by_plain_sql(row, values):
    fields = {type(row)._meta.get_field(name) if not name.endswith("_id") else type(row)._meta.get_field(name[:-3]): value
              for name, value in values.items()}  # fmt: skip
    sets = ", ".join(f"{each.column} = %s" for each in fields)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {row._meta.db_table} SET {sets} WHERE id = %s", [*fields.values(), row.pk])


WAYS = [by_save, by_update, by_bulk_update, by_bulk_create, by_plain_sql]


def sentences(row, values, name=""):
    """What a person reads who enters this in a form; and what the law itself says, where a field spoke before it."""
    entered = changed(row, values)
    with pytest.raises(ValidationError) as caught:
        entered.full_clean(exclude=["password", "last_login"])
    said = list(caught.value.messages)
    for law in type(row)._meta.constraints:
        if law.name == name:
            with pytest.raises(ValidationError) as caught:
                law.validate(type(row), entered)
            said += caught.value.messages
    return said


@pytest.mark.django_db
@pytest.mark.parametrize("law", CHECKS, ids=lambda law: law.name)
def test_a_value_that_cannot_be_is_refused_whichever_way_it_comes(law):
    row = law.row()
    checked_at_once(lambda: None)
    for values in law.breaks:
        for way in WAYS:
            assert refused(lambda way=way, values=values: way(row, values))[0] == law.name, (way.__name__, values)
        if law.sentence:
            assert law.sentence in sentences(row, values, law.name), values


@pytest.mark.django_db
@pytest.mark.parametrize("values, sentence", [
    ({"defect_limit": "0.5"}, "For the defect rate: target ≤ limit < zero, all between 0 % and 100 %."),
    ({"soft_defect_limit": "0.5"}, "For the defect rate of soft goods: target ≤ limit < zero, all between 0 % and 100 %."),
    ({"loss_limit": "0.5"}, "For material loss: target ≤ limit < zero, all between 0 % and 100 %."),
    ({"otif_floor": "0.6"}, "For on time in full: zero < floor ≤ target, all between 0 % and 100 %."),
])  # fmt: skip
def test_thresholds_out_of_order_are_told_in_a_sentence(values, sentence):
    assert sentence in sentences(policy(), values)


@pytest.mark.django_db
@pytest.mark.parametrize("law", NEVER_TWO, ids=lambda law: law.name)
def test_never_two_of_it_whichever_way_the_second_comes(law):
    first, second = law.row(), law.row()
    second.refresh_from_db()
    values = {name: getattr(first, name) for name in law.breaks}
    for way in WAYS:
        assert refused(lambda way=way: way(second, values))[0] == law.name, way.__name__
    assert law.sentence in sentences(second, values)


@pytest.mark.django_db
def test_two_accounts_cannot_differ_by_capital_letters_only():
    first, second = make.user(email="mai@example.com"), make.user()
    for way in WAYS:
        assert refused(lambda way=way: way(second, {"email": "MAI@example.com"}))[0] == "one_account_per_email"
    assert sentences(second, {"email": "MAI@example.com"}) == ["Somebody already uses this e-mail."]
    assert User.objects.get_by_natural_key("Mai@example.com") == first


@pytest.mark.django_db
@pytest.mark.parametrize("build, name", [
    (make.delivery, "production_delivery_idem_key"), (make.inspection, "production_inspection_idem_key"),
])  # fmt: skip
def test_a_form_sent_twice_is_one_row(build, name):
    first, second = build(idem="00000000-0000-4000-8000-000000000001"), build()
    for way in WAYS:
        assert refused(lambda way=way: way(second, {"idem": first.idem}))[0] == name


@pytest.mark.django_db
def test_the_same_revision_of_an_evaluation_is_stored_once_and_only_a_month_publishes():
    first = evaluation()
    again = changed(first, {"pk": None})
    assert refused(lambda: Evaluation.objects.bulk_create([again]))[0] == "one_evaluation_per_revision"
    assert refused(lambda: evaluation(factory=first.factory))[0] == "one_evaluation_per_revision"
    assert refused(lambda: evaluation(published_grade="good"))[0] == "only_a_month_publishes_a_grade"
    evaluation(kind="month", published_grade="good")
    evaluation(factory=first.factory, category=first.factory.category)


@pytest.mark.django_db
def test_a_bucket_and_a_working_day_stand_once():
    bucket = day_of()
    assert refused(lambda: FactoryDay.objects.bulk_create([changed(bucket, {"lots": 9})]))[0] == "one_bucket"
    calendar = make.calendar()
    last = WorkingDay.objects.filter(calendar=calendar).order_by("ordinal").last()
    again = {"calendar": calendar, "day": last.day, "ordinal": last.ordinal + 1}
    assert refused(lambda: WorkingDay.objects.bulk_create([WorkingDay(**again)]))[0] == "factories_workingday_pkey"
    again = {"calendar": calendar, "day": make.day("2090-01-01"), "ordinal": last.ordinal}
    assert refused(lambda: WorkingDay.objects.create(**again))[0] == "one_working_ordinal"


@pytest.mark.django_db
def test_two_default_policies_and_two_watches_of_everything_are_two_of_the_same():
    default = make.shipped_policy()
    assert (
        refused(lambda: Policy.objects.create(effective_from=default.effective_from))[0]
        == "one_policy_per_scope_and_day"
    )
    watch = Watch.objects.create(user=make.user())
    assert refused(lambda: Watch.objects.create(user=watch.user))[0] == "one_watch"


@pytest.mark.django_db
def test_nobody_decides_about_an_own_policy_and_four_eyes_is_one_setting_that_two_switch_off():
    own = make.user("manager")
    draft = policy(created_by=own, state="proposed")
    for state in ("agreed", "declined"):
        values = {"state": state, "decided_by_id": own.pk, "reason": "Too strict."}
        for way in WAYS:
            assert refused(lambda way=way, values=values: way(draft, values))[0] == "policy_decided_by_another"
        assert sentences(draft, values) == ["Whoever proposed a version does not decide about it."]
    FourEyes.objects.create(is_on=True, changed_by=own, off_asked_by=own)
    assert refused(lambda: FourEyes.objects.create(id=2))[0] == "one_setting_of_four_eyes"
    assert refused(lambda: FourEyes.objects.update(is_on=False))[0] == "four_eyes_off_by_another"


@pytest.mark.django_db
def test_a_waived_claim_makes_room_for_another():
    first = claim(state="waived")
    claim(order_material=first.order_material)
    assert refused(lambda: by_update(first, {"state": "draft"}))[0] == "one_claim_per_order_and_material"


@pytest.mark.django_db
def test_a_limit_that_is_broken_again_later_is_another_breach():
    first = breach(state="resolved")
    second = breach(state="open")
    assert refused(lambda: by_update(first, {"state": "acknowledged"}))[0] == "one_live_breach_per_key"
    by_update(second, {"state": "dismissed"})
    by_update(first, {"state": "acknowledged"})


# The factory that every fact carries


def other_factory(row):
    return {"factory_id": make.factory().pk}


def other_day(row):
    day = make.day("2026-11-09")
    return {"received_on": day, "known_on": day}


def foreign_lot(row):
    return {"lot_id": make.lot(line=make.line(order=row.line.order)).pk}


CARRIED = [
    ("line_of_its_orders_factory", make.line, other_factory, "order"),
    ("material_of_its_orders_factory", make.order_material, other_factory, "order"),
    ("delivery_of_its_lines_factory", make.delivery, other_factory, "line__order"),
    ("lot_of_its_lines_factory", make.lot, other_factory, "line__order"),
    ("inspection_of_its_lots_factory", make.inspection, other_factory, "lot__line__order"),
    ("movement_of_its_orders_factory", make.material_movement, other_factory, "order_material__order"),
    ("exclusion_of_its_lines_factory", make.exclusion, other_factory, "line__order"),
    ("exclusion_of_its_lots_factory", lambda: make.exclusion(lot=make.lot()), other_factory, "lot__line__order"),
    (
        "exclusion_of_its_materials_factory",
        lambda: make.exclusion(order_material=make.order_material()),
        other_factory,
        "order_material__order",
    ),
    ("milestone_of_its_orders_factory", make.milestone, other_factory, "order"),
    ("forecast_of_its_milestones_factory", a_forecast, other_factory, "milestone__order"),
    ("move_of_its_milestones_factory", make.rebaseline, other_factory, "milestone__order"),
    ("dispute_of_its_lines_factory", make.dispute, other_factory, "line__order"),
    ("dispute_of_its_lots_factory", lambda: make.dispute(lot=make.lot()), other_factory, "lot__line__order"),
    (
        "dispute_of_its_materials_factory",
        lambda: make.dispute(order_material=make.order_material()),
        other_factory,
        "order_material__order",
    ),
    ("delivery_in_a_lot_of_its_line", make.delivery, foreign_lot, ""),
    ("reversal_bears_its_receipts_day", a_reversal, other_day, ""),
]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name, build, wrong, above", CARRIED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_fact_cannot_say_something_else_than_what_it_hangs_on(name, build, wrong, above):
    row = build()
    values = wrong(row)
    for way in WAYS:
        assert refused(lambda way=way: way(row, values))[0] == name, way.__name__


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name, build, wrong, above", [row for row in CARRIED if row[3]], ids=[row[0] for row in CARRIED if row[3]]
)
def test_an_order_that_moves_to_another_factory_takes_its_facts_along(name, build, wrong, above):
    row = build()
    order = row
    for step in above.split("__"):
        order = getattr(order, step)
    moved = make.factory()
    order.factory = moved
    order.save()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    row.refresh_from_db()
    assert row.factory == moved


@pytest.mark.django_db
def test_a_reversal_follows_its_receipt_to_another_day():
    taken_back = a_reversal()
    by_update(taken_back.reverses, other_day(taken_back))
    taken_back.refresh_from_db()
    assert taken_back.received_on == make.day("2026-11-09")


# Laws about the sum of several rows


@pytest.fixture
def line(db):
    return make.line(100)


def cancel(line, quantity):
    return make.cancellation(line=line, quantity=quantity, cancelled_on=make.day("2026-10-01"))


@pytest.mark.django_db
def test_no_more_is_cancelled_than_was_ordered(line):
    small, other = cancel(line, 60), cancel(line, 40)
    broken = ("cancelled_within_ordered", "Cancelled 100.5 is more than the ordered 100.")
    assert refused(lambda: cancel(line, "0.5")) == broken
    for way in WAYS:
        assert refused(lambda way=way: way(small, {"quantity": "60.5"})) == broken, way.__name__
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM production_cancellation")
        assert cursor.fetchone() == (2,)
    elsewhere = cancel(make.line(100), 1)
    for way in WAYS:
        assert refused(lambda way=way: way(elsewhere, {"line_id": line.pk}))[0] == "cancelled_within_ordered", (
            way.__name__
        )
    by_update(other, {"quantity": 30})
    cancel(line, 10)


@pytest.mark.django_db
def test_a_line_is_not_lowered_below_what_is_cancelled_of_it(line):
    cancel(line, 60)
    for way in (by_save, by_update, by_bulk_update, by_plain_sql):
        told = refused(lambda way=way: way(line, {"quantity": 59}))
        assert told == ("line_covers_cancelled", "Cancelled 60 is more than the ordered 59."), way.__name__


@pytest.mark.django_db
def test_no_more_is_taken_back_than_was_received(line):
    receipt = make.delivery(100, line=line)
    first = make.reversal(receipt, 60)
    make.reversal(receipt, 40)
    broken = ("reversed_within_received", "Reversed 100.5 is more than the 100 received on 2026-11-01.")
    assert refused(lambda: make.reversal(receipt, Decimal("0.5"))) == broken
    for way in WAYS:
        assert refused(lambda way=way: way(first, {"quantity": "-60.5"})) == broken, way.__name__
    lowered = ("reversed_within_received", "Reversed 100 is more than the 99 received on 2026-11-01.")
    for way in (by_save, by_update, by_bulk_update, by_plain_sql):
        assert refused(lambda way=way: way(receipt, {"quantity": 99})) == lowered, way.__name__
    by_update(receipt, {"quantity": 101})
    make.reversal(receipt, 1)


@pytest.mark.django_db
def test_no_more_comes_back_than_was_issued():
    supplied = make.order_material()
    issue = make.material_movement(100, order_material=supplied)
    back = make.material_movement(60, order_material=supplied, kind="return")
    make.material_movement(40, order_material=supplied, kind="transfer_out")
    broken = ("returned_within_issued", "Returned and passed on 100.5 is more than the issued 100.")
    assert refused(lambda: make.material_movement("0.5", order_material=supplied, kind="return")) == broken
    for way in (by_save, by_update, by_bulk_update, by_plain_sql):
        assert refused(lambda way=way: way(back, {"quantity_entered": "60.5"})) == broken, way.__name__
        lowered = refused(lambda way=way: way(issue, {"quantity_entered": 99}))
        assert lowered == ("returned_within_issued", "Returned and passed on 100 is more than the issued 99."), (
            way.__name__
        )
    assert refused(lambda: issue.delete()) == (
        "returned_within_issued",
        "Returned and passed on 100 is more than the issued 0.",
    )
    with connection.cursor() as cursor:
        assert refused(lambda: cursor.execute("DELETE FROM production_materialmovement WHERE kind = 'issue'"))[0] == (
            "returned_within_issued"
        )
    fresh = changed(back, {"pk": None, "quantity_entered": 1})
    assert refused(lambda: MaterialMovement.objects.bulk_create([fresh]))[0] == "returned_within_issued"


@pytest.mark.django_db
def test_the_first_commitment_and_confirmed_terms_are_frozen(line):
    sentence = "The first committed day and the terms of a confirmed line are frozen. Record a date revision instead."
    ways = [way for way in WAYS if way is not by_bulk_create]
    for way in ways:
        told = refused(lambda way=way: way(line, {"committed_on": make.day("2026-12-01")}))
        assert told == ("first_commitment_is_frozen", sentence), way.__name__
    by_update(line, {"grace_days": 3})
    by_update(line, {"terms_frozen_on": make.day("2026-10-01")})
    line.refresh_from_db()
    calendar = make.calendar()
    for values in [
        {"grace_days": 9}, {"tol_under": "0.5"}, {"tol_over": "0.5"}, {"over_policy": "miss"}, {"early_days": 4}, {"early_policy": "miss"},
        {"single_delivery": True}, {"calendar_id": calendar.pk}, {"grace_unit": "working", "calendar_id": calendar.pk},
        {"rolls_to_working_day": True, "calendar_id": calendar.pk},
    ]:  # fmt: skip
        for way in ways:
            assert refused(lambda way=way, values=values: way(line, values))[0] == "first_commitment_is_frozen", (
                way.__name__,
                values,
            )
    by_update(line, {"quantity": 90, "forecast_on": make.day("2026-12-01")})


@pytest.mark.django_db
def test_an_import_may_correct_what_is_frozen_within_its_transaction_only(line):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('plumbline.correcting', 'on', TRUE)")
        by_update(line, {"committed_on": make.day("2026-12-01")})
        cursor.execute("SELECT set_config('plumbline.correcting', 'off', TRUE)")
    assert refused(lambda: by_update(line, {"committed_on": make.day("2026-12-02")}))[0] == "first_commitment_is_frozen"


@pytest.mark.django_db
def test_nobody_decides_what_the_same_person_proposed():
    waiting = make.exclusion()
    alone = {
        "state": "approved",
        "decided_by_id": waiting.proposed_by_id,
        "decided_at": MOMENT,
        "decided_on": make.day("2026-11-20"),
    }
    for way in WAYS:
        assert refused(lambda way=way: way(waiting, alone))[0] == "exclusion_needs_a_second_person", way.__name__
    said = sentences(waiting, alone, "exclusion_needs_a_second_person")
    assert "Somebody else than the person who proposed it decides." in said
    by_update(waiting, alone | {"decided_by_id": make.user("manager").pk})


@pytest.mark.django_db
def test_what_was_proposed_and_decided_stays_as_it_is():
    sentence = "What was proposed and decided stays as it is. Lift it, or propose anew."
    ways = [way for way in WAYS if way is not by_bulk_create]
    another, day = make.user("manager"), make.day("2026-11-20")
    waiting, approved = make.exclusion(), make.exclusion(on=day)
    declined, lifted = make.exclusion(on=day, state="declined"), make.exclusion(on=day, lifted_on=day)
    withdrawn = make.exclusion(state="withdrawn", withdrawn_at=MOMENT)
    open_again = {"state": "proposed", "decided_by_id": None, "decided_at": None, "decided_on": None}
    for row, values in [
        (waiting, {"reason": "Another"}), (waiting, {"proposed_by_id": another.pk}), (waiting, {"evidence": "Another"}),
        (approved, {"decided_by_id": another.pk}), (approved, {"decided_on": make.day("2026-11-01")}), (approved, open_again),
        (approved, {"state": "declined"}), (declined, {"state": "approved"}), (declined, open_again),
        (lifted, {"lift_reason": "Another"}), (withdrawn, {"state": "proposed", "withdrawn_at": None}),
        (withdrawn, {"state": "approved", "withdrawn_at": None, "decided_by_id": another.pk, "decided_at": MOMENT, "decided_on": day}),
    ]:  # fmt: skip
        for way in ways:
            assert refused(lambda way=way, row=row, values=values: way(row, values)) == (
                "exclusion_is_kept",
                sentence,
            ), (
                way.__name__,
                row.state,
                values,
            )
    by_update(waiting, {"state": "withdrawn", "withdrawn_at": MOMENT})
    make.exclusion(line=lifted.line)


@pytest.mark.django_db
def test_what_was_disputed_and_answered_stays_as_it_is():
    sentence = "What was disputed and answered stays as it is. Raise another dispute."
    ways = [way for way in WAYS if way is not by_bulk_create]
    answer = {"answer": "No", "answered_by": make.user(), "answered_at": MOMENT}
    waiting, declined = make.dispute(), make.dispute(state="declined", **answer)
    withdrawn = make.dispute(state="withdrawn", withdrawn_at=MOMENT)
    for row, values in [
        (waiting, {"reason": "Another"}), (waiting, {"raised_by_id": make.user("contact").pk}), (declined, {"answer": "Yes"}),
        (declined, {"state": "upheld"}), (declined, {"state": "open", "answered_at": None}),
        (withdrawn, {"state": "open", "withdrawn_at": None}),
    ]:  # fmt: skip
        for way in ways:
            assert refused(lambda way=way, row=row, values=values: way(row, values)) == ("dispute_is_kept", sentence), (
                way.__name__,
                values,
            )
    by_update(waiting, {"state": "withdrawn", "withdrawn_at": MOMENT})
    make.dispute(line=waiting.line)


# Races: two people, each within the law, together beyond it


def wait_until_blocked(seconds=10):
    """Until another connection waits for a lock of ours."""
    give_up = time.monotonic() + seconds
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
            )
            if cursor.fetchone()[0]:
                return
            assert time.monotonic() < give_up, "nobody waits"
            time.sleep(0.01)


def at_the_same_time(write, waits):
    """Writes once here, then once on another connection before this one commits; what the second one was told."""
    told = []

    def second():
        try:
            write()
            told.append("")
        except IntegrityError as problem:
            told.append(problem.__cause__.diag.constraint_name)
        finally:
            connection.close()

    thread = threading.Thread(target=second)
    with transaction.atomic():
        write()
        thread.start()
        if waits:
            wait_until_blocked()
        else:
            thread.join(10)
            assert not thread.is_alive(), "the second writer waited"
    thread.join(10)
    return told


def a_line_with_two_cancellations():
    line = make.line(100)
    return lambda: cancel(OrderLine.objects.get(pk=line.pk), 60), lambda: line.cancellations.aggregate(
        sum=Sum("quantity")
    )["sum"]


def a_receipt_taken_back_twice():
    receipt = make.delivery(100)
    return lambda: make.reversal(receipt, 60), lambda: -receipt.reversals.aggregate(sum=Sum("quantity"))["sum"]


def material_that_comes_back_twice():
    supplied = make.order_material()
    make.material_movement(100, order_material=supplied)
    return (
        lambda: make.material_movement(60, order_material=supplied, kind="return"),
        lambda: supplied.movements.filter(kind="return").aggregate(sum=Sum("quantity"))["sum"],
    )


RACES = [
    ("cancelled_within_ordered", "production_cancellation", a_line_with_two_cancellations),
    ("reversed_within_received", "production_delivery", a_receipt_taken_back_twice),
    ("returned_within_issued", "production_materialmovement", material_that_comes_back_twice),
]


def insert_trigger(table, law):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.tgname, pg_get_functiondef(t.tgfoid) FROM pg_trigger t WHERE t.tgrelid = %s::regclass AND t.tgname LIKE %s",
            [table, f"pgtrigger_{law}_insert_%"],
        )
        return cursor.fetchone()


def run(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("law, table, world", RACES, ids=[row[0] for row in RACES])
def test_two_writers_at_once_cannot_break_together_what_each_alone_keeps(law, table, world):
    write, total = world()
    assert at_the_same_time(write, waits=True) == [law]
    assert total() == 60


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("law, table, world", RACES, ids=[row[0] for row in RACES])
def test_without_the_trigger_or_without_its_lock_they_do(law, table, world):
    """The twin of the test above: it shows that the race is real, and that looking without locking is not enough."""
    name, function = insert_trigger(table, law)
    assert "FOR UPDATE" in function
    write, total = world()
    run(function.replace("FOR UPDATE", ""))
    try:
        assert at_the_same_time(write, waits=False) == [""]
        assert total() == 120, "each looked, neither saw the other"
    finally:
        run(function)
    write, total = world()
    run(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
    try:
        assert at_the_same_time(write, waits=False) == [""]
        assert total() == 120
    finally:
        run(f"ALTER TABLE {table} ENABLE TRIGGER {name}")


# References and counts, found in the database itself


def in_the_database():
    """(table, kind, name, column) of every check, unique and foreign key of our tables, and of every unique index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.conrelid::regclass::text, c.contype::text, c.conname, a.attname, cardinality(c.conkey) FROM pg_constraint c "
            "JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] "
            "WHERE c.contype IN ('c', 'u', 'f', 'x') AND c.conrelid::regclass::text ~ %s "
            "UNION SELECT i.indrelid::regclass::text, 'u', i.indexrelid::regclass::text, '', 0 FROM pg_index i "
            "WHERE i.indisunique AND NOT i.indisprimary AND i.indrelid::regclass::text ~ %s "
            "AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid) ORDER BY 1, 2, 3",
            [f"^({'|'.join(OURS)})_"] * 2,
        )
        return cursor.fetchall()


def plain_references():
    return [
        (table, name, column) for table, kind, name, column, _ in in_the_database() if kind == "f" and "_fk_" in name
    ]


def plain_counts():
    """Django's own check on each field that counts: not below 0."""
    names = [(table, name, column) for table, kind, name, column, _ in in_the_database() if kind == "c"]
    return [(table, name, column) for table, name, column in names if name == f"{table}_{column}_check"]


def a_row_of_each():
    """At least one row in every table of ours, the event tables among them."""
    factory = make.factory(calendar=make.calendar())
    person, boss = make.user("contact", factory=factory), make.user("manager")
    exception(calendar=factory.calendar)
    make.calendar(base=make.calendar())
    make.contact(factory=factory)
    fabric, product = make.material(), make.product(category=factory.category)
    bill = make.bill(product=product, per_unit={fabric: "1.5"})
    order = make.order(
        factory=factory, confirmed_on=make.day("2026-09-01"), closed_on=make.day("2026-11-20"), cycle_days=60
    )
    site = make.site(calendar=factory.calendar)
    line = make.line(
        100, order=order, product=product, bill=bill, site=site, calendar=factory.calendar, early_days=3, source_key="a", grace_days=1,
        requested_on=make.day("2026-10-30"),
    )  # fmt: skip
    cancel(line, 10)
    make.revision(line=line, new_on=make.day("2026-11-03"), approved_on=make.day("2026-10-20"), approved_by=boss)
    lot = make.lot(line=line, quantity=100)
    receipt = make.delivery(95, line=line, lot=lot, recorded_by=boss, cartons=3)
    make.reversal(receipt, 5)
    make.inspection(
        lot=lot, major=2, units_rejected=2, units_material_fault=1, material_fault_approved_on=make.day("2026-11-02"), recorded_by=boss,
        lot_quantity=100,
    )  # fmt: skip
    a_template_step()
    reached = make.milestone(order=order, reached_on=make.day("2026-10-03"), recorded_by=boss, frozen_by=boss)
    make.forecast(reached, make.day("2026-10-05"), stated_by=person)
    make.rebaseline(reached, asked_by=boss, approved_by=boss, approved_at=MOMENT)
    late_risk.keep(factory.category_id, make.day("2026-11-20"))
    supplied = make.order_material(order=order, material=fabric, allowance="0.02")
    over = {"on": make.day("2026-11-20"), "lifted_on": make.day("2026-11-20"), "decided_by": boss}
    exclusions = [
        make.exclusion(**{name: row}, **over)
        for name, row in (("line", line), ("lot", lot), ("order_material", supplied))
    ]
    answered = {
        "state": "upheld",
        "answer": "Yes",
        "answered_by": boss,
        "answered_at": MOMENT,
        "exclusion": exclusions[0],
    }
    for name, row in (("line", line), ("lot", lot), ("delivery", receipt), ("order_material", supplied)):
        make.dispute(**{name: row}, raised_by=person, **answered)
    for kind, quantity in (("issue", 200), ("return", 10), ("scrap", 3), ("transfer_in", 5), ("transfer_out", 4)):
        make.material_movement(quantity, order_material=supplied, kind=kind, salvage_unit=1)
    found = evaluation(factory=factory, category=factory.category)
    opened = breach(
        factory=factory, category=factory.category, order=order, order_material=supplied, lot=lot, opened_by=found, latest=found,
        acknowledged_by=boss,
    )  # fmt: skip
    opened.steps.create(on=make.day("2026-11-01"), what="acknowledged", by=boss)
    Watch.objects.create(user=boss, factory=factory)
    another = make.user("admin")
    policy(factory=factory, category=factory.category, created_by=boss, decided_by=another)
    FourEyes.objects.create(changed_by=boss, off_asked_by=another)
    JobSlot.objects.create(job="night", slot="2026-11-01")
    consequence()
    Heartbeat.objects.create(name="evaluator")
    owed = message(recipient=boss, fallback=person)
    message(recipient=person, fallback_for=owed, key="2").send_attempts.create()
    FactoryDay.objects.create(factory=factory, category=factory.category, day=make.day("2026-11-01"), family="defect")
    asked = claim(order_material=supplied, created_by=boss)
    asked.steps.create(what="made", by=boss)
    proof(claim=asked, added_by=boss, removed_by=boss, removed_at=MOMENT)
    action(factory=factory, breach=opened, asked_by=boss).steps.create(what="asked", by=boss)
    override(factory=factory, granted_by=boss)
    Standing.objects.create(factory=factory, grade="good", since_on=make.day("2026-11-01"))
    return {"factory": factory, "line": line, "lot": lot, "supplied": supplied, "exclusions": exclusions}


@pytest.mark.django_db
def test_no_reference_leads_nowhere_and_no_count_is_negative():
    a_row_of_each()
    many_to_many = ("accounts_user_groups", "accounts_user_user_permissions")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        tables = sorted({table for table, *_ in plain_references() + plain_counts()})
        for table in tables:  # the laws of the triggers are tested above; here only the constraint is at stake
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for table, name, column in plain_references() + plain_counts():
            if table in many_to_many:
                continue

            def write(table=table, column=column):
                cursor.execute(
                    f"UPDATE {table} SET {column} = -1 WHERE ctid = (SELECT min(ctid) FROM {table} WHERE {column} IS NOT NULL)"
                )
                assert cursor.rowcount == 1, f"no {column} in {table}"

            if table.endswith("event"):
                write = lambda table=table, column=column: cursor.execute(f"UPDATE {table} SET {column} = -1")  # noqa: E731
            found, _ = refused(lambda name=name, write=write: (cursor.execute(f"SET CONSTRAINTS {name} IMMEDIATE"), write())
                               if "_fk_" in name else write())  # fmt: skip
            assert found == name or found in {law[0] for law in CARRIED} or found in {law.name for law in CHECKS}, (
                table,
                column,
            )


# Nothing without a test


def laws_tested():
    return {law.name for law in CHECKS + NEVER_TWO} | {row[0] for row in CARRIED} | OTHERS | FRAMEWORK


@pytest.mark.django_db
def test_every_constraint_of_the_database_is_named_in_a_test():
    found = {name for _, _, name, _, _ in in_the_database()}
    generic = {name for _, name, _ in plain_references() + plain_counts()}
    carriers = {"order_carries_factory", "line_carries_factory", "order_material_carries_factory", "lot_carries_factory",
                "lot_carries_line", "delivery_carries_line_and_day", "milestone_carries_factory"}  # fmt: skip
    assert found - generic - carriers - laws_tested() == set(), "add a Law for it"
    assert laws_tested() | carriers == found - generic, "a Law for what is no longer there"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT i.indexrelid::regclass::text FROM pg_constraint c JOIN pg_index i ON i.indexrelid = c.conindid "
            "WHERE c.contype = 'f' AND cardinality(c.conkey) > 1"
        )
        assert {row[0] for row in cursor.fetchall()} == carriers, (
            "each unique pair of id and something serves a reference"
        )


HOMES = {  # where each kind of trigger is tested
    r"(insert_insert|update_update|delete_delete|append_only)": "tests/test_history.py",
    r"(mark|a_working_days)_(insert|update|delete)": "tests/test_marks.py",
    r"mark_plan_(insert|update|delete)": "tests/test_plan_outcomes.py",
    r"one_storey_(insert|update)": "tests/test_calendars.py",
    r"(cancelled_within_ordered|reversed_within_received)_(insert|update)": "here",
    r"returned_within_issued_(insert|update|delete)": "here",
    r"line_covers_cancelled_update": "here",
    r"to_judge_(insert|update)": "tests/test_jobs.py",
    r"(first_commitment_is_frozen|exclusion_is_kept|dispute_is_kept)": "here",
    r"claim_is_kept": "tests/test_claims.py",
    r"evidence_is_kept": "tests/test_claim_evidence.py",
    r"exclusion_is_never_deleted": "tests/test_exclusions.py",
    r"(baseline_is_frozen|an_approved_move_is_kept|a_move_needs_a_second_person|a_stated_day_is_kept)": "tests/test_plans.py",
    r"(not_back_dated|not_back_dated_later|begins_as_a_proposal|keeps_its_values)": "tests/test_four_eyes.py",
    r"(switched_off_by_two|not_deleted_while_on)": "tests/test_four_eyes.py",
    r"count_(insert|update|delete|truncate)": "tests/test_standings.py",
}


@pytest.mark.django_db
def test_every_trigger_is_enabled_and_of_a_kind_that_a_test_knows():
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal")
        found = dict(cursor.fetchall())
    assert set(found.values()) == {"O"}
    declared = {trigger.get_pgid(model) for model, trigger in pgtrigger.registered()}
    assert found.keys() == declared
    strangers = [
        name for name in found if not any(re.fullmatch(f"pgtrigger_{kind}_[0-9a-f]{{5}}", name) for kind in HOMES)
    ]
    assert strangers == []


def test_every_law_of_a_model_has_a_sentence_that_a_person_can_read():
    spoken = {law.name: law.sentence for law in CHECKS + NEVER_TWO}
    mute = []
    for model in apps.get_models():
        if model._meta.app_label not in OURS or not issubclass(model, Model):
            continue
        for constraint in model._meta.constraints:
            if constraint.name.endswith(("_carries_factory", "_carries_line", "_carries_line_and_day")):
                continue
            if (
                not spoken.get(constraint.name)
                and constraint.violation_error_code is None
                and (constraint.violation_error_message == constraint.default_violation_error_message)
            ):
                mute.append(constraint.name)
    assert sorted(mute) == [  # written by jobs, or a choice list speaks first
        "a_sent_message_has_its_moment", "one_evaluation_per_revision", "one_working_ordinal",
        "only_a_month_publishes_a_grade", "role_is_known",
    ]  # fmt: skip
