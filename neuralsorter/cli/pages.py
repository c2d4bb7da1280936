"""serve and demo."""

from __future__ import annotations

import argparse
from typing import Any

from .inputs import whole_number_from


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands of this group."""
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--port", type=whole_number_from(0), metavar="N", help="default 5006, or the next free one")
    place.add_argument("--host", default="127.0.0.1", metavar="H", help="beyond this computer: needs --users and TLS")
    place.add_argument("--no-browser", action="store_true", help="print the address only")
    place.add_argument("--users", metavar="FILE", help="who may log in: lines NAME:HASH (see docs/command-line.md)")
    place.add_argument("--certfile", metavar="FILE", help="TLS certificate")
    place.add_argument("--keyfile", metavar="FILE", help="TLS key")
    place.add_argument("--behind-proxy", metavar="URL", help="the address that people use, of a proxy that does TLS")
    place.add_argument("--allow-scripts", action="store_true", help="let those who log in run scripts of their own")
    serve = commands.add_parser("serve", parents=[common, place], help="open the page in the browser")
    serve.add_argument("files", nargs="*", metavar="FILE", help="files, or one project (NAME.nsort)")
    serve.set_defaults(run=_serve)
    demo = commands.add_parser("demo", parents=[common, place], help="open the page on generated data")
    demo.set_defaults(run=_serve, files=["--demo"])


def _serve(options: argparse.Namespace) -> None:
    from neuralsorter.serving import serve

    serve(
        options.files,
        host=options.host,
        port=options.port,
        open_browser=not options.no_browser,
        users=options.users,
        certfile=options.certfile,
        keyfile=options.keyfile,
        behind_proxy=options.behind_proxy,
        allow_scripts=options.allow_scripts,
    )
