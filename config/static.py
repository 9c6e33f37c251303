"""How static files are kept for browsers: named by their content, and each one compressed beside it."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class Storage(CompressedManifestStaticFilesStorage):
    """By gzip alone: brotli would take seven times as long for the few kilobytes that a page loads once."""

    def create_compressor(self, **options):
        return super().create_compressor(**options | {"use_brotli": False})
