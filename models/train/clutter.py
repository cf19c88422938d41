"""What looks like a plate and is none: drawn hard negatives.

Each kind answers something that a detector trained without it took for a plate:
street signs, stickers, grilles, windows, model lettering, lamps, wheels, air vents,
shop signs.
"""
import random

import cv2
import numpy as np

from chance import between, chance
from fonts import ink, text_mask
from pose import corners, paste, rectangle
from textures import blue, digits, letters

HEIGHT = 64


def _colour():
    return np.array([between(0, 255) for _ in range(3)], np.float32)


def _flat(aspect, colour=None):
    board = np.empty((HEIGHT, int(HEIGHT * aspect), 3), np.float32)
    board[:] = _colour() if colour is None else colour
    return board


def direction_sign():
    board = _flat(between(1.5, 6), random.choice((blue(), (0, 110, 60), (120, 60, 20), (190, 20, 30), (20, 20, 20))))
    words = ("Rue de la Gare", "avenue Foch", "Place", "Centre", "Toutes directions", "Main Street", "Sortie", "P 200 m")
    ink(board, text_mask(random.choice(words), board.shape[1] * 0.86, HEIGHT * between(0.3, 0.6)), board.shape[1] * 0.07, 13, (240,) * 3)
    return board


def sticker():
    board = _flat(between(0.8, 5))
    words = ("lorem ipsum", "SALE -50%", "Taxi", "www.site.com", "hello", "SERVICE", "06 12 34 56", "open", "Baby on board")
    for line in range(random.randint(2, 5)):
        mask = text_mask(random.choice(words), board.shape[1] * between(0.3, 0.9), HEIGHT * between(0.1, 0.18))
        ink(board, mask, board.shape[1] * 0.05, HEIGHT * (0.05 + 0.18 * line), _colour())
    return board


def lettering():
    """Model names and badges in chrome or black on paint, wide-spaced as makers set them."""
    paint = _colour() if chance(0.4) else np.full(3, between(5, 245))
    board = _flat(between(2.5, 8), paint)
    tone = between(150, 250) if paint.mean() < 130 else between(0, 90)
    ink(board, text_mask(_name(known=0.95), board.shape[1] * between(0.7, 0.96), HEIGHT * between(0.4, 0.8)), board.shape[1] * 0.03, HEIGHT * 0.1, (tone,) * 3)
    return board


def _name(known=0.5):
    names = ("TOUAREG", "CLIO", "Duster", "TRANSIT", "IVECO", "TOTAL", "Hybrid", "GOLF", "2.0 TDI", "BERLINGO", "4x4", "OPEL", "JEEP", "RANGE ROVER", "607", "C4")
    word = random.choice(names) if chance(known) else letters(random.randint(3, 9))
    return " ".join(word) if chance(0.4) else word


def add_letters(image, cx, cy, width):
    """Letters on whatever is there already, with no ground of their own: paint, chrome, lorry sides, watermarks."""
    aspect = between(2.5, 8)
    size = (int(HEIGHT * aspect), HEIGHT)
    mask = text_mask(_name(), *size)
    tone = np.full(3, random.choice((between(150, 255), between(0, 70)))) if chance(0.7) else _colour()
    texture = np.empty((HEIGHT, size[0], 3), np.float32)
    texture[:] = tone
    if chance(0.5):  # chrome: light above, dark below
        texture *= np.linspace(between(0.9, 1.2), between(0.3, 0.9), HEIGHT, dtype=np.float32)[:, None, None]
    target = corners(cx, cy, width, aspect)
    if chance(0.4):  # raised letters throw a shadow
        paste(image, texture * 0.15, rectangle(*size), target + np.float32([0, 0.01 * width + 0.5]), opaque=mask)
    paste(image, texture.clip(0, 262), rectangle(*size), target, opaque=mask)


def shop_sign():
    """Large words over a light box: bright, framed, plate-shaped, but a word, not a number."""
    board = _flat(between(3, 7), random.choice(((between(200, 250),) * 3, (240, 200, 40), (200, 30, 30), (20, 60, 150))))
    word = random.choice(("pharmacie", "BOULANGERIE", "Tabac", "coiffure", "Restaurant", "Hotel", "Banque", "market", "Auto-école"))
    ink(board, text_mask(word, board.shape[1] * 0.85, HEIGHT * between(0.35, 0.7)), board.shape[1] * 0.07, HEIGHT * 0.18, _colour())
    return board


def country_oval():
    board = _flat(1.5, np.full(3, between(10, 240)))
    cv2.ellipse(board, (48, 32), (44, 29), 0, 0, 360, (between(215, 250),) * 3, -1)
    cv2.ellipse(board, (48, 32), (44, 29), 0, 0, 360, (15.0, 15.0, 15.0), 2)
    ink(board, text_mask(random.choice("FDBEIP") + letters(random.randint(0, 1)), 36, 28), 30, 18, (15,) * 3)
    return board


