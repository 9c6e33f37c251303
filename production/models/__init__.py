from production.models.calendars import MarkedCalendar, MarkedException
from production.models.deliveries import Delivery, Lot
from production.models.disputes import Dispute
from production.models.exclusions import Exclusion
from production.models.inspections import Inspection
from production.models.materials import MaterialMovement
from production.models.orders import (
    Cancellation,
    DateRevision,
    GraceUnit,
    LossBase,
    OrderLine,
    OrderMaterial,
    Outcome,
    Party,
    PurchaseOrder,
)
from production.models.products import BillLine, BillOfMaterials, Material, Product, Site
from production.models.rollups import (
    SUM_FIELDS,
    DeliveryOutcome,
    FactoryDay,
    LineOutcome,
    LotOutcome,
    MaterialOutcome,
    ToJudge,
    Touched,
    Written,
    day_at,
)

__all__ = [
    "SUM_FIELDS",
    "BillLine",
    "BillOfMaterials",
    "Cancellation",
    "DateRevision",
    "Delivery",
    "DeliveryOutcome",
    "Dispute",
    "Exclusion",
    "FactoryDay",
    "GraceUnit",
    "Inspection",
    "LineOutcome",
    "LossBase",
    "Lot",
    "LotOutcome",
    "MarkedCalendar",
    "MarkedException",
    "Material",
    "MaterialMovement",
    "MaterialOutcome",
    "OrderLine",
    "OrderMaterial",
    "Outcome",
    "Party",
    "Product",
    "PurchaseOrder",
    "Site",
    "ToJudge",
    "Touched",
    "Written",
    "day_at",
]
