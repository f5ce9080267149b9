"""Admit a sender to the upload form before any byte of the form is read."""

from collections.abc import Callable

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponseBase

from striate.portal.access import NOT_ADMITTED
from striate.portal.accounts.throttle import UPLOAD, too_often
from striate.portal.bodies import UPLOAD_FORM, body_length
from striate.portal.competition import place
from striate.portal.crowded import CrowdedError, come_back
from striate.portal.models import User
from striate.portal.receiving.crowd import among_others, place_to_send
from striate.portal.receiving.decoding import room_for
from striate.portal.site import full_disk

Answer = Callable[[HttpRequest], HttpResponseBase]


def admit_uploads(answer: Answer) -> Answer:
    """Check session, admission, throttle, disk space and concurrency of a form with files, and only then let Django parse it.

    Django writes the files of a form to disk as soon as anything looks at ``request.POST``, which the CSRF check does. This
    middleware comes before all CSRF checks. At every other address `striate.portal.bodies.DropFiles` keeps no file.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.method != "POST" or request.path != UPLOAD_FORM:
            return answer(request)
        user = request.user
        if not isinstance(user, User):
            return redirect_to_login(UPLOAD_FORM)
        if not user.admitted:
            raise PermissionDenied(NOT_ADMITTED)
        if UPLOAD.take(str(user.pk)) is None:
            return too_often(request, UPLOAD, str(user.pk))
        if not room_for(place().uploads, body_length(request)):
            return full_disk(request)
        request.upload_handlers = [TemporaryFileUploadHandler(request)]
        try:
            with among_others(user.pk), place_to_send():
                return answer(request)
        except CrowdedError as error:
            return come_back(request, error)

    return middleware
