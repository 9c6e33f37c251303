from assessments.models.actions import Action, ActionStep
from assessments.models.breaches import Breach, BreachStep, JobSlot, LiveBreaches, Watch
from assessments.models.claim_evidence import ClaimEvidence
from assessments.models.claims import Claim, ClaimStep
from assessments.models.consequences import GradeConsequence
from assessments.models.evaluations import Evaluation, Grade, Measure, Status
from assessments.models.policies import FourEyes, Policy, Thresholds

__all__ = [
    "Action",
    "ActionStep",
    "Breach",
    "BreachStep",
    "Claim",
    "ClaimEvidence",
    "ClaimStep",
    "Evaluation",
    "FourEyes",
    "Grade",
    "GradeConsequence",
    "JobSlot",
    "LiveBreaches",
    "Measure",
    "Policy",
    "Status",
    "Thresholds",
    "Watch",
]
