"""What becomes of the mail when the mail server, the broker or a sender fails. A real SMTP server does the failing."""

import asyncio
import smtplib
import socket
import threading
import time
from contextlib import suppress

import pytest
from celery import current_app
from django.db import connection

from notifications import health, outbox
from notifications.models import Message, MessageQuerySet
from tests import make
from tests.smtp import free_port
from tests.test_outbox import later, owe

pytestmark = pytest.mark.django_db

real_nudge = outbox.nudge


@pytest.fixture(autouse=True)
def no_nudges(monkeypatch):
    monkeypatch.setattr(outbox, "nudge", lambda: None)


def states():
    return dict(Message.objects.values_list("address", "state"))


def minutes_until_all_sent(limit):
    """Let the job run every minute until nothing is owed."""
    for minute in range(limit):
        outbox.send_due()
        if not Message.objects.owed().exists():
            return minute
        later(minutes=1)
    return limit


class TestBroker:
    """The nudge is a convenience: without it the message goes out a minute later."""

    @pytest.fixture
    def broker_at(self, monkeypatch):
        return lambda port: monkeypatch.setattr(current_app.conf, "broker_write_url", f"redis://127.0.0.1:{port}/0")

    def test_a_broker_that_is_down_costs_one_line_in_the_log(self, broker_at, caplog):
        broker_at(free_port())
        began = time.monotonic()
        real_nudge()
        assert time.monotonic() - began < 1
        assert [record.levelname for record in caplog.records] == ["WARNING"]

    def test_a_broker_that_says_nothing_holds_a_page_for_two_seconds_at_most(self, broker_at):
        with socket.create_server(("127.0.0.1", 0)) as mute:
            broker_at(mute.getsockname()[1])
            began = time.monotonic()
            real_nudge()
        assert time.monotonic() - began < 2.5


class TestWorker:
    @pytest.mark.django_db(transaction=True)
    def test_a_nudge_wakes_a_real_worker_and_five_nudges_send_one_mail(self, smtp, celery_worker_process):
        worker = celery_worker_process(EMAIL_URL=smtp.url)
        message = owe(make.user())
        for _ in range(5):
            real_nudge()
        give_up = time.monotonic() + 20
        while worker.output().count("succeeded") < 5:
            assert time.monotonic() < give_up, worker.output()
            time.sleep(0.05)
        message.refresh_from_db()
        assert message.state == "sent"
        assert len(smtp.messages) == 1


class TestServerAway:
    """F7: connections are refused for an hour."""

    def test_an_hour_without_a_server_loses_nothing_and_is_over_soon(self, smtp, settings):
        people = [make.user() for _ in range(5)]
        messages = [owe(person) for person in people]
        settings.EMAIL_PORT = free_port()
        first_seen = None
        for minute in range(60):
            outbox.send_due()
            late = [found for found in health.current_findings() if found.check == "outbox"]
            if late and first_seen is None:
                first_seen = minute
            later(minutes=1)
        assert 15 <= first_seen <= 16
        assert max(message.send_attempts.count() for message in messages) <= 12
        assert set(states().values()) == {"owed"}

        settings.EMAIL_PORT = smtp.port
        assert minutes_until_all_sent(60) <= 15
        assert sorted(received.recipients[0] for received in smtp.messages) == sorted(p.email for p in people)

    def test_after_three_days_it_is_given_up_and_the_second_recipient_is_owed_it(self, smtp, settings):
        second = make.user()
        message = owe(make.user(), fallback=second)
        settings.EMAIL_PORT = free_port()
        later(hours=71)
        outbox.send_due()
        message.refresh_from_db()
        assert message.state == "owed"
        later(hours=2)
        outbox.send_due()
        message.refresh_from_db()
        assert message.state == "undeliverable"

        settings.EMAIL_PORT = smtp.port
        later(minutes=1)
        outbox.send_due()
        (received,) = smtp.messages
        assert received.recipients == [second.email]
        assert "could not be delivered" in received.body
        assert message.text in received.body

    def test_a_round_knocks_once_at_a_closed_door(self, settings):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
        for _ in range(5):
            owe(make.user())
        assert outbox.send_due() == {"temporary": 1}
        assert outbox.send_due() == {}


