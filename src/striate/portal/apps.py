"""The application, as Django calls it."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The portal of a competition."""

    name = "striate.portal"
    label = "portal"
    verbose_name = "Competition"
    default_auto_field = "django.db.models.BigAutoField"
