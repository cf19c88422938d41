"""Reads a TensorFlow.js graph model (a JSON file and one file of fp16 weights) into a Graph.

A fully convolutional network can be read at another input size than the stored one: the sizes that the file
stores as constants (of upsampling, of flattened grids) are scaled along. They stay whole numbers as long as both
sizes are multiples of the largest stride.
"""

import base64
import json
import math
from fractions import Fraction

import numpy as np

from graph import Graph, constant


def read(path, input_name, outputs, size=None):
    """`outputs`: {node of the file: name of the output}; `size`: height and width, for NCHW inputs."""
    return _Reader(path).convert(input_name, outputs, size)


class _Reader:
    def __init__(self, path):
        model = json.loads(path.read_text())
        self.nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
        self.weights = _weights(model["weightsManifest"], path.parent)
        self.graph = Graph()
        self.tensors = {}

    def convert(self, input_name, outputs, size):
        placeholder = next(node for node in self.nodes.values() if node["op"] == "Placeholder")
        stored = [abs(int(dim["size"])) for dim in placeholder["attr"]["shape"]["shape"]["dim"]]  # -1: batch
        shape = stored if size is None else [*stored[:2], *size]
        self.scale = (Fraction(shape[2], stored[2]), Fraction(shape[3], stored[3]))
        self.tensors[placeholder["name"]] = self.graph.input(input_name, shape)
        for node, name in outputs.items():
            self.graph.output(self._tensor(node), name)
        return self.graph

    def _tensor(self, reference):
        """`node` or `node:output`."""
        name, _, output = reference.partition(":")
        if name not in self.tensors:
            self.tensors[name] = self._operator(self.nodes[name])
        result = self.tensors[name]
        return result[int(output or 0)] if isinstance(result, list) else result

    def _operator(self, node):
        if node["op"] == "Const":
            return constant(self.weights[node["name"]])
        inputs = [self._tensor(reference) for reference in node["input"]]
        first, rest = inputs[0], [tensor.constant for tensor in inputs[1:]]
        match node["op"]:
            case "Identity":
                return first
            case "Conv2D" | "_FusedConv2D" | "FusedDepthwiseConv2dNative":
                return self._convolution(node, first, rest)
            case "Add" | "AddV2":
                return self.graph.add(first, inputs[1])
            case "Pad":
                return self.graph.pad(first, rest[0])
            case "PadV2":
                return self.graph.pad(first, rest[0], float(rest[1]))
            case "Transpose":
                return self.graph.transpose(first, [int(axis) for axis in rest[0]])
            case "LeakyRelu":
                return self.graph.elementwise("LeakyRelu", first, alpha=float(node["attr"]["alpha"]["f"]))
            case "Relu6" | "Sigmoid":
                return self.graph.activation(first, node["op"])
            case "MaxPool":
                kernel, stride = _integers(node, "ksize")[1:3], _integers(node, "strides")[1:3]
                return self.graph.max_pool(first, kernel, stride, _text(node, "padding"))
            case "ConcatV2":
                return self.graph.concatenate(inputs[:-1], int(rest[-1]))
            case "SplitV":
                return self.graph.split(first, rest[0], int(rest[1]))
            case "ResizeBilinear":
                return self._resize(node, first, rest[0])
            case "Reshape":
                return self._reshape(first, rest[0])
            case "SparseToDense":
                return _dense(first.constant, *rest)
        raise NotImplementedError(node["op"])

    def _convolution(self, node, source, parameters):
        weights, *bias = parameters
        fused = _texts(node, "fused_ops")
        if _text(node, "data_format") != "NHWC" or set(_integers(node, "dilations")) - {1}:
            raise NotImplementedError(f"layout or dilation of {node['name']}")
        stride, padding = _integers(node, "strides")[1:3], _text(node, "padding")
        depthwise = "Depthwise" in node["op"]
        bias = bias[0] if "BiasAdd" in fused else None
        result = self.graph.convolution(source, weights, bias, stride, padding, depthwise)
        for name in fused:
            if name != "BiasAdd":
                result = self.graph.activation(result, name)
        return result

    def _resize(self, node, source, size):
        attributes = node["attr"]
        if attributes["align_corners"]["b"] or not attributes["half_pixel_centers"]["b"]:
            raise NotImplementedError(f"resize mode of {node['name']}")
        return self.graph.resize(source, [_whole(length * scale) for length, scale in zip(size, self.scale)])

    def _reshape(self, source, shape):
        """A grid flattened to a list of cells has as many of them as the scaled grid has."""
        shape = [int(length) for length in shape]
        if source.constant is None and len(source.shape) == 4:
            cells = source.shape[2] * source.shape[3]
            stored = cells / math.prod(self.scale)
            shape = [cells if length == stored else length for length in shape]
        return self.graph.reshape(source, shape)


def _whole(number):
    if number.denominator != 1:
        raise ValueError(f"input size gives a grid of {number} cells: use multiples of the largest stride")
    return int(number)


def _weights(groups, folder):
    """{name: array}; float16 storage becomes float32, which loses nothing."""
    arrays = {}
    for group in groups:
        content = b"".join((folder / path).read_bytes() for path in group["paths"])
        position = 0
        for weight in group["weights"]:
            stored = np.dtype(weight.get("quantization", weight)["dtype"])
            if "quantization" in weight and stored != np.float16:
                raise NotImplementedError(f"quantization of {weight['name']}")
            array = np.frombuffer(content, stored, math.prod(weight["shape"]), position).reshape(weight["shape"])
            position += array.nbytes
            arrays[weight["name"]] = array.astype(weight["dtype"])
        if position != len(content):
            raise ValueError(f"{group['paths']}: {len(content) - position} bytes that no weight claims")
    return arrays


def _dense(indices, shape, values, default):
    array = np.full(shape, default, values.dtype)
    for i, index in enumerate(np.atleast_1d(indices)):
        array[tuple(np.atleast_1d(index))] = values if values.ndim == 0 else values[i]
    return constant(array)


def _integers(node, attribute):
    return [int(i) for i in node["attr"][attribute]["list"].get("i", [])]


def _text(node, attribute):
    return base64.b64decode(node["attr"][attribute]["s"]).decode()


def _texts(node, attribute):
    items = node["attr"].get(attribute, {}).get("list", {}).get("s", [])
    return [base64.b64decode(item).decode() for item in items]
