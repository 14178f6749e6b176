import numpy as np
import pytest

from constrictor.data.batching import pad
from constrictor.errors import ConstrictorError
from constrictor.runtimes.fixed_shape import in_fixed_shape


@pytest.mark.parametrize("pad_id", [0, 99])
@pytest.mark.parametrize("texts", [1, 3, 4, 9])
def test_every_input_gets_its_own_prediction_in_order(texts, pad_id):
    shapes = []

    def predict(batch):
        shapes.append(batch["input_ids"].shape)
        padded = batch["attention_mask"] == 0
        assert (batch["input_ids"][padded] == pad_id).all()
        return {"sums": np.stack([batch["input_ids"].sum(1, where=~padded), (~padded).sum(1)], axis=1)}

    sequences = [np.arange(1, number % 5 + 2) for number in range(texts)]
    found = in_fixed_shape(predict, pad(sequences, pad_id), (4, 7), pad_id)["sums"]
    assert found.tolist() == [[sequence.sum(), len(sequence)] for sequence in sequences]
    assert shapes == [(4, 7)] * -(-texts // 4)


def test_longer_text_than_the_model_takes_is_refused():
    with pytest.raises(ConstrictorError, match="exported for inputs of 3 tokens and this batch has 4"):
        in_fixed_shape(lambda batch: {"ids": batch["input_ids"]}, pad([np.arange(4)], pad_id=0), (1, 3), 0)
