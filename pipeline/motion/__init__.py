"""Motion correction: where each frame lies, and the movie with every frame in its place."""

from pipeline.motion.correct import MotionResult, correct_motion
from pipeline.motion.params import MotionParams
from pipeline.motion.quality import MotionQuality

__all__ = ["MotionParams", "MotionQuality", "MotionResult", "correct_motion"]
