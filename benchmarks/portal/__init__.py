"""The portal under load (``python -m benchmarks.portal.load``) and under chaos (``python -m benchmarks.portal.chaos``)."""
