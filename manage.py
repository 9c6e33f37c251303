#!/usr/bin/env python
"""Django's commands. Without DATABASE_URL they run on the embedded servers, see config/embedded.py."""

import os
import sys

import environ
from django.core.management import execute_from_command_line

from config import embedded

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if (embedded.BASE_DIR / ".env").exists():
        environ.Env.read_env(embedded.BASE_DIR / ".env")
    try:
        if not os.environ.get("DATABASE_URL"):
            embedded.provide(os.environ, " ".join(["manage.py", *sys.argv[1:2]]))
            os.environ.setdefault("SECRET_KEY", embedded.secret_key())
    except embedded.EmbeddedError as problem:
        sys.exit(f"manage.py: {problem}")
    execute_from_command_line(sys.argv)
