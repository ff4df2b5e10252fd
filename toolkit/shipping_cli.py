"""The commands that put bundles where people are, and their options: app, push."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from toolkit import shipping_commands
from toolkit.options import Parsers, add_command

MOST_PORTS = 65535


def add_shipping_commands(
    parsers: Parsers[argparse.ArgumentParser], line_options: Callable[[argparse.ArgumentParser, bool], None]
) -> None:
    """Put the commands among the others; `line_options` adds those of a run of the line."""
    _app(parsers, line_options)
    _push(parsers)


def _app(
    parsers: Parsers[argparse.ArgumentParser], line_options: Callable[[argparse.ArgumentParser, bool], None]
) -> None:
    app = add_command(
        parsers,
        "app",
        shipping_commands.app,
        "build the web app with bundles in it, and serve it",
        "Writes a static folder, OUT/app: a page that tags text offline on a phone, and measures that phone. For "
        "each --lang the bundle is made first, for the target web unless another is named, which takes seconds where "
        "it is there; bundles that are named are taken as they are and need no torch. Needs npm the first time. "
        "Serves the folder here until Ctrl-C.",
    )
    app.add_argument(
        "bundles", nargs="*", metavar="bundle", help="a bundle's folder or zip; the first is shown first"
    )
    line_options(app, True)
    app.set_defaults(target=shipping_commands.APP_TARGET)
    app.add_argument("--port", type=_port, default=8000, help="to serve on, 0 takes a free one; default: 8000")
    app.add_argument("--no-serve", action="store_true", help="only build the folder")


def _push(parsers: Parsers[argparse.ArgumentParser]) -> None:
    push = add_command(
        parsers,
        "push",
        shipping_commands.push,
        "put a bundle on the hub with its model card",
        "Verifies the bundle, makes the repository if it is not there, private unless --public, and uploads what has "
        "changed. Needs a token of the hub that may write: HF_TOKEN, or the one that `hf auth login` stored.",
    )
    push.add_argument("bundle", nargs="?", default="", help="a bundle's folder or zip")
    push.add_argument("--repo", default="", help="repository on the hub, as in you/swa-names")
    push.add_argument("--public", action="store_true", help="a repository made here is seen by everyone")


def _port(text: str) -> int:
    """A TCP port."""
    if not text.isdecimal() or int(text) > MOST_PORTS:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, a whole number from 0 to {MOST_PORTS}")
    return int(text)
