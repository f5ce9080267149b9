"""Cores: networks from images to feature maps that all recordings share."""

from striate.models.cores.convolutional import ConvolutionalCore

__all__ = ["ConvolutionalCore"]
