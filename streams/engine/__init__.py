"""The engine: Kafka records in batches, Faust around them, and the brokers they come from."""
