"""Search with Optuna: trials are chosen by the scores of earlier ones. The study is kept in the folder of the sweep."""

from __future__ import annotations

import json
import warnings
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate._internal.safe_parsing import MalformedError, parse_json_object
from striate.errors import InputError, nearest, shortened
from striate.sweeps.plan import Trial
from striate.sweeps.space import Chooser, Configuration, Range

if TYPE_CHECKING:
    import optuna

    from striate.sweeps.jobs import Job, JobResult
    from striate.sweeps.plan import Plan
    from striate.sweeps.search_options import SearchOptions

_STORAGE = "optuna.log"
_SETTINGS = "settings"  # user attribute of a trial: the configuration, as JSON
_REASON = "reason"  # user attribute of a trial: why it has failed
_SAMPLERS = {
    "tpe": "TPESampler",
    "random": "RandomSampler",
    "cmaes": "CmaEsSampler",
    "gp": "GPSampler",
    "qmc": "QMCSampler",
}
_PRUNERS = {
    "none": "NopPruner",
    "median": "MedianPruner",
    "percentile": "PercentilePruner",
    "hyperband": "HyperbandPruner",
    "successive_halving": "SuccessiveHalvingPruner",
}


def import_optuna() -> Any:
    """Import Optuna.

    Raises
    ------
    InputError
        If it is not installed.

    Examples
    --------
    >>> import_optuna().__name__
    'optuna'
    """
    try:
        import optuna
    except ImportError as error:
        raise InputError(
            "A search with Optuna needs the package optuna: install it (pip install 'striate[sweep]'), or draw configurations at random."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def build_sampler(options: SearchOptions, source: str) -> optuna.samplers.BaseSampler:
    """Build the sampler that options choose; see `SearchOptions`.

    Examples
    --------
    >>> from striate.sweeps.search_options import SearchOptions
    >>> type(build_sampler(SearchOptions(sampler="random"), "space.toml")).__name__
    'RandomSampler'
    """
    sampler: optuna.samplers.BaseSampler = _build(
        import_optuna().samplers, _SAMPLERS, options.sampler, "sampler", source, {"seed": options.seed}
    )
    return sampler


def build_pruner(options: SearchOptions, source: str) -> optuna.pruners.BasePruner:
    """Build the pruner that options choose; see `SearchOptions`.

    Examples
    --------
    >>> from striate.sweeps.search_options import SearchOptions
    >>> type(build_pruner(SearchOptions(pruner="median"), "space.toml")).__name__
    'MedianPruner'
    """
    pruner: optuna.pruners.BasePruner = _build(import_optuna().pruners, _PRUNERS, options.pruner, "pruner", source, {})
    return pruner


def _build(
    module: Any, names: Mapping[str, str], given: str | Mapping[str, Any], what: str, source: str, defaults: Any
) -> Any:
    table = {"type": given} if isinstance(given, str) else dict(given)
    name = table.pop("type", None)
    if not isinstance(name, str) or name not in names:
        raise InputError(f"{source}: sweep.{what} has no type {shortened(name)!r}: {nearest(str(name), names)}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some options are marked as experimental
        try:
            return getattr(module, names[name])(**defaults, **table)
        except (TypeError, ValueError, ImportError) as error:
            raise InputError(
                f"{source}: Optuna cannot make the {what} {name!r} ({shortened(' '.join(str(error).split()), 200)}): mend its options in [sweep]."
            ) from error


class _Suggesting(Chooser):
    """Asks a trial of Optuna for values."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self._alternatives: dict[str, int] = {}  # what was chosen so far

    def number(self, key: str, domain: Range) -> float | int:
        name = self._name(key)
        if domain.integer:
            return self._trial.suggest_int(name, int(domain.low), int(domain.high), log=domain.log)
        return self._trial.suggest_float(name, domain.low, domain.high, log=domain.log)

    def index(self, key: str, count: int) -> int:
        chosen: int = self._trial.suggest_categorical(self._name(key), list(range(count)))
        self._alternatives[key] = chosen
        return chosen

    def _name(self, key: str) -> str:
        """Return the name of a setting in the study, where alternatives may give one key different ranges."""
        within = (f" ({above}: {index})" for above, index in self._alternatives.items() if key.startswith(f"{above}."))
        return key + "".join(within)


class OptunaSearch:
    """Gives jobs to a queue as Optuna chooses them, and tells Optuna their scores.

    Parameters
    ----------
    plan
        Plan of the sweep.
    folder
        Folder of the sweep.
    score
        Function that returns the score of a trial from the results of its jobs; None if it has none.
    higher_is_better
        Whether it is maximised.
    """

    def __init__(
        self, plan: Plan, folder: Path, score: Callable[[list[JobResult]], float | None], *, higher_is_better: bool
    ) -> None:
        self._optuna = engine = import_optuna()
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        self._plan = plan
        self._score = score
        self._sign = 1 if higher_is_better else -1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study = engine.create_study(
                study_name="sweep",
                storage=JournalStorage(JournalFileBackend(str(folder / _STORAGE))),
                sampler=build_sampler(plan.options, plan.source),
                pruner=build_pruner(plan.options, plan.source),
                direction="maximize" if higher_is_better else "minimize",
                load_if_exists=True,
            )
        self.trials: dict[str, Trial] = {}
        self.notes: dict[str, str] = {}
        self._waiting: deque[Job] = deque()
        self._left: dict[str, list[Job]] = {}
        self._results: dict[str, list[JobResult]] = {}
        self._asked: dict[str, Any] = {}  # by Optuna
        self._open: dict[str, int] = {}  # numbers of the trials whose score Optuna waits for
        self._resume()

    def _resume(self) -> None:
        """Go on with the trials of an earlier call."""
        states = self._optuna.trial.TrialState
        for frozen in self._study.get_trials(deepcopy=False):
            settings = _settings(frozen.user_attrs.get(_SETTINGS))
            if settings is None:  # the call ended while this one was being asked for
                if frozen.state == states.RUNNING:
                    self._study.tell(frozen.number, state=states.FAIL)
                continue
            try:
                trial = self._plan.trial(frozen.number + 1, settings)
            except InputError:  # settings that contradict each other, and were refused before
                trial = Trial(str(frozen.number + 1), settings, self._plan.recipe)
            self.trials[trial.name] = trial
            if frozen.state == states.RUNNING:
                self._open[trial.name] = frozen.number
            if frozen.state in (states.RUNNING, states.COMPLETE):
                if frozen.state == states.RUNNING or self._same(trial) is None:
                    self._add(trial)
            else:
                pruned = frozen.state == states.PRUNED
                self.notes[trial.name] = "stopped early" if pruned else str(frozen.user_attrs.get(_REASON, "failed"))

    def _add(self, trial: Trial) -> None:
        jobs = trial.jobs(self._plan.recordings, self._plan.seeds)
        self._left[trial.name] = list(jobs)
        self._results[trial.name] = []
        self._waiting += jobs

    def next_job(self) -> Job | None:
        """Return the next job: of a trial that has begun, or of a new one; None if there are enough trials."""
        while not self._waiting:
            if len(self.trials) >= (self._plan.trials or 0):
                return None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                asked = self._study.ask()
                settings = self._plan.space.choose(_Suggesting(asked))
            asked.set_user_attr(_SETTINGS, json.dumps(settings))
            name = str(asked.number + 1)
            try:
                trial = self._plan.trial(asked.number + 1, settings)
            except InputError as error:  # two settings that contradict each other; each was valid on its own
                self.trials[name] = Trial(name, settings, self._plan.recipe)
                self._asked[name] = asked
                self._fail(asked.number, name, str(error))
                continue
            self.trials[name] = trial
            self._asked[name], self._open[name] = asked, asked.number
            if (same := self._same(trial)) is not None and (known := self._value(same)) is not None:
                self._tell(name, known)
                continue
            self._add(trial)
        return self._waiting.popleft()

    def on_epoch(self, job: Job, epoch: int, value: float) -> bool:
        """Report the validation correlation of the first seed, and return whether its trial is to be stopped."""
        name, _, seed = job.name.partition("-seed")
        asked = self._asked.get(name)
        if asked is None or int(seed) != self._plan.seeds[0]:
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an epoch that was reported before an interruption
            asked.report(self._sign * value, epoch)
            return bool(asked.should_prune())

    def on_end(self, result: JobResult) -> None:
        """Note how a job has ended; after the last one of a trial, tell Optuna its score."""
        name = result.job.name.partition("-seed")[0]
        self._results[name].append(result)
        self._left[name] = [job for job in self._left[name] if job.name != result.job.name]
        if result.status == "stopped":
            dropped = {job.name for job in self._left[name]}
            self._waiting = deque(job for job in self._waiting if job.name not in dropped)
            self._left[name] = [job for job in self._left[name] if job.name not in dropped]
            self.notes[name] = "stopped early"
            if name in self._open:
                self._study.tell(self._open.pop(name), state=self._optuna.trial.TrialState.PRUNED)
        if self._left[name] or name not in self._open:
            return
        failed = next((each.reason for each in self._results[name] if each.status == "failed"), None)
        value = self._score(self._results[name]) if failed is None else None
        if value is None:
            self._fail(self._open.pop(name), name, failed or "it has no score")
        else:
            self._tell(name, value)

    def _same(self, trial: Trial) -> str | None:
        """Return the name of an earlier trial with the same settings, and note that they are the same; None if there is none."""
        earlier = (each for each in self.trials.values() if each is not trial and each.settings == trial.settings)
        same = next((each.name for each in earlier if self._value(each.name) is not None), None)
        if same is not None:
            self.notes[trial.name] = f"the same as trial {same}"
        return same

    def _tell(self, name: str, value: float) -> None:
        self._study.tell(self._open.pop(name), value)

    def _fail(self, number: int, name: str, reason: str) -> None:
        self.notes[name] = reason
        if name in self._asked:
            self._asked[name].set_user_attr(_REASON, reason)
        self._study.tell(number, state=self._optuna.trial.TrialState.FAIL)

    def _value(self, name: str) -> float | None:
        frozen: optuna.trial.FrozenTrial = self._study.get_trials(deepcopy=False)[int(name) - 1]
        return frozen.value if frozen.state == self._optuna.trial.TrialState.COMPLETE else None


def _settings(text: object) -> Configuration | None:
    try:
        return parse_json_object(text) if isinstance(text, str) else None
    except MalformedError:
        return None
