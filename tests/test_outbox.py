"""What is owed to people, and how it is handed over when nothing goes wrong."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import OperationalError as OperationalDatabaseError
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.test import RequestFactory
from django.urls import reverse

from config.admin_site import PlumblineAdminSite
from notifications import health, outbox
from notifications.admin import MessageAdmin
from notifications.models import Heartbeat, Message, SendAttempt
from tests import make

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nudges(monkeypatch):
    """The nudges that a broker would have got."""
    rung = []
    monkeypatch.setattr(outbox, "nudge", lambda: rung.append(1))
    return rung


def owe(person, key="breach/1", **fields):
    values = {"kind": "breach_opened", "subject": "Below limit", "text": "On time 71.4%", **fields}
    outbox.owe(person, key=key, **values)
    return Message.objects.get(recipient=person, key=key)


def later(**delta):
    """Let time pass: everything the outbox remembers moves into the past."""
    by = timedelta(**delta)
    Message.objects.update(due_at=F("due_at") - by, try_at=F("try_at") - by, lease_until=F("lease_until") - by)
    SendAttempt.objects.update(at=F("at") - by, ended_at=F("ended_at") - by)
    Heartbeat.objects.update(at=F("at") - by)


class TestOwing:
    def test_the_same_message_written_twice_is_one_message(self):
        person = make.user()
        owe(person, subject="Below limit")
        assert owe(person, subject="Something else").subject == "Below limit"
        assert Message.objects.count() == 1

    def test_the_same_key_is_a_message_of_its_own_for_everybody(self):
        people = [make.user(), make.user()]
        outbox.owe_many(outbox.draft(person, "digest", "digest/2026-11-21", "Digest", "-") for person in people)
        assert Message.objects.count() == 2

    def test_owing_five_hundred_costs_one_statement(self, django_assert_num_queries):
        person = make.user()
        drafts = [outbox.draft(person, "digest", f"digest/{i}", "Digest", "100 % of it") for i in range(500)]
        with django_assert_num_queries(1):
            outbox.owe_many(drafts)
        assert Message.objects.count() == 500

    def test_a_line_break_in_a_subject_adds_no_header(self, mailoutbox):
        owe(make.user(), subject="Hoa Binh\r\nBcc: everybody@example.com")
        outbox.send_due()
        assert mailoutbox[0].subject == "Hoa Binh Bcc: everybody@example.com"
        assert mailoutbox[0].recipients() == [Message.objects.get().address]

    @pytest.mark.django_db(transaction=True)
    def test_what_is_rolled_back_is_not_owed(self, nudges):
        person = make.user()
        with transaction.atomic():
            owe(person)
            transaction.set_rollback(True)
        assert not Message.objects.exists()
        assert not nudges

    @pytest.mark.django_db(transaction=True)
    def test_one_transaction_nudges_once_and_after_its_commit(self, nudges):
        person = make.user()
        with transaction.atomic():
            owe(person, "breach/1")
            owe(person, "breach/2")
            assert not nudges
        assert len(nudges) == 1

    @pytest.mark.django_db(transaction=True)
    def test_a_rolled_back_savepoint_does_not_take_the_nudge_with_it(self, nudges):
        person = make.user()
        with transaction.atomic():
            with transaction.atomic():
                owe(person, "breach/1")
                transaction.set_rollback(True)
            owe(person, "breach/2")
        assert len(nudges) == 1

    @pytest.mark.django_db(transaction=True)
    def test_a_kept_savepoint_nudges_for_the_rest_too(self, nudges):
        person = make.user()
        with transaction.atomic():
            with transaction.atomic():
                owe(person, "breach/1")
            owe(person, "breach/2")
            with transaction.atomic():
                owe(person, "breach/3")
                transaction.set_rollback(True)
        assert len(nudges) == 1
        assert Message.objects.count() == 2

    @pytest.mark.django_db(transaction=True)
    def test_a_failing_nudge_never_reaches_the_caller(self, monkeypatch):
        def fail():
            raise RuntimeError("no broker")

        monkeypatch.setattr(outbox, "nudge", fail)
        assert owe(make.user()).state == "owed"


class TestSending:
    def test_a_mail_says_what_it_is(self, mailoutbox, settings):
        settings.SITE_URL = "https://plumbline.example"
        person = make.user()
        message = owe(person, html="<p>On time 71.4%</p>")
        assert outbox.send_due() == {"sent": 1}
        (sent,) = mailoutbox
        assert sent.to == [person.email]
        assert sent.body == "On time 71.4%"
        assert [(part.content, part.mimetype) for part in sent.alternatives] == [("<p>On time 71.4%</p>", "text/html")]
        assert sent.extra_headers == {
            "Message-ID": message.message_id,
            "Auto-Submitted": "auto-generated",
            "List-Unsubscribe": "<https://plumbline.example/account/notifications/>",
        }
        assert message.message_id.endswith("@plumbline.example>")
        message.refresh_from_db()
        assert (message.state, message.attempts, message.leased_by, message.lease_until) == ("sent", 1, "", None)
        assert message.sent_at is not None
        assert message.send_attempts.get().outcome == "sent"

    def test_a_run_after_a_run_sends_nothing(self, mailoutbox):
        owe(make.user())
        outbox.send_due()
        assert outbox.send_due() == {}
        assert len(mailoutbox) == 1

    def test_what_follows_hangs_under_the_first_mail_of_its_thread(self, mailoutbox):
        person, other = make.user(), make.user()
        first = owe(person, "breach/1/opened", thread="breach/1")
        owe(person, "breach/1/worse", thread="breach/1")
        owe(person, "breach/1/cleared", thread="breach/1")
        owe(other, "breach/1/cleared", thread="breach/1")
        outbox.send_due()
        answers = [sent.extra_headers.get("References") for sent in mailoutbox]
        assert answers == [None, first.message_id, first.message_id, None]

    def test_nothing_leaves_before_it_is_due(self, mailoutbox):
        owe(make.user(), due_at=datetime.now(UTC) + timedelta(hours=9))
        assert outbox.send_due() == {}
        later(hours=10)
        assert outbox.send_due() == {"sent": 1}

    def test_a_corrected_address_saves_what_is_still_owed(self, mailoutbox):
        person = make.user(email="wrong@example.com")
        message = owe(person)
        person.email = "right@example.com"
        person.save()
        outbox.send_due()
        assert mailoutbox[0].to == ["right@example.com"]
        message.refresh_from_db()
        assert message.address == "right@example.com"

    def test_a_notice_to_an_old_address_goes_there(self, mailoutbox):
        person = make.user(email="new@example.com")
        owe(person, address="old@example.com")
        outbox.send_due()
        assert mailoutbox[0].to == ["old@example.com"]

    def test_somebody_who_left_gets_no_business_mail_and_the_second_recipient_does(self, mailoutbox):
        gone, second = make.user(is_active=False), make.user()
        message = owe(gone, fallback=second)
        outbox.send_due()
        message.refresh_from_db()
        assert (message.state, message.last_error) == ("undeliverable", "The account is closed.")
        assert [sent.to for sent in mailoutbox] == [[second.email]]
        assert message.fallbacks.get().state == "sent"

    def test_the_message_of_a_deleted_person_stays_on_record(self, mailoutbox):
        person = make.user()
        message = owe(person)
        person.delete()
        outbox.send_due()
        message.refresh_from_db()
        assert (message.recipient, message.address, message.state) == (None, person.email, "undeliverable")
        assert not mailoutbox

    def test_a_message_that_breaks_the_sender_does_not_hold_up_the_others(self, monkeypatch):
        people = [make.user(), make.user()]
        first, _ = [owe(person) for person in people]
        backend_send = mail.EmailMultiAlternatives.send

        def send(self):
            if self.to == [people[0].email]:
                raise AttributeError("a mistake of ours")
            return backend_send(self)

        monkeypatch.setattr(mail.EmailMultiAlternatives, "send", send)
        assert outbox.send_due() == {"temporary": 1, "sent": 1}
        first.refresh_from_db()
        assert (first.state, first.last_error) == ("owed", "AttributeError: a mistake of ours")

    def test_an_address_that_is_none_is_undeliverable(self, mailoutbox):
        message = owe(make.user(), address="not an address")
        assert outbox.send_due() == {"permanent": 1}
        message.refresh_from_db()
        assert message.state == "undeliverable"

    def test_a_round_ends_at_its_limit(self, mailoutbox):
        for _ in range(3):
            owe(make.user())
        assert outbox.send_due(limit=2) == {"sent": 2}
        assert outbox.send_due(seconds=0) == {}
        assert len(mailoutbox) == 2

    def test_a_worker_with_a_wrong_clock_sends_nothing_early_and_nothing_twice(self, mailoutbox, monkeypatch):
        owe(make.user(), due_at=datetime.now(UTC) + timedelta(minutes=5))
        monkeypatch.setattr("time.time", lambda: datetime.now(UTC).timestamp() + 600)
        monkeypatch.setattr("django.utils.timezone.now", lambda: datetime.now(UTC) + timedelta(minutes=10))
        assert outbox.send_due() == {}

    def test_the_command_sends_what_is_due(self, mailoutbox, capsys):
        owe(make.user())
        call_command("send_due")
        call_command("send_due")
        assert capsys.readouterr().out == "sent: 1\nNothing was due.\n"

    def test_requeued_is_owed_anew_and_a_sent_mail_stays_sent(self, mailoutbox):
        sent = owe(make.user())
        failed = owe(make.user(), address="not an address")
        outbox.send_due()
        assert Message.objects.all().requeue() == 1
        failed.refresh_from_db()
        sent.refresh_from_db()
        assert (failed.state, failed.attempts, sent.state) == ("owed", 0, "sent")


class TestWaiting:
    def test_the_wait_grows_to_half_an_hour(self):
        waits = [outbox.wait_after(n, concerns_server=False) for n in range(1, 9)]
        assert waits == [10, 30, 60, 300, 900, 1800, 1800, 1800]

    def test_a_server_that_is_away_is_asked_at_least_every_ten_minutes(self):
        assert max(outbox.wait_after(n, concerns_server=True) for n in range(1, 500)) == 600

    def test_the_lease_outlives_the_slowest_conversation(self, settings):
        assert outbox.LEASE >= 2 * settings.EMAIL_TIMEOUT


class TestHealth:
    def beats(self, minutes=1):
        return dict.fromkeys(health.JOBS, NOON - timedelta(minutes=minutes))

    def test_all_is_well(self):
        assert health.findings(NOON - timedelta(minutes=15), self.beats(5), NOON) == []

    def test_a_message_that_waits_longer_than_fifteen_minutes_is_found(self):
        (found,) = health.findings(NOON - timedelta(minutes=16), self.beats(), NOON)
        assert (found.check, found.sentence) == ("outbox", "A message has been waiting to be sent for 16 minutes.")

    def test_a_job_that_is_silent_longer_than_five_minutes_is_found(self):
        beats = self.beats() | {"sender": NOON - timedelta(minutes=6)}
        assert [found.check for found in health.findings(None, beats, NOON)] == ["sender"]

    def test_a_job_that_never_ran_is_found(self):
        assert [found.check for found in health.findings(None, {}, NOON)] == ["evaluator", "sender"]

    def test_a_message_for_tomorrow_is_not_late(self):
        owe(make.user(), due_at=datetime.now(UTC) + timedelta(days=1))
        later(minutes=60)
        assert Message.objects.oldest_owed() is None

    def test_a_heartbeat_is_one_row_that_moves(self):
        Heartbeat.objects.beat("sender", "first")
        later(minutes=10)
        Heartbeat.objects.beat("sender", "second")
        beat = Heartbeat.objects.get()
        assert beat.note == "second"
        assert Heartbeat.objects.filter(at__gt=Now() - timedelta(minutes=1)).exists()


class TestHealthz:
    def test_it_is_open_and_says_ok(self, client):
        Heartbeat.objects.beat("evaluator")
        Heartbeat.objects.beat("sender")
        response = client.get("/healthz")
        assert response.status_code == 200
        assert response.json() == {
            "status": "ok",
            "checks": {"database": "ok", "outbox": "ok", "evaluator": "ok", "sender": "ok"},
        }

    def test_a_stopped_sender_shows_within_minutes_and_clears_when_it_runs_again(self, client, mailoutbox):
        Heartbeat.objects.beat("evaluator")
        outbox.send_due()
        later(minutes=6)
        Heartbeat.objects.beat("evaluator")
        response = client.get("/healthz")
        assert (response.status_code, response.json()["checks"]["sender"]) == (503, "failing")
        outbox.send_due()
        assert client.get("/healthz").status_code == 200

    def test_it_tells_a_stranger_nothing_of_ours(self, client):
        owe(make.user(email="canary@example.com"), subject="canary")
        later(minutes=20)
        response = client.get("/healthz")
        assert response.status_code == 503
        assert b"canary" not in response.content
        assert set(response.json()["checks"].values()) == {"ok", "failing"}

    def test_a_database_that_is_down_is_an_answer_and_no_crash(self, client, monkeypatch):
        def fail():
            raise OperationalDatabaseError("server closed the connection")

        monkeypatch.setattr("notifications.views.current_findings", fail)
        response = client.get("/healthz")
        assert (response.status_code, response.json()) == (
            503,
            {"status": "failing", "checks": {"database": "failing"}},
        )


class TestMyNotifications:
    def page(self, client, person, query=""):
        client.force_login(person)
        return client.get(reverse("my_notifications") + query)

    def test_i_see_my_messages_and_nobody_elses(self, client):
        me, other = make.user(), make.user("admin")
        owe(me, subject="For me")
        owe(other, subject="For somebody else")
        content = self.page(client, me).content.decode()
        assert "For me" in content
        assert "somebody else" not in content

    def test_the_state_of_each_is_shown(self, client, mailoutbox):
        me = make.user()
        owe(me, "1")
        owe(me, "2", address="not an address")
        outbox.send_due()
        owe(me, "3")
        content = self.page(client, me).content.decode()
        for words in ["Sent", "Not delivered", "Waiting to be sent"]:
            assert words in content

    def test_hostile_text_is_shown_as_text(self, client):
        me = make.user()
        owe(me, subject="<script>alert(1)</script>", text="<img src=x> https://plumbline.example/?a=1&b=<i>")
        content = self.page(client, me).content.decode()
        assert "<script>alert" not in content
        assert "<img" not in content

    def test_older_messages_are_a_link_away_and_each_is_shown_once(self, client, django_assert_max_num_queries):
        me = make.user()
        outbox.owe_many(outbox.draft(me, "digest", f"digest/{i:03}", f"Digest {i:03}", "-") for i in range(120))
        client.force_login(me)
        url, seen = reverse("my_notifications"), []
        while url:
            with django_assert_max_num_queries(5):
                context = client.get(url).context
            seen += [message.subject for message in context["page"]]
            url = context["older_url"]
        assert seen == [f"Digest {i:03}" for i in reversed(range(120))]

    def test_somebody_without_messages_is_told_so(self, client):
        assert "No messages yet" in self.page(client, make.user()).content.decode()

    @pytest.mark.parametrize("query", ["?before=x", "?before=-1", "?before=" + "9" * 40, "?before=1", "?before=%00"])
    def test_a_broken_link_is_no_error(self, client, query):
        assert self.page(client, make.user(), query).status_code == 200


class TestAdmin:
    def test_an_administrator_requeues_but_edits_nothing_and_reads_no_bodies(self):
        model_admin = MessageAdmin(Message, PlumblineAdminSite())
        request = RequestFactory().get("/")
        request.user = make.user("admin")
        assert model_admin.has_view_permission(request)
        assert not model_admin.has_change_permission(request)
        assert not model_admin.has_add_permission(request)
        assert not model_admin.has_delete_permission(request)
        assert list(model_admin.get_actions(request)) == ["requeue"]
        assert not {"text", "html"} & set(model_admin.get_fields(request))
