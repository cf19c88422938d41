"""Drawn vehicle ends: body, windows, lamps, bumper, and a slot where the plate goes.

Crude, but they show plates in day light, on bright paint and at the size of a
close-up, which the road frames (dusk and night, far cars) do not.
"""
import random

import cv2
import numpy as np

import clutter
from chance import between, chance
from fonts import ink, text_mask

SIDE = 448


def _grey(low, high):
    return np.full(3, between(low, high))


def _scene():
    sky = np.array([between(40, 240) for _ in range(3)]) if chance(0.5) else _grey(90, 245)
    fade = np.linspace(0, 1, SIDE)[:, None, None]
    image = (sky * (1 - fade) + _grey(30, 160) * fade).astype(np.float32) * np.ones((SIDE, SIDE, 1), np.float32)
    image += np.random.randn(SIDE // 8, SIDE // 8, 1).repeat(8, 0).repeat(8, 1) * between(0, 16)
    for _ in range(random.randint(0, 6)):  # houses
        colour = [between(20, 230) for _ in range(3)]
        x, y = between(0, SIDE), between(0, SIDE * 0.6)
        cv2.rectangle(image, (int(x), int(y)), (int(x + between(10, 160)), int(y + between(20, 200))), colour, -1)
    return image


def vehicle_end():
    """(uint8 RGB of SIDE x SIDE, (cx, cy, width) of the plate's slot)."""
    image = _scene()
    width = between(0.5, 1.05) * SIDE
    height = width * between(0.55, 0.95)
    cx, bottom = SIDE / 2 + between(-0.12, 0.12) * SIDE, SIDE * between(0.78, 0.98)
    left, top = cx - width / 2, bottom - height

    def at(x, y):
        return int(left + width * x), int(top + height * y)

    def area(*points):
        return np.array([at(*p) for p in points], np.int32)

    paint = _grey(8, 245) if chance(0.6) else np.array([between(10, 240) for _ in range(3)])
    cv2.ellipse(image, (int(cx), int(bottom)), (int(width * 0.52), int(height * 0.07)), 0, 0, 360, (15.0, 15.0, 15.0), -1)
    for x in (0.03, 0.82):  # tyres
        cv2.rectangle(image, at(x, 0.8), at(x + 0.15, 1), (18.0, 18.0, 20.0), -1)
    taper = between(0.04, 0.18)
    body = area((taper, 0), (1 - taper, 0), (1, 0.42), (1, 0.88), (0.97, 0.93), (0.03, 0.93), (0, 0.88), (0, 0.42))
    cv2.fillPoly(image, [body], paint.tolist())
    shade = np.zeros((SIDE, SIDE), np.float32)
    cv2.fillPoly(shade, [body], 1.0)  # a reflection that runs across the paint
    sheen = np.linspace(between(-40, 40), between(-40, 40), SIDE)[:, None, None]
    image += (shade[..., None] * sheen).astype(np.float32)
    cv2.fillPoly(image, [area((taper + 0.05, 0.06), (0.95 - taper, 0.06), (0.9, 0.38), (0.1, 0.38))], _grey(5, 110).tolist())
    for _ in range(random.randint(1, 5)):  # panel gaps
        y = between(0.4, 0.9)
        cv2.line(image, at(between(0, 0.2), y), at(between(0.8, 1), y + between(-0.02, 0.02)), (paint * between(0.5, 0.85)).tolist(), random.randint(1, 4))
    _lamps(image, area)
    bumper = (paint * between(0.7, 1)) if chance(0.6) else _grey(20, 70)
    cv2.rectangle(image, at(0, between(0.68, 0.8)), at(1, 0.92), bumper.tolist(), -1)
    if chance(0.5):
        cv2.rectangle(image, at(0.25, 0.82), at(0.75, 0.91), (20.0, 20.0, 20.0), -1)
    slot_y, slot_width = between(0.5, 0.86), between(0.2, 0.36)
    if chance(0.5):
        recess = slot_width * 0.7
        cv2.rectangle(image, at(0.5 - recess, slot_y - 0.09), at(0.5 + recess, slot_y + 0.09), (paint * between(0.4, 0.9)).tolist(), -1)
    _badges(image, at, width, height)
    image *= np.linspace(between(0.7, 1.1), between(0.6, 1.1), SIDE)[None, :, None]
    image += np.random.randn(SIDE, SIDE, 1) * between(0, 6)
    image = image.clip(0, 255).astype(np.float32)
    for _ in range(random.randint(0, 4)):
        clutter.add(image, left + width * between(0.1, 0.9), top + height * between(0.1, 0.85), width * between(0.05, 0.3))
    if chance(0.5):
        image = cv2.GaussianBlur(image, (0, 0), between(0.5, 2))
    aside = between(-0.3, 0.3) * width if chance(0.25) else 0
    return image.clip(0, 255).astype(np.uint8), (cx + aside, top + slot_y * height, width * slot_width)


def _lamps(image, area):
    tall, wide, y = between(0.07, 0.2), between(0.1, 0.24), between(0.4, 0.55)
    colour = [between(150, 255), between(0, 60), between(0, 60)] if chance(0.6) else [between(170, 255)] * 3
    for x in (0.01, 0.99 - wide):
        lamp = area((x, y), (x + wide, y + between(-0.02, 0.02)), (x + wide, y + tall), (x, y + tall * between(0.8, 1)))
        cv2.fillPoly(image, [lamp], colour)


def _badges(image, at, width, height):
    if chance(0.5):
        cv2.circle(image, at(0.5, 0.46), int(width * 0.03), (between(120, 240),) * 3, 3)
    if chance(0.5):  # grille
        for bar in range(random.randint(3, 8)):
            y = 0.42 + 0.012 * bar
            cv2.line(image, at(0.25, y), at(0.75, y), (between(20, 200),) * 3, 1)
    for _ in range(random.randint(0, 2)):
        name = text_mask(random.choice(("TDI", "Clio", "GOLF", "4x4", "Hybrid", "Dacia", "TRANSIT")), width * between(0.08, 0.25), height * between(0.02, 0.06))
        ink(image, name, *at(between(0.05, 0.7), between(0.4, 0.6)), (between(100, 240),) * 3)
