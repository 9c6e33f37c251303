"""The history of every change: who, when, before and after, written by the database itself."""

import pghistory


def tracked(**options):
    """Decorates a model: each insert, update and delete leaves a row in its event table, whichever way it came."""
    return pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent(), **options)
