"""Composes the sample card `testdata/card` and `testdata/expected.toml`.

The result is committed; run this only to change it.

    apt-get install opencv-doc tuxpaint-stamps-default     # or unpack them (dpkg-deb -x) and give --root FOLDER
    make venv && .venv/bin/python testdata/make_card.py [--root FOLDER]

The same packages and the same .venv give the same bytes. Sources and licences: ATTRIBUTION.md.
"""

import argparse
import io
import shutil
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PIL import Image

from containers import exif, film
from scene import Camera, Scene, Studio, Walker, expose, infrared

HERE = Path(__file__).resolve().parent
CARD = HERE / "card" / "DCIM"
STREET = "usr/share/doc/opencv-doc/examples/data/leuvenA.jpg"
STAMPS = ["usr/share/tuxpaint/stamps/people/fireman240a.png", "usr/share/tuxpaint/stamps/people/fireman200b.png"]

# Two cameras with their makers' ways of naming; neither maker exists.
FIRST = ("Exemple", "PIEGE-2K", "100MEDIA/IMG_{:04}.JPG")
SECOND = ("Exemple", "PIEGE-12M", "101RECNX/RCNX{:04}.JPG")
WIDE = Camera(1920, 1080, 85.0)  # 16:9
WIDE_2K = Camera(2048, 1152, 85.0)
FULL = Camera(4000, 3000, 29.0)  # 4:3, 12 megapixels

VAN = (-3.3, 8.6)


@dataclass
class Frame:
    camera: tuple
    number: int
    taken: str
    scene: Scene
    event: str
    verdict: str
    reason: str
    view: Camera = WIDE
    quality: int = 74
    night: bool = False
    note: str = ""

    @property
    def path(self):
        return self.camera[2].format(self.number)


def unloading():
    """Two people carry bags from the van to the wall, and leave."""
    blue, khaki = 0, 1
    steps = [
        ("09:12:04", (Walker(0.35, 7.9, blue, True, True), Walker(1.35, 8.6, khaki, True)), 0, 0),
        ("09:12:06", (Walker(0.85, 8.1, blue, True, True), Walker(1.85, 8.9, khaki)), 1, 0),
        ("09:12:08", (Walker(1.2, 8.3, blue, True, True), Walker(0.1, 8.0, khaki, True, True)), 2, 0),
        ("09:12:10", (Walker(0.9, 8.5, blue), Walker(1.7, 8.3, khaki, True, True)), 3, 1),
        ("09:12:13", (Walker(0.3, 7.9, blue, True, True), Walker(1.3, 8.8, khaki)), 4, 2),
        ("09:12:15", (Walker(1.35, 8.3, blue, False), Walker(0.45, 8.1, khaki)), 5, 2),
    ]
    for number, (clock, walkers, bags, boxes) in enumerate(steps, start=8):
        scene = Scene(van=VAN, walkers=walkers, bags=bags, boxes=boxes)
        yield Frame(FIRST, number, f"2026-10-14 {clock}", scene, "unloading", "keep", "vehicle-in-zone")


def frames():
    for i in range(4):
        taken = f"2026-10-14 08:31:{7 + 2 * i:02}"
        yield Frame(FIRST, 1 + i, taken, Scene(), "wind", "discard", "empty")
    for i, x in enumerate((-2.2, -1.0, 0.2)):
        taken = f"2026-10-14 08:47:{11 + 2 * i:02}"
        scene = Scene(walkers=(Walker(x, 8.4, 0, True),))
        yield Frame(FIRST, 5 + i, taken, scene, "walker", "discard", "walker-alone")
    yield from unloading()
    yield Frame(FIRST, 14, "2026-10-14 14:40:00", Scene(), "", "left", "truncated", note="cut off at a third")
    for number, clock in ((1, "16:02:30"), (2, "16:09:30")):
        taken = f"2026-10-15 {clock}"
        yield Frame(SECOND, number, taken, Scene(), f"empty-{number}", "discard", "empty", view=WIDE_2K)
    both = (Walker(0.5, 8.0, 1, True, True), Walker(1.4, 8.6, 0))
    night = Scene(van=VAN, walkers=both, bags=1)
    yield Frame(SECOND, 3, "2026-10-15 22:47:18", night, "night", "keep", "vehicle-in-zone", view=WIDE_2K, night=True)
    day = Scene(van=VAN, walkers=(Walker(0.9, 8.2, 0, True, True), Walker(1.75, 8.8, 1)), bags=2, boxes=1)
    yield Frame(SECOND, 4, "2026-10-16 07:55:40", day, "large", "keep", "vehicle-in-zone", view=FULL, quality=84)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("/"), help="where the Debian packages are unpacked")
    studio = Studio(*sources(parser.parse_args().root))
    shutil.rmtree(CARD, ignore_errors=True)
    lines = [EXPECTED_HEAD]
    for frame in frames():
        content, note = encode(frame, studio.paint(frame.scene, frame.view, frame.night))
        save(frame.path, content)
        lines.append(expectation(frame, note))
    save("100MEDIA/MOV_0015.AVI", clip(studio))
    lines.append(VIDEO)
    (HERE / "expected.toml").write_text("\n".join(lines))


