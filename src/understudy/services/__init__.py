"""What runs beside the path and reads its outcomes: the journal, metrics, logs."""
