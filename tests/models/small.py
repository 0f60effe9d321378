"""Settings of a network that is small in each of its parts."""

SMALL = {
    "backbone": "test_resnet",
    "image_size": 64,
    "feature_stride": 16,
    "context_width": 32,
    "context_depth": 1,
    "width": 32,
    "depth": 1,
    "heads": 2,
    "fusion_width": 16,
}
