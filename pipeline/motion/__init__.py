"""Motion correction: where each frame lies, and the movie with every frame in its place."""

from pipeline.motion.correct import correct_motion
from pipeline.motion.params import MotionParams
from pipeline.motion.quality import MotionQuality
from pipeline.motion.result import MotionResult, missing_planes

__all__ = ["MotionParams", "MotionQuality", "MotionResult", "correct_motion", "missing_planes"]