def sources(root):
    missing = [root / path for path in (STREET, *STAMPS) if not (root / path).is_file()]
    if missing:
        names = ", ".join(map(str, missing))
        sys.exit(f"error: not there: {names}\nInstall opencv-doc and tuxpaint-stamps-default, or give --root.")
    return Image.open(root / STREET).convert("RGB"), [Image.open(root / path).convert("RGBA") for path in STAMPS]


def encode(frame, picture):
    """The file's bytes, and what is odd about them."""
    seed = int("".join(filter(str.isdigit, frame.taken)))
    noise = 2.0
    if frame.night:
        picture, noise = infrared(picture), 3.0
    picture = expose(picture, seed, noise)
    if frame.night:
        picture = picture.convert("L").convert("RGB")
    make, model, _ = frame.camera
    thumbnail = jpeg(reduced(picture, 160), 60) if frame.path.endswith("IMG_0009.JPG") else b""
    content = jpeg(picture, frame.quality, exif(make, model, datetime.fromisoformat(frame.taken), thumbnail))
    if thumbnail:
        return content, "EXIF thumbnail of the unredacted scene"
    if frame.path.endswith("IMG_0011.JPG"):
        return content + jpeg(reduced(picture, 640), 70), "a second JPEG of the unredacted scene after EOI"
    if frame.verdict == "left":
        return content[: len(content) // 3], frame.note
    return content, frame.note


def jpeg(picture, quality, segment=b""):
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling="4:2:2", optimize=False, exif=segment)
    content = buffer.getvalue()
    if segment:  # a camera's Exif file opens with APP1: the JFIF segment that Pillow puts first goes
        assert content[2:4] == b"\xff\xe0"
        content = content[:2] + content[4 + int.from_bytes(content[4:6]) :]
    return content


def reduced(picture, width):
    return picture.resize((width, round(width * picture.height / picture.width)), Image.Resampling.BOX)


def clip(studio):
    """Two frames of the empty street: a real film, small enough to commit."""
    street = reduced(studio.paint(Scene(), WIDE), 96)
    return film([jpeg(expose(street, seed), 50) for seed in (1, 2)], street.size)


def save(path, content):
    target = CARD / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    print(f"{len(content):>9} {path}")


EXPECTED_HEAD = """# What `vigie scan` is expected to do with each file of `card/`, under triage = "irrelevant" and a
# zone that holds the whole picture. Written by make_card.py. Counts are what the scene holds, not what a network
# must find. Frames of one event stand less than 60 s apart, events further.
"""
VIDEO = '''[[file]]
path = "DCIM/100MEDIA/MOV_0015.AVI"
event = ""
verdict = "left"
reason = "video"
'''


def expectation(frame, note):
    lines = ["[[file]]", f'path = "DCIM/{frame.path}"', f'event = "{frame.event}"']
    lines += [f'verdict = "{frame.verdict}"', f'reason = "{frame.reason}"']
    lines += [f"taken = {frame.taken.replace(' ', 'T')}", f"night = {str(frame.night).lower()}"]
    lines += [f"vehicles = {int(bool(frame.scene.van))}", f"persons = {len(frame.scene.walkers)}"]
    if note:
        lines.append(f'note = "{note}"')
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
