"""The jobs of this floor: doorbells only, what is due stands in the database."""

import logging

from celery import current_app, shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from assessments import jobs

logger = logging.getLogger(__name__)


@shared_task
def assess(is_help=False):
    """Every minute: work out what was touched, judge, review; with many factories more workers are called."""
    jobs.assess(timezone.now(), None if is_help else lambda more: _call_help("assessments.tasks.assess", 55, more))


@shared_task
def night(is_help=False):
    """Every five minutes: judge the closed days and months that are not judged yet; more workers are called."""
    jobs.night(timezone.now(), None if is_help else lambda more: _call_help("assessments.tasks.night", 290, more))


def _call_help(name, expires, more):
    """Rings for `more` workers. Nothing is lost if nobody hears it: whoever rings does what the others leave."""
    try:
        for _ in range(more):
            current_app.send_task(name, kwargs={"is_help": True}, expires=expires, retry=False, ignore_result=True)
    except OperationalError as problem:
        logger.warning("No help was called: %s", problem)
