"""The command line of the tagger: texts in as arguments, lines or JSON lines; entities out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from .errors import UserError
from .lines import MAX_LINE, answer_lines, encode_json, entity_fields
from .options import thread_count
from .tagger import Tagger

HELP = """\
Find people, organisations, places and dates in text, with offsets into that very text.

  python runtime/tagger.py "Rais Samia Suluhu Hassan alitembelea Arusha."
  python runtime/tagger.py --json - < lines.txt          one text per line, one JSON object per line
  python runtime/tagger.py --jsonl < texts.jsonl         {"id": …, "text": …} per line
  python runtime/tagger.py --serve --socket tagger.sock  the same for programs that come and go
"""
NOTES = """\
Plain output: type, score, start-end in code points, text. From standard input each line of output begins with
the number of the input line. JSON output also has UTF-8 byte and UTF-16 offsets; every end is exclusive.
With --jsonl and --serve a bad line is answered by {"line": n, "error": …} and the rest goes on. --serve answers
until its input ends or SIGTERM comes; with --socket up to 8 programs at a time, all of this user.
Exit code: 0; 2 for a bad option, bad input or an incomplete bundle; 130 after Ctrl-C.

As a library:  from runtime import Tagger;  Tagger.load("path/to/bundle").tag("…")
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code. A UserError is one line on stderr."""
    options = _parser().parse_args(arguments)
    out = sys.stdout.buffer
    try:
        _check(options)
        tagger = Tagger.load(options.bundle, threads=options.threads)
        if options.serve:
            from .serve import serve

            return serve(tagger, options.socket, options.max_line)
        if options.jsonl:
            answer_lines(tagger, sys.stdin.buffer, out, options.max_line)
        else:
            _answer_texts(tagger, options, out)
        out.flush()
    except UserError as error:
        out.flush()
        print(" ".join(str(error).split()), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tagger.py", description=HELP, epilog=NOTES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", nargs="*", help="texts; - or none: standard input, one per line")
    parser.add_argument("--json", action="store_true", help="one JSON object per text")
    parser.add_argument("--jsonl", action="store_true", help="JSON lines in and out")
    parser.add_argument("--serve", action="store_true", help="JSON lines in and out, until told to end")
    parser.add_argument("--socket", type=Path, metavar="PATH", help="with --serve: a Unix socket to make, mode 0600")
    parser.add_argument(
        "--max-line", type=_bytes, metavar="BYTES", default=MAX_LINE, help="longest JSON line (default: %(default)s)"
    )
    parser.add_argument("--threads", type=thread_count, metavar="N", help="default: what the bundle says")
    parser.add_argument(
        "--bundle",
        type=Path,
        metavar="PATH",
        default=Path(__file__).resolve().parent.parent,
        help="another bundle than the one this file lies in",
    )
    return parser


def _bytes(value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 1 << 30:
        raise argparse.ArgumentTypeError(f"{value!r} is no number of bytes from 1 to {1 << 30}")
    return int(value)


def _check(options: argparse.Namespace) -> None:
    for name in ("serve", "jsonl"):
        if getattr(options, name) and options.text not in ([], ["-"]):
            raise UserError(f"--{name} reads standard input, not texts.", f"Leave out the texts, or --{name}.")
    if options.socket and not options.serve:
        raise UserError("--socket needs --serve.", "Add --serve.")


def _answer_texts(tagger: Tagger, options: argparse.Namespace, out: BinaryIO) -> None:
    """Tag the texts of the command line or the lines of standard input."""
    from_input = options.text in ([], ["-"])
    if from_input and sys.stdin.isatty():
        raise UserError("No text given.", 'Put it in quotes: tagger.py "…"; --help shows more.')
    texts = _lines(sys.stdin.buffer) if from_input else enumerate(options.text, start=1)
    for number, text in texts:
        entities = tagger.tag(text)
        if options.json:
            out.write(encode_json({"text": text, "entities": [entity_fields(entity) for entity in entities]}))
            out.flush()
            continue
        prefix = f"{number}\t" if from_input or len(options.text) > 1 else ""
        for e in entities:
            surface = " ".join(e.text.split())
            row = f"{prefix}{e.type}\t{e.score:.3f}\t{e.start}-{e.end}\t{surface}\n"
            out.write(row.encode("utf-8", "replace"))
        if not entities and not from_input:
            out.write(f"{prefix}(no entities)\n".encode())
        out.flush()


def _lines(stream: BinaryIO) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(stream, start=1):
        try:
            yield number, _without_line_end(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise UserError(
                f"Standard input, line {number}: byte {error.start} is not UTF-8.",
                "Convert the text first, for example: iconv -f WINDOWS-1252 -t UTF-8.",
            ) from error


def _without_line_end(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")
