"""Train a small model on a simulated recording and draw its history: writes schedule.png (takes a minute or two)."""

from pathlib import Path
from tempfile import TemporaryDirectory

from figure_style import BLUE, save

import striate
from striate.report.figures import training_curves

simulated = striate.simulate(
    neurons=120,
    train=900,
    validation=150,
    test_images=2,
    repeats=2,
    image_shape=(36, 64),
    reliability=0.5,
    seed=3,
)
settings = {
    "data.image_size": [18, 32],
    "data.batch_size": 64,
    "model.core.input_kernel_size": 5,
    "model.core.hidden_kernel_size": 5,
    "initialisation.positions": "random",
    "initialisation.biases": "zero",
    "schedule.ema_decay": 0.0,
    "schedule.learning_rate": 0.009,
    "schedule.min_delta": 1e-6,
    "schedule.patience": 4,
    "schedule.max_plateaus": 4,
    "schedule.lr_patience": 4,
    "schedule.max_epochs": 120,
}
with TemporaryDirectory() as folder:
    run = striate.train(
        "cnn-small",
        simulated.recording,
        Path(folder) / "run",
        overrides=settings,
        progress=False,
    )
    figure = training_curves({"CNN": run.history}, {"CNN": BLUE})
figure.set_size_inches(7.0, 2.8)
save(figure, "schedule")
