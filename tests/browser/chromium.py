"""Find a Chromium for the browser tests; as a script, make sure that there is one.

A browser that the system has comes first, then the system's package manager, then Playwright's own download.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


def find() -> str | None:
    """Return the path of a Chromium, or None."""
    named = os.environ.get("NEURALSORTER_CHROMIUM")
    if named:
        return named
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    return str(MAC) if MAC.is_file() else _playwrights_own()


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return str(path) if path.is_file() else None


def _attempt(*command: str) -> None:
    if shutil.which(command[0]):
        subprocess.run(command, check=False)


def _install() -> None:
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root and shutil.which("apt-get"):
        _attempt("apt-get", "update", "-qq")
        _attempt("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core")
    if find() is None:
        _attempt(sys.executable, "-m", "playwright", "install", "chromium")


def main() -> int:
    """Make sure that there is a Chromium; say which, or how to get one."""
    if find() is None:
        _install()
    path = find()
    if path is None:
        sys.stderr.write(
            "No Chromium was found or could be installed. Install one with the system's package manager,"
            " or name its path in NEURALSORTER_CHROMIUM.\n"
        )
        return 1
    sys.stdout.write(f"Browser tests use {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
