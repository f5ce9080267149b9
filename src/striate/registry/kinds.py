"""The registries of striate: one for each kind of component."""

from collections.abc import Mapping
from typing import Any

from striate.registry.components import Registry
from striate.registry.plugins import when_a_plugin_fails

# What a component must provide is described in the class named beside it.
models: Registry[Any] = Registry("models", "model", default="encoder")
cores: Registry[Any] = Registry(
    "cores",
    "core",
    default="convolutional",
    settings_base="striate.models.cores.base:CoreSettings",
    base="striate.models.cores.base:Core",
)
readouts: Registry[Any] = Registry(
    "readouts", "readout", default="gaussian", base="striate.models.readouts.base:Readout"
)
shifters: Registry[Any] = Registry("shifters", "shifter", default="mlp", base="striate.models.shifters.base:Shifter")
modulators: Registry[Any] = Registry(
    "modulators",
    "modulator",
    settings_base="striate.models.modulators.base:ModulatorSettings",
    base="striate.models.modulators.base:Modulator",
)
nonlinearities: Registry[Any] = Registry(
    "nonlinearities", "nonlinearity", default="elu", base="striate.models.nonlinearities:Nonlinearity"
)
losses: Registry[Any] = Registry(  # striate.training.losses says what a loss is
    "losses", "loss", default="poisson", settings_base="striate.training.recipe:LossSettings"
)
optimisers: Registry[Any] = Registry(  # striate.training.optimisers
    "optimisers", "optimiser", default="adam", settings_base="striate.training.recipe:OptimiserSettings"
)
schedules: Registry[Any] = Registry(
    "schedules",
    "schedule",
    default="plateau",
    settings_base="striate.training.recipe:ScheduleSettings",
    base="striate.training.schedules:Schedule",
)
augmentations: Registry[Any] = Registry("augmentations", "augmentation")  # striate.data.augmentations
callbacks: Registry[Any] = Registry("callbacks", "callback", base="striate.training.callbacks:Callback")
metrics: Registry[Any] = Registry("metrics", "metric")  # striate.metrics.registered
formats: Registry[Any] = Registry(
    "formats", "format", base="striate.submissions.formats.base:SubmissionFormat"
)  # striate.submissions.formats
benchmarks: Registry[Any] = Registry("benchmarks", "benchmark", default="sensorium2022")  # striate.benchmarks

REGISTRIES: Mapping[str, Registry[Any]] = {
    registry.kind: registry
    for registry in (
        models,
        cores,
        readouts,
        shifters,
        modulators,
        nonlinearities,
        losses,
        optimisers,
        schedules,
        augmentations,
        callbacks,
        metrics,
        formats,
        benchmarks,
    )
}


def _forget(module: str) -> None:
    for registry in REGISTRIES.values():
        registry.forget(module)


when_a_plugin_fails(_forget)
