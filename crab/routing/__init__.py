"""What many runs say about routing: how tasks share and part ways, what else would explain it, and what heads are for."""
