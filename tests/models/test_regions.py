import pytest
import torch

from aacsfnet.models.regions import REGIONS, RegionTokens, region_weights


def test_a_change_is_seen_in_the_region_where_it_is():
    """At the mouth it moves the lips' features, and those of the brows hardly."""
    torch.manual_seed(0)
    regions = RegionTokens([6, 12], 16).eval()
    maps = [torch.randn(1, 6, 16, 16), torch.randn(1, 12, 16, 16)]
    lips = [place for place, (_, y) in enumerate(REGIONS) if 0.6 < y < 0.7]
    brows = [place for place, (_, y) in enumerate(REGIONS) if y < 0.25]
    with torch.no_grad():
        before = regions(maps)
        assert before.shape == (1, regions.channels)
        for branch in range(2):
            changed = [each.clone() for each in maps]
            changed[branch][..., 9:12, 5:11] += 3.0 * torch.randn(maps[branch].shape[1], 1, 1)
            moved = (regions(changed) - before).view(len(REGIONS), -1).norm(dim=1)
            assert moved[lips].min() > 100 * moved[brows].max()


@pytest.mark.parametrize("side", [4, 7, 28])
def test_each_region_lies_about_its_place_on_a_map_of_any_size(side):
    weights = region_weights(torch.tensor(REGIONS), side, side, torch.zeros(1)).view(-1, side, side)
    middles = (torch.arange(side) + 0.5) / side
    x, y = (weights.sum(1) * middles).sum(1), (weights.sum(2) * middles).sum(1)
    found = torch.stack([x, y], dim=1)
    assert (found - torch.tensor(REGIONS)).abs().max() < 0.5 / side


def test_the_regions_of_a_face_and_of_its_mirror_image_are_the_same():
    image = {(round(1.0 - x, 3), y) for x, y in REGIONS}
    assert image == {(round(x, 3), y) for x, y in REGIONS}
