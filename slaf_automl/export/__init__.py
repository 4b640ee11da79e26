"""Bundles, ONNX and predictions."""

from slaf_automl.export.bundle import (
    Bundle,
    copy_bundle,
    find_bundle,
    load,
    read_bundle,
    write_bundle,
)
from slaf_automl.export.predict import predict_rows, write_predictions

__all__ = [
    "Bundle",
    "copy_bundle",
    "find_bundle",
    "load",
    "predict_rows",
    "read_bundle",
    "write_bundle",
    "write_predictions",
]