class TestServerHangs:
    """F8: the server takes the connection and says nothing."""

    def test_a_server_that_hangs_holds_the_sender_for_one_timeout(self, smtp, settings):
        settings.EMAIL_TIMEOUT = 1
        for _ in range(3):
            owe(make.user())
        smtp.hang(at="EHLO")
        began = time.monotonic()
        assert outbox.send_due() == {"temporary": 1}
        assert time.monotonic() - began < 2
        smtp.behave()
        assert minutes_until_all_sent(5) <= 2

    @pytest.mark.parametrize("stage", ["RCPT", "DATA"])
    def test_one_mailbox_that_hangs_holds_the_others_for_one_timeout(self, smtp, settings, stage):
        settings.EMAIL_TIMEOUT = 1
        people = [make.user() for _ in range(4)]
        for person in people:
            owe(person)
        smtp.hang(at=stage, to=people[0].email)
        began = time.monotonic()
        assert outbox.send_due() == {"temporary": 1, "sent": 3}
        assert time.monotonic() - began < 2.5
        assert states()[people[0].email] == "owed"

    def test_the_timeout_is_for_the_whole_conversation_and_not_for_each_step(self, smtp, settings, monkeypatch):
        settings.EMAIL_TIMEOUT = 1
        at = smtp.at

        async def at_leisure(stage, server, recipients=()):
            await asyncio.sleep(0.35)
            return await at(stage, server, recipients)

        monkeypatch.setattr(smtp, "at", at_leisure)
        smtp.hang(at="RCPT")
        owe(make.user())
        began = time.monotonic()
        assert outbox.send_due() == {"temporary": 1}
        assert time.monotonic() - began < 1.5


class TestRefusals:
    """F9: one is taken, one is refused for good, one for now."""

    def test_each_recipient_gets_an_answer_of_his_own(self, smtp):
        fine, gone, full, second = (make.user() for _ in range(4))
        for person in [fine, gone, full]:
            owe(person, fallback=second)
        smtp.answer(550, "no such user", to=gone.email)
        smtp.answer(452, "mailbox full", to=full.email, once=True)
        assert outbox.send_due() == {"sent": 2, "permanent": 1, "temporary": 1}
        assert states() == {fine.email: "sent", gone.email: "undeliverable", full.email: "owed", second.email: "sent"}
        assert Message.objects.visible_to(gone).get().last_error == "550 no such user"
        assert minutes_until_all_sent(5) <= 1
        taken = [received.recipients for received in smtp.messages]
        assert sorted(taken) == sorted([[fine.email], [full.email], [second.email]])
        assert outbox.send_due() == {}

    def test_a_message_the_server_refuses_for_good_is_undeliverable(self, smtp):
        owe(make.user())
        smtp.answer(554, "looks like spam", at="END")
        assert outbox.send_due() == {"permanent": 1}

    def test_a_second_recipient_who_is_refused_too_ends_the_chain(self, smtp):
        owe(make.user(), fallback=make.user())
        smtp.answer(550, "no such user")
        assert outbox.send_due() == {"permanent": 2}
        assert Message.objects.count() == 2

    def test_a_sender_address_that_is_refused_is_our_fault_and_not_the_recipients(self, smtp):
        owe(make.user())
        smtp.answer(550, "who are you", at="MAIL")
        assert outbox.send_due() == {"temporary": 1}

    def test_a_server_that_wants_us_to_sign_in_first_refuses_us_and_not_the_recipient(self, smtp):
        owe(make.user())
        smtp.answer(530, "authentication required", at="RCPT")
        assert outbox.send_due() == {"temporary": 1}


class TestCut:
    """F10: the line is cut after the message and before the answer."""

    def test_a_cut_before_the_answer_is_uncertain_and_every_copy_is_the_same(self, smtp):
        message = owe(make.user())
        smtp.cut(at="END", once=True)
        assert outbox.send_due() == {"uncertain": 1}
        later(minutes=1)
        assert outbox.send_due() == {"sent": 1}
        copies = [received.message_id for received in [*smtp.unanswered, *smtp.messages]]
        assert copies == [message.message_id] * 2
        assert [attempt.outcome for attempt in message.send_attempts.order_by("id")] == ["uncertain", "sent"]

    def test_a_cut_before_the_body_is_certain(self, smtp):
        owe(make.user())
        smtp.cut(at="RCPT")
        assert outbox.send_due() == {"temporary": 1}

    def test_a_server_that_never_answers_the_body_is_uncertain(self, smtp, settings):
        settings.EMAIL_TIMEOUT = 1
        owe(make.user())
        smtp.hang(at="END")
        assert outbox.send_due() == {"uncertain": 1}

    def test_trouble_after_the_answer_makes_no_second_copy(self, smtp, monkeypatch):
        def quit_badly(self):
            raise smtplib.SMTPResponseException(500, "Line too long.")

        monkeypatch.setattr(smtplib.SMTP, "quit", quit_badly)
        owe(make.user())
        assert outbox.send_due() == {"sent": 1}


