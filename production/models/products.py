"""What is made, of what, and where it is received."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from accounts.history import tracked
from factories.folding import Folded, folded
from factories.models import Category, WorkingCalendar, code_is_plain, zone_exists
from production.marks import marks


@tracked()
class Site(models.Model):
    """One place where the seller receives goods; its zone and calendar decide what day a delivery has."""

    code = models.CharField(max_length=24, unique=True, validators=[code_is_plain])
    name = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[zone_exists])
    calendar = models.ForeignKey(WorkingCalendar, models.PROTECT, null=True, blank=True, related_name="sites")

    class Meta:
        ordering = ["code"]

    def __str__(self):
        return self.name


class ProductQuerySet(models.QuerySet):
    def search(self, text):
        """Those whose code or name holds the text, whatever the marks on its letters."""
        return self.alias(folded_name=Folded("name")).filter(
            Q(code__icontains=text) | Q(folded_name__contains=folded(text))
        )


@tracked()
class Product(models.Model):
    """One article that is bought, in one category."""

    code = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    category = models.ForeignKey(Category, models.PROTECT, related_name="products")
    unit = models.CharField(max_length=12, default="pcs")

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        triggers = marks(product="id")

    def __str__(self):
        return self.name


@tracked()
class Material(models.Model):
    """One material that the seller may supply to factories, with one base unit."""

    code = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=160)
    unit = models.CharField("base unit", max_length=12, validators=[RegexValidator(r"^[A-Za-z0-9²³]+$")])

    class Meta:
        ordering = ["code"]

    def __str__(self):
        return self.name


@tracked()
class BillOfMaterials(models.Model):
    """One version of the agreed consumption of materials for one unit of a product."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="bills")
    version = models.PositiveIntegerField(default=1)
    effective_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["product", "version"]
        verbose_name_plural = "bills of materials"
        constraints = [models.UniqueConstraint(fields=["product", "version"], name="one_bill_per_version")]

    def __str__(self):
        return f"{self.product} v{self.version}"


@tracked()
class BillLine(models.Model):
    """One material in a bill of materials: how much of its base unit one good unit consumes, loss excluded."""

    bill = models.ForeignKey(BillOfMaterials, models.CASCADE, related_name="lines")
    material = models.ForeignKey(Material, models.PROTECT, related_name="+")
    quantity_per_unit = models.DecimalField(max_digits=24, decimal_places=12)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bill", "material"], name="one_bill_line_per_material"),
            models.CheckConstraint(
                condition=Q(quantity_per_unit__gt=0),
                name="consumption_is_positive",
                violation_error_message="The consumption of one unit must be more than 0.",
            ),
        ]
        triggers = marks(bill="bill_id")

    def __str__(self):
        return f"{self.quantity_per_unit} {self.material}"
