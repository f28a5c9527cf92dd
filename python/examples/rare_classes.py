# %% [markdown]
# # My model fails on rare classes
#
# A network is trained on handwritten digits of which there are 120 zeros, and ever fewer of the others, down to
# four nines. It recognises zeros and fails on nines. Its features are fine; its last layer is not. We re-train
# the last layer alone, which takes seconds, and put it back.

# %%
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

import tailfit

x, y = load_digits(return_X_y=True)
x = x / 16
counts = np.round(120 * (4 / 120) ** (np.arange(10) / 9)).astype(int)
rows = [np.flatnonzero(y == k) for k in range(10)]
train = np.concatenate([of[:n] for of, n in zip(rows, counts)])
test = np.concatenate([of[-50:] for of in rows])
print("training samples of each class:", counts)

# %% [markdown]
# The network: one hidden layer, whose outputs are the features that the last layer sees.

# %%
model = MLPClassifier((64,), max_iter=400, random_state=0).fit(x[train], y[train])


def features(pixels):
    return np.maximum(pixels @ model.coefs_[0] + model.intercepts_[0], 0)


head = (model.coefs_[1].T, model.intercepts_[1])
accuracy = [(model.predict(x[of[-50:]]) == k).mean() for k, of in enumerate(rows)]
print("accuracy of each class:", np.round(accuracy, 2))

# %% [markdown]
# Every method is trained and scored side by side; what is chosen on one half of the test set is scored on the
# other. The head's own accuracy is the row `stage-1`.

# %%
result = tailfit.compare(features(x[train]), y[train], features(x[test]), y[test], head=head, seeds=3)
print(result)

# %% [markdown]
# The advice says which to take. Its head goes back into the network, which is otherwise as it was.

# %%
taken = result.advice[0].split()[1].rstrip(":")
better = result.heads[taken]
model.coefs_[1], model.intercepts_[1] = better.weight.T, better.bias
accuracy_after = [(model.predict(x[of[-50:]]) == k).mean() for k, of in enumerate(rows)]
print(f"with {taken}:", np.round(accuracy_after, 2))
