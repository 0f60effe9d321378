"""One shard with a face, see `tests.one_shard`."""

from tests.one_shard import face_landmarks, face_picture, run_shard, settings, shard

__all__ = ["face_landmarks", "face_picture", "run_shard", "settings", "shard"]
