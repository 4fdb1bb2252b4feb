"""The field: pruning methods, each a submission like anyone else's, importing only the contract."""
