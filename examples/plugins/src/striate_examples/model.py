"""A model of one's own: any module that maps a batch to rates."""

from torch import nn


class Net(nn.Module):
    """One convolution for all recordings, and a linear layer for each."""

    def __init__(self, inputs, width=16):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(inputs.image_shape[0], width, 9, stride=4), nn.ELU(), nn.AdaptiveAvgPool2d((4, 7)), nn.Flatten()
        )
        sizes = {session: nn.Linear(28 * width, neurons) for session, neurons in inputs.neurons.items()}
        self.readouts = nn.ModuleDict({f"session_{session}": layer for session, layer in sizes.items()})

    def forward(self, batch):
        return nn.functional.softplus(self.readouts[f"session_{batch.session}"](self.features(batch.images)))