def slats():
    """A grille or an air vent."""
    board = _flat(between(1.5, 6), np.full(3, between(10, 60)))
    board[:: random.randint(4, 10)] = between(80, 230)
    board[:, :3] = board[:, -3:] = between(60, 230)
    if chance(0.4):
        cv2.circle(board, (board.shape[1] // 2, 32), random.randint(10, 24), (between(120, 230),) * 3, random.choice((3, -1)))
    return board


def window_grid():
    board = _flat(between(0.8, 6), np.full(3, between(20, 240)))
    pitch = random.randint(8, 30)
    board[:, ::pitch] = between(20, 200)
    board[::pitch] = between(20, 200)
    return board


def lamp():
    """Head lamp, rear lamp, indicator or number-plate light: a bright rounded block, often clipped."""
    width = int(HEIGHT * between(0.8, 4))
    board = _flat(width / HEIGHT, np.full(3, between(10, 120)))
    core = random.choice(((between(180, 262),) * 3, (between(140, 262), between(0, 70), between(0, 60)), (255, between(120, 190), between(20, 90))))
    cv2.ellipse(board, (width // 2, 32), (int(width * 0.46), 28), 0, 0, 360, tuple(float(c) for c in core), -1)
    for _ in range(random.randint(0, 3)):
        x = between(0.2, 0.8) * width
        cv2.circle(board, (int(x), 32), random.randint(5, 18), tuple(float(c) for c in _colour()), random.choice((2, -1)))
    return cv2.GaussianBlur(board, (0, 0), between(1, 5))


def wheel():
    """A wheel in its arch: paint above, road below, tyre, rim, spokes, hub."""
    board = np.empty((128, 128, 3), np.float32)
    board[:] = _colour() if chance(0.5) else between(5, 245)
    board[random.randint(88, 120) :] = between(40, 190)
    hub, rim = (64, 72), random.randint(26, 38)
    light, dark = between(110, 250), between(5, 90)
    cv2.circle(board, hub, rim + random.randint(14, 22), (between(5, 35),) * 3, -1)  # the arch's shade
    cv2.circle(board, hub, rim + random.randint(8, 13), (between(20, 70),) * 3, -1)
    cv2.circle(board, hub, rim, (light,) * 3 if chance(0.5) else (dark,) * 3, -1)
    stroke = dark if board[hub[1], hub[0]].mean() == light else light
    spokes, start, twin = random.randint(4, 14), between(0, 6), between(0.04, 0.16) if chance(0.4) else 0
    thick = random.randint(2, max(3, 36 // spokes))
    for spoke in range(spokes):
        for side in {-twin, twin}:
            angle = start + 2 * np.pi * spoke / spokes + side
            reach = rim * between(0.86, 0.98)
            cv2.line(board, hub, (int(hub[0] + reach * np.cos(angle)), int(hub[1] + reach * np.sin(angle))), (stroke,) * 3, thick)
    cv2.circle(board, hub, rim, (light,) * 3, random.randint(1, 4))
    cv2.circle(board, hub, random.randint(3, 10), (between(20, 230),) * 3, -1)
    return cv2.GaussianBlur(board, (0, 0), between(0.5, 1.6))


def gradient():
    """Chrome trim, a bumper's reflection."""
    board = _flat(between(1, 7))
    board[:] = np.linspace(between(0, 255), between(0, 255), board.shape[1], dtype=np.float32)[None, :, None]
    if chance(0.5):
        cv2.rectangle(board, (2, 2), (board.shape[1] - 3, HEIGHT - 3), (between(0, 255),) * 3, random.randint(1, 4))
    return board


def round_sign():
    board = _flat(between(0.9, 1.2))
    centre = (board.shape[1] // 2, 32)
    cv2.circle(board, centre, 29, tuple(float(c) for c in _colour()), random.choice((-1, 6)))
    ink(board, text_mask(digits(2), 26, 22), centre[0] - 13, 20, (10,) * 3)
    return board


def arrow():
    board = _flat(between(0.8, 5), np.full(3, between(200, 250)))
    cv2.rectangle(board, (2, 2), (board.shape[1] - 3, 61), (20.0, 20.0, 20.0), 2)
    ends = (int(board.shape[1] * 0.15), 32), (int(board.shape[1] * 0.85), 32)
    cv2.arrowedLine(board, *ends, (between(0, 200), 0.0, 0.0), random.randint(3, 12), tipLength=0.3)
    return board


KINDS = (direction_sign, sticker, lettering, lettering, shop_sign, country_oval, slats, slats, window_grid, lamp, lamp, wheel, wheel, wheel, gradient, round_sign, arrow)


def add(image, cx, cy, width):
    """Paste one drawn negative, turned at random, into `image` (float32, in place)."""
    if chance(0.25):
        return add_letters(image, cx, cy, width)
    board = (random.choice(KINDS)() * between(0.4, 1.1)).clip(0, 262)
    height, wide = board.shape[:2]
    paste(image, board, rectangle(wide, height), corners(cx, cy, width, wide / height))


def add_cut(image, cut, cx, cy, width):
    """Paste a mined hard negative: a cut-out of a training picture (uint8), blended at its edges."""
    cut = cut[:, ::-1] if chance(0.5) else cut
    wide = int(max(6, min(width, image.shape[1] - 1)))
    tall = int(max(4, min(cut.shape[0] * wide / cut.shape[1] * between(0.9, 1.1), image.shape[0] - 1)))
    cut = cv2.resize(cut, (wide, tall), interpolation=cv2.INTER_AREA).astype(np.float32)
    x = int(min(max(0, cx - wide / 2), image.shape[1] - wide))
    y = int(min(max(0, cy - tall / 2), image.shape[0] - tall))
    feather = np.minimum.outer(
        np.minimum(np.arange(tall), np.arange(tall)[::-1]) / max(1, tall * 0.15),
        np.minimum(np.arange(wide), np.arange(wide)[::-1]) / max(1, wide * 0.15),
    ).clip(0, 1)
    region = image[y : y + tall, x : x + wide]
    region += (cut * between(0.7, 1.25) - region) * feather[..., None].astype(np.float32)
