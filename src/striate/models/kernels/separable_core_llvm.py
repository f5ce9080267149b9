"""The innermost loops of a core's forward pass, written for vector units and compiled where numba compiles a call.

A compiler that finds vectors in loops by itself takes half of those that AVX-512 has, and keeps no block of sums in
registers. So these two are written as instructions: a block of a matrix product, and a row of a depth-wise convolution.
Addresses are whole numbers, strides count floats, and nothing is checked: those who use them know the sizes.
numba keeps the code that it made on disk as long as the files that use these, not this one, stay the same: after a change
here, touch `rows.py` and `depthwise_cpu.py`.
"""

from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from striate.models.kernels.readout_numba import EXPONENTIAL

_features = llvmlite.binding.get_host_cpu_features()
SUPPORTED = bool(_features.get("avx512f") or (_features.get("avx2") and _features.get("fma")))
# Floats in a register, and a block of sums that registers hold: places × vectors of channels, or columns of one vector.
# There are 32 registers with AVX-512 and 16 without, and some are needed for what is multiplied.
LANES, VECTORS, PLACES, COLUMNS = (16, 4, 6, 14) if _features.get("avx512f") else (8, 2, 6, 12)
BLOCK = LANES * VECTORS  # channels must be a multiple of it

_FLOAT, _INT, _WORD = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_VECTOR, _INTS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT, LANES)
_BYTES = 4  # of a float


class _Instructions:
    """Those that the kernels need, for vectors of `LANES` floats."""

    def __init__(self, builder: Any) -> None:
        self.build = builder
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        name = f"llvm.fma.v{LANES}f32"
        self._fma = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]

    def load(self, address: Any, kind: Any = _VECTOR) -> Any:
        return self.build.load(self.build.inttoptr(address, kind.as_pointer()), align=_BYTES)

    def store(self, value: Any, address: Any) -> None:
        self.build.store(value, self.build.inttoptr(address, _VECTOR.as_pointer()), align=_BYTES)

    def after(self, address: Any, floats: int) -> Any:
        return self.build.add(address, ir.Constant(_WORD, _BYTES * floats))

    def in_bytes(self, floats: Any) -> Any:
        return self.build.mul(floats, ir.Constant(_WORD, _BYTES))

    def variable(self, value: Any) -> Any:
        # LLVM keeps it in a register
        return cgutils.alloca_once_value(self.build, value)  # type: ignore[no-untyped-call]

    def constant(self, number: float) -> Any:
        return ir.Constant(_VECTOR, [ir.Constant(_FLOAT, float(np.float32(number)))] * LANES)

    def repeated(self, number: Any) -> Any:
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        one = self.build.insert_element(nothing, number, ir.Constant(_INT, 0))
        return self.build.shuffle_vector(one, nothing, ir.Constant(_INTS, [0] * LANES))

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return self.build.call(self._fma, [a, b, c])

    def add_product(self, total: Any, a: Any, b: Any) -> None:
        self.build.store(self.fma(a, b, self.build.load(total)), total)

    def elu(self, x: Any) -> Any:
        """As ``_elu_of_one`` in `striate.models.kernels.readout_numba`, which explains it."""
        build, number = self.build, self.constant
        below = build.select(build.fcmp_ordered(">", x, number(-87)), x, number(-87))
        shifted = self.fma(below, number(1.44269504), number(12582912))
        f = self.fma(below, number(1.44269504), build.fsub(number(12582912), shifted))
        e = number(EXPONENTIAL[0])
        for coefficient in EXPONENTIAL[1:]:
            e = self.fma(e, f, number(coefficient))
        whole = build.shl(build.bitcast(shifted, _INTS), ir.Constant(_INTS, [23] * LANES))
        power = build.bitcast(build.add(whole, ir.Constant(_INTS, [0x3F800000] * LANES)), _VECTOR)
        y = self.fma(build.fmul(e, f), power, build.fsub(power, number(1)))
        return build.select(build.fcmp_ordered("<=", x, number(0)), y, x)


