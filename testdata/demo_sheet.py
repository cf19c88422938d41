"""The demo's last steps: opens every sealed event, says what it holds, and puts before and after side by side.

    .venv/bin/python testdata/demo_sheet.py PROGRAM KEY STORE CARD OUT.png

STORE is the desk's, to which the events were carried. CARD is the untouched sample card: only there do the frames before redaction still exist. They are found by the
SHA-256 that each manifest gives of its original.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import contact_sheet

DESTROYED = {"empty": "empty: destroyed at once", "walker": "a walker alone, no vehicle: destroyed"}


def main():
    program, key, store, card, out = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5]
    originals = {hashlib.sha256(p.read_bytes()).hexdigest(): p for p in sorted(card.rglob("*.JPG"))}
    events = sorted({item.name.split("-")[0] for item in (store / "items").iterdir()})
    pairs = []
    for event in events:
        folder = Path("opened") / event
        run(program, "open", event, "--key", key, "--store", str(store), "--out", str(folder))
        manifests = [json.loads(p.read_text()) for p in sorted(folder.glob("0*.json"))]
        record = json.loads((folder / "event.json").read_text())
        tell(event, record, manifests)
        pairs += [pair(folder, number, manifest, originals) for number, manifest in shown(folder)]
    shown_files = {p.before for p in pairs}
    pairs += [contact_sheet.Pair(p, None, DESTROYED[kind]) for kind, p in destroyed(card) if p not in shown_files]
    contact_sheet.sheet(pairs, "vigie: what was on the card, and what is sealed").save(out, optimize=True)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def tell(event, record, manifests):
    found = [m["found"] for m in manifests]
    print(f"event {event}: {record['verdict']['reason']}, {len(record['frames'])} frames, {len(manifests)} sealed")
    print(f"  camera clock   {manifests[0]['time']['camera']} to {manifests[-1]['time']['camera']}")
    print(f"  mask policies  {', '.join(sorted({m['policy'] for m in manifests}))}")
    print(f"  plates found   in {sum(bool(f['plates']) for f in found)} of {len(found)} frames (never read)")


def shown(folder):
    """The first and, of a long event, a later frame."""
    frames = [(p.stem, json.loads(p.read_text())) for p in sorted(folder.glob("0*.json"))]
    return [frames[0]] + ([frames[-2]] if len(frames) > 2 else [])


def pair(folder, number, manifest, originals):
    before = originals[manifest["original"]["sha256"]]
    plates = sorted(manifest["found"]["plates"], key=lambda plate: -plate["score"])
    size = manifest["size"]
    caption = f"{before.name}, {size['width']} x {size['height']}, {manifest['time']['camera'].replace('T', ' ')}"
    caption += f"\nmasked: {manifest['policy']}"
    return contact_sheet.Pair(before, folder / f"{number}.jpg", caption, plates[0]["box"] if plates else None)


def destroyed(card):
    """One empty frame and one walker: they leave nothing behind, so only their names are known."""
    media = card / "DCIM" / "100MEDIA"
    return [("walker", media / "IMG_0006.JPG"), ("empty", media / "IMG_0002.JPG")]


if __name__ == "__main__":
    main()
