"""Puts pictures before and after redaction side by side, with captions and close-ups of plates, on one PNG.

    .venv/bin/python testdata/contact_sheet.py OUT.png --list PAIRS.json [--title TEXT]
    .venv/bin/python testdata/contact_sheet.py OUT.png --pair BEFORE.jpg AFTER.jpg "caption" [--pair ...]

PAIRS.json: [{"before": path, "after": path, "caption": text, "plate": [x, y, w, h]}, ...]; "plate" is optional, in
pixels of the picture, and is shown enlarged out of the picture after redaction. A "before" or "after" of null
stands for a picture that is not there: what was discarded has no after. Paths are relative to the list's folder.
The font, Pillow's own, knows no accents: captions are in English.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

WIDTH, MARGIN, GAP = 1600, 40, 16
PICTURE = (600, 338)
COLUMNS = (MARGIN, MARGIN + PICTURE[0] + GAP, MARGIN + 2 * (PICTURE[0] + GAP))
TEXT_WIDTH = WIDTH - MARGIN - COLUMNS[2] - GAP
PAPER, INK, FAINT, EMPTY = (250, 249, 246), (28, 30, 34), (120, 122, 126), (236, 234, 229)


@dataclass
class Pair:
    before: Path | None
    after: Path | None
    caption: str
    plate: tuple[float, float, float, float] | None = None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--list", type=Path, help="a JSON list, see above")
    parser.add_argument("--pair", nargs=3, action="append", default=[], metavar=("BEFORE", "AFTER", "CAPTION"))
    parser.add_argument("--title", default="Before and after")
    arguments = parser.parse_args()
    pairs = [Pair(Path(before), Path(after), caption) for before, after, caption in arguments.pair]
    if arguments.list:
        pairs = listed(arguments.list) + pairs
    if not pairs:
        parser.error("nothing to show: give --list or --pair")
    missing = [str(p) for pair in pairs for p in (pair.before, pair.after) if p and not p.is_file()]
    if missing:
        sys.exit(f"error: not there: {', '.join(missing)}")
    sheet(pairs, arguments.title).save(arguments.out, optimize=True)


def listed(path):
    def resolved(name):
        return path.parent / name if name else None

    entries = json.loads(path.read_text(encoding="utf-8"))
    return [Pair(resolved(e["before"]), resolved(e["after"]), e["caption"], e.get("plate")) for e in entries]


def sheet(pairs, title):
    top = 112
    row = PICTURE[1] + GAP
    canvas = Image.new("RGB", (WIDTH, top + row * len(pairs) + MARGIN - GAP), PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((MARGIN, 28), title, INK, font(34))
    for x, heading in zip(COLUMNS, ("on the card", "sealed")):
        draw.text((x, 82), heading, FAINT, font(18))
    for i, pair in enumerate(pairs):
        y = top + i * row
        show(canvas, pair.before, (COLUMNS[0], y), "not there")
        show(canvas, pair.after, (COLUMNS[1], y), "destroyed")
        legend(canvas, pair, (COLUMNS[2] + GAP, y))
    return canvas


def show(canvas, path, corner, absent):
    x, y = corner
    width, height = PICTURE
    if path is None:
        draw = ImageDraw.Draw(canvas)
        draw.rectangle((x, y, x + width - 1, y + height - 1), EMPTY)
        draw.text((x + width / 2, y + height / 2), absent, FAINT, font(22), anchor="mm")
    else:
        canvas.paste(ImageOps.fit(upright(path), PICTURE, Image.Resampling.LANCZOS), corner)


def upright(path):
    with Image.open(path) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


def legend(canvas, pair, corner):
    """The caption and, below it, the plate as it stands in the picture after redaction."""
    x, y = corner
    draw = ImageDraw.Draw(canvas)
    for line in wrapped(pair.caption, font(19), TEXT_WIDTH):
        draw.text((x, y), line, INK, font(19))
        y += 27
    if pair.plate and pair.after:
        close_up = enlarged(upright(pair.after), pair.plate)
        bottom = corner[1] + PICTURE[1]
        canvas.paste(close_up, (x, bottom - close_up.height))
        draw.text((x, bottom - close_up.height - 24), "the plate, enlarged", FAINT, font(15))


def enlarged(picture, box):
    x, y, w, h = box
    right, bottom = min(picture.width, x + 1.15 * w), min(picture.height, y + 1.6 * h)
    around = (max(0, x - 0.15 * w), max(0, y - 0.6 * h), right, bottom)
    height = round(TEXT_WIDTH * (around[3] - around[1]) / (around[2] - around[0]))
    return picture.resize((TEXT_WIDTH, height), Image.Resampling.BICUBIC, box=around)


def wrapped(text, face, width):
    """Lines of whole words; a line break in the text is kept."""
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and face.getlength(longer) > width:
                yield line
                line = word
            else:
                line = longer
        yield line


def font(size):
    return ImageFont.load_default(size)


if __name__ == "__main__":
    main()
