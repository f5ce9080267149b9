"""Hold the kernels for GPUs against the reference implementation; run in a process of its own, for Triton's interpreter's sake."""

import itertools

import torch

from striate.models.kernels import readout_reference, readout_triton

device = "cuda" if torch.cuda.is_available() else "cpu"
cases = list(itertools.product((torch.float32, torch.float64), (1, 3), (1, 37)))
for number, grids, neurons in cases:
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(3, 5, 4, 6, generator=generator, dtype=number).to(device).requires_grad_()
    positions = torch.randn(grids, neurons, 2, generator=generator, dtype=number).to(device).requires_grad_()
    features = torch.randn(neurons, 5, generator=generator, dtype=number).to(device).requires_grad_()
    slopes = torch.randn(3, neurons, generator=generator, dtype=number).to(device)
    where = positions[0] if grids == 1 else positions
    value = readout_reference.sample_and_project(
        maps, where, features, torch.zeros(neurons, dtype=number, device=device)
    )
    value.backward(slopes)
    found = [
        readout_triton.forward(maps, positions, features),
        *readout_triton.backward(slopes, maps, positions, features, True),
    ]
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if number == torch.float32 else {"rtol": 1e-9, "atol": 1e-9}
    for a, b in zip(found, [value, maps.grad, positions.grad, features.grad], strict=True):
        torch.testing.assert_close(a, b, **tolerance)
    nothing, *_ = readout_triton.backward(slopes, maps, positions, features, False)
    assert nothing.numel() == 0
print(f"{len(cases)} cases agree")
