"""Stores weights as float16 where that loses nothing, which halves the files."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SMALLEST = 16  # elements; below, a Cast costs more than it saves


def halve(model):
    """Each exact weight becomes a float16 constant and a Cast, which the runtime folds when it loads: same results."""
    kept, casts = [], []
    for initializer in model.graph.initializer:
        array = numpy_helper.to_array(initializer)
        if array.dtype == np.float32 and array.size > SMALLEST:
            half = array.astype(np.float16)
            if np.array_equal(half.astype(np.float32), array):
                name = initializer.name
                kept.append(numpy_helper.from_array(half, f"{name}_half"))
                cast = helper.make_node("Cast", [f"{name}_half"], [name], name=f"{name}_cast", to=TensorProto.FLOAT)
                casts.append(cast)
                continue
        kept.append(initializer)
    nodes = casts + list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model
