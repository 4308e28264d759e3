"""Many draws, and whether they are spread as they should be."""

import torch
from scipy import stats

NUM_DRAWS = 2000
# Seeds are fixed, so the tests always give the same answer; the bounds are for whoever changes the draws.
UNLIKELY = 1e-5


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def assert_uniform(values, low, high, *, rounding=1e-6):
    assert low - rounding <= values.min()
    assert values.max() <= high + rounding
    assert stats.kstest(values.double().numpy(), stats.uniform(low, high - low).cdf).pvalue > UNLIKELY
