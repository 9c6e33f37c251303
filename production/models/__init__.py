from production.models.calendars import MarkedCalendar, MarkedException
from production.models.deliveries import Delivery, Lot
from production.models.disputes import Dispute
from production.models.exclusions import Exclusion
from production.models.inspections import Inspection
from production.models.materials import MaterialMovement
from production.models.milestones import (
    DEFAULT_TEMPLATE,
    PLAN_CONFIRMED,
    Milestone,
    MilestoneForecast,
    MilestoneTemplate,
    Rebaseline,
)
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
from production.models.plan_outcomes import PastPlans, PlanOutcome, TouchedPlan
from production.models.products import BillLine, BillOfMaterials, Material, Product, Site
from production.models.rollups import (
    SUM_FIELDS,
    DeliveryOutcome,
    FactoryDay,
    LineOutcome,
    LotOutcome,
    MaterialOutcome,
    OpenMaterial,
    ToJudge,
    Touched,
    Written,
    day_at,
)

__all__ = [
    "DEFAULT_TEMPLATE",
    "PLAN_CONFIRMED",
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
    "Milestone",
    "MilestoneForecast",
    "MilestoneTemplate",
    "OpenMaterial",
    "OrderLine",
    "OrderMaterial",
    "Outcome",
    "Party",
    "PastPlans",
    "PlanOutcome",
    "Product",
    "PurchaseOrder",
    "Rebaseline",
    "Site",
    "ToJudge",
    "Touched",
    "TouchedPlan",
    "Written",
    "day_at",
]
