"""Who signs in."""

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.history import tracked


class UserQuerySet(models.QuerySet):
    def active(self):
        return self.filter(is_active=True)

    def with_role(self, *roles):
        return self.filter(role__in=roles)


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):
    def create_user(self, email, password=None, *, role, **fields):
        user = self.model(email=self.normalize_email(email).strip(), role=role, **fields)
        user.set_password(password)
        user.save()
        return user

    def create_superuser(self, email, password=None, **fields):
        fields.setdefault("role", User.Role.ADMIN)
        return self.create_user(email, password, **fields)

    def get_by_natural_key(self, email):
        return self.get(email__iexact=email)


@tracked(exclude=["password", "last_login"])
class User(AbstractBaseUser, PermissionsMixin):
    """One person who may sign in, with exactly one role."""

    class Role(models.TextChoices):
        MANAGER = "manager", "Manager"
        BUYER = "buyer", "Buyer"
        INSPECTOR = "inspector", "Inspector"
        OFFICER = "officer", "Account-security officer"
        ADMIN = "admin", "Administrator"
        CONTACT = "contact", "Factory contact"

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=12, choices=Role)
    time_zone = models.CharField(max_length=64, default="UTC")
    theme = models.CharField(
        max_length=5, choices=[("", "As the device"), ("light", "Light"), ("dark", "Dark")], blank=True, default=""
    )
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(default=timezone.now)

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        ordering = ["email"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="one_account_per_email",
                violation_error_message="Somebody already uses this e-mail.",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=["manager", "buyer", "inspector", "officer", "admin", "contact"]),
                name="role_is_known",
            ),
        ]

    def __str__(self):
        return self.name or self.email

    @property
    def is_staff(self):
        return self.role == self.Role.ADMIN

    def has_perm(self, perm, obj=None):
        """In Django's admin an administrator may do everything, nobody else anything."""
        return self.is_active and self.role == self.Role.ADMIN

    def has_module_perms(self, app_label):
        return self.has_perm(app_label)

    def get_short_name(self):
        return self.name.split(" ")[0] if self.name else self.email

    def reads_all_factories(self):
        """May this person read the business data of every factory?"""
        return self.role in {self.Role.MANAGER, self.Role.BUYER, self.Role.INSPECTOR, self.Role.ADMIN}

    def writes_orders(self):
        return self.role in {self.Role.MANAGER, self.Role.BUYER, self.Role.ADMIN}

    def writes_inspections(self):
        return self.role in {self.Role.MANAGER, self.Role.INSPECTOR, self.Role.ADMIN}

    def acknowledges(self):
        return self.role in {self.Role.MANAGER, self.Role.BUYER, self.Role.ADMIN}

    def sees_breaches(self):
        return self.acknowledges()

    def sees_prices(self):
        return self.role in {self.Role.MANAGER, self.Role.BUYER, self.Role.ADMIN}

    def proposes_exclusions(self):
        """May this person ask for a row to be set aside?"""
        return self.role in {self.Role.MANAGER, self.Role.BUYER, self.Role.ADMIN}

    def decides_exclusions(self):
        """May this person decide what somebody else proposed, and lift it again?"""
        return self.role in {self.Role.MANAGER, self.Role.ADMIN}

    def edits_policies(self):
        return self.role in {self.Role.MANAGER, self.Role.ADMIN}
