import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from constrictor.data.batching import batches_by_length, full_batch, inputs_by_name, pad, predict_outputs


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(1, 9))
def test_batches_by_length_cover_all_rows_longest_first(lengths, batch_size):
    batches = list(batches_by_length([np.zeros(length) for length in lengths], batch_size))
    rows = np.concatenate(batches)
    assert sorted(rows.tolist()) == list(range(len(lengths)))
    assert (np.diff(np.array(lengths)[rows]) <= 0).all()
    assert all(len(batch) == batch_size for batch in batches[:-1])


@given(st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=9), min_size=1, max_size=30), st.integers(1, 7))
def test_logits_come_in_the_order_of_the_texts(sequences, batch_size):
    def predict(batch):
        ids = batch["input_ids"] * batch["attention_mask"]
        return {"sums": np.stack([ids.sum(1), batch["attention_mask"].sum(1)], axis=1), "ids": ids}

    encoded = [np.array(ids) for ids in sequences]
    found = predict_outputs(lambda batch: {"sums": predict(batch)["sums"]}, encoded, 7, batch_size=batch_size)["sums"]
    assert found.tolist() == [[sum(ids), len(ids)] for ids in sequences]
    assert found.dtype == np.float32
    per_token = predict_outputs(
        lambda batch: {"ids": predict(batch)["ids"]}, encoded, 7, per_token=True, batch_size=batch_size
    )
    assert [row.tolist() for row in per_token["ids"]] == sequences


def test_a_batch_has_types_only_where_a_pair_is_in_it():
    single, pair = np.array([5, 6, 7]), np.array([[5, 0], [8, 1]])
    assert set(pad([single, single[:1]], pad_id=9)) == {"input_ids", "attention_mask"}
    batch = {name: values.tolist() for name, values in pad([single, pair], pad_id=9).items()}
    assert batch == {
        "input_ids": [[5, 6, 7], [5, 8, 9]],
        "attention_mask": [[1, 1, 1], [1, 1, 0]],
        "token_type_ids": [[0, 0, 0], [0, 1, 0]],
    }


def test_a_model_gets_the_inputs_that_it_names_and_single_texts_have_one_type():
    single, pair = pad([np.array([5, 6])], pad_id=0), pad([np.array([[5, 0], [8, 1]])], pad_id=0)
    names = ["input_ids", "token_type_ids"]
    assert {name: values.tolist() for name, values in inputs_by_name(single, names).items()} == {
        "input_ids": [[5, 6]],
        "token_type_ids": [[0, 0]],
    }
    assert inputs_by_name(pair, names)["token_type_ids"].tolist() == [[0, 1]]
    assert list(inputs_by_name(pair, names[:1])) == ["input_ids"]


def test_a_full_batch_uses_every_position_with_the_tokens_of_all_texts_in_turn():
    batch = full_batch([np.array([1, 10, 11, 2]), np.array([1, 12, 2]), np.array([1, 2])], batch=3, length=6)
    assert {name: values.tolist() for name, values in batch.items()} == {
        "input_ids": [[1, 10, 11, 12, 10, 2], [1, 11, 12, 10, 11, 2], [1, 12, 10, 11, 12, 2]],
        "attention_mask": [[1] * 6] * 3,
    }


def test_a_full_batch_of_pairs_has_their_types():
    pair = np.array([[1, 0], [10, 0], [2, 0], [20, 1], [2, 1]])
    batch = full_batch([pair], batch=1, length=6)
    assert batch["input_ids"].tolist() == [[1, 10, 2, 20, 10, 2]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 1, 0, 1]]
    assert batch["attention_mask"].all()
