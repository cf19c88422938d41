"""Weights -> plates.onnx: norms folded, weights kept as float16 with a Cast, checked against torch.

    python export.py WEIGHTS.pt OUT.onnx
"""
import hashlib
import pathlib
import sys
import time

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from network import PlateNet

OPSET = 17
OUTPUTS = ("heat", "ltrb", "corners")


def fold(module):
    """Fold each batch norm into the convolution before it."""
    for name, child in module.named_children():
        if isinstance(child, nn.Sequential) and len(child) >= 2 and isinstance(child[0], nn.Conv2d) and isinstance(child[1], nn.BatchNorm2d):
            setattr(module, name, nn.Sequential(fuse_conv_bn_eval(child[0], child[1]), *child[2:]))
        else:
            fold(child)


class WithScores(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, image):
        logits, ltrb, corners = self.net(image)
        return torch.sigmoid(logits), ltrb, corners


def halve(model):
    """Store every large float32 constant as float16, cast back when the session loads."""
    graph = model.graph
    constants, casts = [], []
    for tensor in graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype == np.float32 and value.size > 8:
            half = numpy_helper.from_array(value.astype(np.float16), tensor.name + "_half")
            constants.append(half)
            casts.append(helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
        else:
            constants.append(tensor)
    nodes = list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(constants)
    graph.node.extend(casts + nodes)


def main(weights, out):
    net = PlateNet()
    net.load_state_dict(torch.load(weights, map_location="cpu"))
    net.eval()
    fold(net)
    whole = WithScores(net).eval()
    axes = {name: {0: "n", 2: "h4", 3: "w4"} for name in OUTPUTS} | {"image": {0: "n", 2: "h", 3: "w"}}
    torch.onnx.export(
        whole, (torch.rand(1, 3, 320, 320),), out, input_names=["image"], output_names=list(OUTPUTS), opset_version=OPSET, dynamo=False, dynamic_axes=axes
    )
    model = onnx.load(out)
    halve(model)
    onnx.checker.check_model(model)
    onnx.save(model, out)

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(out, options)
    for size in ((320, 320), (384, 640)):
        image = torch.rand(2, 3, *size)
        with torch.no_grad():
            truth = whole(image)
        off = [float(np.abs(a - b.numpy()).max()) for a, b in zip(session.run(None, {"image": image.numpy()}), truth)]
        print(size, "largest difference from torch:", dict(zip(OUTPUTS, off)))
    for size in (320, 640):
        image, took = np.random.rand(1, 3, size, size).astype(np.float32), []
        for _ in range(15):
            begun = time.perf_counter()
            session.run(None, {"image": image})
            took.append(time.perf_counter() - begun)
        print(f"{size} x {size}: {1e3 * min(took):.1f} ms, one thread, best of 15")
    data = pathlib.Path(out).read_bytes()
    print(f"{out}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}, operators {sorted({n.op_type for n in model.graph.node})}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
