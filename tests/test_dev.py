"""`./dev` from the outside: what it says when something is missing, and that it leaves nothing running."""

import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import redis

from config import embedded
from config.embedded import BASE_DIR
from tests.smtp import free_port

LEFT_OUT = (".git", ".venv", "var", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")


NAME_OF_DATABASE = "from django.conf import settings; print(settings.DATABASES['default']['NAME'])"
URL_OF_REDIS = "from django.conf import settings; print(settings.REDIS_URL)"


def environment(**changes):
    """What a person's shell would give: none of the variables of the test run."""
    ours = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "EMAIL_URL", "ALLOWED_HOSTS", "DEBUG", "SITE_URL")
    ours += ("TEST_SECRET_KEY", "TEST_DATABASE_TEMPLATE", "DJANGO_SETTINGS_MODULE", "SECURE_COOKIES")
    return {key: value for key, value in os.environ.items() if key not in ours} | changes


def dev(*arguments, cwd=BASE_DIR, **changes):
    command = [sys.executable, str(cwd / "dev"), *arguments]
    env = environment(**changes)
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def clone(tmp_path):
    """The source as a fresh clone has it, without .venv and var."""
    place = tmp_path / "clone"
    shutil.copytree(BASE_DIR, place, ignore=shutil.ignore_patterns(*LEFT_OUT))
    return place


@pytest.fixture
def installed_clone(clone):
    """A clone that borrows this tree's packages."""
    (clone / ".venv").symlink_to(Path(sys.executable).parent.parent)
    return clone


class TestLines:
    def test_help_names_every_verb(self):
        done = dev("help")
        assert done.returncode == 0
        for verb in ("demo", "stop", "test", "lint", "manage", "shell", "bench"):
            assert f"./dev {verb}" in done.stdout

    def test_the_help_of_the_measurements_starts_no_server(self, installed_clone):
        done = dev("bench", "--help", cwd=installed_clone, PG_BIN="/nowhere", REDIS_BIN="/nowhere")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("usage: ./dev bench")
        assert not list((installed_clone / "var").glob("*/PG_VERSION"))

    def test_a_verb_that_does_not_exist(self):
        done = dev("dmeo")
        assert (done.returncode, done.stderr) == (1, "dev: There is no `dmeo`; see ./dev help\n")

    def test_a_busy_port_is_one_line(self, installed_clone):
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", port := free_port()))
            busy.listen()
            done = dev("demo", cwd=installed_clone, PORT=str(port))
        assert done.returncode == 1
        assert done.stderr == (
            f"dev: Port {port} cannot be used (Address already in use). Choose another: PORT=8001 ./dev demo\n"
        )

    def test_a_port_that_is_none(self, installed_clone):
        assert dev("demo", cwd=installed_clone, PORT="web").stderr == "dev: PORT=web is not a port number.\n"

    def test_no_network_is_one_line(self, clone, tmp_path):
        closed = f"http://127.0.0.1:{free_port()}/simple/"
        nothing = {"PIP_INDEX_URL": closed, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "", "PIP_RETRIES": "0"}
        nothing |= {"PIP_CONFIG_FILE": os.devnull, "PIP_CACHE_DIR": str(tmp_path / "no-cache")}
        done = dev("demo", cwd=clone, PORT=str(free_port()), **nothing)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith("dev: The package index cannot be reached: check the network")

    def test_a_full_disk_is_one_line(self, tmp_path, installed_clone):
        script = (
            "import runpy, shutil, sys; place = sys.argv[1]; sys.argv = [place, 'demo']\n"
            "usage = shutil.disk_usage; shutil.disk_usage = lambda path: usage(path)._replace(free=4_000_000)\n"
            "runpy.run_path(place, run_name='__main__')"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(installed_clone / "dev")],
            env=environment(PORT=str(free_port())), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (
            1, f"dev: Only 4 MB are free in {installed_clone / 'var'}; 500 MB are needed.\n",
        )  # fmt: skip

    def test_a_place_that_cannot_be_written_is_one_line(self, installed_clone):
        (installed_clone / "var").write_text("in the way")
        done = dev("demo", cwd=installed_clone, PORT=str(free_port()))
        assert done.returncode == 1
        assert done.stderr == f"dev: File exists: {installed_clone / 'var'}\n"

    def test_stop_without_a_demo(self, installed_clone):
        assert dev("stop", cwd=installed_clone).stdout == "Nothing is running.\n"


class TestManage:
    def test_without_a_database_it_starts_one_and_stops_it(self, installed_clone):
        done = dev("manage", "shell", "-c", NAME_OF_DATABASE, cwd=installed_clone)
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("plumbline\n")
        (line,) = [line for line in done.stderr.splitlines() if "embedded" in line]
        assert line.startswith("DATABASE_URL is not set")
        assert not held(installed_clone)

    def test_with_a_database_it_starts_none(self, run_manage):
        done = run_manage("check")
        assert done.returncode == 0, done.stderr
        assert "embedded" not in done.stderr

    def test_a_command_that_fails_hands_its_code_on(self, installed_clone):
        assert dev("manage", "no_such_command", cwd=installed_clone).returncode == 1


