"""Heads into exported models, run by onnxruntime."""

import numpy as np
import pytest

import tailfit

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from tailfit.onnx import replace_head  # noqa: E402

K, D = 5, 7
RNG = np.random.default_rng(0)
WEIGHT, BIAS = RNG.standard_normal((K, D)), RNG.standard_normal(K)
HEAD = tailfit.Head(RNG.standard_normal((K, D)), RNG.standard_normal(K))


def model(path, nodes, constants, rank=2, dtype=TensorProto.FLOAT, outputs=("y",)):
    """A ReLU, then these nodes, from ``x`` of shape (n, D, 1, …) to the outputs."""
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    shape = ["n", D] + [1] * (rank - 2)
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["f"], name="body"), *nodes],
        "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info(name, dtype, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(v).astype(kind), name) for name, v in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, path)


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs, [output], name=f"{kind}_1", **attributes)


def outputs(path, x):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


LAYERS = {
    "gemm": ([node("Gemm", ["f", "w", "b"], "y", transB=1)], {"w": WEIGHT, "b": BIAS}, 2),
    "gemm-not-transposed": ([node("Gemm", ["f", "w", "b"], "y")], {"w": WEIGHT.T, "b": BIAS}, 2),
    "gemm-without-bias": ([node("Gemm", ["f", "w"], "y", transB=1)], {"w": WEIGHT}, 2),
    "matmul-add": (
        [node("MatMul", ["f", "w"], "z"), node("Add", ["b", "z"], "y")],
        {"w": WEIGHT.T, "b": BIAS},
        2,
    ),
    "conv": (
        [node("Conv", ["f", "w", "b"], "z"), node("Flatten", ["z"], "y")],
        {"w": WEIGHT[:, :, None, None], "b": BIAS},
        4,
    ),
    "softmax": (
        [node("Gemm", ["f", "w", "b"], "z", transB=1), node("Softmax", ["z"], "y")],
        {"w": WEIGHT, "b": BIAS},
        2,
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_model_gives_the_heads_logits(tmp_path, name):
    nodes, constants, rank = LAYERS[name]
    source, target = tmp_path / "model.onnx", tmp_path / "out.onnx"
    model(source, nodes, constants, rank)
    assert replace_head(source, HEAD, target) == nodes[0].name
    x = RNG.standard_normal((4, D) + (1,) * (rank - 2)).astype(np.float32)
    wanted = HEAD.logits(np.maximum(x.reshape(4, D), 0))
    if name == "softmax":
        wanted = np.exp(wanted) / np.exp(wanted).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(outputs(target, x), wanted, rtol=1e-4, atol=1e-5)
    before, after = onnx.load(source), onnx.load(target)
    assert before.graph.node[0] == after.graph.node[0] and before.opset_import == after.opset_import
    # The old head put back gives the old file, byte for byte.
    if "b" in constants:
        replace_head(target, (WEIGHT, BIAS), tmp_path / "back.onnx")
        assert (tmp_path / "back.onnx").read_bytes() == source.read_bytes()


def test_half_precision_stays(tmp_path):
    nodes, constants, _ = LAYERS["gemm"]
    model(tmp_path / "m.onnx", nodes, constants, dtype=TensorProto.FLOAT16)
    replace_head(tmp_path / "m.onnx", HEAD, tmp_path / "o.onnx")
    kinds = {tensor.data_type for tensor in onnx.load(tmp_path / "o.onnx").graph.initializer}
    assert kinds == {TensorProto.FLOAT16}


def test_what_is_unclear_is_refused(tmp_path):
    path, out = tmp_path / "m.onnx", tmp_path / "o.onnx"
    gemm, constants, _ = LAYERS["gemm"]

    def refused(match, head=HEAD, **options):
        with pytest.raises(ValueError, match=match):
            replace_head(path, head, out, **options)
        assert not out.exists()

    model(path, gemm, constants)
    refused(r"expected \(5, 7\).*found \(4, 7\)", tailfit.Head(np.zeros((4, 7)), np.zeros(4)))
    refused("normalises features", tailfit.Head(HEAD.weight, HEAD.bias, True))
    gate = tailfit.Gate(HEAD.weight[0], 0.0, HEAD.bias, HEAD.bias)
    refused("has a gate", tailfit.Head(HEAD.weight, HEAD.bias, gate=gate))
    refused("one of y, found 'z'", output="z")
    model(path, [node("Sigmoid", ["f"], "y")], {})
    refused("found Sigmoid 'Sigmoid_1'")
    model(path, [node("Gemm", ["f", "w", "b"], "y", transB=1, alpha=0.5)], constants)
    refused("without factors")
    model(path, [node("MatMul", ["f", "w"], "y")], {"w": WEIGHT.T})
    refused("an Add for the bias")
    model(path, [*gemm, helper.make_node("Transpose", ["w"], ["t"], name="other")], constants, outputs=("y", "t"))
    refused("found it in Gemm_1, other", output="y")
    refused("output: expected one of y, t")
    model(path, gemm, constants)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    refused("found 'w' in another")
