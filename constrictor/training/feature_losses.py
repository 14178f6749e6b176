"""Losses between a student's and a teacher's intermediate representations: hidden states, attention and relations of vectors.

Each counts real tokens only, and maps a batch to one loss an example.
"""

from __future__ import annotations

from torch import Tensor, finfo
from torch.nn.functional import cosine_similarity, log_softmax


def hidden_loss(student: Tensor, teacher: Tensor, mask: Tensor, loss: str) -> Tensor:
    """Distance of hidden states, as a mean over real tokens.

    ``mse``: the mean over features of the squared difference (Romero et al., 2015, equation 3, as a mean). ``cosine``: one
    minus the cosine of the angle (Sanh et al., 2019, section 3).

    Args:
        student: ``(batch, length, width)``, projected to the teacher's width.
        teacher: ``(batch, length, width)``.
        mask: ``(batch, length)``, true for real tokens.
        loss: ``mse`` or ``cosine``.

    Returns:
        ``(batch,)``.
    """
    if loss == "cosine":
        return _mean_over(1 - cosine_similarity(student, teacher, dim=-1), mask)
    return _mean_over((student - teacher).square().mean(dim=-1), mask)


def relation_scores(left: Tensor, right: Tensor, heads: int) -> Tensor:
    """Scaled products ``left . right / sqrt(head size)`` of all pairs of tokens, by head (Vaswani et al., 2017).

    Of queries and keys they are the attention scores; of values and values, MiniLM's value relation.

    Args:
        left: ``(batch, length, heads * size)``.
        right: ``(batch, length, heads * size)``.
        heads: number of heads that the last dimension is split into.

    Returns:
        ``(batch, heads, length, length)``.
    """
    batch, length, width = left.shape
    a, b = (part.view(batch, length, heads, width // heads).transpose(1, 2) for part in (left, right))
    return a @ b.transpose(2, 3) / (width // heads) ** 0.5


def relation_loss(student: Tensor, teacher: Tensor, mask: Tensor, loss: str) -> Tensor:
    """Distance of relations of tokens, as a mean over heads and real tokens.

    ``kl``: the Kullback-Leibler divergence of a row of the student's softmax from the teacher's (Wang et al., 2020,
    equations 4 and 6). ``mse``: the mean squared difference of the scores before the softmax (Jiao et al., 2020, equation 7).

    Args:
        student: ``(batch, heads, length, length)`` scores.
        teacher: the same shape.
        mask: ``(batch, length)``, true for real tokens.
        loss: ``kl`` or ``mse``.

    Returns:
        ``(batch,)``.
    """
    keys = mask[:, None, None, :]
    if loss == "mse":
        rows = ((student - teacher).square() * keys).sum(dim=-1) / keys.sum(dim=-1)
    else:
        padded = ~keys.bool()
        log_p, log_q = (log_softmax(x.masked_fill(padded, finfo(x.dtype).min), dim=-1) for x in (teacher, student))
        rows = (log_p.exp() * (log_p - log_q)).masked_fill(padded, 0).sum(dim=-1)
    return _mean_over(rows.mean(dim=1), mask)


def _mean_over(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``(batch, length)`` over real tokens."""
    return (values * mask).sum(dim=1) / mask.sum(dim=1)
