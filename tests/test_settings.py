"""What a deployment relies on: the values of the queue, and settings that refuse to start when they are unsafe."""

import os
import re
import subprocess
import sys

import pytest
from django.conf import settings

from assessments.models import Policy
from config.celery import app
from config.embedded import BASE_DIR


def python(script, **environment):
    """Run a script in a fresh process with this environment, as a server would start."""
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def start(**environment):
    return python("from django.conf import settings; settings.DEBUG", **environment)


class TestQueue:
    @pytest.mark.parametrize(
        "name, value",
        [
            ("task_acks_late", True),
            ("task_reject_on_worker_lost", True),
            ("worker_prefetch_multiplier", 1),
            ("task_soft_time_limit", 240),
            ("task_time_limit", 300),
            ("result_backend", None),
            ("task_ignore_result", True),
            ("worker_cancel_long_running_tasks_on_connection_loss", False),
            ("broker_connection_retry_on_startup", True),
            ("enable_utc", True),
            ("timezone", "UTC"),
            ("task_serializer", "json"),
            ("accept_content", ["json"]),
        ],
    )
    def test_celery_runs_with(self, name, value):
        assert app.conf[name] == value

    def test_a_lost_task_comes_back_after_the_visibility_timeout_and_one_sweep(self):
        assert app.conf.broker_transport_options == {
            "visibility_timeout": 900,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
        }
        assert app.conf.broker_transport_options["visibility_timeout"] > app.conf.task_time_limit

    def test_a_backlog_of_ticks_is_dropped(self):
        for name, entry in app.conf.beat_schedule.items():
            assert entry["options"]["expires"] < entry["schedule"], name

    def test_the_cache_and_the_broker_use_the_same_redis_database(self):
        done = python(
            "from django.core.cache import cache; from config.celery import app\n"
            "channel = app.connection().default_channel\n"
            "for client in (cache._cache.get_client(), channel.client):\n"
            "    print(client.connection_pool.connection_kwargs['db'])",
            REDIS_URL=os.environ["REDIS_URL"].split("?")[0] + "?db=9",
        )
        assert done.stdout.split() == ["9", "9"], done.stderr


class TestSecretKey:
    @pytest.mark.parametrize("key", ["", "short", "a" * 60, "django-insecure-" + "abcdefghijklmnopqrstuvwxyz" * 3])
    def test_a_missing_or_weak_key_stops_the_start(self, key):
        done = start(SECRET_KEY=key, DEBUG="off")
        assert done.returncode != 0
        assert "SECRET_KEY is missing or weak" in done.stderr
        assert not key or key not in done.stderr

    def test_a_strong_key_starts(self):
        assert start(DEBUG="off").returncode == 0

    def test_development_needs_none(self):
        assert start(SECRET_KEY="", DEBUG="on").returncode == 0


@pytest.mark.parametrize(
    "url, cookies",
    [("https://plumbline.example.com", ["True", "__Host-session"]), ("http://127.0.0.1:8000", ["False", "session"])],
)
def test_cookies_follow_the_scheme_of_the_site(url, cookies):
    script = (
        "import os; del os.environ['SECURE_COOKIES']\n"
        "from django.conf import settings; print(settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_NAME)"
    )
    assert python(script, SITE_URL=url).stdout.split() == cookies


def test_the_example_lists_every_variable_that_is_read():
    source = (BASE_DIR / "config" / "settings.py").read_text()
    read = set(re.findall(r"""env(?:\.\w+)?\(\s*"([A-Z_]+)\"""", source))
    read |= set(re.findall(r"^    ([A-Z_]+)=\(", source, re.MULTILINE))
    assert {"DATABASE_URL", "REDIS_URL", "SECRET_KEY"} <= read
    listed = set(re.findall(r"^(?:# )?([A-Z_]+)=", (BASE_DIR / ".env.example").read_text(), re.MULTILINE))
    assert listed == read


def test_tests_run_on_postgresql_and_real_redis(db):
    from django.core.cache import cache  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    assert connection.vendor == "postgresql"
    assert connection.pg_version >= 150000
    assert cache._cache.get_client().info("server")["redis_version"]
    assert settings.DEBUG is False


@pytest.mark.parametrize("turn", [1, 2])
def test_rows_that_migrations_wrote_outlive_a_test_that_commits(transactional_db, turn):
    assert Policy.objects.count() == 1
