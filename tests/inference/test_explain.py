"""What a network reads is found: in its gradients, by region, and summed over people."""

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

import aacsfnet
from aacsfnet.config import Config
from aacsfnet.errors import LeakError, SettingsError
from aacsfnet.inference.explain.attribution import attributions
from aacsfnet.inference.explain.explain import _check_held_out, choose, explain
from aacsfnet.inference.explain.regions import MeanFace, regions_of
from aacsfnet.inference.explain.summary import summarise
from aacsfnet.models.network import Network
from aacsfnet.rendering.render import Pose, render
from aacsfnet.rendering.sequences import person_of
from aacsfnet.tables import FUSED, PARTS, encode_png

SIDE = 96


def small(seed=0, **changes):
    torch.manual_seed(seed)
    how = {"backbone": "test_resnet", "image_size": 64, "feature_stride": 16}
    return aacsfnet.create_model(**how, width=32, depth=1, heads=2, **changes).eval()


@pytest.fixture(scope="module")
def pictures():
    return torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def faces():
    """Two people in several poses, `(96, 96, 3)` uint8, with their true landmarks."""
    poses = [Pose(yaw=yaw, roll=roll) for yaw, roll in ((0, 0), (12, 5), (-10, -8))]
    return [render(person_of(3, who), {}, pose, size=SIDE) for who in (1, 2) for pose in poses]


def test_the_branches_gradients_add_up_to_the_networks_own(pictures):
    model = small()
    found = attributions(model, pictures)
    assert list(found) == ["channel", "spatial", FUSED]
    pixels = pictures.clone().requires_grad_(True)
    model(pixels).sum().backward()
    expected = (pixels.grad * model.pixel_deviation).abs().sum(dim=1)
    torch.testing.assert_close(found[FUSED], expected, rtol=1e-3, atol=1e-6)
    assert all(each.shape == (3, 64, 64) for each in found.values())
    bound = found["channel"] + found["spatial"]
    assert (found[FUSED] <= bound * 1.001 + 1e-6).all()


def test_the_gradient_is_what_a_small_step_of_a_pixel_changes(pictures):
    model = small().double()
    doubled = pictures[:1].double()
    found = attributions(model, doubled)[FUSED][0]
    row, column = divmod(int(found.argmax()), 64)
    moved = 0.0
    for colour in range(3):
        step = torch.zeros_like(doubled)
        step[0, colour, row, column] = 1e-4
        with torch.no_grad():
            change = (model(doubled + step) - model(doubled - step)) / 2e-4
        moved += float((change * model.pixel_deviation[colour, 0, 0]).abs())
    assert float(found[row, column]) == pytest.approx(moved, rel=1e-3)


def test_other_weights_give_another_map(pictures):
    one, other = (attributions(small(seed), pictures)[FUSED].flatten() for seed in (0, 1))
    again = attributions(small(0), pictures)[FUSED].flatten()
    torch.testing.assert_close(one, again)
    assert float(torch.corrcoef(torch.stack([one, other]))[0, 1]) < 0.9


def test_one_branch_and_a_network_of_a_fixed_batch_are_told_as_a_whole(pictures):
    assert list(attributions(small(branches=("channel",)), pictures)) == [FUSED]
    published = aacsfnet.create_model(
        "published", backbone="test_resnet", image_size=64, batch=2, width=16, heads=2
    )
    found = attributions(published.eval(), pictures)
    assert list(found) == [FUSED]
    assert found[FUSED].shape == (3, 64, 64)
    assert (found[FUSED].sum(dim=(1, 2)) > 0).all()


class Reader(Network):
    """Reads the mean of the pixels under a mask, and nothing else."""

    def __init__(self, mask):
        super().__init__("reader", {})
        self.mask = torch.from_numpy(mask).float()
        self.head = nn.Identity()

    def features(self, pictures):
        return (pictures * self.mask).mean(dim=(1, 2, 3), keepdim=True)[:, :, 0, 0]

    def score(self, raw):
        return raw[:, 0]


@pytest.mark.parametrize("region", PARTS)
def test_a_network_that_reads_one_region_is_found_to_read_it(faces, region):
    at = PARTS.index(region)
    for face in faces:
        masks = regions_of(face.landmarks_px, SIDE)
        picture = torch.from_numpy(face.picture).permute(2, 0, 1)[None] / 255
        values = attributions(Reader(masks[at] == 1.0), picture)[FUSED][0].numpy()
        shares = (masks * values).sum(axis=(1, 2)) / values.sum()
        assert shares[at] == pytest.approx(1.0, abs=1e-5)


def test_a_network_that_ignores_the_picture_has_no_attribution(pictures):
    found = attributions(Reader(np.zeros((64, 64))), pictures)
    assert float(found[FUSED].sum()) == 0.0


