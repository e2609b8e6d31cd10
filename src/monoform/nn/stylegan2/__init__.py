"""Layers of StyleGAN2 (Karras et al. 2020) in plain PyTorch: equalized, resampling through filters, modulated.

Parts are named as in the published state dicts; filters are no part of these.
"""

from __future__ import annotations

from .activation import Activation as Activation
from .activation import bias_act as bias_act
from .activation import default_gain as default_gain
from .convolution import EqualizedConv2d as EqualizedConv2d
from .convolution import resampled_conv2d as resampled_conv2d
from .fir import TAPS as TAPS
from .fir import downsample2d as downsample2d
from .fir import filter2d as filter2d
from .fir import fir_kernel as fir_kernel
from .fir import upfirdn2d as upfirdn2d
from .fir import upsample2d as upsample2d
from .linear import EqualizedLinear as EqualizedLinear
from .mapping import MappingNetwork as MappingNetwork
from .mapping import normalize_second_moment as normalize_second_moment
from .modulated import demodulation as demodulation
from .modulated import modulated_conv2d as modulated_conv2d
from .synthesis import Noise as Noise
from .synthesis import SynthesisBlock as SynthesisBlock
from .synthesis import SynthesisLayer as SynthesisLayer
from .synthesis import SynthesisNetwork as SynthesisNetwork
from .synthesis import ToRGB as ToRGB
