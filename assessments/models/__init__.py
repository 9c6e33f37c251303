from assessments.models.breaches import Breach, BreachStep, JobSlot, Watch
from assessments.models.evaluations import Evaluation, Grade, Measure, Status
from assessments.models.policies import Policy, Thresholds

__all__ = [
    "Breach",
    "BreachStep",
    "Evaluation",
    "Grade",
    "JobSlot",
    "Measure",
    "Policy",
    "Status",
    "Thresholds",
    "Watch",
]
