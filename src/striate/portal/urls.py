"""Every address of the portal. A test holds each against a table of who may do what."""

from django.contrib import admin
from django.contrib.auth import views as passwords
from django.urls import path
from django.views.generic import RedirectView

from striate.portal import site
from striate.portal.accounts import teams
from striate.portal.accounts import views as accounts
from striate.portal.api import api
from striate.portal.boards import pages as boards
from striate.portal.hosting import organising
from striate.portal.hosting import pages as hosting
from striate.portal.receiving import pages as submissions

urlpatterns = [
    path("", site.home, name="home"),
    path("health", site.health, name="health"),
    path("favicon.ico", RedirectView.as_view(url="/static/portal/icon.svg"), name="icon"),
    path("accounts/", accounts.account, name="account"),
    path("accounts/sign-up/", accounts.sign_up, name="sign-up"),
    path("accounts/sign-in/", accounts.SignInView.as_view(), name="sign-in"),
    path("accounts/sign-out/", accounts.sign_out, name="sign-out"),
    path("accounts/verify/", accounts.verify_again, name="verify-again"),
    path("accounts/verify/<str:token>/", accounts.verify, name="verify"),
    path("accounts/export/", accounts.export, name="export"),
    path("accounts/delete/", accounts.delete, name="delete"),
    path("accounts/tokens/", accounts.make_token, name="make-token"),
    path("accounts/tokens/<int:number>/revoke/", accounts.revoke_token, name="revoke-token"),
    path(
        "accounts/password/",
        passwords.PasswordChangeView.as_view(template_name="portal/accounts/password.html", success_url="/accounts/"),
        name="password",
    ),
    path("accounts/reset/", accounts.ResetView.as_view(), name="reset"),
    path(
        "accounts/reset/sent/",
        passwords.PasswordResetDoneView.as_view(template_name="portal/accounts/reset_sent.html"),
        name="password_reset_done",
    ),
    path(
        "accounts/reset/<uidb64>/<token>/",
        passwords.PasswordResetConfirmView.as_view(
            template_name="portal/accounts/reset_confirm.html", success_url="/accounts/sign-in/"
        ),
        name="password_reset_confirm",
    ),
    path("team/", teams.team, name="team"),
    path("team/join/<str:invitation>/", teams.join, name="join"),
    path("team/leave/", teams.leave, name="leave"),
    path("submit/", submissions.submit, name="submit"),
    path("submissions/<uuid:number>/", submissions.submission, name="submission"),
    path("submissions/<uuid:number>/life/", submissions.life, name="life"),
    path("submissions/<uuid:number>/file/", submissions.sent_file, name="sent-file"),
    path("submissions/<uuid:number>/choose/", submissions.choose, name="choose"),
    path("submissions/<uuid:number>/note/", submissions.note, name="note"),
    path("submissions/<uuid:number>/again/", submissions.again, name="again"),
    path("boards/", boards.boards, name="boards"),
    path("boards/<slug:slug>/", boards.live, name="board"),
    path("boards/<slug:slug>.json", boards.live_json, name="board-json"),
    path("boards/<slug:slug>.csv", boards.live_csv, name="board-csv"),
    path("boards/<slug:slug>/final/", boards.final, name="final-board"),
    path("data/", hosting.data, name="data"),
    path("data/accept/", hosting.accept, name="accept"),
    path("data/manifest.json", hosting.manifest, name="manifest"),
    path("data/versions/", hosting.versions, name="versions"),
    path("data/<slug:snapshot>/", hosting.version, name="version"),
    path("data/<slug:snapshot>/changes/", hosting.changes, name="changes"),
    path("data/<slug:snapshot>/describe/", organising.describe, name="describe"),
    path("data/<slug:snapshot>/doi/", organising.doi, name="doi"),
    path("data/<slug:snapshot>/snapshot.json", hosting.canonical, name="canonical"),
    path("data/<slug:snapshot>/archive.tar", hosting.archive, name="bulk"),
    path("data/<slug:snapshot>/CITATION.cff", hosting.citation, name="citation"),
    path("data/<slug:snapshot>/datacite.json", hosting.datacite_json, name="datacite-json"),
    path("data/<slug:snapshot>/datacite.xml", hosting.datacite_xml, name="datacite-xml"),
    path("data/<slug:snapshot>/manifest.json", hosting.snapshot_manifest, name="snapshot-manifest"),
    path("data/<slug:snapshot>/files/<path:name>", hosting.file, name="file"),
    path("competition.toml", submissions.rules_file, name="rules"),
    path("commitment.json", submissions.commitment, name="commitment"),
    path("receipts.jsonl", submissions.receipts, name="receipts"),
    path("api/", api.urls),
    path("admin/", admin.site.urls),
]
