"""The main job from the first delivery to the last mail: real browser, web server, worker, beat, broker and mail server."""

import datetime
import re
import time

import pytest
from django.utils import timezone

from accounts.models import User
from assessments import jobs
from assessments.models import Breach, Evaluation, Watch
from tests import make

PASSPHRASE = "correct horse battery staple"


def wait_for(find, seconds):
    give_up = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.2)
    return found


@pytest.fixture
def company():
    """A factory whose order was due four days ago, a manager who watches it, a buyer and an inspector.

    Last night was judged before the order was entered, so the next night is the first to miss it.
    """
    today = timezone.now().date()
    jobs.night(timezone.now())
    factory = make.factory(code="VN-014", name="Hoa Binh Garment", time_zone="UTC")
    order = make.order(factory=factory, number="PO-2391", confirmed_on=today - datetime.timedelta(days=40))
    make.line(
        500, order=order, number="L2", committed_on=today - datetime.timedelta(days=4),
        product=make.product(code="TEE-NVY-M", name="Cotton tee, navy, M", category=factory.category),
    )  # fmt: skip
    people = {
        role: make.user(role, email=f"{role}@example.com", name=role.title())
        for role in ("manager", "buyer", "inspector")
    }
    Watch.objects.create(user=people["manager"])
    return people


@pytest.mark.browser
def test_from_a_late_delivery_and_a_bad_inspection_to_the_mailbox_and_back(
    company, open_page, live_server, smtp, celery_worker_process, settings, tmp_path
):
    settings.SITE_URL = live_server.url
    celery_worker_process(
        "--beat", "--schedule", tmp_path / "beat", concurrency=1, EMAIL_URL=smtp.url, SITE_URL=live_server.url
    )

    buyer = open_page(company["buyer"], width=390, height=844)
    buyer.goto("/deliveries/new/?line=VN-014/PO-2391/L2")
    buyer.get_by_role("button", name="Save delivery").click()
    buyer.wait_for_url(re.compile(r"/deliveries/D-\d+/"))
    assert "4 days late" in buyer.inner_text("main")

    inspector = open_page(company["inspector"])
    inspector.goto("/inspections/new/")
    inspector.get_by_role("link", name=re.compile(r"D-\d+")).first.click()
    inspector.get_by_label("Units inspected").fill("80")
    inspector.get_by_role("textbox", name=re.compile("^Critical")).fill("0")
    inspector.get_by_role("textbox", name=re.compile("^Major")).fill("20")
    inspector.get_by_role("textbox", name=re.compile("^Minor")).fill("3")
    inspector.get_by_text("Rejected", exact=True).click()
    inspector.get_by_role("button", name="Save inspection").click()
    inspector.wait_for_url(re.compile(r"/inspections/I-\d+/"))

    # Within two minutes the minute job has judged it and the mail is there.
    mail = wait_for(lambda: smtp.messages, 120)[0]
    assert mail.recipients == ["manager@example.com"]
    assert mail.subject == "[Beyond limit] Hoa Binh Garment: defect rate 25.00%, ceiling 3.00%"
    assert Evaluation.objects.filter(kind="live").latest("revision").measures["defect"]["num"] == 20

    # The night job, run for the next day, adds the late order.
    jobs.night(timezone.now() + datetime.timedelta(days=1))
    late = wait_for(lambda: [each for each in smtp.messages if "PO-2391 is late" in each.subject], 30)[0]
    assert "/orders/VN-014/PO-2391/" in late.body

    # The manager signs in from the link in the mail and stands before the rows that caused it.
    manager = open_page()
    link = re.search(rf"{live_server.url}\S+/defect/", mail.body).group()
    manager.goto(link)
    manager.get_by_label(re.compile("e-?mail", re.IGNORECASE)).fill("manager@example.com")
    manager.get_by_label("Password", exact=True).fill(PASSPHRASE)
    manager.get_by_role("button", name="Sign in").click()
    manager.wait_for_url(link)
    rows = manager.locator("main tbody tr")
    assert rows.count() == 1
    assert "20" in rows.first.inner_text()

    # Acknowledging shows on the home page.
    manager.goto(re.search(rf"{live_server.url}/breaches/B-\d+/", mail.body).group())
    manager.get_by_role("button", name="Acknowledge").first.click()
    wait_for(lambda: Breach.objects.filter(measure="defect", state="acknowledged"), 10)
    manager.goto("/")
    assert "acknowledged" in manager.inner_text("main").lower()
    assert Breach.objects.get(measure="defect", event="rate").acknowledged_by == User.objects.get(
        email="manager@example.com"
    )
