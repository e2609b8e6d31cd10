"""Figures of merit: images, masks, shapes, poses, and distributions of images and poses.

Arrays may be numpy or torch; results are plain numbers.
"""

from __future__ import annotations

from .depth import depth_error as depth_error
from .frechet import Moments as Moments
from .frechet import frechet_distance as frechet_distance
from .image import psnr as psnr
from .image import ssim as ssim
from .inception_score import inception_score as inception_score
from .kernel_distance import kernel_distance as kernel_distance
from .lpips import Lpips as Lpips
from .overlap import mask_iou as mask_iou
from .overlap import volume_iou as volume_iou
from .pose import rotation_error as rotation_error
from .pose import translation_error as translation_error
from .pose_distribution import circular_wasserstein as circular_wasserstein
from .pose_distribution import pose_distances as pose_distances
from .precision_recall import precision_recall as precision_recall
from .shape import chamfer as chamfer
from .shape import f_score as f_score
from .shape import nearest as nearest
from .shape import normal_consistency as normal_consistency
from .shape import precision as precision
from .shape import recall as recall
