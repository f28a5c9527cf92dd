"""Features out of models of PyTorch, and heads back into them."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import tailfit
from tailfit._head import as_head
from tailfit.torch import CosineHead, GatedHead, features, find_classifier, replace_head


class Small(nn.Module):
    """A network in the manner of torchvision's: convolution, norm, pooling, ``fc``."""

    def __init__(self, n_classes=5, bias=True):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3)
        self.norm = nn.BatchNorm2d(16)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(16, n_classes, bias=bias)

    def forward(self, x):
        x = self.norm(self.conv(x)).relu().mean(dim=(2, 3))
        return self.fc(self.drop(x))


def loader(n=24, n_classes=5):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(n, 3, 12, 12, generator=generator)
    return DataLoader(TensorDataset(images, torch.arange(n) % n_classes), batch_size=7)


def head_like(model, n_classes=5):
    layer = find_classifier(model)[1]
    rng = np.random.default_rng(0)
    return tailfit.Head(rng.standard_normal((n_classes, layer.in_features)), rng.standard_normal(n_classes))


def round_trip(model, batch, tmp_path, logits=lambda output: output):
    """A new head gives its own logits of the features, also after saving and loading."""
    taken = features(model, batch)
    head = head_like(model)
    replace_head(model, head)
    model.eval()
    with torch.no_grad():
        outputs = [logits(model(**b) if isinstance(b, dict) else model(b[0])) for b in batch]
    found = torch.cat(outputs).double().numpy()
    wanted = head.logits(taken.x)
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    again = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in again.parameters():
            parameter.zero_()
    again.load_state_dict(torch.load(tmp_path / "model.pt"))
    with torch.no_grad():
        loaded = [logits(again(**b) if isinstance(b, dict) else again(b[0])) for b in batch]
    assert (torch.cat(loaded) == torch.cat(outputs)).all()
    return taken


def test_a_network_like_torchvisions(tmp_path):
    model = Small().train()
    taken = round_trip(model, loader(), tmp_path)
    assert taken.x.shape == (24, 16) and list(taken.y[:6]) == [0, 1, 2, 3, 4, 0]


class Projected(Small):
    """A network with a projection as wide as its features before the last layer."""

    def __init__(self):
        super().__init__()
        self.projection = nn.Linear(16, 16)

    def forward(self, x):
        x = self.norm(self.conv(x)).relu().mean(dim=(2, 3))
        return self.fc(self.projection(x))


def test_the_model_itself_gives_the_heads_logits():
    model, batch = Projected().train(), next(iter(loader()))
    replace_head(model, head_like(model), batch=batch)
    assert model.training and not model.fc._forward_pre_hooks
    of_16 = tailfit.Head(np.eye(16) + 1, np.zeros(16))
    before = model.projection
    with pytest.raises(ValueError, match="found 'projection'; nothing was replaced"):
        replace_head(model, of_16, classifier="projection", batch=batch)
    assert model.projection is before

    class Doubled(Small):
        def forward(self, x):
            return 2 * super().forward(x)

    # The layer is the right one, but the model does more with it.
    model = Doubled()
    model.num_classes, before = 5, model.fc
    for wrong, message in [(batch, "found 'fc'; nothing was replaced"), ((1, 2, 3), "found 3 things a batch")]:
        with pytest.raises(ValueError, match=message):
            replace_head(model, head_like(model, 7), batch=wrong)
        assert model.fc is before and model.num_classes == 5
    methods = ["cosine", "disalign"]
    taken = features(Small(), loader(60))
    heads = tailfit.compare(taken.x, taken.y, taken.x, taken.y, head=taken.head, methods=methods).heads
    for head in heads.values():
        replace_head(Small(), head, batch=batch[0])


def test_a_compiled_model_is_the_model_itself():
    model = Small()
    wanted = features(model, loader())
    compiled = torch.compile(model)
    assert (features(compiled, loader()).x == wanted.x).all()
    replace_head(compiled, head_like(model))
    assert find_classifier(compiled)[1] is model.fc and (model.fc.weight.detach().numpy() != wanted.head.weight).any()


def test_modes_and_hooks_are_put_back():
    model = Small().train()
    model.norm.eval()
    mean = model.norm.running_mean.clone()
    features(model, loader())
    assert model.training and not model.norm.training and model.fc.training
    assert not model.fc._forward_pre_hooks and (model.norm.running_mean == mean).all()


def test_from_features_to_a_better_layer(tmp_path):
    model = Small()
    taken = features(model, loader(60))
    methods = ["los", "cosine", "disalign", "nearest-class-mean-centred"]
    result = tailfit.compare(taken.x, taken.y, taken.x, taken.y, head=taken.head, methods=methods)
    replace_head(model, result.heads["los"])
    assert isinstance(model.fc, nn.Linear) and model.fc.out_features == 5
    other = Small()
    replace_head(other, result.heads["cosine"])
    assert isinstance(other.fc, CosineHead)
    # Each layer is compared with its head when it is put in.
    for method, kind in [("disalign", GatedHead), ("nearest-class-mean-centred", CosineHead)]:
        other = Small()
        replace_head(other, result.heads[method])
        assert isinstance(other.fc, kind)
        assert result.heads[method].centre is None or (other.fc.centre != 0).any()
        with pytest.raises(ValueError, match="a linear layer"):
            features(other, loader())
        # What was put in is replaced as a whole.
        assert find_classifier(other)[0] == "fc"
        replace_head(other, result.heads["los"])
        assert isinstance(other.fc, nn.Linear)
    again = tailfit.compare(taken.x, taken.y, taken.x, taken.y, head=Small().fc, methods=["stage-1"])
    assert again.heads["stage-1"].weight.shape == (5, 16)


