"""Time-critical operations of encoders: each has a reference implementation in PyTorch and fused kernels."""

from striate.models.kernels.dispatch import Backend, current_backend, use_backend
from striate.models.kernels.malloc import freed_memory_kept
from striate.models.kernels.readout import sample_and_project

__all__ = ["Backend", "current_backend", "freed_memory_kept", "sample_and_project", "use_backend"]
