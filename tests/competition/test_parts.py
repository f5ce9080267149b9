"""Scores per brain area and stretch of depth: means over the right neurons, and only of the final test."""

import numpy as np
import pandas as pd
import pytest

from striate.competition.parts import final_parts
from striate.errors import InputError
from striate.metrics import evaluate
from striate.metrics.score_summary import TOO_FEW_IMAGES, ScoreSummary, summarise_scores
from striate.submissions import Truth


def population(neurons: int = 12) -> tuple[Truth, np.ndarray, pd.DataFrame]:
    rng = np.random.default_rng(1)
    images = np.repeat(np.arange(10), 4)
    signal = rng.gamma(2.0, 1.0, (10, neurons))[images]
    truth = Truth(
        "1-1-1",
        np.arange(neurons) * 7,
        np.full(len(images), "final_test"),
        np.arange(len(images)),
        images,
        rng.gamma(4.0, signal / 4).astype(np.float32),
    )
    about = pd.DataFrame(
        {
            "unit_id": np.arange(neurons) * 7,
            "area": ["V1", "LM", "V1", "unknown"] * (neurons // 4),
            "z": np.linspace(101, 212, neurons),
        }
    )
    return truth, signal.astype(np.float32), about.sample(frac=1, random_state=0)


def test_means_are_over_the_neurons_of_each_part() -> None:
    truth, predictions, about = population()
    each = evaluate(truth.responses, predictions, truth.image_id)
    said = summarise_scores(each, None, 10)
    found = final_parts(predictions, truth, "final_test", about, said)
    named = about.set_index("unit_id").loc[truth.unit_ids]
    areas = {part.name: part for part in found if part.kind == "area"}
    assert {name: part.neurons for name, part in areas.items()} == {"LM": 3, "V1": 6}
    for name, part in areas.items():
        members = (named["area"] == name).to_numpy()
        assert part.scores["correlation_to_average"] == pytest.approx(each.correlation_to_average[members].mean())
        assert part.scores["feve"] == pytest.approx(np.nanmean(each.feve.values[members]))
        assert part.scores["cc_norm"] == pytest.approx(np.nanmean(each.cc_norm.values[members]))
    depths = [part for part in found if part.kind == "depth"]
    assert [part.name for part in depths] == ["100–150 µm", "150–200 µm", "200–250 µm"]
    assert sum(part.neurons for part in depths) == 12
    few = said | {"feve": ScoreSummary(None, None, f"{TOO_FEW_IMAGES}: 10 …")}
    for part in final_parts(predictions, truth, "final_test", about, few):
        assert part.scores["feve"] is None
        assert part.scores["correlation_to_average"] is not None


def test_depths_that_were_not_measured_and_unknown_areas_make_no_parts() -> None:
    truth, predictions, about = population()
    said = summarise_scores(evaluate(truth.responses, predictions, truth.image_id), None, 10)
    assert final_parts(predictions, truth, "final_test", about.assign(z=0.0, area="unknown"), said) == []
    found = final_parts(predictions, truth, "final_test", about.assign(z=np.nan), said)
    assert {part.kind for part in found} == {"area"}


def test_neurons_that_the_recording_lacks_are_named() -> None:
    truth, predictions, about = population()
    with pytest.raises(InputError, match="lacks neurons"):
        final_parts(predictions, truth, "final_test", about.iloc[1:], {})
