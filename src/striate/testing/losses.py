"""Conformance suite for losses."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from striate.registry import losses


class LossTests:
    """Test suite for a loss: derive a class from it in a test module, name the loss, and run pytest.

    ::

        from striate.testing import LossTests

        class TestHuber(LossTests):
            settings = {"type": "huber"}

    Attributes
    ----------
    settings
        Settings of the loss, with the key ``type``.
    """

    settings: ClassVar[Mapping[str, Any]] = {}

    def loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the loss as a function of rates and responses, (B, N)."""
        return losses.function(losses.settings(self.settings))

    def responses(self) -> Tensor:
        """Return random responses, ≥ 0, of 20 trials and 5 neurons, the same each time."""
        return torch.rand(20, 5, generator=torch.Generator().manual_seed(0)) * 4

    def test_there_is_a_value_for_each_neuron(self) -> None:
        """The last axis of the loss are the neurons, and values are finite, even for rates and responses of 0."""
        responses = self.responses()
        for rates in (responses, torch.zeros_like(responses), responses + 1):
            for measured in (responses, torch.zeros_like(responses)):
                loss = self.loss()(rates, measured)
                assert loss.shape in ((20, 5), (5,))
                assert torch.isfinite(loss).all()

    def test_the_loss_of_a_neuron_depends_on_that_neuron_alone(self) -> None:
        """Other rates of one neuron leave the losses of the others unchanged."""
        responses = self.responses()
        rates = responses.flip(0)
        changed = rates.clone()
        changed[:, 2] += 1
        before, after = self.loss()(rates, responses), self.loss()(changed, responses)
        torch.testing.assert_close(before[..., [0, 1, 3, 4]], after[..., [0, 1, 3, 4]])
        assert not torch.equal(before[..., 2], after[..., 2])

    def test_perfect_predictions_are_best(self) -> None:
        """The measured responses, as predictions, have a smaller loss than others."""
        responses = self.responses()
        best = float(self.loss()(responses, responses).sum())
        for rates in (responses.flip(0), responses + 0.5, responses.mean(0).expand(20, 5)):
            assert best <= float(self.loss()(rates, responses).sum())

    def test_gradients_are_finite_and_point_to_the_responses(self) -> None:
        """A small step against the gradient brings the loss down."""
        responses = self.responses()
        rates = (responses.flip(0) + 0.1).requires_grad_()
        loss = self.loss()(rates, responses).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        assert rates.grad is not None
        assert torch.isfinite(rates.grad).all()
        step = 1e-3 / float(rates.grad.norm())
        assert float(self.loss()(rates.detach() - step * rates.grad, responses).sum()) < float(loss.detach())
