"""What a claim rests on: files and notes, of the seller and of the factory."""

import uuid

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.history import tracked
from assessments.models.claims import Claim

OF_A_FILE = ["name", "sha256", "content_type"]
REMOVAL = ["removed_at", "removed_by_id"]
KEPT = ["claim_id", "file", "name", "size", "sha256", "content_type", "caption", "added_by_id", "added_at"]


def stored_name(evidence, name):
    """Where the bytes lie: a name that tells nothing and cannot be guessed; the file's own name is a column."""
    return f"evidence/{uuid.uuid4().hex}"


class ClaimEvidenceQuerySet(models.QuerySet):
    def visible_to(self, user):
        """What belongs to a claim that the person may see; a contact does not see what was removed from a draft."""
        found = self.filter(claim__in=Claim.objects.visible_to(user))
        return found if user.is_authenticated and user.role != user.Role.CONTACT else found.present()

    def present(self):
        return self.filter(removed_at=None)


@tracked()
class ClaimEvidence(models.Model):
    """One file or one note that belongs to a claim. Removed from a draft it stays; once the claim is sent it is final."""

    claim = models.ForeignKey(Claim, models.PROTECT, related_name="proofs")
    file = models.FileField(upload_to=stored_name, max_length=120, blank=True, editable=False)
    name = models.CharField("name of the file", max_length=200, blank=True)
    size = models.PositiveBigIntegerField("bytes", null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of the bytes as they are stored.")
    content_type = models.CharField(max_length=80, blank=True, help_text="Found in the bytes, not believed.")
    caption = models.TextField(blank=True)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    objects = ClaimEvidenceQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "claim evidence"
        constraints = [
            models.CheckConstraint(
                condition=Q(file="", size__isnull=True, caption__regex=r"\S", **dict.fromkeys(OF_A_FILE, ""))
                | (
                    ~Q(file="")
                    & Q(size__isnull=False, size__gt=0)
                    & ~Q(name="")
                    & Q(sha256__regex="^[0-9a-f]{64}$")
                    & ~Q(content_type="")
                ),
                name="evidence_is_a_file_or_a_note",
                violation_error_message="Choose a file, or write what there is to know.",
            ),
            models.CheckConstraint(
                condition=Q(removed_at__isnull=True, removed_by__isnull=True)
                | Q(removed_at__isnull=False, removed_by__isnull=False),
                name="evidence_says_who_removed_it",
                violation_error_message="A removal has a person and a moment.",
            ),
            models.UniqueConstraint(
                fields=["claim", "sha256"],
                condition=~Q(sha256="") & Q(removed_at__isnull=True),
                name="a_file_once_in_a_claim",
                violation_error_message="This file belongs to the claim already.",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="evidence_is_kept",
                when=pgtrigger.After,
                operation=pgtrigger.Update | pgtrigger.Delete,
                declare=[("standing", "text")],
                func=pgtrigger.Func(
                    # Held, so that nobody sends the claim meanwhile.
                    "SELECT state INTO standing FROM assessments_claim WHERE id = OLD.claim_id FOR SHARE; "
                    "IF TG_OP = 'DELETE' OR standing <> 'draft' OR "
                    + " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in KEPT)
                    + " THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'evidence_is_kept', "
                    "MESSAGE = 'Evidence stays as it was added; only from a draft it can be removed.'; END IF; RETURN NULL;"
                ),
            ),
        ]

    def __str__(self):
        return self.name or self.caption[:60]

    @property
    def is_file(self):
        return bool(self.file)
