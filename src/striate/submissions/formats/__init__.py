"""Files of predictions: Parquet, and the CSVs of SENSORIUM 2022."""
