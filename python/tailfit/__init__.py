"""Re-train classifier heads for long-tailed recognition.

A network trained on long-tailed data fails on its rare classes; re-training only its last layer, on
frozen features, mends much of that. This package does it from arrays::

    import tailfit
    result = tailfit.compare(x_train, y_train, x_test, y_test, head=(weight, bias))
    print(result)                       # every method, with what the test set can tell
    head = result.heads["los"]          # a Head: weight [K, D], bias [K]

``tailfit.sklearn.TailClassifier`` is the same engine as an estimator, and ``tailfit.torch`` takes
features out of a PyTorch model and puts the new head back.
"""

from tailfit._native import DataError, __version__
from tailfit._compare import Comparison, compare, methods
from tailfit._head import Gate, Head, load_head

__all__ = ["Comparison", "DataError", "Gate", "Head", "__version__", "compare", "load_head", "methods"]
