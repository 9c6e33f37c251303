"""Senders are killed with -9 while they work: nothing is lost. With the mark before the mail, something is."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from django.db import connection

from config.embedded import BASE_DIR
from notifications import outbox
from notifications.models import Message, SendAttempt
from tests import make

pytestmark = [pytest.mark.kill, pytest.mark.django_db(transaction=True)]

LEASE = 1  # second

# Loads Django once and never touches the database itself; each line it reads forks one sender, whose id it prints.
# A forked sender works within milliseconds, where a fresh interpreter would be killed while it still imports.
NURSERY = """
import os, signal, sys, time
import config.celery
import django
django.setup()
from notifications import outbox
from django.core.mail.utils import DNS_NAME
from django.utils import timezone
from notifications.delivery import build
from notifications.models import Message
build(Message(pk=1, created_at=timezone.now(), address="warm@example.com")).message()
str(DNS_NAME)
outbox.LEASE, outbox.BACKOFF = float(sys.argv[1]), [0.3]
outbox.nudge = lambda: None
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        while True:
            outbox.send_due(mark_first="mark_first" in sys.argv)
            time.sleep(0.02)
    print(pid, flush=True)
"""


@pytest.fixture
def nursery():
    """nursery(*words) -> start() -> the id of a new sender."""
    started = []

    def start(*words):
        base, _, _ = os.environ["DATABASE_URL"].rpartition("/")
        environment = os.environ | {"DATABASE_URL": f"{base}/{connection.settings_dict['NAME']}"}
        command = [sys.executable, "-c", NURSERY, str(LEASE), *words]
        process = subprocess.Popen(
            command, cwd=BASE_DIR, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)

        def sender():
            process.stdin.write("\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        return sender

    yield start
    for process in started:
        process.stdin.close()
        process.wait(10)


def owe_many(count):
    """So many messages, each to an address of its own."""
    person = make.user()
    addresses = [f"reader{n}@example.com" for n in range(count)]
    outbox.owe_many(
        outbox.draft(person, "breach_opened", f"breach/{n}", f"Below limit {n}", "-", address=address)
        for n, address in enumerate(addresses)
    )
    return addresses


def run(smtp, sender, addresses, *, slowness, life, give_up_after=240):
    """Kill sender after sender, each somewhere in its work, until nothing is owed. Returns the kills.

    One message in ten is at first refused. A sender lives for a few messages (`life`, least and most; about 0.3 s),
    counted and not timed, so that a busy machine makes the test slower and not different.
    """
    for address in addresses[::10]:
        smtp.answer(451, "greylisted", to=address, once=True)
    smtp.slowness = slowness
    chance = random.Random(7)
    kills, give_up = 0, time.monotonic() + give_up_after
    while Message.objects.owed().exists():
        assert time.monotonic() < give_up, f"{Message.objects.owed().count()} messages are still owed"
        pid = sender()
        enough, idle = len(smtp.messages) + chance.randint(*life), time.monotonic() + LEASE * 2
        while len(smtp.messages) < enough and time.monotonic() < idle:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 4 * slowness + 0.04))
        os.kill(pid, signal.SIGKILL)
        kills += 1
    time.sleep(0.1)
    return kills


def test_killing_senders_loses_nothing_and_copies_no_more_than_there_were_kills(smtp, nursery, monkeypatch):
    monkeypatch.setenv("EMAIL_URL", smtp.url)
    addresses = owe_many(300)
    kills = run(smtp, nursery(), addresses, slowness=0.004, life=(2, 8))

    copies = Counter(received.recipients[0] for received in smtp.messages)
    assert set(copies) == set(addresses), "lost"
    duplicates = copies.total() - len(copies)
    refused = SendAttempt.objects.filter(outcome="temporary").count()
    print(f"{len(addresses)} messages, {kills} kills, {refused} refused for now, {duplicates} copies too many, 0 lost")
    assert kills >= 15
    assert duplicates <= kills
    ids = {(received.recipients[0], received.message_id) for received in smtp.messages}
    assert len(ids) == len(addresses), "copies of one message have different Message-IDs"
    assert not Message.objects.exclude(state="sent").exists()


def test_marking_before_sending_loses_messages(smtp, nursery, monkeypatch):
    """The twin: the same kills without the lease. If this loses nothing, the test above proves nothing."""
    monkeypatch.setenv("EMAIL_URL", smtp.url)
    addresses = owe_many(60)
    # Slow, so that a kill falls between mark and mail more often than not.
    kills = run(smtp, nursery("mark_first"), addresses, slowness=0.03, life=(0, 3))

    lost = set(addresses) - {received.recipients[0] for received in smtp.messages}
    lost_to_kills = lost - set(addresses[::10])
    print(f"{len(addresses)} messages, {kills} kills, {len(lost)} lost, {len(lost_to_kills)} of them to kills alone")
    assert not Message.objects.exclude(state="sent").exists(), "the outbox believes that all were sent"
    assert lost_to_kills
