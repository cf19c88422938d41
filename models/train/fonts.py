"""Lettering for drawn plates and signs.

Faces are free Debian fonts, used for rendering only: none is copied into this
repository. No free face is a plate face, so text is stretched to the place that
it must fill, which gives the narrow DIN-like shapes that plates have.
"""
import functools
import glob
import random

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Debian packages: fonts-dejavu, fonts-liberation, fonts-freefont-ttf, fonts-roboto-unhinted,
# fonts-oxygen, fonts-open-sans, fonts-lato, fonts-cantarell, fonts-inter, fonts-dosis,
# fonts-yanone-kaffeesatz.
_NAMES = (
    "truetype/dejavu/DejaVuSansCondensed-Bold.ttf",
    "truetype/dejavu/DejaVuSans-Bold.ttf",
    "truetype/dejavu/DejaVuSansMono-Bold.ttf",
    "truetype/liberation/LiberationSansNarrow-Bold.ttf",
    "truetype/liberation/LiberationSans-Bold.ttf",
    "truetype/liberation/LiberationSans-Regular.ttf",
    "truetype/liberation/LiberationMono-Bold.ttf",
    "truetype/freefont/FreeSansBold.ttf",
    "truetype/roboto/unhinted/RobotoCondensed-Bold.ttf",
    "truetype/roboto/unhinted/RobotoCondensed-Medium.ttf",
    "truetype/roboto/unhinted/RobotoTTF/Roboto-Bold.ttf",
    "truetype/oxygen/Oxygen-Sans-Bold.ttf",
    "truetype/open-sans/OpenSans-CondBold.ttf",
    "truetype/open-sans/OpenSans-Semibold.ttf",
    "truetype/lato/Lato-Semibold.ttf",
    "opentype/yanone-kaffeesatz/YanoneKaffeesatz-Bold.otf",
    "opentype/dosis/Dosis-Bold.otf",
    "opentype/cantarell/Cantarell-Bold.otf",
    "opentype/inter/Inter-SemiBold.otf",
)
FACES = [path for name in _NAMES for path in glob.glob("/usr/share/fonts/" + name)]


@functools.cache
def _face(path, size):
    return ImageFont.truetype(path, size)


def random_face():
    if not FACES:
        raise SystemExit("no font found: install the Debian packages named in fonts.py")
    return random.choice(FACES)


def text_mask(text, width, height, face=None):
    """`text` stretched to width x height px, as coverage 0..1 (float32)."""
    face = _face(face or random_face(), 64)
    x0, y0, x1, y1 = face.getbbox(text)
    image = Image.new("L", (max(1, x1 - x0), max(1, y1 - y0)))
    ImageDraw.Draw(image).text((-x0, -y0), text, 255, face)
    size = (max(1, int(width)), max(1, int(height)))
    return cv2.resize(np.asarray(image), size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def ink(canvas, mask, x, y, colour):
    """Lay `colour` through `mask` on `canvas` (float32 RGB, in place), top left at x, y."""
    x, y = int(x), int(y)
    height = min(mask.shape[0], canvas.shape[0] - y)
    width = min(mask.shape[1], canvas.shape[1] - x)
    if x < 0 or y < 0 or height <= 0 or width <= 0:
        return
    region = canvas[y : y + height, x : x + width]
    region += (np.array(colour, np.float32) - region) * mask[:height, :width, None]
