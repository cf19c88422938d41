"""Recall, mean IoU and unmatched boxes of plates.onnx on an annotated folder, through vehicle crops.

    python evaluate.py ../plates.onnx --data DIR --converted CONVERTED [--sets french polish] [--threshold .25 .3 .35]

DIR holds annotations.jsonl, one object per line: {file, set, objects: [{label, box: [x, y, w, h]}]}.
CONVERTED is the folder that models/convert makes (vehicle networks). Vehicle boxes are
kept in --vehicles when that is given, for they cost more than the plates do.
--detections writes what is found at the lowest threshold.
Matching is greedy, best score first, one to one, at IoU .5; the interval is Wilson's, 95 %.
"""
import argparse
import json
import math
import pathlib
from collections import defaultdict

import cv2
import numpy as np

from detect import THRESHOLD, Plates
from vehicle_boxes import Vehicles

IOU = 0.5


def wilson(hits, n, z=1.96):
    if n == 0:
        return 0.0, 1.0
    p = hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return middle - half, middle + half


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def match(truth, found):
    """(IoU of each matched truth, number of found boxes without one). `found` best first."""
    free, hits, extra = list(truth), [], 0
    for box in found:
        best = max(free, key=lambda t: iou(t, box), default=None)
        if best is not None and iou(best, box) >= IOU:
            hits.append(iou(best, box))
            free.remove(best)
        else:
            extra += 1
    return hits, extra


def vehicles_of(path, bgr, cache, converted):
    if path.name not in cache:
        cache[path.name] = np.round(converted().find(bgr), 2).tolist()
    return cache[path.name]


def rows(data, sets):
    for line in (data / "annotations.jsonl").read_text().splitlines():
        row = json.loads(line)
        if any(o["label"] == "plate" for o in row["objects"]) and (not sets or row["set"] in sets):
            yield row


def main(args):
    if not (args.data / "annotations.jsonl").exists():
        print(f"skipped: no annotations.jsonl in {args.data}")
        return
    plates, networks = Plates(args.model), []

    def converted():
        if not networks:
            networks.append(Vehicles(args.converted))
        return networks[0]

    cache = json.loads(args.vehicles.read_text()) if args.vehicles and args.vehicles.exists() else {}
    tally, lines = defaultdict(lambda: [0, 0, [], 0]), []
    for row in rows(args.data, args.sets):
        path = args.data / row["file"]
        bgr = cv2.imread(str(path))
        found = plates.find(bgr[..., ::-1], vehicles_of(path, bgr, cache, converted), min(args.threshold))
        truth = [(x, y, x + w, y + h) for x, y, w, h in (o["box"] for o in row["objects"] if o["label"] == "plate")]
        for threshold in args.threshold:
            hits, extra = match(truth, found[found[:, 4] >= threshold])
            for name in (row["set"], "pooled"):
                t = tally[threshold, name]
                t[0] += 1
                t[1] += len(truth)
                t[2] += hits
                t[3] += extra
        lines.append({"file": row["file"], "plates": [{"box": [f[0], f[1], f[2] - f[0], f[3] - f[1]], "score": f[4]} for f in found.round(3).tolist()]})
    if args.vehicles:
        args.vehicles.write_text(json.dumps(cache))
    if args.detections:
        args.detections.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for threshold in args.threshold:
        report(threshold, {name: t for (at, name), t in tally.items() if at == threshold})


def report(threshold, tally):
    print(f"score >= {threshold}, IoU >= {IOU}")
    print(f"{'set':<16}{'images':>7}{'plates':>7}{'recall':>8}  {'95 %':<13}{'mIoU':>6}{'false/image':>12}")
    for name, (images, n, hits, extra) in sorted(tally.items(), key=lambda kv: (kv[0] == "pooled", kv[0])):
        low, high = wilson(len(hits), n)
        print(f"{name:<16}{images:>7}{n:>7}{len(hits) / n:>8.3f}  {low:.3f}-{high:.3f}  {np.mean(hits or [0]):>6.3f}{extra / images:>12.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--converted", type=pathlib.Path, required=True)
    parser.add_argument("--vehicles", type=pathlib.Path)
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--threshold", type=float, nargs="+", default=[THRESHOLD])
    parser.add_argument("--detections", type=pathlib.Path)
    main(parser.parse_args())
