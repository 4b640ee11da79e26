"""ONNX files: raw features in, outputs, probabilities and labels out; standard operators only."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from slaf_automl.errors import BundleError
from slaf_automl.networks import DeployedNetwork
from slaf_automl.spec import DataInfo, dumps

OPSET = 18
"""ONNX operator set of the files."""

INPUT = "features"
TOLERANCE = 1e-4
"""onnxruntime must agree with the network within this times max(1, |y|, target spread)."""


class _Head(nn.Module):
    """The network with what its users want of it beside the raw outputs."""

    def __init__(self, network: DeployedNetwork, info: DataInfo) -> None:
        super().__init__()
        self.network = network
        self.task = info.task

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        output = self.network(features)
        if self.task == "regression":
            return (output,)
        probabilities = class_probabilities(output)
        return output, probabilities, probabilities.argmax(1)


def class_probabilities(outputs: Tensor) -> Tensor:
    """Return `(N, classes)` probabilities of logits `(N, classes)`, or `(N, 1)` for two classes."""
    if outputs.shape[1] == 1:
        # σ(−z) rather than 1 − σ(z), which loses every digit of a small probability.
        return torch.cat([torch.sigmoid(-outputs), torch.sigmoid(outputs)], 1)
    return torch.softmax(outputs, 1)


def to_onnx(
    network: DeployedNetwork, info: DataInfo, sample: Tensor, spread: float | Tensor
) -> bytes:
    """Return the network as an ONNX model, checked against the network in onnxruntime.

    Input `features` `(rows, inputs)` float32, raw. Outputs: `output` `(rows, outputs)` (logits, or
    the target), and for classification `probabilities` `(rows, classes)` and `label` `(rows,)`
    (int64 or string, the classes of the data). Every stored value is an initializer.

    Args:
        network: the deployed network.
        info: its data.
        sample: raw rows to check on, `(rows, inputs)`, at least two.
        spread: the target's spread, the unit of the tolerance (1 for classification).

    Raises:
        BundleError: onnxruntime disagrees with the network.
    """
    outputs = ["output"] + ([] if info.task == "regression" else ["probabilities", "class_index"])
    head = _Head(network, info).eval()
    with _quiet_exporter():
        program = torch.onnx.export(
            head,
            (sample[:2],),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim("rows", min=1)},),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    if info.classes:
        _append_labels(model, info)
    helper.set_model_props(
        model,
        {
            "features": dumps(list(info.features)),
            "classes": dumps(list(info.classes)),
            "target": info.target,
        },
    )
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    _require_parity(content, network, info, sample, spread)
    return content


def run_onnx(content: bytes, x: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Run an ONNX model of this package in onnxruntime; outputs by name."""
    session = open_session(content)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {INPUT: x.astype(np.float32)}), strict=True))


def open_session(content: bytes, threads: int = 0) -> Any:
    """Open an ONNX model in onnxruntime on the CPU; 0 threads leave the number to it."""
    import onnxruntime  # Costs a second; only exports and checks need it.

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _append_labels(model: Any, info: DataInfo) -> None:
    """Turn the graph's last output, the class's index, into the class's label."""
    text = isinstance(info.classes[0], str)
    kind = TensorProto.STRING if text else TensorProto.INT64
    values: list[Any] = [c.encode() if isinstance(c, str) else c for c in info.classes]
    graph = model.graph
    graph.initializer.append(helper.make_tensor("classes", kind, [len(values)], values))
    graph.node.append(helper.make_node("Gather", ["classes", "class_index"], ["label"], axis=0))
    index = next(o for o in graph.output if o.name == "class_index")
    graph.output.remove(index)
    graph.output.append(helper.make_tensor_value_info("label", kind, ["rows"]))


def _require_parity(
    content: bytes, network: DeployedNetwork, info: DataInfo, sample: Tensor, spread: float | Tensor
) -> None:
    with torch.no_grad():
        wanted = network(sample).double().numpy()
    found = run_onnx(content, sample.numpy())
    limit = TOLERANCE * np.maximum(np.maximum(1.0, np.abs(wanted)), np.asarray(spread))
    excess = float((np.abs(found["output"] - wanted) / limit).max())
    if not excess <= 1.0:
        raise BundleError(
            f"the ONNX file differs from the network by {excess:.3g} times the tolerance",
            remedy="report this with the candidate.json of the run",
        )


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep the exporter's notes (about packages it would like) off the user's terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
