"""Model card of a run: what it predicts, from what, how well, and where its limits are, as ``README.md`` in its folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from striate.errors import InputError, listed
from striate.metrics.registered import metric_label
from striate.training.card_metadata import card_metadata, to_yaml
from striate.training.ensemble import Ensemble
from striate.training.own_module import OwnModelSettings
from striate.training.run import Run
from striate.training.run_folder import CARD, SCORES, WEIGHTS, write_text
from striate.training.session_scores import SessionScores, score_tiers

if TYPE_CHECKING:
    from torch import nn

    from striate.benchmarks import BenchmarkSpec
    from striate.models import Encoder
    from striate.recordings import Recording
    from striate.training.input_statistics import SessionInputs

PLACEHOLDER = "hf:USER/NAME"  # the card names the model so, until it is uploaded
_UNITS_SHOWN = 5  # unit ids of each recording


def write_card(
    model: Run | Ensemble | Path | str,
    recordings: Iterable[Recording] = (),
    *,
    tiers: Iterable[str] | None = None,
    licence: str | None = None,
    device: str = "auto",
) -> Path:
    """Write the model card of a finished run or ensemble, ``README.md`` in its folder, in place of an earlier one.

    `striate.train` writes one with the scores of the validation trials.

    Parameters
    ----------
    model
        A finished run or ensemble, or its folder.
    recordings
        Recordings that it was trained on, to score it on. The folder keeps the scores.
    tiers
        Tiers to score; by default all test tiers whose responses the recordings have.
    licence
        Licence of the model; by default that of the dataset in the catalogue that the recordings belong to.
    device
        Device of the computation; see `striate.train`.

    Returns
    -------
    Path
        Path of the card.

    Raises
    ------
    InputError
        If the model is not finished, a recording is not one that it was trained on, or all responses of these tiers are
        withheld.

    Examples
    --------
    >>> write_card("runs/cnn", licence="CC BY 4.0")  # doctest: +SKIP
    PosixPath('runs/cnn/README.md')
    """
    from striate.training.open_run import open_run

    opened = open_run(model) if isinstance(model, str | Path) else model
    opened.require_finished()
    scores, given = opened.scores, list(recordings)
    if given:
        new = score_tiers(opened, given, tiers, device=device)
        if missing := [each.session for each in given if each.session not in new.sessions]:
            raise InputError(
                f"Recording {listed(missing)} has no test responses to score against: give a recording that has them, or none."
            )
        scores = scores.updated(new)
        scores.write(opened.folder / SCORES)
    write_text(opened.folder / CARD, model_card(opened, scores, licence=licence))
    return opened.folder / CARD


def model_card(model: Run | Ensemble, scores: SessionScores | None = None, *, licence: str | None = None) -> str:
    """Return the model card of a finished run or ensemble as Markdown.

    Parameters
    ----------
    model
        A finished run or ensemble.
    scores
        Its scores; by default those that its folder keeps.
    licence
        Licence of the model; by default that of the dataset in the catalogue.
    """
    scores = model.scores if scores is None else scores
    inputs = {session: model.inputs(session) for session in model.sessions}
    known = {each["licence"]["name"] for each in model.datasets}
    name = model.folder.resolve().name
    specs = {each.spec.name: each.spec for each in inputs.values()}
    fields = card_metadata(
        name,
        model.protocol,
        list(specs),
        [each["dataset"] for each in model.datasets],
        licence or (known.pop() if len(known) == 1 else None),
        scores,
    )
    sections = [
        _summary(model, name),
        _use(model, inputs),
        _scores(model, scores, specs),
        _data(model, specs, licence),
        _neurons(model),
        *(_of_run(model, inputs) if isinstance(model, Run) else _of_ensemble(model)),
        _limits(model, scores, inputs),
    ]
    return f"---\n{to_yaml(fields)}\n---\n\n" + "\n\n".join(filter(None, sections)) + "\n"


def _of_run(run: Run, inputs: dict[str, SessionInputs]) -> list[str]:
    encoder = None if isinstance(run.recipe.model, OwnModelSettings) else run.encoder()
    return [_geometry(encoder, inputs), _training(run, encoder), _provenance(run)]


def _of_ensemble(ensemble: Ensemble) -> list[str]:
    rows = [
        (
            entry["folder"],
            run.label,
            run.protocol,
            f"{run.provenance['best_validation_correlation']:.4f}",
            f"`{str(entry['weights_sha256'])[:16]}…`",
        )
        for run, entry in zip(ensemble.members, ensemble.provenance["members"], strict=True)
    ]
    header = ("member", "recipe and seed", "protocol", "validation correlation", "SHA-256 of the weights")
    members = (
        f"## Members\n\nThe prediction is the mean of {ensemble.combine} of {len(rows)} runs, which lie in `members/` with their "
        f"recipes, provenance and weights:\n\n{_table(header, rows)}"
    )
    facts = [("created", ensemble.provenance["created"]), ("striate", ensemble.provenance["striate"])]
    if ensemble.provenance.get("command"):
        facts.append(("command", f"`{' '.join(ensemble.provenance['command'])}`"))
    return [members, f"## Provenance\n\n{_table(('', ''), facts)}"]


def _summary(model: Run | Ensemble, name: str) -> str:
    sessions = model.sessions
    counts = [len(model.unit_ids(session)) for session in sessions]
    what = model.recipe.description if isinstance(model, Run) else f"{model.label[0].upper()}{model.label[1:]}."
    what = what or "A model of one's own recipe."
    return (
        f"# {name}\n\n{what}\n\nThis model predicts the responses of {sum(counts):,} neurons in "
        f"{_count(len(sessions), 'recording')} ({listed(sessions, 8)}) of visual cortex. **Protocol: {model.protocol}** — what the model "
        "may know when it predicts. Models of different protocols must not be compared. It was trained with "
        "[striate](https://pypi.org/project/striate/)."
    )


def _use(model: Run | Ensemble, inputs: dict[str, SessionInputs]) -> str:
    session = model.sessions[0]
    state = "".join(
        f', {name}="median"' for name in ("behavior", "pupil_center") if getattr(inputs[session], name) is not None
    )
    several = f', recording="{session}"' if len(model.sessions) > 1 else ""
    load = f'encoder = models.load("{PLACEHOLDER}")  # a PyTorch module\n' if isinstance(model, Run) else ""
    imported = "import striate\nfrom striate import models" if load else "import striate"
    return (
        f"## Use\n\n```python\n{imported}\n\n"
        f'run = striate.open_run("{PLACEHOLDER}")  # or the path of this folder\n'
        f'rates = run.respond("image.png"{state}{several})  # a column for each unit id\n'
        f"{load}```\n\n"
        "Nothing in this folder is executed: weights are safetensors, all else is TOML, JSON and Parquet. The recordings are not needed."
    )


def _scores(model: Run | Ensemble, scores: SessionScores, specs: dict[str, BenchmarkSpec]) -> str:
    metrics = list(
        dict.fromkeys(
            name
            for tiers in scores.sessions.values()
            for found in tiers.values()
            for name, summary in found.metrics.items()
            if summary.mean is not None
        )
    )
    rows = [
        (
            session,
            tier,
            f"{found.trials:,}",
            f"{found.images:,}",
            *(found.metrics[name].text if name in found.metrics else "–" for name in metrics),
        )
        for session, tiers in scores.sessions.items()
        for tier, found in tiers.items()
    ]
    table = _table(("recording", "tier", "trials", "images", *map(metric_label, metrics)), rows)
    validation = {spec.validation_tier for spec in specs.values()}
    tested = [tier for tier in scores.tiers if tier not in validation]
    if not rows:
        return "## Scores\n\nThis model was not scored; `striate card` adds scores."
    note = (
        "Each score is the mean over the neurons, with its 95 % interval from resamples of the images. The validation trials chose the "
        "epoch whose weights were kept, so scores on them are slightly too high."
    )
    if model.trained_on_validation is not None:
        note += f" They are those of this model alone, because {model.trained_on_validation}."
    if not tested:
        note += " The model was not scored on test trials."
    return f"## Scores\n\n{table}\n\n{note}"


def _data(model: Run | Ensemble, specs: dict[str, BenchmarkSpec], licence: str | None) -> str:
    rows = [
        (
            each["session"],
            f"{each['neurons']:,}",
            f"{each['trials']:,}",
            f"{each['training_trials']:,}",
            f"`{each['fingerprint'][:16]}…`",
        )
        for each in model.recordings
    ]
    parts = ["## Data", _table(("recording", "neurons", "trials", "trained on", "fingerprint"), rows)]
    for each in model.datasets:
        terms = each["licence"]
        parts.append(
            f"**{each['title']}** ({', '.join(each['sessions'])}): {_link(terms['name'], terms['address'])}. {terms['terms']}"
        )
        if cited := each["citation"]:
            parts.append(f"Cite: {_link(cited['text'], cited['address'])}")
    covered = {session for each in model.datasets for session in each["sessions"]}
    if unknown := [session for session in model.sessions if session not in covered]:
        parts.append(
            f"Recording {listed(unknown, 8)} belongs to no dataset of the catalogue, so its licence is not known here: whoever shares this "
            f"model must state it. It has the form of the benchmark {_benchmarks(specs)}."
        )
    if licence is not None:
        parts.append(f"The model itself is under the licence {licence}.")
    return "\n\n".join(parts)


def _benchmarks(specs: dict[str, BenchmarkSpec]) -> str:
    return ", ".join(f"{spec.title or spec.name} (`{spec.name}`)" for spec in specs.values())


def _neurons(model: Run | Ensemble) -> str:
    rows = []
    for session in model.sessions:
        ids = model.unit_ids(session).tolist()
        shown = ", ".join(map(str, ids[:_UNITS_SHOWN])) + (", …" if len(ids) > _UNITS_SHOWN else "")
        rows.append((session, f"{len(ids):,}", shown))
    file = "`neurons.parquet`" if isinstance(model, Run) else "`neurons.parquet` of the first member"
    return (
        f"## Neurons\n\nColumns of predictions are neurons in the order of the rows of {file} (recording, unit id, cortical "
        f"position in µm, scale of the responses):\n\n{_table(('recording', 'neurons', 'unit ids'), rows)}\n\nPredictions are in standardised units; times "
        "`response_scale` they are in the units of the recording."
    )


def _geometry(encoder: nn.Module | None, inputs: dict[str, SessionInputs]) -> str:
    from striate.models import Encoder

    if not isinstance(encoder, Encoder):
        return ""
    core, geometry = encoder.core, encoder.core.geometry
    channels, height, width = encoder.input_shape
    planes = encoder.inputs.behavior_planes
    one = next(iter(inputs.values()))
    recorded = " × ".join(map(str, one.image_shape))
    settings = encoder.settings
    rows = [
        ("recorded images", f"{recorded} pixels"),
        ("input", f"{height} × {width} pixels, {_count(channels - planes, 'channel')}"),
        ("behaviour", _behaviour(encoder)),
        ("core", f"`{settings.core.type}`: {core.channels} maps of {geometry.shape[0]} × {geometry.shape[1]}"),
        ("stride of the maps", f"{_pair(geometry.stride)} input pixels"),
        ("centre of the first location", f"{_pair(geometry.offset)} input pixels"),
        ("receptive field of a location", f"{_pair(geometry.size)} input pixels"),
        ("readout", f"`{settings.readout.type}`"),
        ("output", f"`{settings.nonlinearity.type}`"),
    ]
    return (
        "## Geometry\n\n"
        + _table(("", ""), rows)
        + "\n\nPairs are vertical × horizontal; the centre of the first pixel is 0. `encoder.receptive_field_pixels(session)` gives the "
        "centre of each neuron's receptive field, if its readout has one."
    )


def _behaviour(encoder: Encoder) -> str:
    uses = []
    if planes := encoder.inputs.behavior_planes:
        uses.append(f"{planes} constant channels")
    if encoder.uses_behavior:
        uses.append("the core or modulators")
    if encoder.settings.core.uses_pupil_center:
        uses.append("eye position, by the core")
    if encoder.settings.shifter is not None:
        uses.append(f"eye position, by the shifter `{encoder.settings.shifter.type}`")
    return ", ".join(uses) or "not used"


def _training(run: Run, model: nn.Module | None) -> str:
    from striate.models import Encoder
    from striate.models.cost import multiply_adds, parameters

    facts = run.provenance
    history = run.history
    rows = [
        ("epochs", f"{facts['epochs']}; the weights are those of epoch {facts['best_epoch']}"),
        ("seed", str(facts["seed"])),
        ("seconds", f"{history['seconds'].sum():,.0f} on {facts['attempts'][-1]['device']}"),
    ]
    if isinstance(model, Encoder):
        rows.insert(0, ("multiply-adds of an image", f"{multiply_adds(model):,}"))
    if model is not None:
        rows.insert(0, ("parameters", f"{parameters(model):,}"))
    if core := facts.get("core"):
        kind = "fine-tuned" if "finetune" in core else "frozen"
        rows.append(("core", f"{kind}, from {core['run'] or 'an encoder'} (SHA-256 `{core['sha256'][:16]}…`)"))
    return f"## Training\n\n{_table(('', ''), rows)}\n\nThe recipe, with every key:\n\n```toml\n{run.recipe.to_toml().strip()}\n```"


def _provenance(run: Run) -> str:
    facts = run.provenance
    last = facts["attempts"][-1]
    with (run.folder / WEIGHTS).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    rows = [
        ("finished", facts["finished"]),
        ("striate", last["striate"]),
        ("PyTorch", last["torch"]),
        ("NumPy", last["numpy"]),
        ("Python", f"{last['python']} on {last['platform']}"),
        ("SHA-256 of the weights", f"`{digest}`"),
    ]
    if last.get("command"):
        rows.append(("command", f"`{' '.join(last['command'])}`"))
    rows += [
        (f"plugin {each['name']}", " ".join(filter(None, (each["module"], each["version"]))))
        for each in facts.get("plugins", ())
    ]
    return f"## Provenance\n\n{_table(('', ''), rows)}"


def _limits(model: Run | Ensemble, scores: SessionScores, inputs: dict[str, SessionInputs]) -> str:
    spec = next(iter(inputs.values())).spec
    limits = [
        "It predicts these neurons only. Another recording needs a new readout, which can be trained on this core "
        "(`striate train … --core`).",
        "It has seen the images of its recordings. How well it predicts responses to other kinds of stimuli, such as gratings or optimised "
        "images, is not measured by the scores above.",
        "It predicts the mean response to an image, not the variability of single trials, nor how responses change over time.",
    ]
    if spec.sees_image_alone(model.protocol):
        limits.append("It knows nothing of the state of the animal, which responses depend on.")
    else:
        limits.append(
            "It needs the state of the animal. With a fixed state, such as the median, its predictions are those for that state, and "
            "no score above holds for them."
        )
    if not any(found.images < found.trials for tiers in scores.sessions.values() for found in tiers.values()):
        limits.append("It was not scored on repeated images, so how close it comes to the noise ceiling is not known.")
    return "## Limits\n\n" + "\n".join(f"- {each}" for each in limits)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _link(text: str, address: str | None) -> str:
    return f"[{text}]({address})" if address else text


def _pair(values: tuple[float, float]) -> str:
    return f"{values[0]:g} × {values[1]:g}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
