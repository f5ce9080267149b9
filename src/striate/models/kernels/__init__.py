"""Operations that encoders spend their time in: each in a plain PyTorch form that defines it, and in fused forms."""

from striate.models.kernels.dispatch import Form, form, use_form
from striate.models.kernels.malloc import freed_memory_kept
from striate.models.kernels.readout import sample_and_project

__all__ = ["Form", "form", "freed_memory_kept", "sample_and_project", "use_form"]
