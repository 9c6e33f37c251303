"""Two persons for one policy: a new version is proposed by one and approved by another, where a manager asks for that.

What a person may not do alone is refused by the database, too; here it is said before.
"""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from assessments.models import FourEyes, Policy
from production.errors import BadInput


def setting() -> FourEyes:
    """The setting as it stands; off where nobody has ever switched it."""
    return FourEyes.objects.select_related("changed_by", "off_asked_by").first() or FourEyes()


def is_on() -> bool:
    return FourEyes.objects.filter(is_on=True).exists()


def switch_on(by: User) -> None:
    """From now on a new version begins as a proposal. One person is enough for that."""
    with transaction.atomic():
        if not _held().is_on:
            FourEyes.objects.update(is_on=True, changed_by=by, changed_at=timezone.now(), off_asked_by=None)


def ask_off(by: User) -> None:
    """Asks to switch it off; it stays on until somebody else agrees."""
    with transaction.atomic():
        if _held().is_on:
            FourEyes.objects.filter(off_asked_by=None).update(off_asked_by=by)


def keep_on(by: User) -> None:
    """Ends the question whether to switch it off, whoever asked."""
    FourEyes.objects.filter(is_on=True).update(off_asked_by=None)


def agree_off(by: User) -> None:
    """Switches it off. Raises BadInput unless somebody else has asked for that."""
    with transaction.atomic():
        held = _held()
        if not held.is_on:
            return
        if held.off_asked_by_id is None:
            raise BadInput(_("Nobody has asked to switch it off."))
        if held.off_asked_by_id == by.pk:
            raise BadInput(_("You asked for it: somebody else agrees."))
        FourEyes.objects.update(is_on=False, changed_by=by, changed_at=timezone.now())


def _held() -> FourEyes:
    FourEyes.objects.get_or_create(pk=1)
    return FourEyes.objects.select_for_update().get()


def store(draft: Policy, by: User) -> Policy:
    """Saves a new version: agreed at once, or as a proposal where a second person is asked for.

    Raises BadInput where somebody else saved one of this scope for that day meanwhile.
    """
    draft.created_by = by
    with transaction.atomic(), _one_a_day():
        if _held().is_on:
            draft.state, draft.proposed_from = Policy.State.PROPOSED, draft.effective_from
        draft.save()
    return draft


@contextmanager
def _one_a_day() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "one_policy_per_scope_and_day" not in str(error):
            raise
        raise BadInput(_("There is already a version for this scope from that day.")) from error


def approve(pk: int, by: User, today: datetime.date) -> Policy:
    """Makes a proposal a version, in force from the day it asked for, from `today` where that is past.

    Raises BadInput where it is not for this person, was decided before, or where another version begins on that day.
    """
    with transaction.atomic(), _one_a_day():
        policy = _waiting(pk, by)
        policy.effective_from = max(policy.effective_from, today)
        return _decided(policy, Policy.State.AGREED, by)


def decline(pk: int, by: User, reason: str) -> Policy:
    """Ends a proposal, with a reason. Raises BadInput where it is not for this person or was decided before."""
    with transaction.atomic():
        policy = _waiting(pk, by)
        policy.reason = reason
        return _decided(policy, Policy.State.DECLINED, by)


def withdraw(pk: int, by: User, today: datetime.date) -> Policy:
    """Takes back an own proposal, or a version before its first day.

    Raises BadInput for the proposal of somebody else, a version that has begun, and any version under four eyes: to take
    it back is a change of the rules, too.
    """
    with transaction.atomic():
        policy = Policy.objects.select_for_update().get(pk=pk)
        if policy.state == Policy.State.PROPOSED:
            if policy.created_by_id not in (None, by.pk):
                raise BadInput(_("Only who proposed it takes it back. You may decline it."))
        elif policy.state != Policy.State.AGREED:
            raise BadInput(_("This was decided before."))
        elif policy.effective_from <= today:
            raise BadInput(_("This version has begun. A change is a new version."))
        elif is_on():
            raise BadInput(_("To take back an agreed version needs two persons: propose another version instead."))
        return _decided(policy, Policy.State.WITHDRAWN, by)


def _waiting(pk: int, by: User) -> Policy:
    policy = Policy.objects.select_for_update().get(pk=pk)
    if policy.state != Policy.State.PROPOSED:
        raise BadInput(_("This was decided before."))
    if policy.created_by_id == by.pk:
        raise BadInput(_("You proposed it: somebody else decides."))
    return policy


def _decided(policy: Policy, state: str, by: User) -> Policy:
    policy.state, policy.decided_by, policy.decided_at = state, by, timezone.now()
    policy.save(update_fields=["state", "decided_by", "decided_at", "reason", "effective_from"])
    return policy
