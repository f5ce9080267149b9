"""The application, as Django calls it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    """The portal of a competition."""

    name = "striate.portal"
    label = "portal"
    verbose_name = _("Competition")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Begin to write the audit log; keep what is written once so on the database, too."""
        from django.db.models.signals import post_migrate, pre_migrate

        from striate.portal.models import triggers
        from striate.portal.organising.watching import watch
        from striate.portal.plugins import load_plugins

        load_plugins()
        watch()
        pre_migrate.connect(triggers.before_migrating, sender=self, dispatch_uid="written once")
        post_migrate.connect(triggers.after_migrating, sender=self, dispatch_uid="written once")
