"""What every test may ask for: servers, a browser, a mail server that misbehaves, a real worker.

`./dev test` starts PostgreSQL and Redis; a bare `pytest` starts its own here. There are no stand-ins for either.
"""

import gc
import io
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from config import embedded
from tests.smtp import MailServer

for_whole_run = ExitStack()
if not os.environ.get("DATABASE_URL"):
    _postgres, _redis = for_whole_run.enter_context(embedded.throwaway(seed=embedded.migrated(sys.executable)))
    os.environ |= {
        "DATABASE_URL": _postgres.url,
        "REDIS_URL": _redis.url,
        "TEST_DATABASE_TEMPLATE": embedded.NAME,  # its one database is migrated already; test databases are copies
    }

# Every variable that settings read, so that neither a .env file nor the shell can change what a test sees.
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "DJANGO_ALLOW_ASYNC_UNSAFE": "true",  # Playwright's synchronous API runs inside an event loop
    "DEBUG": "off",
    "SECRET_KEY": os.environ.get("TEST_SECRET_KEY") or secrets.token_urlsafe(64),
    "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
    "EMAIL_URL": "consolemail://",
    "EMAIL_FROM": "Plumbline <plumbline@example.com>",
    "SITE_URL": "http://testserver",
    "ORGANISATION_TIME_ZONE": "UTC",
    "SECURE_COOKIES": "off",
    "TRUSTED_PROXY_COUNT": "0",
    "MEDIA_ROOT": for_whole_run.enter_context(tempfile.TemporaryDirectory(prefix="media-")),
}
os.environ["TEST_SECRET_KEY"] = os.environ["SECRET_KEY"]  # the workers of pytest-xdist share it
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # One Redis database for each parallel worker; the first is the controller's.
    os.environ["REDIS_URL"] = os.environ["REDIS_URL"].split("?")[0] + f"?db={int(worker.removeprefix('gw')) + 1}"

CHROMIUM_ARGUMENTS = [
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


def pytest_configure(config):
    from django.conf import settings

    gc.set_threshold(100_000, 50, 100)  # looking for garbage as often as usual took a twelfth of the time

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STATIC_ROOT = None  # else every client looks through all that a demo collected there
    # Inherited by a parallel worker it would set Django up there before this file has chosen the Redis database.
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


def pytest_unconfigure(config):
    for_whole_run.close()


# The longest files begin first, so that at the end none is left to run alone on its worker.
LONGEST = [
    f"test_{name}.py" for name in ("story", "rollups", "headers", "dev", "every_number", "authorization", "isolation")
]


def pytest_collection_modifyitems(config, items):
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
    if config.getoption("markexpr") or os.environ.get("TEST_ALL") or any("::" in arg for arg in config.args):
        return
    soaks = [item for item in items if item.get_closest_marker("soak")]
    if soaks:
        config.hook.pytest_deselected(items=soaks)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix):
    from django.conf import settings

    if template := os.environ.get("TEST_DATABASE_TEMPLATE"):
        settings.DATABASES["default"]["TEST"]["TEMPLATE"] = template


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """A test that commits ends with every table emptied; what migrations had written there is put back each time."""
    from django.test import TransactionTestCase

    with django_db_blocker.unblock():
        written = rows_of_migrations()
    empty = TransactionTestCase._fixture_teardown

    def empty_and_put_back(test):
        empty(test)
        put_back(written)

    TransactionTestCase._fixture_teardown = empty_and_put_back
    yield
    TransactionTestCase._fixture_teardown = empty


def rows_of_migrations():
    """{table: its rows as COPY writes them}; Django itself refills content types and permissions."""
    from django.db import connection

    written = {}
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        for table in tables - {"django_migrations", "django_content_type", "auth_permission"}:
            cursor.copy_expert(f'COPY "{table}" TO STDOUT', rows := io.StringIO())
            if rows.getvalue():
                written[table] = rows.getvalue()
    return written


def put_back(written):
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        # Without triggers: the rows of the history are among those that are put back.
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table, rows in written.items():
            cursor.copy_expert(f'COPY "{table}" FROM STDIN', io.StringIO(rows))


@pytest.fixture(autouse=True)
def empty_redis(request):
    """No rate limit and no queued message outlives its test."""
    yield
    if {"db", "transactional_db", "live_server"} & set(request.fixturenames):
        from django.core.cache import cache

        cache.clear()


@pytest.fixture(autouse=True)
def shipped_policy(request):
    """The policy that a migration writes; a test that commits empties every table, so the next one finds none."""
    marker = request.node.get_closest_marker("django_db")
    commits = marker is not None and marker.kwargs.get("transaction")
    if commits or {"transactional_db", "live_server"} & set(request.fixturenames):
        from tests import make

        request.getfixturevalue("transactional_db")
        make.shipped_policy()


