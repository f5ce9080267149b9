"""Cores: networks from images to feature maps that all recordings share."""

from striate.models.cores.base import Core, CoreSettings
from striate.models.cores.convolutional import ConvolutionalCore, ConvolutionalSettings

__all__ = ["ConvolutionalCore", "ConvolutionalSettings", "Core", "CoreSettings"]
