"""Figures of merit: images, masks, shapes, poses. Arrays may be numpy or torch; results are plain numbers."""

from __future__ import annotations

from .image import psnr as psnr
from .image import ssim as ssim
from .lpips import Lpips as Lpips
from .overlap import mask_iou as mask_iou
from .overlap import volume_iou as volume_iou
from .pose import rotation_error as rotation_error
from .pose import translation_error as translation_error
from .shape import chamfer as chamfer
from .shape import f_score as f_score
from .shape import nearest as nearest
from .shape import normal_consistency as normal_consistency
from .shape import precision as precision
from .shape import recall as recall
