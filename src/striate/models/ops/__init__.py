"""Operations that encoders spend their time in, each in its plain PyTorch form."""

from striate.models.ops.sampling import sample_and_project

__all__ = ["sample_and_project"]