def held(place):
    """Does anything that was started in this tree still run?"""
    with (place / "var" / "servers.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


def process_of(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        return client.info("server")["process_id"]


class Demo:
    def __init__(self, place, **options):
        self.place, self.port = place, free_port()
        self.output = place.parent / "demo.log"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(place / "dev"), "demo"],
                cwd=place,
                env=environment(PORT=str(self.port)),
                stdout=output,
                stderr=output,
                start_new_session=True,
                **options,
            )

    def said(self):
        return self.output.read_text()

    def wait_for(self, text, seconds=180):
        give_up = time.monotonic() + seconds
        while text not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < give_up, self.said()
            time.sleep(0.1)

    def note(self):
        return json.loads((self.place / "var" / "servers.json").read_text())

    def gone_within(self, seconds):
        give_up = time.monotonic() + seconds
        while held(self.place) and time.monotonic() < give_up:
            time.sleep(0.1)
        return not held(self.place)


@pytest.fixture
def demo(installed_clone):
    """A demo whose database is migrated already and stays without the invented data, to be up soon."""
    postgres = embedded.postgres_user() != "nobody" and installed_clone / "var" / "postgres"
    if postgres:
        shutil.copytree(embedded.migrated(sys.executable), postgres)
    for command in installed_clone.glob("*/management/commands/load_demo.py"):
        command.unlink()
    running = Demo(installed_clone)
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.process.wait(60)
    assert running.gone_within(30)


class TestDemo:
    def test_from_start_to_end(self, demo):
        demo.wait_for("Ctrl-C stops everything")
        assert f"http://127.0.0.1:{demo.port}/" in demo.said()
        with urllib.request.urlopen(f"http://127.0.0.1:{demo.port}/static/admin/img/icon-yes.svg") as answer:
            assert answer.status == 200
        key = demo.place / "var" / "secret_key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        run = Path(demo.note()["run"])
        assert stat.S_IMODE(run.stat().st_mode) == 0o700
        with urllib.request.urlopen(f"http://127.0.0.1:{demo.port}/healthz") as answer:
            assert json.load(answer)["status"] == "ok"

        # Another command shares its servers; another demo does not start.
        shared = dev("manage", "shell", "-c", URL_OF_REDIS, cwd=demo.place)
        assert shared.stdout.endswith(demo.note()["REDIS_URL"] + "\n")
        assert "`./dev demo`" in shared.stderr
        second = dev("demo", cwd=demo.place, PORT=str(free_port()))
        assert second.returncode == 1
        assert "uses the data already" in second.stderr

        # What is killed comes back.
        os.kill(process_of(demo.note()["REDIS_URL"]), signal.SIGKILL)
        demo.wait_for("redis ended (-9); again in 2 s")
        time.sleep(2.5)
        assert process_of(demo.note()["REDIS_URL"])

        # Killed outright it leaves nothing behind, and the next one tidies up after it.
        demo.process.kill()
        assert demo.gone_within(20)
        again = Demo(demo.place, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        again.wait_for("Ctrl-C stops everything", 60)
        assert not run.exists()
        run = Path(again.note()["run"])
        again.process.send_signal(signal.SIGINT)  # started with `&`, it had SIGINT ignored
        assert again.process.wait(30) == 0
        assert not held(demo.place)
        assert not run.exists()

    @pytest.mark.soak
    def test_has_invented_data_and_a_sign_in_for_each_role(self, installed_clone):
        demo = Demo(installed_clone)
        try:
            demo.wait_for("Ctrl-C stops everything", 300)
            for role in (
                "Manager",
                "Buyer",
                "Inspector",
                "Account-security officer",
                "Administrator",
                "Factory contact",
            ):
                assert f"\n{role} " in demo.said()
            count = "from factories.models import Factory; print(Factory.objects.count() > 10)"
            assert dev("manage", "shell", "-c", count, cwd=demo.place).stdout.endswith("True\n")
            assert dev("stop", cwd=demo.place).stdout == "Stopped.\n"
            assert demo.process.wait(30) == 0
        finally:
            demo.process.terminate()
            demo.process.wait(60)
        assert not held(demo.place)


class TestThrowaway:
    def test_servers_are_private_and_deleted(self):
        with embedded.throwaway() as (postgres, broker):
            run = broker.socket.parent
            assert stat.S_IMODE(run.stat().st_mode) == 0o700
            assert broker.ask("PING") == "+PONG\r\n"
        assert not run.exists()
        assert not postgres.alive()
        assert not broker.alive()

    def test_servers_end_with_a_starter_that_is_killed(self):
        script = (
            "import sys, time; from config import embedded\n"
            "with embedded.throwaway() as (postgres, redis):\n"
            "    print(postgres.child.pid, redis.child.pid, redis.socket.parent, flush=True); time.sleep(60)"
        )
        starter = subprocess.Popen([sys.executable, "-c", script], cwd=BASE_DIR, stdout=subprocess.PIPE, text=True)
        postgres, broker, run = starter.stdout.readline().split()
        starter.kill()
        starter.wait()
        starter.stdout.close()
        give_up = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in (postgres, broker)):
            assert time.monotonic() < give_up
            time.sleep(0.05)
        shutil.rmtree(run)

    def test_as_root_without_user_namespaces_postgres_runs_as_nobody(self, tmp_path):
        if os.geteuid() != 0:
            pytest.skip("only root needs another user")
        refuses = tmp_path / "unshare"
        refuses.write_text("#!/bin/sh\nexit 1\n")
        refuses.chmod(0o755)
        script = (
            "from pathlib import Path; from config import embedded\n"
            "with embedded.throwaway() as (postgres, redis):\n"
            "    print(postgres.user, Path(f'/proc/{postgres.child.pid}').owner(), postgres.data.parent.parent)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=BASE_DIR,
            env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        how, owner, home = done.stdout.split()
        assert (how, owner) == ("nobody", "nobody")
        assert not Path(home).exists()
