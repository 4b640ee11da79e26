"""One thread for every test: small networks gain nothing from more, and timings stay steady."""

import torch

torch.set_num_threads(1)
