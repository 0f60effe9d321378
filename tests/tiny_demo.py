"""Settings with which a run of the whole workflow is a matter of seconds."""

#: The demo data, small: every stage does its real work in seconds. Two of four share a shard.
TINY = {
    "index": {
        "demo": {"subjects": 4, "sequences": 1, "frames": 8, "picture_size": 192},
        "packed_frames": 16,
    },
    "prompts": {
        "keep": {"variants": 1, "neutral_share": 0.3},
        "level": {"pictures": 1, "levels": [6, 12]},
    },
    "generate": {"steps": 4, "batch": 4},
    "merge": {"folds": 2, "validation_subjects": 1, "image_size": 64},
    "train": {"epochs": 1, "batch": 8},
    "evaluate": {"bootstrap": 200},
    "experiments": {"full": {}, "no-generation": {"train": {"synthetic": False}}},
}
