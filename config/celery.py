"""The Celery application. A message only says "look now"; what is due stands in the database."""

import os

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("plumbline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def look_at_once(**kwargs):
    """A worker that comes up looks what is due: the clock would ring only after its first interval."""
    for entry in app.conf.beat_schedule.values():
        app.send_task(entry["task"], **entry["options"])
