"""Builds a plain ONNX graph, channels first and with fixed shapes, out of channels-last operators.

TensorFlow's formats think in NHWC, ONNX's convolutions in NCHW. Instead of a Transpose around each operator, every
tensor carries the order in which its axes lie (`axes`), and a Transpose is written only where an operator needs
another order. Zero padding waits on its tensor until it is known whether a convolution can take it in. Written for
this project because tf2onnx (1.16) crashes on BlazePose and brings the whole of TensorFlow; it knows the operators
of the three networks in sources.py and stops at any other.
"""

import math
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS_FIRST = (0, 3, 1, 2)  # NCHW, in terms of the NHWC axes
OPSET = 13


@dataclass(eq=False)
class Tensor:
    """A value on its way through the network: a constant, or the output of a node.

    `shape` and all axis numbers are the source framework's; dimension i of the ONNX tensor is axis `axes[i]`.
    """

    shape: tuple[int, ...]
    constant: np.ndarray | None = None
    name: str | None = None
    axes: tuple[int, ...] = ()
    padding: list[tuple[int, int]] | None = None  # already part of `shape`, not yet part of any node
    padding_value: float = 0.0

    def __post_init__(self):
        self.shape = tuple(int(size) for size in self.shape)
        self.axes = tuple(self.axes) or tuple(range(len(self.shape)))


def constant(array):
    return Tensor(shape=array.shape, constant=array)


