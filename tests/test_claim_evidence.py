"""Evidence of a claim: which files are taken, who reads them, and that nothing of it vanishes."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from openpyxl import Workbook
from PIL import Image

from assessments import claim_evidence, claims, file_kinds
from assessments.models import Claim, ClaimEvidence
from notifications.models import Message
from production.errors import BadInput
from tests import make
from tests.test_claims import lossy_order

pytestmark = pytest.mark.django_db
NOTE = b"roll;metres\n1;48.20\n2;51.75\n"


@pytest.fixture
def claim():
    return claims.make(
        lossy_order(make.factory(code="VN-014", name="Hoa Binh Garment")), make.user("manager", name="Mai")
    )


@pytest.fixture
def manager(claim):
    return claim.created_by


@pytest.fixture
def contact(claim):
    return make.user("contact", factory=claim.factory)


def upload(client, claim, *files, caption=""):
    """Sends files (name, bytes) as the form of the page does."""
    sent = [SimpleUploadedFile(name, content) for name, content in files]
    return client.post(f"/claims/{claim.code}/evidence/", {"files": sent, "caption": caption})


def stored():
    return {path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()}


def picture(kind="JPEG", exif=None, size=(60, 40)):
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind, **({"exif": exif} if exif else {}))
    return out.getvalue()


def workbook(macros=False):
    out = io.BytesIO()
    book = Workbook()
    book.active.append(["roll", "metres"])
    book.save(out)
    if macros:
        with zipfile.ZipFile(out, "a") as archive:
            archive.writestr("xl/vbaProject.bin", b"x")
    return out.getvalue()


def document():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", "<w:document/>")
    return out.getvalue()


# What is taken


@pytest.mark.parametrize("name, content, content_type", [
    ("weigh note.csv", NOTE, "text/csv"),
    ("notes.txt", "布料短缺 two rolls".encode(), "text/plain"),
    ("notes.txt", "布料短缺".encode("gb18030"), "text/plain"),
    ("notes.txt", "two rolls".encode("utf-16"), "text/plain"),
    ("report.pdf", b"%PDF-1.7\n1 0 obj\n", "application/pdf"),
    ("METER.JPG", picture(), "image/jpeg"),
    ("meter.png", picture("PNG"), "image/png"),
    ("meter.webp", picture("WEBP"), "image/webp"),
    ("rolls.xlsx", workbook(), file_kinds.XLSX),
    ("report.docx", document(), file_kinds.DOCX),
])  # fmt: skip
def test_the_kind_of_a_file_is_read_from_its_bytes(name, content, content_type):
    assert file_kinds.known(name, content).content_type == content_type


@pytest.mark.parametrize("name, content, words", [
    ("empty.pdf", b"", "is empty"),
    ("page.html", b"<html>", "only these kinds are taken"),
    ("drawing.svg", b"<svg/>", "only these kinds are taken"),
    ("noending", NOTE, "only these kinds are taken"),
    ("report.pdf", picture(), "ends in .pdf, but inside it is a .jpg file"),
    ("meter.jpg", b"%PDF-1.7", "ends in .jpg, but inside it is a .pdf file"),
    ("meter.jpg", b"<script>alert(1)</script>", "is a page for a browser"),
    ("notes.txt", b" \n<!DOCTYPE html><p>", "is a page for a browser"),
    ("notes.csv", b"a;b\x00c", "is not what its name says"),
    ("notes.txt", b"\x7fELF\x02\x01\x01\x00", "is not what its name says"),
    ("meter.jpg", picture()[:200], "is not a sound picture"),
    ("rolls.xlsx", workbook()[:300], "is damaged"),
    ("rolls.xlsx", workbook(macros=True), "holds macros"),
    ("rolls.xlsx", b"PK\x05\x06" + bytes(18), "is an archive"),
    ("notes.txt", b"x" * (file_kinds.MOST_BYTES + 1), "is larger than 15 MB"),
])  # fmt: skip
def test_what_is_no_evidence_is_refused_with_its_name_and_why(name, content, words):
    with pytest.raises(BadInput, match=words) as refused:
        file_kinds.known(name, content)
    assert name in refused.value.message


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(file_kinds, "MOST_PIXELS", 1_000_000)
    unpacked = []
    monkeypatch.setattr(Image.Image, "load", lambda self: unpacked.append(self))
    with pytest.raises(BadInput, match="more than 1 million pixels"):
        file_kinds.known("flood.png", PIXEL_FLOOD)
    assert not unpacked


PIXEL_FLOOD = picture("PNG", size=(1_200, 1_200))


def test_a_photo_keeps_when_it_was_taken_and_loses_where_and_what_hides_behind_it():
    exif = Image.Exif()
    exif[0x0112] = 6  # which way up
    exif[0x010F] = "Maker of the camera"
    exif.get_ifd(0x8769)[0x9003] = "2026:11:02 09:40:00"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (21.0, 1.0, 42.5)
    sent = picture(exif=exif) + b"<script>alert(1)</script>"
    kept = file_kinds.known("meter.jpg", sent).content
    assert b"<script>" not in kept
    with Image.open(io.BytesIO(kept)) as found:
        there = found.getexif()
        assert there[0x0112] == 6
        assert there.get_ifd(0x8769)[0x9003] == "2026:11:02 09:40:00"
        assert not there.get_ifd(0x8825)
        assert 0x010F not in there


@pytest.mark.parametrize("given, kept", [
    ("../../etc/passwd.txt", "passwd.txt"), ("C:\\photos\\meter.jpg", "meter.jpg"), ("weigh\u202egpj.txt", "weighgpj.txt"),
    ("a\x00b\n.pdf", "ab.pdf"), ("x" * 300 + ".xlsx", "x" * 145 + ".xlsx"), ("称重单.pdf", "称重单.pdf"),
])  # fmt: skip
def test_a_file_keeps_its_own_name_without_what_deceives(given, kept):
    assert file_kinds.tidy(given) == kept


# Adding


def test_a_buyer_adds_several_files_at_once_and_reads_them_back(claim, client):
    client.force_login(make.user("buyer", name="Li Wei"))
    assert (
        upload(
            client, claim, ("weigh note.csv", NOTE), ("称重单.png", picture("PNG")), caption="Both rolls"
        ).status_code
        == 302
    )
    note, photo = ClaimEvidence.objects.all()
    assert (note.name, note.size, note.sha256, note.content_type, note.caption) == (
        "weigh note.csv", len(NOTE), hashlib.sha256(NOTE).hexdigest(), "text/csv", "Both rolls",
    )  # fmt: skip
    page = client.get(claim.get_absolute_url()).content.decode()
    assert "weigh note.csv" in page
    assert "added by Li Wei" in page
    answer = client.get(f"/claims/{claim.code}/evidence/{note.pk}/")
    assert b"".join(answer.streaming_content) == NOTE
    assert answer["Content-Disposition"] == 'attachment; filename="weigh note.csv"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert (
        answer["Content-Security-Policy"]
        == "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
    )
    assert answer["Content-Type"] == "text/csv"
    assert "no-store" in answer["Cache-Control"]
    named = client.get(f"/claims/{claim.code}/evidence/{photo.pk}/")["Content-Disposition"]
    assert named == "attachment; filename*=utf-8''%E7%A7%B0%E9%87%8D%E5%8D%95.png"


def test_a_note_without_a_file_is_evidence_too(claim, client, manager):
    client.force_login(manager)
    assert upload(client, claim, caption="Ms Lan counted the rolls with us.").status_code == 302
    assert "Ms Lan counted the rolls with us." in client.get(claim.get_absolute_url()).content.decode()


def test_every_wrong_file_is_named_and_nothing_is_stored(claim, client, manager):
    client.force_login(manager)
    before = stored()
    answer = upload(client, claim, ("a.csv", NOTE), ("b.html", b"<p>"), ("c.pdf", b""), caption="Three files")
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "“b.html”" in page
    assert "“c.pdf” is empty." in page
    assert "Three files" in page, "what was written is still there"
    assert not ClaimEvidence.objects.exists()
    assert stored() == before
    assert "Choose a file, or write what there is to know." in upload(client, claim).content.decode()


def test_no_more_files_than_ten_at_once_and_fifty_in_all(claim, client, manager, monkeypatch):
    client.force_login(manager)
    many = [(f"{number}.txt", f"roll {number}".encode()) for number in range(11)]
    assert "At most 10 files at once." in upload(client, claim, *many).content.decode()
    monkeypatch.setattr(claim_evidence, "MOST_IN_A_CLAIM", 3)
    assert upload(client, claim, *many[:3]).status_code == 302
    assert "at most 3 pieces of evidence" in upload(client, claim, many[3]).content.decode()
    assert ClaimEvidence.objects.count() == 3


def test_the_same_file_belongs_to_a_claim_once(claim, client, manager):
    client.force_login(manager)
    upload(client, claim, ("a.csv", NOTE))
    before = stored()
    assert "“b.csv” belongs to the claim already." in upload(client, claim, ("b.csv", NOTE)).content.decode()
    assert stored() == before


def test_a_full_disk_is_told_and_leaves_neither_a_row_nor_a_part_of_a_file(claim, client, manager, monkeypatch):
    client.force_login(manager)
    before, save = stored(), FileSystemStorage._save

    def full(self, name, content):
        save(self, name, content)  # what had been written when the disk was full
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FileSystemStorage, "_save", full)
    answer = upload(client, claim, ("a.csv", NOTE), caption="The weigh note")
    assert answer.status_code == 422
    assert "could not be stored: No space left on device. Nothing was saved." in answer.content.decode()
    assert "The weigh note" in answer.content.decode()
    assert not ClaimEvidence.objects.exists()
    assert stored() == before


# Who reads it


def test_the_factory_reads_it_once_the_claim_is_sent_and_no_other_factory_ever(claim, client, manager, contact):
    (row,) = claim_evidence.add(claim, manager, [file_kinds.known("weigh note.csv", NOTE)])
    address = f"/claims/{claim.code}/evidence/{row.pk}/"
    client.force_login(contact)
    assert client.get(address).status_code == 404
    claims.move(claim, "send", manager)
    assert b"".join(client.get(address).streaming_content) == NOTE
    assert "added by the seller" in client.get(claim.get_absolute_url()).content.decode()
    other = claims.make(lossy_order(claim.factory), manager)
    claims.move(other, "send", manager)
    assert client.get(f"/claims/{other.code}/evidence/{row.pk}/").status_code == 404, "of another claim"
    for stranger in (make.user("contact", factory=make.factory()), make.user("inspector"), make.user("officer")):
        client.force_login(stranger)
        assert client.get(address).status_code in (403, 404)
    client.logout()
    assert client.get(address).status_code == 302


def test_no_address_leads_to_the_directory_of_the_files(claim, client, manager):
    (row,) = claim_evidence.add(claim, manager, [file_kinds.known("weigh note.csv", NOTE)])
    client.force_login(manager)
    assert "weigh" not in row.file.name
    for address in (f"/{row.file.name}", f"/media/{row.file.name}", f"/static/{row.file.name}"):
        assert client.get(address).status_code == 404


def test_a_file_that_is_lost_is_told_and_breaks_no_page(claim, client, manager):
    (row,) = claim_evidence.add(claim, manager, [file_kinds.known("weigh note.csv", NOTE)])
    row.file.storage.delete(row.file.name)
    client.force_login(manager)
    answer = client.get(f"/claims/{claim.code}/evidence/{row.pk}/", follow=True)
    assert answer.status_code == 200
    assert "is not in the store of files any more" in answer.content.decode()


# Both sides


def test_the_factory_adds_its_own_evidence_when_it_disputes_and_while_it_does(claim, client, manager, contact):
    claims.move(claim, "send", manager)
    Message.objects.all().delete()
    client.force_login(contact)
    sent = {"note": "The rolls were short", "files": [SimpleUploadedFile("meter.png", picture("PNG"))]}
    assert client.post(f"/claims/{claim.code}/dispute/", sent).status_code == 302
    assert upload(client, claim, caption="Roll 7 again, with a witness").status_code == 302
    assert [str(row) for row in ClaimEvidence.objects.all()] == ["meter.png", "Roll 7 again, with a witness"]
    assert {row.added_by for row in ClaimEvidence.objects.all()} == {contact}
    client.force_login(manager)
    page = client.get(claim.get_absolute_url()).content.decode()
    assert "meter.png" in page
    assert "Evidence added" in page
    claims.move(claim, "accept", contact)
    client.force_login(contact)
    assert upload(client, claim, caption="Too late").status_code == 403


def test_a_dispute_with_a_wrong_file_is_not_sent_and_keeps_its_words(claim, client, manager, contact):
    claims.move(claim, "send", manager)
    client.force_login(contact)
    sent = {"note": "The rolls were short", "files": [SimpleUploadedFile("meter.png", b"no picture")]}
    answer = client.post(f"/claims/{claim.code}/dispute/", sent)
    assert answer.status_code == 422
    assert "The rolls were short" in answer.content.decode()
    claim.refresh_from_db()
    assert claim.state == "sent"


def test_the_other_side_is_told_of_evidence_that_comes_after_the_claim(claim, manager, contact):
    claim_evidence.add(claim, manager, caption="Of the draft")
    assert not Message.objects.exists(), "a draft is ours"
    claims.move(claim, "send", manager)
    Message.objects.all().delete()
    claim_evidence.add(claim, manager, [file_kinds.known("weigh note.csv", NOTE)])
    assert [(told.recipient, told.subject) for told in Message.objects.all()] == [
        (contact, f"[More evidence] {claim.code}, Hoa Binh Garment")
    ]
    assert "weigh note.csv" in Message.objects.get().text


def test_a_claim_that_is_over_takes_no_more_evidence(claim, client, manager):
    claims.move(claim, "waive", manager, note="Our mistake")
    client.force_login(manager)
    assert upload(client, claim, caption="Too late").status_code == 403
    with pytest.raises(BadInput, match="takes no more evidence"):
        claim_evidence.add(claim, manager, caption="Too late")


# Nothing vanishes


def test_evidence_of_a_draft_is_removed_and_put_back_and_the_history_says_who(claim, client, manager, contact):
    (row,) = claim_evidence.add(claim, manager, [file_kinds.known("weigh note.csv", NOTE)])
    client.force_login(manager)
    client.post(f"/claims/{claim.code}/evidence/{row.pk}/remove/")
    page = client.get(claim.get_absolute_url()).content.decode()
    assert "removed by Mai" in page
    assert "Undo" in page
    client.post(f"/claims/{claim.code}/evidence/{row.pk}/restore/")
    row.refresh_from_db()
    assert row.removed_at is None
    client.post(f"/claims/{claim.code}/evidence/{row.pk}/remove/")
    events = row._meta.apps.get_model("assessments", "ClaimEvidenceEvent").objects.filter(id=row.pk).order_by("pgh_id")
    assert [event.removed_by_id for event in events] == [None, manager.pk, None, manager.pk]
    claims.move(claim, "send", manager)
    client.force_login(contact)
    assert "weigh note.csv" not in client.get(claim.get_absolute_url()).content.decode()
    assert client.get(f"/claims/{claim.code}/evidence/{row.pk}/").status_code == 404


def test_a_file_that_was_removed_may_be_added_again_and_then_the_first_stays_away(claim, client, manager):
    known = file_kinds.known("weigh note.csv", NOTE)
    (row,) = claim_evidence.add(claim, manager, [known])
    claim_evidence.remove(row, manager)
    claim_evidence.add(claim, manager, [known])
    client.force_login(manager)
    answer = client.post(f"/claims/{claim.code}/evidence/{row.pk}/restore/", follow=True)
    assert "The same file was added again." in answer.content.decode()


def test_what_was_sent_is_not_removed_by_anybody(claim, client, manager):
    (row,) = claim_evidence.add(claim, manager, [file_kinds.known("weigh note.csv", NOTE)])
    claims.move(claim, "send", manager)
    client.force_login(manager)
    answer = client.post(f"/claims/{claim.code}/evidence/{row.pk}/remove/", follow=True)
    assert "Evidence of a claim that was sent stays." in answer.content.decode()
    row.refresh_from_db()
    assert row.removed_at is None


@pytest.mark.parametrize("statement", [
    "DELETE FROM assessments_claimevidence",
    "UPDATE assessments_claimevidence SET caption = 'another'",
    "UPDATE assessments_claimevidence SET file = 'evidence/another'",
    "UPDATE assessments_claimevidence SET removed_at = now(), removed_by_id = added_by_id",
])  # fmt: skip
def test_plain_sql_cannot_touch_evidence_that_was_sent(claim, manager, statement):
    claim_evidence.add(claim, manager, [file_kinds.known("weigh note.csv", NOTE)])
    claims.move(claim, "send", manager)
    refused(statement, "evidence_is_kept")


def test_plain_sql_may_remove_evidence_of_a_draft_but_not_delete_or_change_it(claim, manager):
    claim_evidence.add(claim, manager, caption="The rolls were weighed")
    refused("DELETE FROM assessments_claimevidence", "evidence_is_kept")
    refused("UPDATE assessments_claimevidence SET caption = 'another'", "evidence_is_kept")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE assessments_claimevidence SET removed_at = now(), removed_by_id = added_by_id")
        assert cursor.rowcount == 1


def refused(statement, law):
    with pytest.raises(IntegrityError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert caught.value.__cause__.diag.constraint_name == law


# The sheet, and how often the page asks


def test_the_sheet_names_each_file_with_its_sum(claim, client, manager, monkeypatch):
    claim_evidence.add(claim, manager, [file_kinds.known("weigh note.csv", NOTE)], caption="Both rolls")
    printed = []
    monkeypatch.setattr("assessments.pdf.of", lambda html: printed.append(html) or b"%PDF-")
    client.force_login(manager)
    client.get(f"/claims/{claim.code}/sheet.pdf")
    assert "weigh note.csv" in printed[0]
    assert hashlib.sha256(NOTE).hexdigest() in printed[0]


def test_the_page_asks_as_often_for_many_pieces_as_for_one(claim, client, manager, django_assert_num_queries):
    client.force_login(manager)
    claim_evidence.add(claim, manager, caption="First")
    page = claim.get_absolute_url()
    client.get(page)
    with django_assert_num_queries(6):
        client.get(page)
    for number in range(8):
        claim_evidence.add(claim, make.user("buyer"), caption=f"Roll {number}")
    assert Claim.objects.get().proofs.count() == 9
    with django_assert_num_queries(6):
        client.get(page)
