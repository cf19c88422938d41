"""Compares what two programs made of the same card (scan_card.sh): what one processor decides, the other must.

    python3 cross/compare_scans.py FOLDER FOLDER

Verdicts, reasons, events and flags must be equal; boxes and corners within one pixel, scores within 0.01: the last digits
of a network's output depend on the order in which a processor adds. So a silhouette may have another cell at its edge:
masks may differ in 5 of their units in 1000, and the redacted files with them.
"""

import json
import sys
from pathlib import Path

PIXELS, SCORE, UNITS = 1.0, 0.01, 0.005
# What a run writes of itself: its clock, and what follows from it.
OF_THE_RUN = {"box", "arrived", "seconds", "frames_per_second", "peak_memory_mb"}
MEASURED = {"box": PIXELS, "corners": PIXELS}


def scan(folder):
    lines = [json.loads(line) for line in (folder / "scan.jsonl").read_text().splitlines()]
    return {line["file"]: line for line in lines if "file" in line}


def opened(folder):
    files = sorted((folder / "opened").rglob("*.json"))
    return {str(path.relative_to(folder)): json.loads(path.read_text()) for path in files}


def units(mask):
    return {(column + step, row) for row, column, length in mask["runs"] for step in range(length)}


def masked_differently(one, other):
    """What share of the greater mask's units only one of two manifests has; None where they say the same."""
    if one["mask"] == other["mask"]:
        return None
    masks = [units(manifest["mask"]) for manifest in (one, other)]
    return len(masks[0] ^ masks[1]) / max(map(len, masks), default=1)


def manifests(one, other, where):
    differs = masked_differently(one, other)
    if differs is not None:
        print(f"{where}: masks differ in {1000 * differs:.1f} of 1000 units")
        if differs > UNITS:
            yield f"{where}.mask"
        # They follow from the mask.
        drop = ("coefficients", "mask", "redacted")
        one, other = ({key: value for key, value in m.items() if key not in drop} for m in (one, other))
    yield from differences(one, other, where)


def differences(one, other, where, tolerance=None):
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            # `box` is a place in a picture, or a moment of the box's own clock.
            if key in OF_THE_RUN and not isinstance(one.get(key), list):
                continue
            scores = SCORE if key in ("score", "scores") else MEASURED.get(key, tolerance)
            yield from differences(one.get(key), other.get(key), f"{where}.{key}", scores)
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            yield f"{where}: {len(one)} and {len(other)}"
        for number, (left, right) in enumerate(zip(one, other)):
            yield from differences(left, right, f"{where}[{number}]", tolerance)
    elif isinstance(one, float) and isinstance(other, (int, float)) and tolerance is not None:
        if abs(one - other) > tolerance:
            yield f"{where}: {one} and {other}"
    elif one != other:
        yield f"{where}: {one!r} and {other!r}"


def compare(one, other):
    yield from differences(scan(one), scan(other), "scan")
    ones, others = opened(one), opened(other)
    for name in sorted(ones.keys() | others.keys()):
        sides = [side.get(name, {}) for side in (ones, others)]
        masked = all("mask" in side for side in sides)
        yield from (manifests if masked else differences)(*sides, name)
    pictures = [sorted(p.relative_to(folder) for p in (folder / "opened").rglob("*.jpg")) for folder in (one, other)]
    if pictures[0] != pictures[1]:
        yield f"pictures: {pictures[0]} and {pictures[1]}"


def main():
    one, other = map(Path, sys.argv[1:])
    found = list(compare(one, other))
    for difference in found:
        print(difference, file=sys.stderr)
    events = {line["event"] for line in scan(one).values() if line["event"]}
    papers = len(opened(one))
    if not papers:
        sys.exit(f"{one}: no event was opened, nothing was compared")
    print(f"{len(scan(one))} files, {len(events)} events, {papers} manifests: {len(found)} differences")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
