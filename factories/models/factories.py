"""Who the factories are, who works there, and who may see them."""

import zoneinfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from accounts.history import tracked
from factories.folding import Folded, folded
from factories.models.calendars import WorkingCalendar

code_is_plain = RegexValidator(
    r"^[A-Z0-9][A-Z0-9._-]*$", "Use capital letters A to Z, digits, hyphen, dot or underscore; for example VN-014."
)


def zone_exists(name):
    """Raises ValidationError unless `name` is an IANA time zone such as Asia/Ho_Chi_Minh."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValidationError("“%(name)s” is not a time zone. Example: Asia/Shanghai.", params={"name": name}) from None


@tracked()
class Category(models.Model):
    """One kind of goods, such as knitwear, that may be judged by rules of its own."""

    code = models.CharField(max_length=40, unique=True, validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*$")])
    name = models.CharField(max_length=80)
    is_soft = models.BooleanField("soft goods", default=False, help_text="Soft goods have the wider defect ceiling.")

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "categories"

    def __str__(self):
        return self.name


class FactoryQuerySet(models.QuerySet):
    def visible_to(self, user):
        """The factories this person may read: all for the seller's own people but officers, own ones for contacts."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.reads_all_factories():
            return self
        if user.role == user.Role.CONTACT:
            return self.filter(memberships__user=user)
        return self.none()

    def active(self):
        return self.filter(status__in=[Factory.Status.ACTIVE, Factory.Status.TRIAL])

    def search(self, text):
        """Those whose code or a name holds the text, whatever the marks on its letters."""
        if not text:
            return self
        names = self.alias(folded_name=Folded("name"), folded_local_name=Folded("local_name"))
        wanted = folded(text)
        return names.filter(
            Q(code__icontains=text) | Q(folded_name__contains=wanted) | Q(folded_local_name__contains=wanted)
        )


@tracked()
class Factory(models.Model):
    """One supplier site that makes the seller's goods and is judged."""

    class Status(models.TextChoices):
        TRIAL = "trial", "Trial"
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        ENDED = "ended", "Ended"

    code = models.CharField(max_length=24, unique=True, validators=[code_is_plain])
    name = models.CharField(max_length=160)
    local_name = models.CharField("name in local script", max_length=160, blank=True)
    local_language = models.CharField(max_length=12, blank=True, help_text="Language of the local name, e.g. zh-Hans.")
    country = models.CharField(max_length=2, help_text="ISO 3166 code, e.g. VN.")
    city = models.CharField(max_length=80, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[zone_exists])
    category = models.ForeignKey(Category, models.PROTECT, related_name="factories", verbose_name="main category")
    calendar = models.ForeignKey(WorkingCalendar, models.PROTECT, null=True, blank=True, related_name="factories")
    status = models.CharField(max_length=8, choices=Status, default=Status.ACTIVE)
    since_on = models.DateField("works with us since", null=True, blank=True)
    is_demo = models.BooleanField(default=False, editable=False)

    objects = FactoryQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        verbose_name_plural = "factories"
        constraints = [
            models.CheckConstraint(
                condition=Q(code__regex=r"^[A-Z0-9][A-Z0-9._-]*$"),
                name="factory_code_is_plain",
                violation_error_message="Use capital letters A to Z, digits, hyphen, dot or underscore.",
            ),
            models.CheckConstraint(
                condition=Q(country__regex=r"^[A-Z]{2}$"),
                name="country_is_iso",
                violation_error_message="Use the two-letter country code, for example VN.",
            ),
        ]

    def __str__(self):
        return f"{self.name} {self.code}"


@tracked()
class Contact(models.Model):
    """One person at a factory whom the seller can reach; need not have an account."""

    factory = models.ForeignKey(Factory, models.CASCADE, related_name="contacts")
    name = models.CharField(max_length=120)
    position = models.CharField(max_length=80, blank=True)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["factory", "name"]

    def __str__(self):
        return self.name


@tracked()
class Membership(models.Model):
    """One factory that a factory contact may see."""

    factory = models.ForeignKey(Factory, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["factory", "user"],
                name="one_membership",
                violation_error_message="This person already belongs to this factory.",
            )
        ]

    def __str__(self):
        return f"{self.user} at {self.factory}"
