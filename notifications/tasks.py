"""The doorbell of the sender."""

from celery import shared_task

from notifications import outbox


@shared_task(name=outbox.SEND_TASK)
def send_due():
    outbox.send_due()
