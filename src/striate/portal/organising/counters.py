"""The counters themselves: apart, since prometheus-client decides when it is imported whether processes count together."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

OWN = CollectorRegistry()
_BOUNDS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 20)  # seconds
ANSWERS = Counter("striate_answers", "Requests that were answered.", ("method", "page", "status"), registry=OWN)
SECONDS = Histogram("striate_answer_seconds", "How long answers took.", ("page",), registry=OWN, buckets=_BOUNDS)


def _now(name: str, text: str) -> Gauge:
    """Something that is measured in each web process, and added up over those that are alive."""
    return Gauge(f"striate_web_{name}", text, registry=OWN, multiprocess_mode="livesum")


MEMORY = _now("memory_bytes", "Memory of the web processes that serve requests (resident).")
THREADS = _now("threads", "Threads that answer requests.")
BUSY = _now("threads_busy", "Threads that answer a request at this moment.")
CONNECTIONS = _now("connections", "Open connections, including those that idle or whose request is not whole.")
