"""The published arithmetic, written out once more in plain operations."""

import math

import pytest
import torch

import aacsfnet
from tools.published_weights import from_original, to_original

BATCH = 4


def linear(x, w, name):
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)


def layer_norm(x, w, name):
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def batch_norm(x, w, name):
    shape = (1, -1) + (1,) * (x.ndim - 2)
    mean, variance = w[f"{name}.running_mean"].view(shape), w[f"{name}.running_var"].view(shape)
    scaled = (x - mean) / torch.sqrt(variance + 1e-5)
    return scaled * w[f"{name}.weight"].view(shape) + w[f"{name}.bias"].view(shape)


def attend(q, k, v, heads):
    """q, k, v: (sequence, width) of one example; loops, so that no axis can be mistaken."""
    size = q.shape[1] // heads
    parts = []
    for head in range(heads):
        at = slice(head * size, (head + 1) * size)
        scores = torch.softmax(q[:, at] @ k[:, at].T / math.sqrt(size), dim=1)
        parts.append(scores @ v[:, at])
    return torch.cat(parts, dim=1)


def encoder(x, w, name, depth, heads):
    """Post-norm encoder over axis 0, each index of axis 1 on its own, as the original feeds it."""
    for layer in range(depth):
        at = f"{name}.layers.{layer}"
        weight, bias = w[f"{at}.self_attn.in_proj_weight"], w[f"{at}.self_attn.in_proj_bias"]
        width = x.shape[2]
        mixed = []
        for column in range(x.shape[1]):
            q, k, v = (x[:, column] @ weight.T + bias).split(width, dim=1)
            mixed.append(linear(attend(q, k, v, heads), w, f"{at}.self_attn.out_proj"))
        x = layer_norm(x + torch.stack(mixed, dim=1), w, f"{at}.norm1")
        forward = linear(torch.relu(linear(x, w, f"{at}.linear1")), w, f"{at}.linear2")
        x = layer_norm(x + forward, w, f"{at}.norm2")
    return layer_norm(x, w, f"{name}.norm")


def conv(x, w, name, **settings):
    return torch.nn.functional.conv2d(x, w[f"{name}.weight"], w.get(f"{name}.bias"), **settings)


def resnet(x, w):
    at = "resnet50_modified"
    x = torch.relu(batch_norm(conv(x, w, f"{at}.0", stride=2, padding=3), w, f"{at}.1"))
    x = torch.nn.functional.max_pool2d(x, 3, 2, 1)
    for layer, blocks in ((4, 3), (5, 4), (6, 6), (7, 3)):
        for block in range(blocks):
            name = f"{at}.{layer}.{block}"
            stride = 2 if layer > 4 and block == 0 else 1
            y = torch.relu(batch_norm(conv(x, w, f"{name}.conv1"), w, f"{name}.bn1"))
            y = conv(y, w, f"{name}.conv2", stride=stride, padding=1)
            y = torch.relu(batch_norm(y, w, f"{name}.bn2"))
            y = batch_norm(conv(y, w, f"{name}.conv3"), w, f"{name}.bn3")
            if f"{name}.downsample.0.weight" in w:
                x = conv(x, w, f"{name}.downsample.0", stride=stride)
                x = batch_norm(x, w, f"{name}.downsample.1")
            x = torch.relu(x + y)
    return x


def channel_branch(x, w):
    x = resnet(x, w)
    gate = linear(x.mean((2, 3)), w, "HAM.channel_attention.fc.0")
    gate = torch.sigmoid(linear(torch.relu(gate), w, "HAM.channel_attention.fc.2"))
    x = x * gate[:, :, None, None]
    maps = torch.stack([x.mean(1), x.max(1).values], dim=1)
    x = x * torch.sigmoid(conv(maps, w, "HAM.spatial_attention.conv1", padding=3))
    x = torch.relu(batch_norm(conv(x, w, "HAM.con_1_1.0"), w, "HAM.con_1_1.1"))
    x = x.reshape(BATCH, 512, 49)
    x = encoder(x, w, "HAM.TransformerEncorder.trans.encoder", 3, 7).mean(2)
    x = torch.relu(batch_norm(linear(x, w, "DimReduction.fc.0"), w, "DimReduction.fc.1"))
    x = torch.relu(batch_norm(linear(x, w, "DimReduction.fc.4"), w, "DimReduction.fc.5"))
    return linear(x, w, "DimReduction.fc.8")


