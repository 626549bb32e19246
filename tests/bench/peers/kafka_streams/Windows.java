package peers;

import java.nio.ByteBuffer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.WindowStore;

/** What both Kafka Streams jobs share: the reports by the time of the occurrence, and their windows. */
final class Windows {
    /** Reports and their deaths, negative where they are taken back. */
    record Totals(long count, long sum) {
        static final Serde<Totals> SERDE = Serdes.serdeFrom(
                (topic, totals) -> totals == null
                        ? null
                        : ByteBuffer.allocate(16).putLong(totals.count).putLong(totals.sum).array(),
                (topic, bytes) -> {
                    if (bytes == null) return null;
                    ByteBuffer buffer = ByteBuffer.wrap(bytes);
                    return new Totals(buffer.getLong(), buffer.getLong());
                });

        Totals plus(Totals other) {
            return new Totals(count + other.count, sum + other.sum);
        }
    }

    private Windows() {}

    static KStream<byte[], Report> reports(StreamsBuilder builder, boolean withRaw) {
        Serde<Report> serde = Serdes.serdeFrom((topic, report) -> null, (topic, value) -> read(value, withRaw));
        return builder.stream(
                        Job.TOPIC, Consumed.with(Serdes.ByteArray(), serde).withTimestampExtractor(Windows::occurred))
                .filter((key, report) -> report != null);
    }

    /** Adds up what is said of each region, and publishes the windows that change. */
    static void publish(KStream<String, Totals> regions) {
        regions.groupByKey(Grouped.with(Serdes.String(), Totals.SERDE))
                .windowedBy(TimeWindows.ofSizeAndGrace(Job.SIZE, Job.LATENESS).advanceBy(Job.STEP))
                .aggregate(
                        () -> new Totals(0, 0),
                        (region, change, totals) -> totals.plus(change),
                        Materialized.<String, Totals, WindowStore<Bytes, byte[]>>as("totals")
                                .withKeySerde(Serdes.String())
                                .withValueSerde(Totals.SERDE)
                                .withRetention(Job.SIZE.plus(Job.LATENESS)))
                .toStream()
                .map((key, totals) -> {
                    WindowRow row = WindowRow.of(key.key(), key.window().start(), totals.count, totals.sum);
                    return KeyValue.pair(row.key(), row.value());
                })
                .to(Job.ROWS, Produced.with(Serdes.String(), Serdes.String()));
    }

    private static Report read(byte[] value, boolean withRaw) {
        Report report = Report.of(value);
        if (report != null && withRaw) report.raw = value;
        return report;
    }

    /** The time of the occurrence; an unreadable record does not move time. */
    private static long occurred(ConsumerRecord<Object, Object> record, long before) {
        return record.value() instanceof Report report ? report.occurredMs : Math.max(before, 0);
    }
}