@pytest.fixture
def plain_templates(monkeypatch):
    """Templates drawn as in production. In tests each one keeps its context too: a sixth of the time of a thousand pages."""
    from django.template import Template

    monkeypatch.setattr(Template, "_render", lambda template, context: template.nodelist.render(context))


# Mail


@pytest.fixture
def smtp(settings):
    """A mail server (tests/smtp.py) to which Django's mail goes during the test."""
    server = MailServer()
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    yield server
    server.stop()


# Servers and workers as processes


@pytest.fixture
def own_servers():
    """(postgres, redis) for one test alone, to be stopped, killed and started again; see config/embedded.py."""
    with embedded.throwaway(seed=embedded.migrated(sys.executable)) as servers:
        yield servers


class Worker(embedded.Process):
    """A Celery worker in a process of its own."""

    @property
    def pid(self):
        return self.child.pid

    def output(self):
        return self.log.read_text(errors="replace")

    def ready(self):
        return self.alive() and " ready." in self.output()

    def wait_for(self, text, seconds=20):
        """Wait until the worker's log contains `text`."""
        give_up = time.monotonic() + seconds
        while text not in self.output():
            assert time.monotonic() < give_up, f"{text!r} is not in the worker's log:\n{self.output()}"
            time.sleep(0.05)


@pytest.fixture
def celery_worker_process(transactional_db, tmp_path):
    """start(*arguments, **environment) -> Worker: a real worker on the test's database and broker, ready to work.

    `worker.kill()` is kill -9 of the worker and its children, `worker.stop()` is an orderly end.
    """
    from django.conf import settings

    started = []

    def start(*arguments, concurrency=2, **environment):
        base, _, _ = os.environ["DATABASE_URL"].rpartition("/")
        test_database = {"DATABASE_URL": f"{base}/{settings.DATABASES['default']['NAME']}"}
        command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--loglevel", "INFO"]
        command += ["--concurrency", concurrency, "--without-gossip", "--without-mingle", *arguments]
        worker = Worker(
            f"worker {len(started) + 1}",
            command,
            tmp_path / f"worker-{len(started) + 1}.log",
            env=os.environ | test_database | {key: str(value) for key, value in environment.items()},
        )
        started.append(worker)
        worker.start()
        worker.wait_until_ready(60)
        return worker

    yield start
    for worker in started:
        worker.grace = 5
        worker.stop()


# The browser


def chromium_path():
    """$CHROMIUM, a Chromium or Chrome on PATH, or None for the one that Playwright installed for itself."""
    names = [os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    return next((found for name in names if name and (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = chromium_path()
        if path is None and not Path(playwright.chromium.executable_path).exists():
            pytest.fail("No Chromium: install Debian's `chromium`, or set CHROMIUM, or `playwright install chromium`.")
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


WATCH_POLICY = """document.addEventListener("securitypolicyviolation", (event) => console.error(
    `Content-Security-Policy: ${event.violatedDirective} forbids ${event.blockedURI} ${event.sourceFile}`))"""


@pytest.fixture
def open_page(browser, live_server, client):
    """open_page(user=None, *, width, height, javascript, **context options) -> a page of its own browser session.

    The page's addresses are relative to the live server. Any error on its console, a Content-Security-Policy violation
    among them, fails the test; a test that provokes one empties `page.problems`.
    """
    contexts, problems = [], []

    def start(user=None, *, width=1280, height=800, javascript=True, **options):
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": width, "height": height},
            java_script_enabled=javascript,
            **options,
        )
        contexts.append(context)
        context.set_default_timeout(10_000)
        if javascript:
            context.add_init_script(WATCH_POLICY)
        if user is not None:
            sign_in(context, live_server, client, user)
        page = context.new_page()
        page.problems = problems
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        return page

    yield start
    for context in contexts:
        context.close()
    assert not problems, f"the browser complained: {problems}"


def sign_in(context, live_server, client, user):
    """Put a session of `user` into the browser without going through the sign-in page."""
    from django.conf import settings

    client.logout()
    client.force_login(user)
    value = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": live_server.url}])


@pytest.fixture
def browser_page(open_page):
    """A page nobody has signed in on, see `open_page`."""
    return open_page()


@pytest.fixture
def run_manage():
    """run_manage("command", ..., **environment) -> the finished process of `manage.py`, with its output as text."""

    def run(*arguments, **environment):
        command = [sys.executable, "manage.py", *map(str, arguments)]
        env = os.environ | environment
        return subprocess.run(command, cwd=embedded.BASE_DIR, env=env, capture_output=True, text=True, check=False)

    return run
