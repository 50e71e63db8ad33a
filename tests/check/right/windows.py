"""Sorting, pooling, convolution, sums along an axis."""

import numpy as np
from check.case import Case, normal, weights

import koubai
from koubai import Function


class Sort:
    def forward(self, x):
        self.order = np.argsort(x, axis=1)
        return np.take_along_axis(x, self.order, axis=1)

    def backward(self, dout):
        dx = np.empty_like(dout)
        np.put_along_axis(dx, self.order, dout, axis=1)
        return dx


class MaxPool:
    def __init__(self, size):
        self.size = size

    def forward(self, x):
        N, C, H, W = x.shape
        s = self.size
        self.shape = x.shape
        col = x.reshape(N, C, H // s, s, W // s, s).transpose(0, 1, 2, 4, 3, 5)
        col = col.reshape(N, C, H // s, W // s, s * s)
        self.arg = col.argmax(axis=-1)
        return col.max(axis=-1)

    def backward(self, dout):
        N, C, H, W = self.shape
        s = self.size
        col = np.zeros((*dout.shape, s * s))
        np.put_along_axis(col, self.arg[..., None], dout[..., None], axis=-1)
        col = col.reshape(N, C, H // s, W // s, s, s).transpose(0, 1, 2, 4, 3, 5)
        return col.reshape(N, C, H, W)


def im2col(x, fh, fw, stride, pad):
    N, C, H, W = x.shape
    oh, ow = (H + 2 * pad - fh) // stride + 1, (W + 2 * pad - fw) // stride + 1
    img = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    col = np.zeros((N, C, fh, fw, oh, ow))
    for i in range(fh):
        for j in range(fw):
            i_max, j_max = i + stride * oh, j + stride * ow
            col[:, :, i, j] = img[:, :, i:i_max:stride, j:j_max:stride]
    return col.transpose(0, 4, 5, 1, 2, 3).reshape(N * oh * ow, -1)


def col2im(col, shape, fh, fw, stride, pad):
    N, C, H, W = shape
    oh, ow = (H + 2 * pad - fh) // stride + 1, (W + 2 * pad - fw) // stride + 1
    col = col.reshape(N, oh, ow, C, fh, fw).transpose(0, 3, 4, 5, 1, 2)
    img = np.zeros((N, C, H + 2 * pad + stride - 1, W + 2 * pad + stride - 1))
    for i in range(fh):
        for j in range(fw):
            i_max, j_max = i + stride * oh, j + stride * ow
            img[:, :, i:i_max:stride, j:j_max:stride] += col[:, :, i, j]
    return img[:, :, pad : H + pad, pad : W + pad]


class Convolution:
    def __init__(self, W, b, stride=1, pad=0):
        self.W, self.b, self.stride, self.pad = W, b, stride, pad
        self.dW = self.db = None

    def forward(self, x):
        FN, _, FH, FW = self.W.shape
        N, _, H, W = x.shape
        oh = (H + 2 * self.pad - FH) // self.stride + 1
        ow = (W + 2 * self.pad - FW) // self.stride + 1
        self.x_shape = x.shape
        self.col = im2col(x, FH, FW, self.stride, self.pad)
        self.col_W = self.W.reshape(FN, -1).T
        out = self.col @ self.col_W + self.b
        return out.reshape(N, oh, ow, -1).transpose(0, 3, 1, 2)

    def backward(self, dout):
        FN, C, FH, FW = self.W.shape
        dout = dout.transpose(0, 2, 3, 1).reshape(-1, FN)
        self.db = dout.sum(axis=0)
        self.dW = (self.col.T @ dout).T.reshape(FN, C, FH, FW)
        return col2im(dout @ self.col_W.T, self.x_shape, FH, FW, self.stride, self.pad)


class CumSum(Function):
    def forward(self, x):
        return np.cumsum(x, axis=1)

    def backward(self, gy):
        return np.flip(np.cumsum(np.flip(gy, 1), axis=1), 1)


class Median(Function):
    def forward(self, x):
        self.shape = x.shape
        order = np.argsort(x, axis=1)
        n = x.shape[1]
        self.middle = order[:, (n - 1) // 2 : n // 2 + 1]
        return np.median(x, axis=1)

    def backward(self, gy):
        gx = np.zeros(self.shape)
        share = gy[:, None] / self.middle.shape[1]
        np.put_along_axis(gx, self.middle, np.broadcast_to(share, self.middle.shape), axis=1)
        return gx


class Trace(Function):
    def forward(self, x):
        self.inv = np.linalg.inv(x)
        return np.log(np.abs(np.linalg.det(x)))

    def backward(self, gy):
        return gy * self.inv.T


def windows(x):
    return koubai.sum(koubai.sliding_window_view(x, 3, axis=1) ** 2, axis=2)


def conv(**settings):
    return lambda: Convolution(weights(2, 3, 3, 3), weights(2), **settings)


CASES = [
    Case("sort", Sort, normal((3, 5)), None),
    Case("sort_of_koubai", lambda: koubai.sort, normal((3, 5)), None),
    Case("max_pool", lambda: MaxPool(2), normal((2, 2, 4, 4)), None),
    Case("convolution", conv(), normal((2, 3, 5, 4)), None),
    Case("convolution_padded_with_strides", conv(stride=2, pad=1), normal((1, 3, 5, 5)), None),
    Case("cumulative_sum", CumSum, normal((3, 5)), None),
    Case("median_of_even", Median, normal((3, 4)), None),
    Case("median_of_odd", Median, normal((3, 5)), None),
    Case("log_determinant", Trace, normal((4, 4)), None),
    Case("sliding_windows", lambda: windows, normal((2, 6)), None),
]
