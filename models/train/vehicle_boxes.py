"""Vehicle boxes of a folder of pictures, from the two packaged vehicle networks.

They say where to crop (evaluation), where drawn plates may go and where a far plate
may stand unlabelled (training). Needs the folder that models/convert makes, with its
reference decoder and `onnx/`.

    python vehicle_boxes.py CONVERTED PICTURES OUT.json
"""
import json
import pathlib
import sys

import cv2
import numpy as np
import onnxruntime as ort

THRESHOLD = 0.2
SAME = 0.6  # IoU above which the two networks mean the same vehicle


class Vehicles:
    def __init__(self, converted):
        sys.path.insert(0, str(converted))
        import decode

        options = ort.SessionOptions()
        options.intra_op_num_threads = 2
        onnx = pathlib.Path(converted, "onnx")
        self.decode = decode
        self.ssd = ort.InferenceSession(str(onnx / "ssd_f16w.onnx"), options)
        self.nanodet = ort.InferenceSession(str(onnx / "nanodet_g_416x416_f16w.onnx"), options)

    def find(self, bgr):
        """[n, 5]: x0 y0 x1 y1 score, in pixels of the picture."""
        ssd = self.decode.ssd(self.ssd, bgr, THRESHOLD)[0]
        nanodet = self.decode.nanodet(self.nanodet, bgr, THRESHOLD)[0]
        boxes = np.concatenate([ssd[0], nanodet[0]])
        scores = np.concatenate([ssd[1], nanodet[1]])
        if len(boxes) == 0:
            return np.zeros((0, 5))
        keep = self.decode.nms(boxes, scores, SAME)
        return np.c_[boxes[keep], scores[keep]]


def main(converted, pictures, out):
    vehicles = Vehicles(converted)
    found = {}
    for path in sorted(pathlib.Path(pictures).iterdir()):
        bgr = cv2.imread(str(path))
        if bgr is not None:
            found[path.name] = np.round(vehicles.find(bgr), 2).tolist()
    pathlib.Path(out).write_text(json.dumps(found))
    print(f"{len(found)} pictures, {sum(map(len, found.values()))} vehicles")


if __name__ == "__main__":
    main(*sys.argv[1:4])
