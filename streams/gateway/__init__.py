"""HTTP gateway, for feeds that have no Kafka client."""
