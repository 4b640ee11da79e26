"""What torch's operators do to the levels of a network: which multiply, and which only move."""

from __future__ import annotations

LEVELS = {
    "convolution": 1, "mm": 1, "addmm": 1, "bmm": 1, "baddbmm": 1, "addbmm": 1, "mv": 1, "addmv": 1,
    "dot": 1, "vdot": 1, "addr": 1, "addcmul": 1, "linear": 1, "matmul": 1, "_trilinear": 2,
}  # fmt: skip
"""Operators of torch's that multiply, and how many levels each takes."""

MOVES = {
    "view", "_unsafe_view", "reshape", "permute", "transpose", "transpose_", "t", "t_", "expand",
    "slice", "select", "unsqueeze", "unsqueeze_", "squeeze", "squeeze_", "split", "unbind", "alias",
    "split_with_sizes", "unsafe_split", "unsafe_chunk", "as_strided", "detach", "detach_", "unfold",
    "lift_fresh", "cat", "stack", "clone", "copy", "copy_", "_to_copy", "repeat", "roll", "flip",
    "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "narrow",
    "replication_pad1d", "replication_pad2d", "replication_pad3d", "index", "_unsafe_index",
    "index_select", "gather", "embedding", "take", "where", "masked_fill", "masked_fill_", "tril",
    "triu", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "im2col", "upsample_nearest1d",
    "upsample_nearest2d", "upsample_nearest3d", "slice_scatter", "select_scatter", "zero_", "fill_",
    "empty", "empty_like", "empty_strided", "new_empty", "zeros", "zeros_like", "new_zeros", "ones",
    "ones_like", "new_ones", "full", "full_like", "new_full", "arange", "scalar_tensor",
    "_local_scalar_dense", "add", "add_", "sub", "sub_", "rsub", "neg", "neg_", "sum", "cumsum",
    "col2im", "index_add", "index_add_",
}  # fmt: skip
"""Operators of torch's that move numbers, or cost additions alone."""

LINEAR = MOVES | {
    "mean", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "_adaptive_avg_pool2d",
    "_adaptive_avg_pool3d", "upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d",
    "upsample_bicubic2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
    "native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training",
    "cudnn_batch_norm", "miopen_batch_norm",
}  # fmt: skip
"""Operators of torch's that cost no level: those that move, and means of plain weights."""
