"""From the corpus to five tiny models.  Read bpe, model, train, evaluate; ../make runs them."""
