"""Settings of Django. No secret stands here: the key is generated, everything else comes from the environment.

`striate.portal.environment` and `striate.portal.rates` list the variables.
"""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url

from striate.errors import InputError
from striate.portal.bodies import LARGEST_BODY
from striate.portal.bucket import SETTING as STORAGE
from striate.portal.bucket import Bucket
from striate.portal.days import days_told
from striate.portal.environment import check_environment, number
from striate.portal.place import FILE_MODE, Place
from striate.portal.rates import rates
from striate.portal.secret_key import secret_key, told_key

check_environment(os.environ)
# Without a place (type checkers, makemigrations) the settings load all the same, and nothing is kept.
PLACE = Place.from_environment()
DEBUG = False
SECRET_KEY = told_key() or (
    secret_key(PLACE.secret_key) if PLACE and PLACE.data.is_dir() else secrets.token_urlsafe(64)
)

ADDRESS = os.environ.get("STRIATE_PORTAL_ADDRESS", "").rstrip("/")
_public = urlsplit(ADDRESS)
ENCRYPTED = _public.scheme == "https"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *([_public.hostname] if _public.hostname else [])]
# Behind these, who asks is whom the proxy names; nobody else is believed.
PROXIES = (
    [each.strip() for each in os.environ.get("STRIATE_PORTAL_PROXIES", "127.0.0.1,::1").split(",")] if ADDRESS else []
)
CSRF_TRUSTED_ORIGINS = [ADDRESS] if ADDRESS else []

INSTALLED_APPS = [
    "striate.portal.apps.PortalConfig",  # before the admin, whose pages it brands
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "striate.portal.middleware.who_asks",
    "striate.portal.organising.requests.numbered",
    "striate.portal.middleware.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.locale.LocaleMiddleware",  # before all that may refuse with a page
    "striate.portal.problems.problems_for_programs",
    "striate.portal.ratelimit.RateLimits",
    "striate.portal.middleware.limit_bodies",
    "striate.portal.middleware.Places",
    "striate.portal.middleware.refuse_what_nobody_sends",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "striate.portal.middleware.keep_private",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "striate.portal.middleware.maintenance",
    "striate.portal.organising.requests.whole_in_admin",
    "striate.portal.middleware.StorageFaults",
    "striate.portal.middleware.Withdrawals",
    "striate.portal.receiving.admission.admit_uploads",
]
ROOT_URLCONF = "striate.portal.urls"
WSGI_APPLICATION = "striate.portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "striate.portal.context.everywhere",
            ]
        },
    }
]


# A PostgreSQL that has gone without a word is noticed within a minute, and not after hours.
_PATIENCE: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}


def _database() -> dict[str, Any]:
    address = os.environ.get("DATABASE_URL")
    if address:
        try:
            found: dict[str, Any] = dict(dj_database_url.parse(address, conn_max_age=60, conn_health_checks=True))
        except ValueError:  # it may hold a password, and is not quoted
            raise InputError(
                "DATABASE_URL is not the address of a database: give one such as postgresql://user:password@host/name, with "
                "special characters of the password percent-encoded."
            ) from None
        if "postgresql" in str(found["ENGINE"]):
            found["OPTIONS"] = _PATIENCE | dict(found.get("OPTIONS", {}))
        return found
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(PLACE.database) if PLACE else ":memory:",
        "CONN_MAX_AGE": 60,  # seconds; to open it anew for each request takes longer than many pages
        "OPTIONS": {
            # A transaction takes its lock when it begins: one that reads first and writes then cannot be overtaken between.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            # Readers do not wait for writers; what was committed survives a power cut.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }


DATABASES = {"default": _database()}

AUTH_USER_MODEL = "portal.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "striate.portal.permissions.OrganiserBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "CommonPasswordValidator", "NumericPasswordValidator")
] + [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    }
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "account"
LOGOUT_REDIRECT_URL = "home"
PASSWORD_RESET_TIMEOUT = 24 * 3600

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENCRYPTED
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENCRYPTED else None
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if ENCRYPTED else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

NINJA_PAGINATION_PER_PAGE, NINJA_PAGINATION_MAX_LIMIT = 100, 1000

LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]  # each by its own name
LOCALE_PATHS = [Path(__file__).parent / "locale"]
FORMAT_MODULE_PATH = "striate.portal.formats"
LANGUAGE_COOKIE_HTTPONLY, LANGUAGE_COOKIE_SAMESITE, LANGUAGE_COOKIE_SECURE = True, "Lax", ENCRYPTED
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600  # seconds
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
# WhiteNoise reads the files where they are installed: there is no step to collect them.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
LIMITS = rates()
LEASE_SECONDS = number("STRIATE_PORTAL_LEASE", 45, 1, 86_400)
WEB_WORKERS = int(number("STRIATE_PORTAL_WEB_WORKERS", 2, 1, 64))
PUSH_LASTS = days_told("STRIATE_PORTAL_PUSH_DAYS", 7)
BUCKET = Bucket.of(os.environ[STORAGE]) if os.environ.get(STORAGE) else None


def _files(folder: str) -> dict[str, Any]:
    if BUCKET:
        return BUCKET.folder(folder)
    location = str(PLACE.data / folder) if PLACE else ""
    return {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": location, "file_permissions_mode": FILE_MODE},
    }


STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "submissions": _files("submissions"),
    "data": _files("snapshots"),
    "uploads": _files("uploads"),
    "results": _files("results"),
}
DATA_UPLOAD_MAX_MEMORY_SIZE = LARGEST_BODY
FILE_UPLOAD_HANDLERS = ["striate.portal.bodies.DropFiles"]  # where files are accepted, `admit_uploads` says so
FILE_UPLOAD_TEMP_DIR = str(PLACE.uploads) if PLACE and PLACE.uploads.is_dir() else None
FILE_UPLOAD_PERMISSIONS = FILE_MODE


def _mail(address: str) -> None:
    parts = urlsplit(address)
    globals().update(
        EMAIL_BACKEND="striate.portal.accounts.mail.Soon",
        EMAIL_HOST=parts.hostname or "localhost",
        EMAIL_PORT=parts.port or (465 if parts.scheme == "smtps" else 587),
        EMAIL_HOST_USER=unquote(parts.username or ""),
        EMAIL_HOST_PASSWORD=unquote(parts.password or ""),
        EMAIL_USE_SSL=parts.scheme == "smtps",
        EMAIL_USE_TLS=parts.scheme == "smtp" and bool(parts.username),
        EMAIL_TIMEOUT=20,
    )


MAIL = bool(os.environ.get("STRIATE_PORTAL_MAIL"))
if MAIL:
    _mail(os.environ["STRIATE_PORTAL_MAIL"])
else:
    EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
DEFAULT_FROM_EMAIL = os.environ.get("STRIATE_PORTAL_SENDER", f"portal@{_public.hostname or 'localhost'}")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "striate.portal.logs.JsonLines"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "striate.portal": {"level": "INFO"},
        "django.request": {"level": "ERROR"},
        "django": {"handlers": [], "propagate": True},
    },
}
