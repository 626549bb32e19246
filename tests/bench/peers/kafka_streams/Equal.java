package peers;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Set;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Kafka Streams at the equal job: the last revision wins, and a sink takes all to DuckDB. */
public final class Equal {
    static final Serde<Report> REPORTS = Serdes.serdeFrom((topic, report) -> bytes(report), (topic, data) -> read(data));

    /** A change of the windows, or what became of a record. */
    private record Event(boolean isOutcome, Report report) {}

    public static void main(String[] arguments) {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, Event> events = Windows.reports(builder, true)
                .map((key, report) -> KeyValue.pair(report.name(), report))
                .repartition(Repartitioned.<String, Report>as("by-name")
                        .withKeySerde(Serdes.String())
                        .withValueSerde(REPORTS))
                .process(new LatestSupplier());
        events.filter((name, event) -> event.isOutcome)
                .mapValues(Event::report)
                .to(Job.BETWEEN, Produced.with(Serdes.String(), REPORTS));
        Windows.publish(events.filter((name, event) -> !event.isOutcome).map((name, event) -> {
            Report report = event.report;
            return KeyValue.pair(report.region, new Windows.Totals(report.sign, report.sign * report.deaths));
        }));
        Streams.run(builder);
        new Thread(new Sink(), "sink").start();
    }

    private static final class LatestSupplier implements ProcessorSupplier<String, Report, String, Event> {
        @Override
        public Processor<String, Report, String, Event> get() {
            return new Latest();
        }

        @Override
        public Set<StoreBuilder<?>> stores() {
            return Set.of(Stores.keyValueStoreBuilder(
                            Stores.persistentKeyValueStore(Latest.STORE), Serdes.String(), REPORTS)
                    .withCachingEnabled());
        }
    }

    private static final class Latest extends ContextualProcessor<String, Report, String, Event> {
        static final String STORE = "latest";

        @Override
        public void process(Record<String, Report> record) {
            KeyValueStore<String, Report> latest = context().getStateStore(STORE);
            Report report = record.value();
            Report before = latest.get(record.key());
            if (before != null && before.revision >= report.revision) {
                forward(record, report.signed(0), true);
                return;
            }
            latest.put(record.key(), report.signed(1));
            if (before != null) forward(record, before.signed(-1), false);
            forward(record, report.signed(1), false);
            Report outcome = report.signed(before == null ? 1 : 0);
            outcome.raw = report.raw;
            forward(record, outcome, true);
        }

        private void forward(Record<String, Report> record, Report report, boolean isOutcome) {
            context().forward(record.withValue(new Event(isOutcome, report)).withTimestamp(report.occurredMs));
        }
    }

    private static byte[] bytes(Report report) {
        if (report == null) return null;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(64 + (report.raw == null ? 0 : report.raw.length));
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeUTF(report.feed);
            out.writeUTF(report.id);
            out.writeInt(report.revision);
            out.writeUTF(report.region);
            out.writeLong(report.occurredMs);
            out.writeLong(report.deaths);
            out.writeInt(report.sign);
            if (report.raw != null) out.write(report.raw);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
        return bytes.toByteArray();
    }

    private static Report read(byte[] bytes) {
        if (bytes == null) return null;
        Report report = new Report();
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
            report.feed = in.readUTF();
            report.id = in.readUTF();
            report.revision = in.readInt();
            report.region = in.readUTF();
            report.occurredMs = in.readLong();
            report.deaths = in.readLong();
            report.sign = in.readInt();
            report.raw = in.available() == 0 ? null : in.readAllBytes();
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
        return report;
    }
}
