package peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Sink of committed outcomes and rows; where it stands is in the same transaction. */
final class Sink implements Runnable {
    private static final String SEEN = "seen", FRESH = "fresh";
    private static final ObjectMapper JSON = new ObjectMapper();

    @Override
    public void run() {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", Job.BROKER,
                "isolation.level", "read_committed",
                "auto.offset.reset", "earliest",
                "enable.auto.commit", false,
                "max.poll.records", 20_000,
                "max.partition.fetch.bytes", 8 << 20);
        ByteArrayDeserializer plain = new ByteArrayDeserializer();
        try (Store store = new Store();
                KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, plain, plain)) {
            Map<String, Long> positions = store.positions();
            List<TopicPartition> partitions = new ArrayList<>();
            for (String topic : List.of(Job.BETWEEN, Job.ROWS)) {
                consumer.partitionsFor(topic).forEach(each -> partitions.add(new TopicPartition(topic, each.partition())));
            }
            consumer.assign(partitions);
            for (TopicPartition each : partitions) consumer.seek(each, positions.getOrDefault(each.toString(), 0L));
            long seen = positions.getOrDefault(SEEN, 0L), fresh = positions.getOrDefault(FRESH, 0L);
            while (true) {
                List<Report> revisions = new ArrayList<>();
                List<WindowRow> rows = new ArrayList<>();
                Map<String, Long> moved = new HashMap<>();
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    moved.put(record.topic() + "-" + record.partition(), record.offset() + 1);
                    if (record.topic().equals(Job.ROWS)) {
                        rows.add(row(record));
                        continue;
                    }
                    Report report = Equal.REPORTS.deserializer().deserialize(record.topic(), record.value());
                    seen++;
                    fresh += report.sign;
                    if (report.raw != null) revisions.add(report);
                }
                if (moved.isEmpty()) continue;
                moved.put(SEEN, seen);
                moved.put(FRESH, fresh);
                store.addReports(revisions);
                store.addRows(rows);
                store.addPositions(moved);
                store.commit();
                // A report counts once its windows do.
                tell(seen - Math.max(0, fresh - store.counts() / 7));
                store.commit();
            }
        } catch (SQLException | IOException | RuntimeException failure) {
            failure.printStackTrace();
            System.exit(1);
        }
    }

    private static WindowRow row(ConsumerRecord<byte[], byte[]> record) throws IOException {
        String[] key = new String(record.key(), StandardCharsets.UTF_8).split("\\|");
        var figures = JSON.readTree(record.value());
        return WindowRow.of(key[0], Long.parseLong(key[1]), figures.get("count").asLong(), figures.get("sum").asLong());
    }

    /** Tells the runner how many records are through: nobody else can open the file meanwhile. */
    private static void tell(long through) throws IOException {
        Path file = Path.of(Job.FOLDER, "progress"), fresh = Path.of(Job.FOLDER, "progress.new");
        Files.writeString(fresh, Long.toString(through));
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
    }
}
