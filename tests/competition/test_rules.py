"""``competition.toml``: what it may say, and how it is refused."""

import tomllib
from datetime import UTC, datetime, timedelta, timezone

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from tests.competition.examples import DURING, STARTS, small_rules, tables

from striate.competition import TEMPLATES, parse_rules, read_rules, template
from striate.errors import InputError


@pytest.mark.parametrize("kind", TEMPLATES)
def test_templates_pass_their_own_check_and_are_commented(kind):
    text = template(kind, starts=STARTS)
    rules = parse_rules(text)
    assert rules.starts == STARTS
    assert text.count("#") > 15
    assert rules.closes > rules.starts


def test_the_template_of_2022_has_its_structure():
    rules = parse_rules(template("sensorium2022", starts=STARTS))
    assert [track.name for track in rules.tracks] == ["sensorium", "sensorium+"]
    assert [track.metric for track in rules.tracks] == ["correlation_to_average", "single_trial_correlation"]
    assert rules.track("sensorium").withhold == ("behavior", "pupil_center")
    assert len(rules.pretraining.sessions) == 5
    assert len(rules.sessions) == 7
    assert [(track.name, protocol) for track, protocol in rules.boards] == [
        ("sensorium", "image"),
        ("sensorium+", "image"),
        ("sensorium+", "image + behaviour"),
    ]


def test_a_template_takes_the_session_of_ones_own():
    assert parse_rules(template("own", starts=STARTS, session="77-2-3")).tracks[0].session == "77-2-3"
    with pytest.raises(InputError, match="cannot name a session"):
        template("own", starts=STARTS, session="my mouse")
    with pytest.raises(InputError, match="did you mean 'own'"):
        template("owm", starts=STARTS)
    with pytest.raises(InputError, match="between 1970 and 2999"):
        template("own", starts=datetime(9999, 12, 31, tzinfo=UTC))


@pytest.mark.slow
@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.integers(-12, 12))
def test_templates_are_valid_whenever_they_start(moment, hours):
    starts = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    for kind in TEMPLATES:
        assert parse_rules(template(kind, starts=starts)).starts <= starts


def test_rules_are_the_same_after_writing():
    rules = small_rules()
    assert parse_rules(rules.to_toml()) == rules


def test_phases_include_their_start_and_not_their_end():
    rules = small_rules()
    assert rules.phase_at(STARTS).name == "live"
    assert rules.phase_at(DURING).name == "live"
    assert rules.phase_at(rules.closes).name == "evaluation"
    assert rules.phase_at(STARTS - timedelta(seconds=1)) is None
    assert rules.phase_at(DURING.astimezone(timezone(timedelta(hours=9)))).name == "live"


BAD = {
    "an unknown key": ({"titel": "x"}, "'titel'.*did you mean 'title'"),
    "a name": ({"name": "Our Competition"}, "lower-case"),
    "an unknown metric": ({"tracks__0__metric": "correlation"}, "no metric of the benchmark.*single_trial_correlation"),
    "an unknown protocol": ({"tracks__1__protocols": ["images"]}, "did you mean 'image'"),
    "no track": ({"tracks": []}, "tracks"),
    "dates out of order": (
        {"phases__0__ends": datetime(2026, 2, 1, tzinfo=UTC)},
        "'live' ends.*put the dates in order",
    ),
    "phases out of order": ({"phases__1__starts": DURING}, "'evaluation' starts.*before phase 'live' ends"),
    "a date without a zone": ({"phases__0__starts": datetime(2026, 3, 1)}, "a zone, such as"),
    "a day": ({"phases__0__starts": STARTS.date()}, "a zone, such as"),
    "no phase for submissions": ({"phases__0__submissions": False}, "no phase takes submissions"),
    "no repeats, and a metric that needs them": (
        {"tiers__final": {"least_repeats": 1}},
        "needs repeats, but tiers.final",
    ),
    "one recording behind two tracks": ({"tracks__1__session": "11-1-1"}, "share the recording 11-1-1"),
    "a track's recording for pre-training": ({"pretraining__sessions": ["11-1-1"]}, "gives away"),
    "two tracks of one file": (
        {"tracks__1__name": "sensorium-plus", "tracks__0__name": "sensorium.plus"},
        "special characters only",
    ),
    "two tracks of one name": ({"tracks__1__name": "sensorium"}, "two tracks|image alone"),
    "behaviour allowed and withheld": ({"tracks__1__withhold": ["behavior"]}, "withholds behavior"),
    "past responses": (
        {"tracks__1__protocols": ["image + behaviour + past responses"]},
        "order of its trials is withheld",
    ),
    "something unknown withheld": ({"tracks__0__withhold": ["images"]}, "withhold"),
    "a baseline's recipe": ({"baselines__0__recipe": "cn-2022"}, "no such recipe: did you mean"),
    "a baseline's track": ({"baselines__0__tracks": ["sensorum"]}, "did you mean 'sensorium'"),
    "two baselines that look alike": (
        {"baselines": [{"name": "LN baseline"}, {"name": "LN b\N{CYRILLIC SMALL LETTER A}seline"}]},
        "look alike",
    ),
    "two baselines that differ in case": ({"baselines": [{"name": "LN"}, {"name": "ln"}]}, "look alike"),
    "two phases of one name": ({"phases__1__name": "live"}, "two phases are called 'live'"),
    "what cannot be declared": ({"declared": [{"leak": "withheld-responses", "why": "because"}]}, "cannot be declared"),
    "a session": ({"tracks__0__session": "mouse one"}, "animal-session-scan"),
    "a share": ({"tiers__final_share": 1.5}, "final_share"),
    "a text for a number": ({"limits__per_day": "two"}, "per_day"),
    "a title of two lines": ({"title": "Our\ncompetition"}, "has a line break"),
    "a title that turns around": ({"title": "Our \u202ecompetition"}, r"u202ecompetition.*cannot be seen"),
    "an endless title": ({"title": "x" * 201}, "at most 200"),
    "a blank phase": ({"phases__0__name": " "}, "blank"),
    "phases that look alike": ({"phases__1__name": "LIVE"}, "'live' and 'LIVE' look alike"),
    "a baseline whose name no database keeps": ({"baselines__0__name": "x" * 101}, "at most 100"),
    "terms that write into a terminal": ({"licence__terms": "Name us.\x1b[2J"}, "cannot be seen"),
    "a limit that no database counts": ({"limits__per_day": 10**25}, "less than or equal to 1000000"),
    "a year that no time zone has": (
        {"phases__1__ends": datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12)))},
        "between the years 1970 and 2999",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rules_are_refused_in_one_sentence(name):
    changes, said = BAD[name]
    with pytest.raises(InputError, match=said) as refusal:
        parse_rules(tomli_w.dumps(tables(**changes)), "competition.toml")
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("competition.toml: ")


def test_a_file_that_is_no_toml_is_refused(tmp_path):
    file = tmp_path / "competition.toml"
    for content, said in ((b"name = ", "not valid TOML"), (b"\xff\xfe", "UTF-8")):
        file.write_bytes(content)
        with pytest.raises(InputError, match=said):
            read_rules(file)
    with pytest.raises(InputError, match="striate competition new"):
        read_rules(tmp_path / "nothing.toml")


def test_rules_are_read_from_a_file_or_from_the_folder_of_a_competition(tmp_path):
    text = template("own", starts=STARTS)
    (tmp_path / "competition.toml").write_text(text)
    assert read_rules(tmp_path) == read_rules(tmp_path / "competition.toml") == (parse_rules(text), text)
    assert tomllib.loads(text)["name"] == "our-competition"
