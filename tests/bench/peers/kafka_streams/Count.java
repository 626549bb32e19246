package peers;

import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;

/** Kafka Streams that counts and sums hopping windows, in RocksDB. */
public final class Count {
    public static void main(String[] arguments) {
        StreamsBuilder builder = new StreamsBuilder();
        Windows.publish(Windows.reports(builder, false)
                .map((key, report) -> KeyValue.pair(report.region, new Windows.Totals(1, report.deaths))));
        Streams.run(builder);
    }
}
