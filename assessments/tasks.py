"""The jobs of this floor: doorbells only, what is due stands in the database."""

from celery import shared_task
from django.utils import timezone

from assessments import jobs


@shared_task
def assess():
    """Every minute: work out what was touched, judge, review."""
    jobs.assess(timezone.now())


@shared_task
def night():
    """Every five minutes: judge the closed days and months that are not judged yet."""
    jobs.night(timezone.now())
