"""What a run and an ensemble have in common: they predict the neurons of recordings, and say how they were trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from striate.data import DataSettings, Standardisation
    from striate.recordings import Recording
    from striate.training.input_statistics import SessionInputs
    from striate.training.session_scores import SessionScores


class TrainedModel(ABC):
    """A trained model in a folder: a `Run`, or an `Ensemble` of runs. Opened by `striate.open_run`.

    Attributes
    ----------
    folder
        Folder of the model.
    provenance
        What its predictions depend on: versions, seeds, fingerprints of the recordings.
    """

    folder: Path
    provenance: Mapping[str, Any]

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether training has finished."""

    @property
    @abstractmethod
    def protocol(self) -> str:
        """Protocol of the benchmark that the inputs of the model need, such as ``"image"`` or ``"image + behaviour"``."""

    @property
    @abstractmethod
    def sessions(self) -> tuple[str, ...]:
        """Sessions of the recordings that the model predicts."""

    @property
    @abstractmethod
    def recordings(self) -> list[dict[str, Any]]:
        """What is recorded of each recording that the model predicts: session, fingerprint, numbers of trials and neurons."""

    @property
    @abstractmethod
    def datasets(self) -> list[dict[str, Any]]:
        """Datasets of the catalogue that the recordings belong to, with licence and citation; see `striate.catalog.collect_citations`."""

    @property
    @abstractmethod
    def data(self) -> DataSettings:
        """Settings of the batches that the trained module takes."""

    @property
    @abstractmethod
    def label(self) -> str:
        """A few words that say what the model is, such as the description of its recipe."""

    @property
    @abstractmethod
    def trained_on_validation(self) -> str | None:
        """Say why scores on the recordings' own validation trials do not count; None if they do."""

    @abstractmethod
    def module(self, given: nn.Module | None = None) -> nn.Module:
        """Load the trained module from batches to rates, in evaluation mode; into a module of one's own, if one is given."""

    @abstractmethod
    def require_finished(self) -> None:
        """Raise `InputError` if training has not finished."""

    @abstractmethod
    def unit_ids(self, session: str) -> NDArray[np.int64]:
        """Return the unit ids of the neurons that are predicted for a recording, shape (N,)."""

    @abstractmethod
    def inputs(self, session: str) -> SessionInputs:
        """Return the statistics and the image size of a recording at the time of training."""

    @abstractmethod
    def standardisation(self, session: str) -> Standardisation:
        """Return the standardisation of a recording at the time of training, for the predicted neurons."""

    @property
    def scores(self) -> SessionScores:
        """Scores of each recording: those of the validation trials, and of the test tiers that ``striate card`` scored.

        Raises
        ------
        InputError
            If the model is not finished, or the file is damaged.
        """
        from striate.training.run_folder import SCORES
        from striate.training.session_scores import SessionScores

        self.require_finished()
        path = self.folder / SCORES
        return SessionScores.read(path) if path.exists() else SessionScores()

    def respond(
        self,
        images: Any,
        *,
        behavior: Any = None,
        pupil_center: Any = None,
        recording: str | Recording | None = None,
        units: str = "standardised",
        batch_size: int | None = None,
        encoder: nn.Module | None = None,
        device: str = "auto",
    ) -> pd.DataFrame:
        """Predict the responses to raw images, without the recording.

        Images are rescaled and standardised as in training. Images that have neither the size of the recorded images nor that
        of the model's input are first resized, with anti-aliasing, to the size of the recorded images.

        Parameters
        ----------
        images
            Pixel values in the range of the recording's benchmark, in SENSORIUM 2022 grey values from 0 (black) to 255
            (white), as uint8 or other numbers: one image (H, W), several (T, H, W) or (T, 1, H, W), a tensor, a Pillow image,
            the path of an image file, ``.npy`` file or folder of these, or a list of any of them. If the images of the
            benchmark have several channels, arrays are (C, H, W) or (T, C, H, W).
        behavior : (K,) or (T, K)
            Behaviour variables of the benchmark in the recording's raw units, where the model uses them: an array, or a
            mapping or DataFrame with the names of the benchmark, in SENSORIUM 2022 ``pupil dilation``,
            ``derivative of pupil dilation`` and ``running speed``; or ``"median"`` or ``"mean"`` for that of the training
            trials.
        pupil_center : (2,) or (T, 2)
            Horizontal and vertical eye position likewise (columns ``horizontal`` and ``vertical``).
        recording
            Session of the recording, or the recording. Optional if the model has only one recording.
        units
            ``"standardised"``, as in predictions and submissions, or ``"raw"``: those of the recording's responses.
        batch_size
            Number of images in a batch; by default that of the recipe.
        encoder
            Module of your own, for a run that was trained with one; the weights of the run are loaded into it.
        device
            Device of the computation; see `striate.train`.

        Returns
        -------
        DataFrame, T × N
            Rates ≥ 0: a row for each image (its path, or its position) and a column for each unit id.

        Raises
        ------
        InputError
            If the images are no raw images (standardised, or between 0 and 1), or have other proportions than the
            recording's; if a state that the model needs is missing; or if the model is not finished.

        Examples
        --------
        >>> run = Run.open("runs/cnn")  # doctest: +SKIP
        >>> rates = run.respond(["grating.png", "dog.jpg"])  # doctest: +SKIP
        >>> rates.loc["dog.jpg"].nlargest(3)  # doctest: +SKIP
        """
        from striate.training.respond_to_images import respond

        return respond(
            self,
            images,
            behavior=behavior,
            pupil_center=pupil_center,
            recording=recording,
            units=units,
            batch_size=batch_size,
            module=encoder,
            device=device,
        )

    def validation_correlation(
        self, recordings: Iterable[Recording | str | Path] | Recording | str | Path, *, device: str = "auto"
    ) -> float:
        """Score the model on the validation trials of recordings: the figure by which models are chosen.

        Parameters
        ----------
        recordings
            One recording or several of those that the model predicts.
        device
            Device of the computation; see `striate.train`.

        Returns
        -------
        float
            Mean single-trial correlation over all neurons of all recordings, as in the history of a run; undefined correlations
            count as 0.

        Raises
        ------
        InputError
            If the model was trained on validation trials, because they were split anew (``data.folds``): this score would be too
            high.

        Examples
        --------
        >>> striate.open_run("runs/ensemble").validation_correlation(recording)  # doctest: +SKIP
        0.331
        """
        from striate.training.predict import validation_correlation

        if (reason := self.trained_on_validation) is not None:
            raise InputError(
                f"The validation score of {self.folder} would not count, because {reason}: score it on test trials, or compare "
                "the scores that each member reached on its own validation trials."
            )
        return validation_correlation(self, recordings, device)
