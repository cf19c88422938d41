"""Plate textures: what is stamped on the metal, seen straight on and evenly lit.

The layouts follow the classes of plate that a European camera meets, not any real
number: every text is random. Colours are drawn wide on purpose; light, weather and
camera come later (degrade.py).
"""
import math
import random
from typing import Callable, NamedTuple

import cv2
import numpy as np

from chance import between, chance
from fonts import ink, random_face, text_mask


def letters(n):
    return "".join(random.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(n))


def digits(n):
    return "".join(random.choice("0123456789") for _ in range(n))


def some(low, high):
    return random.randint(low, high)


class OneLine(NamedTuple):
    """`left` and `right` are the chances of a blue band at that end."""

    weight: float
    text: Callable[[], str]
    ink: str
    grounds: str
    left: float
    right: float
    aspect: float


class TwoLines(NamedTuple):
    weight: float
    text: Callable[[], tuple]
    left: float
    right: float
    aspect: float


ONE_LINE = (
    OneLine(6, lambda: f"{letters(2)}-{digits(3)}-{letters(2)}", "black", "w", 1, 1, 4.73),  # French SIV
    OneLine(3.5, lambda: f"{digits(some(3, 4))} {letters(some(2, 3))} {digits(2)}", "black", "wwyy", 0.3, 0, 4.73),  # French FNI
    OneLine(3.2, lambda: f"{digits(some(3, 4))} {letters(some(2, 3))} {digits(2)}", "white", "k", 0, 0, 4.73),  # old, black
    OneLine(2.4, lambda: f"{letters(some(1, 3))} {digits(some(3, 4))}", "white", "kkkbgrr", 0.1, 0, 4.5),  # old or special
    OneLine(3, lambda: f"{letters(some(1, 3))} {letters(some(1, 2))} {digits(some(2, 4))}", "black", "w", 1, 0, 4.73),  # German
    OneLine(2, lambda: f"{letters(2)} {digits(3)}{letters(2)}", "black", "w", 1, 0.9, 4.73),  # Italian
    OneLine(2, lambda: f"{digits(4)} {letters(3)}", "black", "w", 1, 0, 4.73),  # Spanish
    OneLine(1, lambda: f"{random.choice('12')}-{letters(3)}-{digits(3)}", "red", "w", 0.8, 0, 4.73),  # Belgian
    OneLine(2, lambda: f"{letters(2)}{digits(2)} {letters(3)}", "black", "wy", 0.4, 0, 4.68),  # United Kingdom
    OneLine(3, lambda: f"{letters(some(2, 3))} {digits(some(4, 5))}", "black", "w", 1, 0, 4.56),  # Polish
    OneLine(3, lambda: f"{letters(some(1, 2))} {digits(some(2, 3))} {letters(3)}", "black", "w", 1, 0, 4.73),  # Romanian
    OneLine(1, lambda: f"{letters(2)}-{digits(3)}-{letters(1)}", "black", "y", 1, 0, 4.73),  # Dutch
    OneLine(1.5, lambda: f"{digits(1)}{letters(1)}{digits(1)} {digits(4)}", "black", "w", 1, 0, 4.73),  # Czech
    OneLine(1.5, lambda: f"{letters(2)} {digits(3)}{letters(2)}", "black", "w", 1, 0, 4.73),  # Slovak
    OneLine(1, lambda: f"{letters(3)} {digits(3)}", "black", "w", 0.5, 0, 4.5),
    OneLine(1, lambda: f"{letters(2)} {digits(6)}", "black", "w", 0, 0, 4.6),  # Swiss
    OneLine(1, lambda: f"{letters(3)} {digits(3)}", "green", "w", 0.5, 0, 4.7),
    OneLine(0.8, lambda: f"{letters(3)} {digits(3)}", "black", "og", 0.5, 0, 4.6),  # orange, green grounds
)
TWO_LINES = (
    TwoLines(4, lambda: (f"{letters(2)}-{digits(3)}", letters(2)), 1, 1, 1.62),  # French motorcycle
    TwoLines(2, lambda: (letters(3), digits(some(3, 4))), 1, 0, 1.43),
    TwoLines(1, lambda: (letters(2), digits(5)), 1, 1, 1.0),
    TwoLines(2, lambda: (f"{letters(2)}{digits(2)}", letters(3)), 0.4, 0, 1.4),
    TwoLines(2, lambda: (digits(4), letters(3)), 1, 0, 1.38),
    TwoLines(2, lambda: (f"{letters(1)} {digits(3)}", letters(3)), 1, 0, 1.7),
    TwoLines(1, lambda: (f"{digits(3)} {letters(2)}", digits(2)), 0.2, 0, 1.5),
)
TWO_LINE_SHARE = 0.26


def _ground(kind):
    grey = between(10, 45)
    white = between(205, 250)
    return {
        "w": (white, white, white),
        "y": (between(225, 255), between(175, 215), between(0, 70)),
        "k": (grey, grey, grey + between(0, 12)),
        "o": (between(220, 255), between(110, 160), between(0, 50)),
        "g": (between(60, 150), between(150, 200), between(60, 130)),
        "b": (between(10, 40), between(30, 80), between(110, 170)),
        "r": (between(140, 200), between(10, 40), between(10, 40)),
    }[kind]


