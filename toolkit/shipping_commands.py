"""What the commands that put bundles where people are do. Imports wait until a command runs: neither needs torch."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from export.runtime.errors import UserError
from toolkit import commands
from toolkit.commands import cache_folder, named_bundle
from toolkit.console import console, megabytes

if TYPE_CHECKING:
    from export.app.build import App

APP_TARGET = "web"
ON_A_PHONE = (
    "On an Android phone over USB: adb reverse tcp:{port} tcp:{port}, then http://localhost:{port} there.",
    "On any phone: put the folder on a static host with https. Plain http over the local network is not enough:",
    "without https browsers give a page no service worker and no digests, so nothing loads and nothing is kept.",
)


def app(options: Namespace) -> int:
    """Make the bundles that are asked for, build the app with them and serve it until Ctrl-C."""
    langs = list(dict.fromkeys(options.lang))
    for lang in langs:  # all of them before the first is made
        commands.choices(_for_language(options, lang))
    if not options.lang and not options.bundles:
        raise UserError(
            "No language and no bundle for the app.",
            "Name languages or bundles: make app LANG=swa, or make app BUNDLE=build/swa-web-edge.",
        )
    from export.app.build import build_app, check_replaceable
    from export.app.packages import runtime_packages
    from export.app.serve import check_port

    out = options.out / "app"
    check_replaceable(out)  # this, a taken port and a missing npm are told before minutes of work
    if not options.no_serve:
        check_port(options.port)
    packages = runtime_packages(cache_folder().parent / "app", console.note)
    bundles = [Path(bundle) for bundle in options.bundles]
    bundles += [_made(_for_language(options, lang)) for lang in langs]
    built = build_app(bundles, packages, out)
    console.table(f"Web app {built.version}", ("what", "value"), app_rows(built))
    if not options.no_serve:
        _serve(built.folder, options.port)
    return 0


def _for_language(options: Namespace, lang: str) -> Namespace:
    """The options as `bundle` would have them for one language."""
    return Namespace(**{**vars(options), "lang": lang, "strict": False})


def _made(options: Namespace) -> Path:
    """The bundle of a run; a verdict that failed is said, since a page is for looking at just that."""
    from toolkit.device_profile import load_device_profile
    from toolkit.recipe import load_recipe

    failed = commands.bundle(options)
    target, recipe = load_device_profile(options.target).name, load_recipe(options.recipe).name
    folder: Path = options.out / f"{options.lang}-{target}-{recipe}"
    if failed:
        console.warn(f"The verdict on {folder} failed, see above; the app is built with it all the same.")
    return folder


def app_rows(built: App) -> list[tuple[str, str]]:
    """What was built and what a first visit costs."""
    rows = [
        (entry.name, f"{', '.join(entry.languages)}; {', '.join(entry.entity_types)}; {entry.licence}; "
         f"{megabytes(entry.download_bytes)}")
        for entry in built.entries
    ]  # fmt: skip
    first = built.first_visit
    return [
        *rows,
        ("size on disk", megabytes(built.bytes)),
        ("first visit, gzip", f"{megabytes(first.total)} with {built.entries[0].name}"),
        ("  page and code", megabytes(first.shell)),
        ("  WebAssembly", megabytes(first.wasm)),
        ("  model, tokenizer", megabytes(first.bundle)),
        ("folder", str(built.folder)),
    ]


def _serve(folder: Path, port: int) -> None:
    from export.app.serve import serve

    def ready(port: int) -> None:
        console.result(f"\nhttp://localhost:{port}   Ctrl-C stops.")
        for line in ON_A_PHONE:
            console.result(line.format(port=port))

    try:
        serve(folder, port, ready=ready)
    except KeyboardInterrupt:
        console.note("Stopped.")


def push(options: Namespace) -> int:
    """Put a bundle on the hub and print where it is."""
    path = named_bundle(options)
    from toolkit.push import push_bundle

    with console.progress("Pushing", 1) as advance:
        done = push_bundle(path, options.repo, public=options.public, progress=advance)
    rows = [
        ("address", done.url),
        ("commit", done.commit),
        ("files", str(done.files)),
        ("uploaded", "nothing; all was there" if done.unchanged else megabytes(done.uploaded_bytes)),
    ]
    console.table(f"{path} on the hub", ("what", "value"), rows)
    return 0
