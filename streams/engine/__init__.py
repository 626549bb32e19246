"""Engine of the workers, with Faust, the batch lane and the brokers."""