def test_regions_part_the_picture_where_the_parts_are(faces):
    for face in faces:
        masks = regions_of(face.landmarks_px, SIDE)
        np.testing.assert_allclose(masks.sum(axis=0), 1.0)
        whole = dict(zip(PARTS, masks, strict=True))
        points = {
            "lids": (159, 386, 468),
            "lips": (13, 0, 17),
            "nose": (4, 195),
            "brows": (52, 282),
        }
        for region, chosen in points.items():
            for point in chosen:
                x, y = np.rint(face.landmarks_px[point, :2]).astype(int)
                assert whole[region][y, x] > 0.5, (region, point)
        assert whole["hair and background"][0].min() == 1.0
        assert 0.2 < 1 - whole["hair and background"].mean() < 0.6


def test_people_add_up_on_the_mean_face(faces):
    meshes = np.stack([(face.landmarks_px[:, :2] + 0.5) / SIDE for face in faces])
    mean = MeanFace(meshes, 80)
    for face in faces:
        for point in (4, 13, 159, 386, 61, 291, 152, 10):
            marked = np.zeros((SIDE, SIDE), np.float32)
            x, y = np.rint(face.landmarks_px[point, :2]).astype(int)
            marked[y - 1 : y + 2, x - 1 : x + 2] = 1
            brought = mean.bring(marked, face.landmarks_px)
            weights = brought / brought.sum()
            rows, columns = np.mgrid[:80, :80]
            found = np.array([(weights * columns).sum(), (weights * rows).sum()])
            assert np.linalg.norm(found - mean.landmarks[point]) < 1.5, point


def rows_of(shares):
    """A table of three people; `shares` gives each person's share of the lips by level."""
    grey = encode_png(np.full((8, 8), 1000, np.uint16), "x.png")
    made = []
    for subject, by_level in shares.items():
        for level, of_level in by_level.items():
            for number, lips in enumerate(of_level):
                own = dict.fromkeys(PARTS, 0.0) | {"lips": lips, "nose": 1 - lips}
                made.append(
                    {
                        "frame_id": f"{subject}/{level}/{number}",
                        "subject": subject,
                        "label": float(level),
                        "branch": FUSED,
                        "amount": 2.0,
                        "shares": own,
                        "areas": dict.fromkeys(PARTS, 1 / len(PARTS)),
                        "image": grey,
                    }
                )
    return pl.DataFrame(made)


def test_each_person_counts_once_and_people_are_resampled():
    found = summarise(rows_of({"a": {0: [0.2, 0.4], 8: [0.9]}, "b": {0: [0.5] * 30}}), 500, 0.9)
    lips = found.shares[FUSED]["lips"]
    assert lips.value == pytest.approx(((0.3 + 0.9) / 2 + 0.5) / 2)
    assert lips.low == pytest.approx(0.5)
    assert lips.high == pytest.approx(0.6)
    assert sum(share.value for share in found.shares[FUSED].values()) == pytest.approx(1)
    assert [(group.lowest, group.highest, group.subjects) for group in found.groups] == [
        (0, 0, 2),
        (8, 8, 1),
    ]
    np.testing.assert_allclose(found.groups[0].maps[FUSED], 1.0)
    assert np.isnan(found.groups[1].shares[FUSED]["lips"].low)
    assert found.amounts == {FUSED: 1.0}


def test_many_levels_are_put_together():
    levels = {level: [0.5] for level in range(15)}
    found = summarise(rows_of({"a": levels, "b": levels}), 100, 0.9)
    assert len(found.groups) == 6
    assert [found.groups[0].lowest, found.groups[-1].highest] == [0, 14]


def test_a_few_frames_of_each_subject_and_level_are_chosen_alike_for_every_seed():
    names = [f"s{s}/q/{n}" for s in range(2) for n in range(20)]
    rows = pl.DataFrame(
        {
            "frame_id": names * 2,
            "subject": [name[:2] for name in names] * 2,
            "label": [float(n % 3) for n in range(40)] * 2,
            "fold": [0] * 80,
            "seed": [1] * 40 + [2] * 40,
        }
    )
    found = choose(rows, 2)
    counts = found.group_by("subject", "label", "seed").len()["len"]
    assert set(counts) == {2}
    one, two = (set(found.filter(seed=seed)["frame_id"]) for seed in (1, 2))
    assert one == two
    shuffled = choose(rows.sample(fraction=1, shuffle=True, seed=3), 2)
    assert shuffled.equals(found)
    assert len(choose(rows, 100)) == 80


def test_a_held_out_subject_that_is_trained_on_is_refused():
    chosen = pl.DataFrame({"fold": [0, 1], "subject": ["a", "b"]})
    roles = pl.DataFrame({"fold": [0, 1], "subject": ["a", "b"], "role": ["test", "train"]})
    with pytest.raises(LeakError, match="subject 'b' is not held out in fold 1"):
        _check_held_out(chosen, roles)


def test_an_unknown_experiment_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="experiment 'none'"):
        explain(Config(), tmp_path, "none")
