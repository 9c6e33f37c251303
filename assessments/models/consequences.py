"""What each grade opens and closes."""

from django.db import models

from accounts.history import tracked
from assessments.models.evaluations import Grade
from factories.models import Consequence


@tracked()
class GradeConsequence(Consequence):
    """What one grade brings with it for every factory that bears it."""

    grade = models.CharField(max_length=20, choices=Grade, unique=True)

    def __str__(self):
        return self.get_grade_display()
