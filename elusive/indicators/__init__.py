"""What a reader's token scores say of the reader (METHOD 2.3): the two indicators, and the verdict.

    indicator    one example: attention on the tokens nearest to the answer, or to the question's nouns
    similarity   how near each passage token is to these
    nouns        which tokens of a question are its nouns
    readings     all examples of one reader, and their means
    verdict      a reader against its reference: good, poor, not enough evidence, n/a
    ranking      several readers, and which of their differences are real
    published    the paper's figures, to lay beside one's own

Token scores come from `elusive.readers`; nothing here runs a model.
"""
