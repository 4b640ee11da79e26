"""Networks that slaf_automl did not write, and real data for them: for own_network.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from sklearn.datasets import load_breast_cancer, load_digits
from torch import Tensor, nn

# Data: what is real and comes with scikit-learn


def images() -> tuple[Tensor, Tensor]:
    """Return handwritten digits as (N, 1, 8, 8), and what they say."""
    digits = load_digits()
    return torch.tensor(digits.images[:, None] / 16, dtype=torch.float32), torch.tensor(
        digits.target
    )


def rows() -> tuple[Tensor, Tensor]:
    """Return them as sequences of their 8 rows, (N, 8, 8)."""
    x, y = images()
    return x[:, 0], y


def tokens() -> tuple[Tensor, Tensor]:
    """Return them as sentences of 16 words, (N, 16): the grey levels 0 to 64 of 2 × 2 pixels."""
    x, y = images()
    return (64 * nn.functional.avg_pool2d(x, 2)).round().long().flatten(1), y


def table() -> tuple[Tensor, Tensor]:
    """Return 30 measurements of each tumour, (N, 30), and whether it is benign."""
    x, y = load_breast_cancer(return_X_y=True)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


# Networks: none of them knows of slaf_automl


def vit() -> nn.Module:
    """Return a vision transformer: attention over 16 patches."""
    transformers = import_module("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        image_size=8, patch_size=2, num_channels=1, num_labels=10,
    )  # fmt: skip
    return transformers.ViTForImageClassification(config)


def bert() -> nn.Module:
    """Return a BERT that reads images as sentences: attention over 16 words."""
    transformers = import_module("transformers")
    config = transformers.BertConfig(
        vocab_size=65, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=16, num_labels=10,
        initializer_range=0.1,
    )  # fmt: skip
    return transformers.BertForSequenceClassification(config)


def encoder() -> nn.Module:
    """Return torch's own transformer: attention over 8 rows."""
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    body = nn.TransformerEncoder(layer, 2)
    return nn.Sequential(nn.Linear(8, 16), body, nn.Flatten(), nn.Linear(8 * 16, 10))


def ft_transformer() -> nn.Module:
    """Return an FT-Transformer for tables: attention over 30 columns."""
    models = import_module("rtdl_revisiting_models")
    return models.FTTransformer(
        n_cont_features=30, cat_cardinalities=[], d_out=2, n_blocks=2, d_block=8,
        attention_n_heads=2, attention_dropout=0.1, ffn_d_hidden=16, ffn_d_hidden_multiplier=None,
        ffn_dropout=0.1, residual_dropout=0.0, ffn_activation="ReLU",
    )  # fmt: skip


def tcn() -> nn.Module:
    """Return a temporal convolutional network over 8 rows."""
    body = import_module("pytorch_tcn").TCN(8, [8, 8], kernel_size=3)
    return nn.Sequential(body, nn.Flatten(), nn.Linear(8 * 8, 10))


def resnet() -> nn.Module:
    """Return a residual network of the CIFAR kind, with few channels."""
    models = import_module("pytorchcv.models.resnet_cifar")
    body = models.CIFARResNet(
        channels=[[4] * 2, [8] * 2, [8] * 2], init_block_channels=4, bottleneck=False,
        in_channels=1, num_classes=10,
    )  # fmt: skip
    body.features.final_pool = nn.AvgPool2d(2)  # of 8 × 8 images, not 32 × 32
    return body


@dataclass(frozen=True)
class Network:
    """A network, its data, how it takes them, and the package to install for it."""

    build: Callable[[], nn.Module]
    data: Callable[[], tuple[Tensor, Tensor]]
    package: str
    takes: Callable[[Tensor], Any] = lambda x: x


NETWORKS = {
    "vit": Network(vit, images, "transformers"),
    "bert": Network(bert, tokens, "transformers", lambda x: {"input_ids": x}),
    "encoder": Network(encoder, rows, "torch"),
    "ft_transformer": Network(ft_transformer, table, "rtdl_revisiting_models", lambda x: (x, None)),
    "tcn": Network(tcn, rows, "pytorch-tcn"),
    "resnet": Network(resnet, images, "--no-deps pytorchcv"),  # which wants torchvision unused
}
