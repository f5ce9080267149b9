"""File formats of predictions and truths: native Parquet files, and the CSVs of SENSORIUM 2022."""