def _ink(kind):
    black, white = between(0, 45), between(190, 240)
    return {
        "black": (black,) * 3,
        "white": (white,) * 3,
        "red": (between(130, 190), 10, 30),
        "green": (between(0, 30), between(60, 110), between(20, 140)),
    }[kind]


def blue():
    return between(0, 40), between(30, 90), between(110, 200)


def _left_band(plate, width, face):
    """The euro band: ring of stars above, country letter below."""
    height = plate.shape[0]
    plate[:, :width] = blue()
    ink(plate, text_mask(random.choice("FDIEBPRHN"), width * 0.4, height * 0.2, face), width * 0.3, height * 0.68, (240,) * 3)
    for star in range(8):
        angle = star * math.pi / 4
        centre = (int(width / 2 + width * 0.27 * math.cos(angle)), int(height * 0.3 + width * 0.27 * math.sin(angle)))
        cv2.circle(plate, centre, 1, (240, 210, 40), -1)


def _right_band(plate, width, face):
    height, full = plate.shape[:2]
    plate[:, full - width :] = blue()
    ink(plate, text_mask(digits(2), width * 0.6, height * 0.22, face), full - width * 0.8, height * 0.65, (240,) * 3)


def _wear(plate, colour):
    """Border, screws, dirt, shade from above: what time adds to a plate."""
    height, width = plate.shape[:2]
    if chance(0.55):
        cv2.rectangle(plate, (1, 1), (width - 2, height - 2), tuple(float(c) for c in colour), some(1, 2))
    for _ in range(random.choice((0, 0, 2, 2, 4))):
        x = width * random.choice((between(0.08, 0.2), between(0.8, 0.92)))
        cv2.circle(plate, (int(x), int(height * between(0.1, 0.9))), some(2, 4), (between(30, 230),) * 3, -1)
    if chance(0.35):
        dirt = cv2.resize(np.random.rand(3, 6).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        mud = np.array((between(40, 110), between(35, 95), between(25, 80)))
        plate += (mud - plate) * (between(0.1, 0.6) * dirt)[..., None]
    if chance(0.15):
        plate *= np.linspace(between(0.35, 1), between(0.6, 1.1), height, dtype=np.float32)[:, None, None]
    if chance(0.2):
        plate[: int(height * between(0.1, 0.6))] *= between(0.3, 0.75)
    return plate.clip(0, 255)


def plate():
    """A random plate as float32 RGB, 60 px high (96 with two lines), without its holder."""
    face = random_face()
    two = chance(TWO_LINE_SHARE)
    if two:
        layout = random.choices(TWO_LINES, [o.weight for o in TWO_LINES])[0]
        dark = chance(0.12)
        height, ground, colour = 96, _ground("k" if dark else random.choice("wwwwy")), _ink("white" if dark else "black")
    else:
        layout = random.choices(ONE_LINE, [o.weight for o in ONE_LINE])[0]
        height, ground, colour = 60, _ground(random.choice(layout.grounds)), _ink(layout.ink)
    width = int(height * layout.aspect * between(0.92, 1.08))
    image = np.empty((height, width, 3), np.float32)
    image[:] = ground
    band = int(height * (between(0.2, 0.26) if two else between(0.36, 0.48)))
    margin = between(0.02, 0.05) * width
    left, right = margin, width - margin
    if chance(layout.left):
        _left_band(image, band, face)
        left = band + between(0.01, 0.03) * width
    if chance(layout.right):
        _right_band(image, band, face)
        right = width - band - between(0.01, 0.03) * width
    if two:
        for line, text in enumerate(layout.text()):
            tall = height * between(0.33, 0.4)
            wide = min((right - left) * between(0.8, 0.98), tall * 0.75 * len(text) + 4)
            ink(image, text_mask(text, wide, tall, face), (left + right - wide) / 2, height * (0.07 + 0.48 * line), colour)
    else:
        tall, wide = height * between(0.6, 0.76), (right - left) * between(0.86, 1)
        ink(image, text_mask(layout.text(), wide, tall, face), (left + right - wide) / 2, (height - tall) / 2, colour)
        if chance(0.25):  # a seal between the groups
            seal = tuple(between(20, 220) for _ in range(3))
            cv2.circle(image, (int(left + (right - left) * between(0.25, 0.45)), int(height * between(0.4, 0.6))), some(4, 7), seal, -1)
    return _wear(image, colour)


def holder(plate):
    """`plate` in a dealer's frame. Returns (texture, the plate's corners in it)."""
    height, width = plate.shape[:2]
    top, side, bottom = int(height * between(0.02, 0.1)), int(height * between(0.02, 0.1)), int(height * between(0.03, 0.3))
    colour = between(5, 60) if chance(0.8) else between(90, 220)
    out = np.full((height + top + bottom, width + 2 * side, 3), colour, np.float32)
    out[top : top + height, side : side + width] = plate
    if bottom > height * 0.14:
        name = random.choice(("AUTO", "garage", "www.cars.eu", "Motors", "Service"))
        strip = text_mask(name, width * between(0.3, 0.7), bottom * 0.6)
        ink(out, strip, side + width * between(0.1, 0.25), top + height + bottom * 0.2, (between(120, 240),) * 3)
    return out, np.float32([[side, top], [side + width, top], [side + width, top + height], [side, top + height]])