def test_layers_without_bias_and_in_half_precision():
    model = Small(bias=False).to(torch.bfloat16)
    replace_head(model, head_like(model))
    assert model.fc.bias is not None and model.fc.weight.dtype == torch.bfloat16
    more = Small()
    more.num_classes = 5
    replace_head(more, head_like(more, 7))
    assert more.num_classes == 7 and more.fc.out_features == 7


def test_heads_that_are_more_than_a_layer_come_back_whole():
    rng = np.random.default_rng(0)
    weight, bias, centre = rng.standard_normal((5, 16)), rng.standard_normal(5), rng.standard_normal(16)
    gate = tailfit.Gate(rng.standard_normal(16), 0.3, rng.standard_normal(5), rng.standard_normal(5))
    x = rng.standard_normal((4, 16))
    for head in (
        tailfit.Head(weight, bias, True),
        tailfit.Head(weight, bias, True, centre=centre),
        tailfit.Head(weight, bias, gate=gate),
    ):
        found = as_head(replace_head(Small(), head).fc)
        assert (found.normalise_features, found.gate is None) == (head.normalise_features, head.gate is None)
        assert np.allclose(found.logits(x), head.logits(x), atol=1e-5)
    with pytest.raises(ValueError, match="linear layer"):
        as_head(nn.Embedding(3, 2))


def test_what_is_not_clear_is_refused():
    class Scaled(Small):
        def forward(self, x):
            return 2 * super().forward(x)

    with pytest.raises(ValueError, match="is not; the model's linear layers are fc"):
        features(Scaled(), loader())
    with pytest.raises(ValueError, match="name of a module"):
        features(Small(), loader(), classifier="head")
    with pytest.raises(ValueError, match="parallel"):
        find_classifier(nn.DataParallel(Small()))
    with pytest.raises(ValueError, match="linear layer"):
        find_classifier(nn.Conv2d(1, 1, 1))
    with pytest.raises(ValueError, match="16 features"):
        replace_head(Small(), tailfit.Head(np.zeros((5, 3)), np.zeros(5)))


def test_a_torchvision_model(tmp_path):
    models = pytest.importorskip("torchvision.models")
    for name in ("resnet18", "vit_b_16", "efficientnet_b0"):
        model = getattr(models, name)(weights=None, num_classes=5)
        size = 224 if name == "vit_b_16" else 32
        images = torch.randn(4, 3, size, size)
        batch = DataLoader(TensorDataset(images, torch.arange(4)), batch_size=4)
        round_trip(model, batch, tmp_path)


def test_a_timm_model(tmp_path):
    timm = pytest.importorskip("timm")
    model = timm.create_model("resnet10t", pretrained=False, num_classes=5)
    images = torch.randn(4, 3, 64, 64)
    round_trip(model, DataLoader(TensorDataset(images, torch.arange(4)), batch_size=4), tmp_path)


def test_a_hugging_face_model(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32,
        patch_size=16, num_labels=5,
    )
    model = transformers.ViTForImageClassification(config)
    batch = [{"pixel_values": torch.randn(4, 3, 32, 32)} for _ in range(2)]
    round_trip(model, batch, tmp_path, logits=lambda output: output.logits)
    assert model.config.num_labels == 5


class Shared(nn.Module):
    """A layer under two names, of which the forward pass uses the second."""

    def __init__(self):
        super().__init__()
        self.backbone = Small()
        self.fc = self.backbone.fc

    def forward(self, x):
        x = self.backbone.norm(self.backbone.conv(x)).relu().mean(dim=(2, 3))
        return self.fc(x)


def test_a_layer_with_two_names_is_replaced_under_both(tmp_path):
    model = Shared()
    round_trip(model, loader(), tmp_path)
    assert model.fc is model.backbone.fc
    assert find_classifier(model, "fc")[1] is model.fc


class Scaled(nn.Linear):
    """Logits that are not its weight times what it sees."""

    def forward(self, x):
        normalise = nn.functional.normalize
        return 16 * nn.functional.linear(normalise(x), normalise(self.weight))


def test_a_layer_that_computes_something_else_is_refused():
    model = Small()
    model.fc = Scaled(16, 5)
    with pytest.raises(ValueError, match="whose weight times what it sees"):
        features(model, loader())
    with pytest.raises(ValueError, match="a Scaled, which computes its logits otherwise"):
        as_head(model.fc)

    class Same(nn.Linear):
        def forward(self, x):
            return nn.functional.linear(x, self.weight, self.bias)

    assert as_head(Same(16, 5)).weight.shape == (5, 16)
    plain = as_head((Small().fc.weight, Small().fc.bias))
    assert plain.weight.shape == (5, 16)


def test_batches_and_outputs_that_say_too_much_or_too_little():
    batch = [(images, labels, torch.arange(len(labels))) for images, labels in loader()]
    with pytest.raises(ValueError, match="found 3 things a batch"):
        features(Small(), batch)

    class Named(Small):
        def forward(self, x):
            return {"logits": super().forward(x)}

    assert features(Named(), loader()).x.shape == (24, 16)
