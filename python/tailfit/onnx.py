"""A re-trained head back into an exported model."""

from __future__ import annotations

import os

import numpy as np
import onnx
from onnx import numpy_helper

from tailfit._head import as_head

# What may stand between the logits and the model's output.
_AFTER = {"Softmax", "LogSoftmax", "Identity", "Cast", "Flatten", "Reshape", "Squeeze"}
_TYPES = {
    onnx.TensorProto.FLOAT: np.float32,
    onnx.TensorProto.FLOAT16: np.float16,
    onnx.TensorProto.DOUBLE: np.float64,
}


def replace_head(source: str | os.PathLike, head, target: str | os.PathLike, *, output=None) -> str:
    """Write the model ``source`` with another head to ``target``.

    The head is the last Gemm, MatMul (with or without an Add) or 1x1 Conv before the output. Only its
    weight and bias change; they keep their names, layout and type, and everything else stays as it is.

    Parameters
    ----------
    source, target : paths
    head : Head, pair (weight, bias) or linear layer
        With as many classes and features as the one it replaces.
    output : str, optional
        The output whose head it is; needed if the model has several.

    Returns
    -------
    str
        The name of the node that was the head.

    Raises
    ------
    ValueError
        If there is no such layer, another node uses its weight too, its shape is another, the weights are
        not in the file (external data), or the head is no single linear layer.
    """
    head = as_head(head)
    if not head.is_linear:
        found = "normalises features" if head.normalise_features else "has a gate"
        raise ValueError(f"head: expected a linear head, found one that {found}: no single layer")
    model = onnx.load(os.fspath(source), load_external_data=False)
    layer = _Layer(model.graph, _output(model.graph, output))
    layer.put(head)
    temporary = f"{os.fspath(target)}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(model.SerializeToString())
        os.replace(temporary, target)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
    return layer.node.name or layer.node.op_type


def _output(graph, name):
    names = [value.name for value in graph.output]
    if name is None and len(names) == 1:
        return names[0]
    if name not in names:
        raise ValueError(f"output: expected one of {', '.join(names)}, found {name!r}")
    return name


class _Layer:
    """The last linear layer before an output."""

    def __init__(self, graph, output):
        self.graph = graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        for tensor in graph.initializer:
            # Their files go by the place of the model, which the new one need not share.
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                raise ValueError(f"model: expected all weights in its file, found {tensor.name!r} in another")
        self.makers = {name: node for node in graph.node for name in node.output}
        node = self._maker(output)
        while node.op_type in _AFTER:
            node = self._maker(node.input[0])
        self.bias = None
        if node.op_type == "Add":
            inner = [name for name in node.input if name not in self.constants]
            bias = [name for name in node.input if name in self.constants]
            if len(inner) != 1 or self._maker(inner[0]).op_type != "MatMul":
                raise self._unclear(node, "a MatMul plus a constant")
            self.bias, node = bias[0], self._maker(inner[0])
        if node.op_type not in {"Gemm", "MatMul", "Conv"}:
            raise self._unclear(node, "a Gemm, a MatMul or a 1x1 Conv")
        self.node = node
        self.weight = node.input[1]
        if node.op_type != "MatMul" and len(node.input) > 2 and node.input[2]:
            self.bias = node.input[2]
        self._check()

    def _maker(self, name):
        if name not in self.makers:
            raise ValueError(f"model: expected a linear layer before the output, found none: {name!r} is given")
        return self.makers[name]

    def _unclear(self, node, expected):
        name = node.name or node.output[0]
        return ValueError(f"model: expected {expected} before the output, found {node.op_type} {name!r}")

    def _check(self):
        for name in filter(None, (self.weight, self.bias)):
            if name not in self.constants:
                raise self._unclear(self.node, f"constant weights ({name!r} is computed)")
            tensor = self.constants[name]
            if tensor.data_type not in _TYPES:
                kind = onnx.TensorProto.DataType.Name(tensor.data_type)
                raise ValueError(f"model: expected {name!r} in floating point, found {kind}")
            users = [node.name or node.output[0] for node in self.graph.node if name in node.input]
            if len(users) > 1:
                raise ValueError(f"model: expected {name!r} in the head alone, found it in {', '.join(users)}")
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in self.node.attribute}
        self.transposed = self.node.op_type == "MatMul"
        if self.node.op_type == "Gemm":
            if attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0:
                raise self._unclear(self.node, "a Gemm without factors")
            self.transposed = not attributes.get("transB", 0)
        shape = list(self.constants[self.weight].dims)
        if self.node.op_type == "Conv" and (shape[2:] != [1] * len(shape[2:]) or attributes.get("group", 1) != 1):
            raise self._unclear(self.node, "a Conv with a kernel of 1x1 in one group")
        self.shape = shape
        self.sizes = tuple(shape[:2][::-1] if self.transposed else shape[:2])

    def put(self, head):
        if head.weight.shape != self.sizes:
            raise ValueError(f"head: expected {self.sizes} classes and features, found {head.weight.shape}")
        weight = head.weight.T if self.transposed else head.weight
        self._set(self.weight, weight.reshape(self.shape))
        if self.bias is not None:
            self._set(self.bias, head.bias.reshape(self.constants[self.bias].dims))
        elif self.node.op_type == "MatMul":
            if head.bias.any():
                raise self._unclear(self.node, "an Add for the bias after the MatMul")
        elif head.bias.any():
            # Both operators take a third input.
            name = f"{self.weight}_bias"
            bias = head.bias.astype(_TYPES[self.constants[self.weight].data_type])
            self.graph.initializer.append(numpy_helper.from_array(bias, name))
            del self.node.input[2:]
            self.node.input.append(name)

    def _set(self, name, values):
        tensor = self.constants[name]
        values = np.ascontiguousarray(values, dtype=_TYPES[tensor.data_type])
        tensor.CopyFrom(numpy_helper.from_array(values, name))
