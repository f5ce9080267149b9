"""The counters themselves: apart, since prometheus-client decides when it is imported whether processes count together."""

from prometheus_client import CollectorRegistry, Counter, Histogram

OWN = CollectorRegistry()
_BOUNDS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 20)  # seconds
ANSWERS = Counter("striate_answers", "Requests that were answered.", ("method", "page", "status"), registry=OWN)
SECONDS = Histogram("striate_answer_seconds", "How long answers took.", ("page",), registry=OWN, buckets=_BOUNDS)