def products(places: int) -> Any:
    """A block of a matrix product: some neighbouring places, `BLOCK` channels.

    ``target[p, c] = bias[c] + Σ_ijk source[i, j, k, p] · weights[ijk, c]``, after an ELU if it is nonlinear. Sizes and
    strides of i, j, k are given, those of the places of source and target, that from one vector of the target to the
    next, and that from one row of the weights to the next.
    """

    def typed(
        context: Any,
        source: Any,
        n_i: Any,
        s_i: Any,
        n_j: Any,
        s_j: Any,
        n_k: Any,
        s_k: Any,
        s_place: Any,
        weights: Any,
        s_row: Any,
        bias: Any,
        target: Any,
        t_place: Any,
        t_vector: Any,
        nonlinear: Any,
    ) -> Any:
        def emit(_context: Any, build: Any, _signature: Any, given: Any) -> Any:
            (
                source,
                n_i,
                s_i,
                n_j,
                s_j,
                n_k,
                s_k,
                s_place,
                weights,
                s_row,
                bias,
                target,
                t_place,
                t_vector,
                nonlinear,
            ) = given
            to = _Instructions(build)
            s_i, s_j, s_k, s_place, s_row, t_place, t_vector = map(
                to.in_bytes, (s_i, s_j, s_k, s_place, s_row, t_place, t_vector)
            )
            starts = [to.load(to.after(bias, LANES * v)) for v in range(VECTORS)]
            totals = [[to.variable(start) for start in starts] for _ in range(places)]
            row = to.variable(weights)
            with cgutils.for_range(build, n_i) as i, cgutils.for_range(build, n_j) as j:
                corner = build.add(build.add(source, build.mul(i.index, s_i)), build.mul(j.index, s_j))
                with cgutils.for_range(build, n_k) as k:
                    at, place = build.load(row), build.add(corner, build.mul(k.index, s_k))
                    factors = [to.load(to.after(at, LANES * v)) for v in range(VECTORS)]
                    build.store(build.add(at, s_row), row)
                    for of_place in totals:
                        value = to.repeated(to.load(place, _FLOAT))
                        for total, factor in zip(of_place, factors, strict=True):
                            to.add_product(total, value, factor)
                        place = build.add(place, s_place)
            with build.if_else(nonlinear) as branches:
                for branch, curved in zip(branches, (True, False), strict=True):
                    with branch:
                        first = target
                        for of_place in totals:
                            address = first
                            for total in of_place:
                                value = build.load(total)
                                to.store(to.elu(value) if curved else value, address)
                                address = build.add(address, t_vector)
                            first = build.add(first, t_place)
            return _context.get_dummy_value()

        return types.void(*[types.int64] * 14, types.boolean), emit

    return intrinsic(typed)


def sums(columns: int) -> Any:
    """A depth-wise convolution with a square kernel at some neighbouring columns, for `LANES` channels.

    ``target[x, c] = Σ_ij source[i, x + j, c] · weights[i, j, c]``; the stride from one row of the source to the next is
    given, everything else lies side by side.
    """

    def typed(context: Any, source: Any, s_row: Any, kernel: Any, weights: Any, target: Any) -> Any:
        def emit(_context: Any, build: Any, _signature: Any, given: Any) -> Any:
            source, s_row, kernel, weights, target = given
            to = _Instructions(build)
            totals = [to.variable(to.constant(0)) for _ in range(columns)]
            row, weight = to.variable(source), to.variable(weights)
            with cgutils.for_range(build, kernel):
                place = to.variable(build.load(row))
                with cgutils.for_range(build, kernel):
                    at, factor = build.load(place), to.load(build.load(weight))
                    for x, total in enumerate(totals):
                        to.add_product(total, to.load(to.after(at, LANES * x)), factor)
                    build.store(to.after(at, LANES), place)
                    build.store(to.after(build.load(weight), LANES), weight)
                build.store(build.add(build.load(row), to.in_bytes(s_row)), row)
            for x, total in enumerate(totals):
                to.store(build.load(total), to.after(target, LANES * x))
            return _context.get_dummy_value()

        return types.void(*[types.int64] * 5), emit

    return intrinsic(typed)


def slopes(kernel: int) -> Any:
    """What a row of slopes adds to the gradient of one row of a depth-wise kernel, for `LANES` channels.

    ``total[j, c] += Σ_x slope[x, c] · source[x + j, c]``; the stride from one place of the slopes to the next is given,
    everything else lies side by side.
    """
    together = 4  # columns, so that each number that was loaded is multiplied more than once

    def typed(context: Any, slope: Any, s_place: Any, source: Any, columns: Any, total: Any) -> Any:
        def emit(_context: Any, build: Any, _signature: Any, given: Any) -> Any:
            slope, s_place, source, columns, total = given
            to = _Instructions(build)
            step = to.in_bytes(s_place)
            totals = [to.variable(to.load(to.after(total, LANES * j))) for j in range(kernel)]
            at_slope, at_source = to.variable(slope), to.variable(source)
            many = build.udiv(columns, ir.Constant(_WORD, together))
            for count, width in ((many, together), (build.urem(columns, ir.Constant(_WORD, together)), 1)):
                with cgutils.for_range(build, count):
                    first = build.load(at_source)
                    values = [to.load(to.after(first, LANES * x)) for x in range(width + kernel - 1)]
                    for x in range(width):
                        factor = to.load(build.load(at_slope))
                        build.store(build.add(build.load(at_slope), step), at_slope)
                        for j, sum_ in enumerate(totals):
                            to.add_product(sum_, factor, values[x + j])
                    build.store(to.after(first, LANES * width), at_source)
            for j, sum_ in enumerate(totals):
                to.store(build.load(sum_), to.after(total, LANES * j))
            return _context.get_dummy_value()

        return types.void(*[types.int64] * 5), emit

    return intrinsic(typed)


def _collect(context: Any, source: Any, s_place: Any, places: Any, target: Any) -> Any:
    """`LANES` channels of neighbouring places, put side by side: ``target[x, c] = source[x · stride + c]``."""

    def emit(_context: Any, build: Any, _signature: Any, given: Any) -> Any:
        source, s_place, places, target = given
        to = _Instructions(build)
        step = to.in_bytes(s_place)
        at_source, at_target = to.variable(source), to.variable(target)
        with cgutils.for_range(build, places):
            place, put = build.load(at_source), build.load(at_target)
            to.store(to.load(place), put)
            build.store(build.add(place, step), at_source)
            build.store(to.after(put, LANES), at_target)
        return _context.get_dummy_value()

    return types.void(*[types.int64] * 4), emit


collect: Any = intrinsic(_collect)
