"""The bundle: an exported model as JSON, safetensors and ONNX. Nothing in it is ever unpickled."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from slaf_automl.errors import BundleError, SlafError
from slaf_automl.export.card import model_card
from slaf_automl.export.onnx import to_onnx
from slaf_automl.files import make_folder, read_json, replace_folder, write_bytes, write_json
from slaf_automl.networks import DeployedNetwork, count_cost, require_fit
from slaf_automl.spec import SCHEMA, Candidate, DataInfo
from slaf_automl.training import find_metric

FILES = ("candidate.json", "model.safetensors", "model.onnx", "metrics.json", "MODEL_CARD.md")


@dataclass(frozen=True)
class Bundle:
    """An exported model in memory.

    Args:
        network: the deployed network, in evaluation mode.
        candidate: its architecture and recipe.
        info: the data it takes.
        metrics: its evidence; see `metrics.json`.
    """

    network: DeployedNetwork
    candidate: Candidate
    info: DataInfo
    metrics: Mapping[str, Any]


def write_bundle(folder: Path, bundle: Bundle, sample: Tensor, spread: float | Tensor) -> None:
    """Write a bundle; an older one at that place is replaced once the new one is whole.

    Args:
        folder: where.
        bundle: what.
        sample: raw rows to check the ONNX file on.
        spread: the target's spread (of several each), the unit of that check.

    Raises:
        BundleError: the files would not say the same as the network.
        SlafError: the folder cannot be written.
    """
    stored = sum(t.numel() for t in bundle.network.state_dict().values())
    counted = count_cost(bundle.candidate.architecture).parameters
    claimed = bundle.metrics["parameters"]
    if not stored == counted == claimed:
        raise BundleError(
            f"the network stores {stored} values, {counted} were counted, the metrics say {claimed}"
        )
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    make_folder(partial)
    document = {
        "schema": SCHEMA,
        "candidate": bundle.candidate.to_json(),
        "data": bundle.info.to_json(),
    }
    write_json(partial / "candidate.json", document)
    state = {n: t.contiguous() for n, t in bundle.network.state_dict().items()}
    write_bytes(partial / "model.safetensors", save(state))
    write_bytes(partial / "model.onnx", to_onnx(bundle.network, bundle.info, sample, spread))
    write_json(partial / "metrics.json", bundle.metrics)
    card = model_card(bundle.candidate, bundle.info, bundle.metrics)
    write_bytes(partial / "MODEL_CARD.md", card.encode())
    replace_folder(partial, folder)


def read_bundle(path: str | Path) -> Bundle:
    """Read a bundle, or the bundle of a run folder.

    Raises:
        BundleError: there is none, or its files do not fit together.
    """
    folder = find_bundle(path)
    try:
        document = read_json(folder / "candidate.json")
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise BundleError(
                f"{folder / 'candidate.json'}: not a candidate of schema {SCHEMA}",
                remedy="read it with the version of slaf_automl that wrote it",
            )
        candidate = Candidate.from_json(document.get("candidate", {}))
        info = DataInfo.from_json(document.get("data", {}))
        require_fit(candidate, info)
        network = DeployedNetwork(candidate.architecture)
        state = load_file(folder / "model.safetensors")
        for name, tensor in state.items():
            if tensor.dtype != torch.float32 or not bool(torch.isfinite(tensor).all()):
                raise BundleError(f"{folder}: tensor {name!r} is not finite float32")
        network.load_state_dict(state)
        metrics = read_json(folder / "metrics.json")
        if not isinstance(metrics, dict):
            raise BundleError(
                f"{folder / 'metrics.json'}: {type(metrics).__name__}", expected="an object"
            )
        find_metric(metrics.get("metric"), info)
    except BundleError:
        raise
    except SlafError as error:
        raise BundleError(f"{folder} is not a readable bundle: {error}") from None
    except (OSError, SafetensorError, RuntimeError, ValueError, TypeError, OverflowError) as error:
        raise BundleError(f"{folder} is not a readable bundle: {str(error)[:300]}") from None
    return Bundle(network, candidate, info, metrics)


def find_bundle(path: str | Path) -> Path:
    """Return the bundle's folder for a bundle or a run folder.

    Raises:
        BundleError: there is neither.
    """
    for folder in (Path(path), Path(path) / "best"):
        if (folder / "candidate.json").is_file():
            return folder
    raise BundleError(
        f"no bundle in {path}", expected="a bundle or the run folder of a finished search"
    )


def load(bundle: str | Path) -> DeployedNetwork:
    """Load the network of a bundle (or of a run folder), in evaluation mode.

    The network takes raw float32 features `(N, inputs)` in the order of `candidate.json` and
    returns logits or target values `(N, outputs)`.

    Args:
        bundle: folder of a bundle or of a run.

    Raises:
        BundleError: there is no bundle, or its files do not fit together.
    """
    return read_bundle(bundle).network


def copy_bundle(source: Path, target: Path) -> None:
    """Copy a bundle's files to a folder that is new or empty.

    Raises:
        BundleError: the folder holds something, or a file of the bundle is missing.
    """
    if absent := [name for name in FILES if not (source / name).is_file()]:
        raise BundleError(f"{source / absent[0]} is missing", remedy="search again to export anew")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BundleError(f"{target} exists", expected="a new or empty folder")
    make_folder(target)
    for name in FILES:
        write_bytes(target / name, (source / name).read_bytes())
