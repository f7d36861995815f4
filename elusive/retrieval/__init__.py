"""Dense retrieval: texts become vectors, and vectors are searched (METHOD 2.2, 2.4).

    encoder.py           the bi-encoder: encode, embed, save, fingerprint; `load_encoder`
    encoder_options.py   what a user may say of it
    encoder_files.py     what its folder says; the layout of sentence-transformers
    encoder_loading.py   its model and tokenizer from disk or the Hub
    encoder_tower.py     tokens into vectors
    encoder_dense.py     the Dense layer that some have
    encoder_batches.py   texts of about one length together
    encoder_saving.py    the same layout, written whole or not at all
    pooling.py           from the states of tokens to one vector
    index.py             passages that are searched: build, open, search, refresh
    index_vectors.py     vectors that are searched
    index_build.py       an index on its way, step by step
    index_generation.py  its files, and which of them count
    index_shards.py      embeddings in mapped fp16 files
    index_search.py      what faiss searches for candidates
    index_faiss.py       faiss; nothing else imports it
    index_scores.py      exact scores and order of what it finds
    index_kinds.py       kinds of index, and what each takes
    index_passages.py    texts by their place

Nothing here knows a reader.
"""
