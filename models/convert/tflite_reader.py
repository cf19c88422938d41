"""Reads a .tflite network with fp16 weights (flatbuffer schema: package `tflite`) into a Graph."""

import numpy as np
import tflite

from graph import Graph, constant

OPERATORS = {number: name for name, number in vars(tflite.BuiltinOperator).items() if isinstance(number, int)}
ACTIVATIONS = {
    tflite.ActivationFunctionType.NONE: "",
    tflite.ActivationFunctionType.RELU6: "relu6",
}
TYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}


def read(path, input_name, output_names):
    """The graph of the file's one subgraph, its outputs named in the file's order."""
    return _Reader(path.read_bytes()).convert(input_name, output_names)


class _Reader:
    def __init__(self, content):
        self.model = tflite.Model.GetRootAsModel(content, 0)
        self.subgraph = self.model.Subgraphs(0)
        self.graph = Graph()
        self.tensors = {}

    def convert(self, input_name, output_names):
        source = self.subgraph.Inputs(0)
        self.tensors[source] = self.graph.input(input_name, self._shape(source))
        for i in range(self.subgraph.OperatorsLength()):
            operator = self.subgraph.Operators(i)
            self.tensors[int(operator.Outputs(0))] = self._operator(operator)
        for i, name in enumerate(output_names):
            self.graph.output(self.tensors[int(self.subgraph.Outputs(i))], name)
        return self.graph

    def _shape(self, index):
        tensor = self.subgraph.Tensors(index)
        return tuple(int(size) for size in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()

    def _tensor(self, index):
        """The tensor of this number: made by an operator before, or a constant of the file."""
        if index not in self.tensors:
            tensor = self.subgraph.Tensors(index)
            content = self.model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
            array = np.frombuffer(content, TYPES[tensor.Type()]).reshape(self._shape(index))
            self.tensors[index] = constant(array)
        return self.tensors[index]

    def _operator(self, operator):
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        # Files older than schema 3a keep the code in the deprecated byte.
        kind = OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        inputs = [self._tensor(int(i)) for i in operator.InputsAsNumpy()]
        match kind:
            case "DEQUANTIZE":  # fp16 weights
                return constant(inputs[0].constant.astype(np.float32))
            case "CONV_2D":
                options = _options(operator, tflite.Conv2DOptions)
                weights = np.transpose(inputs[1].constant, (1, 2, 3, 0))
                return self._convolution(inputs, weights, options, depthwise=False)
            case "DEPTHWISE_CONV_2D":
                options = _options(operator, tflite.DepthwiseConv2DOptions)
                _, height, width, channels = inputs[1].shape
                multiplier = options.DepthMultiplier()
                weights = inputs[1].constant.reshape(height, width, channels // multiplier, multiplier)
                return self._convolution(inputs, weights, options, depthwise=True)
            case "ADD":
                options = _options(operator, tflite.AddOptions)
                total = self.graph.add(*inputs)
                return self.graph.activation(total, ACTIVATIONS[options.FusedActivationFunction()])
            case "RESHAPE":
                return self.graph.reshape(inputs[0], self._shape(int(operator.Outputs(0))))
            case "CONCATENATION":
                return self.graph.concatenate(inputs, _options(operator, tflite.ConcatenationOptions).Axis())
        raise NotImplementedError(kind)

    def _convolution(self, inputs, weights, options, depthwise):
        if (options.DilationHFactor(), options.DilationWFactor()) != (1, 1):
            raise NotImplementedError("dilation")
        stride = (options.StrideH(), options.StrideW())
        padding = "SAME" if options.Padding() == tflite.Padding.SAME else "VALID"
        result = self.graph.convolution(inputs[0], weights, inputs[2].constant, stride, padding, depthwise)
        return self.graph.activation(result, ACTIVATIONS[options.FusedActivationFunction()])


def _options(operator, kind):
    options, table = kind(), operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options
