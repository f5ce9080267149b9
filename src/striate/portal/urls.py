"""Every address of the portal. A test holds each against a table of who may do what."""

from django.contrib import admin
from django.contrib.auth import views as passwords
from django.urls import path
from django.views.generic import RedirectView
from django.views.i18n import set_language

from striate.portal import site
from striate.portal.accounts import address, teams
from striate.portal.accounts import views as accounts
from striate.portal.api import api
from striate.portal.boards import pages as boards
from striate.portal.entries import pages as entries
from striate.portal.hosting import organising as data_organising
from striate.portal.hosting import pages as hosting
from striate.portal.looking import pages as looking
from striate.portal.organising import alive, announcing, phases
from striate.portal.organising import pages as organising
from striate.portal.receiving import pages as submissions
from striate.portal.reference import reference

handler400 = "striate.portal.site.not_understood"
handler500 = "striate.portal.site.fault"

urlpatterns = [
    path("", site.home, name="home"),
    path("health", site.health, name="health"),
    path("ready", alive.ready, name="ready"),
    path("metrics", alive.metrics, name="metrics"),
    path("announcements/", announcing.announcements, name="announcements"),
    path("announcements.atom", announcing.AnnouncementFeed(), name="announcements-feed"),
    path("organise/", organising.overview, name="organise"),
    path("organise/phases/", phases.phases, name="phases"),
    path("organise/rescore/", organising.rescore, name="rescore"),
    path("favicon.ico", RedirectView.as_view(url="/static/portal/icon.svg"), name="icon"),
    path("language/", set_language, name="language"),
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
    path("accounts/password/", accounts.PasswordView.as_view(), name="password"),
    path("accounts/reset/", accounts.ResetView.as_view(), name="reset"),
    path(
        "accounts/reset/sent/",
        passwords.PasswordResetDoneView.as_view(template_name="portal/accounts/reset_sent.html"),
        name="password_reset_done",
    ),
    path(
        "accounts/reset/<uidb64>/<token>/",
        accounts.ResetConfirmView.as_view(),
        name="password_reset_confirm",
    ),
    path("team/", teams.team, name="team"),
    path("accounts/address/", address.address, name="address"),
    path("accounts/address/<str:token>/", address.change, name="change-address"),
    path("team/rename/", teams.rename, name="rename"),
    path("team/invitation/", teams.new_invitation, name="new-invitation"),
    path("team/join/<str:invitation>/", teams.join, name="join"),
    path("team/leave/", teams.leave, name="leave"),
    path("submit/", submissions.submit, name="submit"),
    path("submit/<uuid:number>/cancel/", submissions.cancel_upload, name="cancel-upload"),
    path("submit/<uuid:number>/", submissions.confirm, name="confirm"),
    path("submissions/<uuid:number>/", submissions.submission, name="submission"),
    path("submissions/<uuid:number>/life/", submissions.life, name="life"),
    path("submissions/<uuid:number>/file/", submissions.sent_file, name="sent-file"),
    path("submissions/<uuid:number>/receipt.json", submissions.receipt, name="receipt"),
    path("submissions/<uuid:number>/choose/", submissions.choose, name="choose"),
    path("submissions/<uuid:number>/note/", submissions.note, name="note"),
    path("submissions/<uuid:number>/again/", submissions.again, name="again"),
    path("boards/", boards.boards, name="boards"),
    path("boards/<slug:slug>/", boards.live, name="board"),
    path("boards/<slug:slug>.json", boards.live_json, name="board-json"),
    path("boards/<slug:slug>.csv", boards.live_csv, name="board-csv"),
    path("boards/<slug:slug>/final/", boards.final, name="final-board"),
    path("boards/<slug:slug>/final.json", boards.final_json, name="final-json"),
    path("boards/<slug:slug>/final.csv", boards.final_csv, name="final-csv"),
    path("entries/<int:receipt>/", entries.show, name="entry"),
    path("submissions/<uuid:number>/card/", entries.card, name="card"),
    path("data/", hosting.data, name="data"),
    path("data/accept/", hosting.accept, name="accept"),
    path("data/manifest.json", hosting.manifest, name="manifest"),
    path("data/recordings/", looking.recordings, name="recordings"),
    path("data/recordings/<slug:session>/", looking.recording, name="recording"),
    path("data/recordings/<slug:session>/state/", looking.state, name="recording-state"),
    path("data/recordings/<slug:session>/<slug:key>/<str:file>", looking.part, name="recording-part"),
    path("data/versions/", hosting.versions, name="versions"),
    path("data/<slug:snapshot>/recordings/", looking.recordings, name="version-recordings"),
    path("data/<slug:snapshot>/recordings/<slug:session>/", looking.recording, name="version-recording"),
    path("data/<slug:snapshot>/recordings/<slug:session>/state/", looking.state, name="version-recording-state"),
    path("data/<slug:snapshot>/", hosting.version, name="version"),
    path("data/<slug:snapshot>/changes/", hosting.changes, name="changes"),
    path("data/<slug:snapshot>/describe/", data_organising.describe, name="describe"),
    path("data/<slug:snapshot>/withdraw/", data_organising.withdraw, name="withdraw"),
    path("data/<slug:snapshot>/restore/", data_organising.restore, name="restore"),
    path("data/<slug:snapshot>/doi/", data_organising.doi, name="doi"),
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
    path("api/", reference, name="api-reference"),
    path("api/v1/", api.urls),
    path("admin/", admin.site.urls),
]
