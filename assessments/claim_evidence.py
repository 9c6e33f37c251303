"""Evidence of a claim: files and notes that either side adds. What was sent with a claim is never taken away."""

import hashlib
from collections.abc import Sequence
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone

from assessments import messages
from assessments.file_kinds import Known
from assessments.models import Claim, ClaimEvidence, ClaimStep
from assessments.models.claim_evidence import stored_name
from assessments.workflow import OURS
from production.errors import BadInput
from production.laws import law

State = Claim.State
MOST_AT_ONCE, MOST_IN_A_CLAIM = 10, 50
MOST_BYTES_AT_ONCE = 60 * 1024 * 1024
ADDED_BY_US = frozenset({State.DRAFT, State.SENT, State.DISPUTED, State.ACCEPTED})
ADDED_BY_THEM = frozenset({State.SENT, State.DISPUTED})


def may_add(claim: Claim, user: Any) -> bool:
    """We may until the claim is over, the factory while it has to answer."""
    return claim.state in (
        ADDED_BY_THEM if user.role == user.Role.CONTACT else ADDED_BY_US if user.role in OURS else ()
    )


def may_remove(claim: Claim, user: Any) -> bool:
    """Only from a draft: nobody else has seen it yet."""
    return claim.state == State.DRAFT and user.role in OURS


def add(
    claim: Claim, user: Any, files: Sequence[Known] = (), caption: str = "", told: bool = True
) -> list[ClaimEvidence]:
    """Adds files, or a note where there are none; all of them or nothing. The caption stands with each file.

    The other side is told once the claim was sent, unless it is told of something else at the same moment (`told`).
    BadInput where nothing is there, too much, the same file twice, or the claim takes no evidence any more.
    """
    caption = caption.strip()
    if not files and not caption:
        raise BadInput("Choose a file, or write what there is to know.", "files")
    if len(files) > MOST_AT_ONCE:
        raise BadInput(f"At most {MOST_AT_ONCE} files at once.", "files")
    stored: list[str] = []
    try:
        with transaction.atomic():
            claim = Claim.objects.select_for_update().get(pk=claim.pk)
            if not may_add(claim, user):
                raise BadInput("This claim takes no more evidence.")
            _check_room(claim, files)
            rows = [_row(claim, user, caption, file, stored) for file in files or [None]]
            ClaimEvidence.objects.bulk_create(rows)
            if claim.state != State.DRAFT:
                note = ", ".join(row.name for row in rows if row.name) or caption
                step = ClaimStep.objects.create(claim=claim, what="evidence", by=user, note=note)
                if told:
                    messages.tell_of_claim(claim, step)
            return rows
    except BaseException:
        for name in stored:
            default_storage.delete(name)
        raise


def _check_room(claim: Claim, files: Sequence[Known]) -> None:
    there = set(claim.proofs.present().exclude(sha256="").values_list("sha256", flat=True))
    if claim.proofs.present().count() + max(len(files), 1) > MOST_IN_A_CLAIM:
        raise BadInput(f"A claim holds at most {MOST_IN_A_CLAIM} pieces of evidence.", "files")
    for file in files:
        if (digest := _digest(file)) in there:
            raise BadInput(f"“{file.name}” belongs to the claim already.", "files")
        there.add(digest)


def _digest(file: Known) -> str:
    return hashlib.sha256(file.content).hexdigest()


def _row(claim: Claim, user: Any, caption: str, file: Known | None, stored: list[str]) -> ClaimEvidence:
    row = ClaimEvidence(claim=claim, caption=caption, added_by=user)
    if file is None:
        return row
    name = stored_name(row, file.name)
    stored.append(name)
    try:
        row.file = default_storage.save(name, ContentFile(file.content))
    except OSError as problem:
        raise BadInput(
            f"“{file.name}” could not be stored: {problem.strerror}. Nothing was saved.", "files"
        ) from problem
    row.name, row.size, row.sha256, row.content_type = file.name, len(file.content), _digest(file), file.content_type
    return row


def remove(evidence: ClaimEvidence, user: Any) -> bool:
    """Takes a piece out of a draft. False, and nothing changes, where the claim was sent meanwhile."""
    return _moved(evidence, user, removed_at=timezone.now(), removed_by=user)


def restore(evidence: ClaimEvidence, user: Any) -> bool:
    """Puts back what was taken out of a draft; BadInput where the same file was added again."""
    try:
        return _moved(evidence, user, removed_at=None, removed_by=None)
    except IntegrityError as refused:
        if law(refused) != "a_file_once_in_a_claim":
            raise
        raise BadInput("The same file was added again.") from refused


def _moved(evidence: ClaimEvidence, user: Any, **facts: Any) -> bool:
    with transaction.atomic():
        claim = Claim.objects.select_for_update().get(pk=evidence.claim_id)
        if not may_remove(claim, user):
            return False
        was_there = facts["removed_at"] is not None
        return bool(ClaimEvidence.objects.filter(pk=evidence.pk, removed_at__isnull=was_there).update(**facts))