class Graph:
    """Operators take and give Tensors; `model` makes the ONNX model of all that the outputs need."""

    def __init__(self):
        self.nodes = []
        self.initializers = {}
        self.inputs = []
        self.outputs = []
        self.producers = {}  # tensor name -> node

    # ---- inputs, outputs, nodes

    def input(self, name, shape):
        self.inputs.append((name, tuple(shape)))
        return Tensor(shape=shape, name=name)

    def output(self, tensor, name):
        """Gives the tensor, with its axes in the source framework's order, the name of an output."""
        source = self._ordered(tensor, range(len(tensor.shape)))
        self.nodes.append(helper.make_node("Identity", [source], [name], name=name))
        self.outputs.append((name, tensor.shape))

    def _initializer(self, array):
        name = f"constant_{len(self.initializers)}"
        self.initializers[name] = np.ascontiguousarray(array)
        return name

    def _node(self, operator, inputs, shape, axes=(), **attributes):
        name = f"{operator.lower()}_{len(self.nodes)}"
        node = helper.make_node(operator, inputs, [name], name=name, **attributes)
        self.nodes.append(node)
        self.producers[name] = node
        return Tensor(shape=shape, name=name, axes=axes)

    # ---- layout

    def transpose(self, tensor, order):
        """Costs no node: only what is known about the tensor's axes changes."""
        if tensor.constant is not None:
            return constant(np.transpose(tensor.constant, order))
        new_axis = [int(axis) for axis in np.argsort(order)]
        return Tensor(
            shape=[tensor.shape[axis] for axis in order],
            name=tensor.name,
            axes=[new_axis[axis] for axis in tensor.axes],
            padding=tensor.padding and [tensor.padding[axis] for axis in order],
            padding_value=tensor.padding_value,
        )

    def _ordered(self, tensor, axes):
        """The name of the tensor with its dimensions in this order of axes."""
        axes = tuple(axes)
        if tensor.constant is not None:
            return self._initializer(np.transpose(tensor.constant, axes))
        tensor = self._padded(tensor)
        if tensor.axes == axes:
            return tensor.name
        order = [tensor.axes.index(axis) for axis in axes]
        return self._node("Transpose", [tensor.name], tensor.shape, axes, perm=order).name

    def pad(self, tensor, amounts, value=0.0):
        """`amounts`: (before, after) for each axis."""
        amounts = [(int(before), int(after)) for before, after in amounts]
        tensor = self._padded(tensor)
        if not any(map(any, amounts)):
            return tensor
        shape = [size + before + after for size, (before, after) in zip(tensor.shape, amounts)]
        return Tensor(shape, name=tensor.name, axes=tensor.axes, padding=amounts, padding_value=float(value))

    def _padded(self, tensor):
        """The tensor with its waiting padding written as a node."""
        if tensor.padding is None:
            return tensor
        amounts = [tensor.padding[axis] for axis in tensor.axes]
        pads = np.array([before for before, _ in amounts] + [after for _, after in amounts], np.int64)
        value = np.array(tensor.padding_value, np.float32)
        inputs = [tensor.name, self._initializer(pads), self._initializer(value)]
        return self._node("Pad", inputs, tensor.shape, tensor.axes)

    # ---- operators with a window

    def _window(self, tensor, kernel, stride, padding, pads_with):
        """-> name of the NCHW input, ONNX pads, output height and width.

        `pads_with(value)`: whether the operator's own padding has the value of the tensor's waiting padding.
        SAME and VALID as TensorFlow defines them: SAME puts the odd pixel at the end.
        """
        waiting = [(0, 0)] * 4
        if tensor.padding is None:
            source = tensor
        elif padding == "VALID" and not any(tensor.padding[0] + tensor.padding[3]) and pads_with(tensor.padding_value):
            waiting = tensor.padding
            source = Tensor(tensor.shape, name=tensor.name, axes=tensor.axes)
        else:
            source = self._padded(tensor)
        starts, ends, size = [], [], []
        for axis in (1, 2):
            length, k, s = tensor.shape[axis], kernel[axis - 1], stride[axis - 1]
            if padding == "SAME":
                size.append(math.ceil(length / s))
                total = max((size[-1] - 1) * s + k - length, 0)
            else:
                size.append((length - k) // s + 1)
                total = 0
            starts.append(total // 2 + waiting[axis][0])
            ends.append(total - total // 2 + waiting[axis][1])
        return self._ordered(source, CHANNELS_FIRST), starts + ends, size

    def convolution(self, tensor, weights, bias, stride, padding, depthwise=False):
        """`weights`: height, width, in, out; depthwise: height, width, channel, multiplier."""
        kernel = weights.shape[:2]
        source, pads, (height, width) = self._window(tensor, kernel, stride, padding, lambda value: value == 0)
        if depthwise:
            group = weights.shape[2]
            weights = np.transpose(weights, (2, 3, 0, 1)).reshape(-1, 1, *kernel)
        else:
            group = tensor.shape[3] // weights.shape[2]
            weights = np.transpose(weights, (3, 2, 0, 1))
        inputs = [source, self._initializer(weights.astype(np.float32))]
        if bias is not None:
            inputs.append(self._initializer(bias.astype(np.float32).reshape(-1)))
        return self._node(
            "Conv",
            inputs,
            (tensor.shape[0], height, width, weights.shape[0]),
            CHANNELS_FIRST,
            group=group,
            pads=pads,
            strides=list(stride),
            kernel_shape=list(kernel),
        )

    def max_pool(self, tensor, kernel, stride, padding):
        source, pads, (height, width) = self._window(tensor, kernel, stride, padding, lambda value: value < -1e30)
        shape = (tensor.shape[0], height, width, tensor.shape[3])
        return self._node(
            "MaxPool", [source], shape, CHANNELS_FIRST, kernel_shape=list(kernel), strides=list(stride), pads=pads
        )

    # ---- operators on each element

    def elementwise(self, operator, tensor, **attributes):
        tensor = self._padded(tensor)
        return self._node(operator, [tensor.name], tensor.shape, tensor.axes, **attributes)

    def activation(self, tensor, name):
        match name.lower():
            case "":
                return tensor
            case "relu6":
                tensor = self._padded(tensor)
                bounds = [self._initializer(np.float32(bound)) for bound in (0, 6)]
                return self._node("Clip", [tensor.name, *bounds], tensor.shape, tensor.axes)
            case "sigmoid":
                return self.elementwise("Sigmoid", tensor)
        raise NotImplementedError(f"activation {name}")

    def add(self, a, b):
        if a.constant is not None and b.constant is not None:
            return constant(a.constant + b.constant)
        if a.constant is not None:
            a, b = b, a
        a = self._padded(a)
        if b.constant is not None:
            return self._add_bias(a, b.constant)
        axes = a.axes if np.prod(a.shape) >= np.prod(b.shape) else self._padded(b).axes
        shape = np.broadcast_shapes(a.shape, b.shape)
        return self._node("Add", [self._ordered(a, axes), self._ordered(b, axes)], shape, axes)

    def _add_bias(self, tensor, bias):
        """A constant per channel, right after a convolution that has none: it becomes the convolution's bias."""
        node = self.producers.get(tensor.name)
        channels = tensor.shape[-1]
        fits = bias.size == channels and bias.shape[-1:] == (channels,)
        if node is None or node.op_type != "Conv" or len(node.input) != 2 or tensor.axes != CHANNELS_FIRST or not fits:
            raise NotImplementedError(f"adding a constant of shape {bias.shape} to {tensor.name}")
        node.input.append(self._initializer(bias.reshape(-1).astype(np.float32)))
        return tensor

    # ---- operators on shapes

    def resize(self, tensor, size):
        """Bilinear, with half-pixel centres."""
        batch, _, _, channels = tensor.shape
        height, width = map(int, size)
        target = self._initializer(np.array([batch, channels, height, width], np.int64))
        return self._node(
            "Resize",
            [self._ordered(tensor, CHANNELS_FIRST), "", "", target],
            (batch, height, width, channels),
            CHANNELS_FIRST,
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )

    def reshape(self, tensor, shape):
        if tensor.constant is not None:
            return constant(tensor.constant.reshape(shape))
        shape = [int(size) for size in shape]
        if -1 in shape:
            shape[shape.index(-1)] = math.prod(tensor.shape) // -math.prod(shape)
        source = self._ordered(tensor, range(len(tensor.shape)))
        return self._node("Reshape", [source, self._initializer(np.array(shape, np.int64))], shape)

    def concatenate(self, tensors, axis):
        if all(tensor.constant is not None for tensor in tensors):
            return constant(np.concatenate([tensor.constant for tensor in tensors], axis))
        tensors = [tensor if tensor.constant is not None else self._padded(tensor) for tensor in tensors]
        axes = next(tensor.axes for tensor in tensors if tensor.constant is None)
        axis %= len(axes)
        shape = list(tensors[0].shape)
        shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
        names = [self._ordered(tensor, axes) for tensor in tensors]
        return self._node("Concat", names, shape, axes, axis=axes.index(axis))

    def split(self, tensor, sizes, axis):
        tensor = self._padded(tensor)
        axis %= len(tensor.shape)
        parts = []
        for size in map(int, sizes):
            shape = list(tensor.shape)
            shape[axis] = size
            parts.append(Tensor(shape, name=f"split_{len(self.nodes)}_{len(parts)}", axes=tensor.axes))
        inputs = [tensor.name, self._initializer(np.array(sizes, np.int64))]
        names = [part.name for part in parts]
        self.nodes.append(helper.make_node("Split", inputs, names, name=names[0], axis=tensor.axes.index(axis)))
        return parts

    # ---- the result

    def model(self, description):
        """The checked ONNX model of all that the outputs need, and nothing else."""
        nodes, used = self._needed(self._named())
        graph = helper.make_graph(
            nodes,
            "network",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in self.inputs],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in self.outputs],
            [numpy_helper.from_array(a, name) for name, a in self.initializers.items() if name in used],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="vigie", doc_string=description
        )
        model.ir_version = 8  # what opset 13 needs; older runtimes refuse newer ones
        onnx.checker.check_model(model, full_check=True)
        return model

    def _named(self):
        """The nodes with each output's Identity taken out: its source carries the output's name instead."""
        renamed = {node.input[0]: node.output[0] for node in self.nodes if node.op_type == "Identity"}
        nodes = [node for node in self.nodes if node.op_type != "Identity"]
        for node in nodes:
            for names in (node.input, node.output):
                for i, name in enumerate(names):
                    names[i] = renamed.get(name, name)
        return nodes

    def _needed(self, nodes):
        """The nodes from which an output can be reached, and the names they use."""
        used = {name for name, _ in self.outputs}
        kept = []
        for node in reversed(nodes):
            if used.intersection(node.output):
                kept.append(node)
                used.update(node.input)
        return kept[::-1], used
