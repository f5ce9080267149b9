"""Former names of the keys of a recipe, and the names that the SENSORIUM 2022 tools give them."""

# Former name → path of the key today.
RENAMED_SETTINGS = {
    # names that striate used before
    "resident_gib": "data.cache_gib",
    "input_kernel": "model.core.input_kernel_size",
    "hidden_kernel": "model.core.hidden_kernel_size",
    "norm_momentum": "model.core.batch_norm_momentum",
    "smoothness": "model.core.laplace_weight",
    "position_hidden": "model.readout.position_hidden_units",
    "position_spread": "model.readout.init_sigma",
    "sparsity": "model.readout.l1_weight",
    "hidden": "model.shifter.hidden_units",
    "objective": "loss",
    "start": "initialisation",
    "stalls": "schedule.max_plateaus",
    "rate_patience": "schedule.lr_patience",
    "reduction_factor": "schedule.lr_decay_factor",
    "tolerance": "schedule.min_delta",
    "averaging": "schedule.ema_decay",
    # names in sensorium and neuralpredictors
    "include_behavior": "data.behavior",
    "include_eye_position": "data.pupil_center",
    "scale": "data.image_size",
    "neuron_ids": "data.unit_ids",
    "neuron_n": "data.neurons",
    "neuron_base_seed": "data.neuron_seed",
    "image_n": "data.training_images",
    "image_base_seed": "data.image_seed",
    "hidden_channels": "model.core.channels",
    "input_kern": "model.core.input_kernel_size",
    "hidden_kern": "model.core.hidden_kernel_size",
    "linear": "model.core.nonlinear",
    "momentum": "model.core.batch_norm_momentum",
    "gamma_input": "model.core.laplace_weight",
    "hidden_features": "model.readout.position_hidden_units",
    "gamma_readout": "model.readout.l1_weight",
    "shift_layers": "model.shifter.layers",
    "hidden_channels_shifter": "model.shifter.hidden_units",
    "loss_function": "loss.type",
    "lr_init": "schedule.learning_rate",
    "lr_decay_steps": "schedule.max_plateaus",
    "max_iter": "schedule.max_epochs",
}
# What else differs, where the value of the former key does not carry over.
_CONVERSIONS = {
    "scale": "the height and width in pixels instead of a factor",
    "linear": "with the opposite value",
}


def renamed_setting_hint(key: str, table: str) -> str | None:
    """Return the clause of an error message that names the key to use instead of `key`, or None.

    Parameters
    ----------
    key
        An unknown key.
    table
        Path of the table that holds it, such as ``"model.core"``.

    Examples
    --------
    >>> renamed_setting_hint("gamma_input", "model.core")
    "it is called 'laplace_weight'"
    >>> renamed_setting_hint("gamma_readout", "model.core")
    "it is called 'model.readout.l1_weight'"
    >>> renamed_setting_hint("linear", "model.core")
    "it is called 'nonlinear', with the opposite value"
    """
    path = RENAMED_SETTINGS.get(key)
    if path is None:
        return None
    above, _, name = path.rpartition(".")
    conversion = f", {_CONVERSIONS[key]}" if key in _CONVERSIONS else ""
    return f"it is called {(name if above == table else path)!r}{conversion}"
