"""What is answered where there is no place for a request at this moment: a sentence, and when to come back."""

import random

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render


class CrowdedError(Exception):
    """There is no place for a request at this moment.

    Parameters
    ----------
    sentence
        What whoever asks is told.
    wait
        The fewest and the most seconds to come back in: not all come back in the same moment.
    """

    def __init__(self, sentence: str, wait: tuple[int, int]) -> None:
        super().__init__(sentence)
        self.wait = wait


def come_back(request: HttpRequest, error: CrowdedError) -> HttpResponse:
    """Ask somebody to come back: a program with JSON, people with a page."""
    answer: HttpResponse
    if request.path.startswith("/api/"):
        answer = JsonResponse({"detail": str(error)}, status=503)
    else:
        answer = render(request, "portal/crowded.html", {"sentence": str(error)}, status=503)
    answer.headers["Retry-After"] = str(random.randint(*error.wait))
    return answer