class TestThrottle:
    """F11: the server asks for fewer."""

    @pytest.mark.parametrize("code, stage", [(421, "EHLO"), (421, "MAIL"), (421, "RCPT"), (432, "RCPT"), (432, "END")])
    def test_a_throttled_round_ends_at_once_and_no_other_starts_meanwhile(self, smtp, code, stage):
        for _ in range(5):
            owe(make.user())
        smtp.answer(code, "too many", at=stage)
        assert outbox.send_due() == {"temporary": 1}
        connections = smtp.connections
        assert outbox.send_due() == {}
        assert smtp.connections == connections
        smtp.behave()
        assert minutes_until_all_sent(5) <= 2
        assert len(smtp.messages) == 5
        assert len({received.message_id for received in smtp.messages}) == 5

    def test_the_next_tries_are_spread(self, smtp):
        people = [make.user() for _ in range(10)]
        for person in people:
            owe(person)
            smtp.answer(451, "greylisted", to=person.email)
        outbox.send_due()
        waits = [message.try_at - message.due_at for message in Message.objects.order_by("id")]
        assert len({round(wait.total_seconds(), 1) for wait in waits}) > 3


class TestPassword:
    """F12: the password was changed at the server and not here."""

    @pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
    def test_a_wrong_password_loses_nothing_and_shows(self, smtp, settings):
        message = owe(make.user())
        smtp.require("plumbline", "new")
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "plumbline", "old"
        for _ in range(16):
            assert set(outbox.send_due()) <= {"temporary"}
            later(minutes=1)
        assert "outbox" in [found.check for found in health.current_findings()]
        later(hours=71)
        outbox.send_due()
        message.refresh_from_db()
        assert (message.state, message.last_error[:3]) == ("owed", "535")

        settings.EMAIL_HOST_PASSWORD = "new"
        assert minutes_until_all_sent(20) <= 15
        assert len(smtp.messages) == 1


class TestSenders:
    """A sender dies, is slow, or is not alone."""

    def test_what_a_dead_sender_held_is_sent_when_its_lease_is_over(self, smtp):
        message = owe(make.user())
        outbox.claim("a sender that dies now")
        assert outbox.send_due() == {}
        later(seconds=outbox.LEASE + 1)
        assert outbox.send_due() == {"sent": 1}
        assert [attempt.outcome for attempt in message.send_attempts.order_by("id")] == ["uncertain", "sent"]

    def test_a_sender_that_comes_late_undoes_nothing(self, smtp):
        message = owe(make.user(), fallback=make.user())
        late = outbox.claim("slow")
        later(seconds=outbox.LEASE + 1)
        outbox.send_due()
        for outcome in ["temporary", "permanent"]:
            outbox.record(late, outbox.Answer(outcome, 451, "try later"))
            message.refresh_from_db()
            assert (message.state, message.last_error) == ("sent", "")
        assert Message.objects.count() == 1

    def test_an_arrival_is_written_down_by_whoever_learns_of_it(self, smtp):
        message = owe(make.user())
        slow = outbox.claim("slow")
        later(seconds=outbox.LEASE + 1)
        outbox.claim("quick")
        outbox.record(slow, outbox.Answer("sent", 250))
        message.refresh_from_db()
        assert message.state == "sent"

    def side_by_side(self, count=2):
        """Run so many senders at once, each on a database connection of its own."""
        outcomes = []

        def run():
            try:
                outcomes.append(outbox.send_due())
            finally:
                connection.close()

        threads = [threading.Thread(target=run) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        return outcomes

    @pytest.mark.django_db(transaction=True)
    def test_two_senders_share_the_work_and_send_each_once(self, smtp):
        smtp.slowness = 0.01
        people = [make.user() for _ in range(20)]
        outbox.owe_many(outbox.draft(person, "digest", "digest/1", "Digest", "-") for person in people)
        outcomes = self.side_by_side()
        assert sorted(received.recipients[0] for received in smtp.messages) == sorted(p.email for p in people)
        assert min(outcome["sent"] for outcome in outcomes) > 0

    @pytest.fixture
    def collision(self, monkeypatch):
        """collision(locked=...): both senders read what is due before either writes that it is his."""
        both_have_read = threading.Barrier(2)
        lock = MessageQuerySet.select_for_update

        class Read:
            def __init__(self, queryset):
                self.queryset = queryset

            def first(self):
                message = self.queryset.first()
                with suppress(threading.BrokenBarrierError):
                    both_have_read.wait(2)
                return message

        def arrange(*, locked):
            def select_for_update(queryset, **options):
                return Read(lock(queryset, **options) if locked else queryset)

            monkeypatch.setattr(MessageQuerySet, "select_for_update", select_for_update)

        return arrange

    @pytest.mark.django_db(transaction=True)
    def test_two_senders_that_want_the_same_message_send_it_once(self, smtp, collision):
        collision(locked=True)
        owe(make.user())
        self.side_by_side()
        assert len(smtp.messages) == 1

    @pytest.mark.django_db(transaction=True)
    def test_without_the_row_lock_two_senders_send_the_same_message(self, smtp, collision):
        """The twin: the protection is off, so the test above proves something."""
        collision(locked=False)
        owe(make.user())
        self.side_by_side()
        assert len(smtp.messages) == 2