def spatial_branch(x, w):
    at = "BiScaleCrossViT"
    classes = []
    for scale, patch in enumerate((32, 16, 8)):
        tokens = conv(x, w, f"{at}.patch_embeds.{scale}.proj", stride=patch)
        tokens = tokens.reshape(BATCH, 192, -1).permute(0, 2, 1)
        first = w[f"{at}.cls_tokens.{scale}"].repeat(BATCH, 1, 1)
        tokens = torch.cat([first, tokens], 1) + w[f"{at}.pos_embeds.{scale}"]
        for block in range(3):
            name = f"{at}.blocks.{scale}.{block}"
            qkv = linear(layer_norm(tokens, w, f"{name}.norm1"), w, f"{name}.attn.qkv")
            mixed = torch.stack([attend(*one.split(192, dim=1), 6) for one in qkv])
            tokens = tokens + linear(mixed, w, f"{name}.attn.proj")
            hidden = linear(layer_norm(tokens, w, f"{name}.norm2"), w, f"{name}.mlp.fc1")
            hidden = 0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2)))
            tokens = tokens + linear(hidden, w, f"{name}.mlp.fc2")
        classes.append(layer_norm(tokens, w, f"{at}.norm")[:, 0])
    crossed = []
    for scale in range(3):
        others = torch.stack([classes[i] for i in range(3) if i != scale], dim=1)
        q = linear(classes[scale][:, None], w, f"{at}.cross_attn.q")
        k, v = (linear(others, w, f"{at}.cross_attn.{each}") for each in "kv")
        mixed = torch.stack([attend(*one, 6) for one in zip(q, k, v, strict=True)])
        crossed.append(linear(mixed[:, 0], w, f"{at}.cross_attn.proj"))
    return linear(torch.cat(crossed, 1), w, f"{at}.head")


def original(x, w):
    tokens = torch.stack([channel_branch(x, w), spatial_branch(x, w)], dim=1)
    mixed = encoder(tokens, w, "TransformerEncorder_Fuse.trans.encoder", 2, 1)
    x = torch.cat([tokens, mixed], dim=2).reshape(BATCH, -1)
    return linear(torch.relu(batch_norm(linear(x, w, "fc.0"), w, "fc.1")), w, "fc.4")


@pytest.fixture(name="model", scope="module")
def _model():
    torch.manual_seed(0)
    model = aacsfnet.create_model("published", batch=BATCH)
    model.pixel_mean.zero_()
    model.pixel_deviation.fill_(1.0)
    for name, parameter in model.named_parameters():  # no weight may be at a value that hides it
        if parameter.ndim == 1 or "positions" in name or "class_token" in name:
            torch.nn.init.normal_(parameter, 1.0 if name.endswith("weight") else 0.0, 0.2)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
    return model.eval()


def test_it_is_the_originals_arithmetic(model):
    pictures = torch.rand((BATCH, 3, 224, 224), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = original(pictures, to_original(model.state_dict()))
        found = model.raw(pictures)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert expected.std() > 1e-4


def test_weights_survive_the_way_to_the_originals_names_and_back(model):
    there = to_original(model.state_dict())
    back = from_original(there)
    own = {"pixel_mean", "pixel_deviation", "label_mean", "label_deviation"}
    assert set(back) == set(model.state_dict()) - own
    assert all(torch.equal(back[name], model.state_dict()[name]) for name in back)


def test_it_has_the_originals_size(model):
    """32.9 M parameters with the 1.76 M that the original never uses, all under its names."""
    weights = to_original(model.state_dict())
    counted = {
        name: value.numel()
        for name, value in weights.items()
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
    }
    assert sum(counted.values()) == pytest.approx(32.9e6, abs=0.05e6)
    idle = sum(count for name, count in counted.items() if ".decoder." in name)
    assert idle == pytest.approx(1.76e6, abs=0.005e6)


def test_names_of_neither_are_refused():
    with pytest.raises(KeyError, match="temporal"):
        from_original({"temporal.weight": torch.zeros(1)})
    with pytest.raises(KeyError, match="temporal"):
        to_original({"temporal.weight": torch.zeros(1)})


@pytest.fixture(name="small", scope="module")
def _small():
    torch.manual_seed(0)
    return aacsfnet.create_model("published", backbone="test_resnet", image_size=64, batch=4).eval()


def test_it_has_the_faults_that_ours_has_not(small):
    """The same checks that tests/models/test_network.py makes of ours fail on the published one."""
    coarse = torch.rand((6, 3, 5, 5), generator=torch.Generator().manual_seed(1))
    pictures = torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear")
    with torch.no_grad():
        # A score depends on its batch mates.
        first, second = small(pictures[:4]), small(pictures[[0, 1, 4, 5]])
        assert (first[:2] - second[:2]).abs().max() > 1e-6
        # The channel branch's pooled features are next to nothing at initialisation.
        features = small.backbone(small.normalise(pictures[:4]))
        pooled = small.context(small.narrow(features).flatten(2)).mean(2)
        assert pooled.abs().max() < 1e-5
    # Any other batch raises.
    with pytest.raises(ValueError, match="batches of 4, got 3"):
        small(pictures[:3])


def test_its_branches_never_meet_in_fusion(small):
    tokens = torch.randn(4, 2, 16)
    changed = tokens.clone()
    changed[:, 1] += 1.0
    with torch.no_grad():
        assert torch.equal(small.fusion(tokens)[:, 0], small.fusion(changed)[:, 0])
