package peers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.Optional;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** What both Flink jobs share: a mini cluster that resumes from its last checkpoint, and the source. */
final class Flink {
    private static final Duration CHECKPOINT_EVERY = Duration.ofSeconds(1);
    private static final int PARALLELISM = 2;

    private Flink() {}

    static StreamExecutionEnvironment environment() throws IOException {
        Path checkpoints = Path.of(Job.FOLDER, "checkpoints");
        Files.createDirectories(checkpoints);
        Configuration settings = new Configuration();
        settings.set(StateBackendOptions.STATE_BACKEND, "hashmap");
        settings.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, CHECKPOINT_EVERY);
        settings.set(CheckpointingOptions.CHECKPOINTING_CONSISTENCY_MODE, CheckpointingMode.EXACTLY_ONCE);
        settings.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, checkpoints.toUri().toString());
        settings.set(
                CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
                ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION);
        last(checkpoints).ifPresent(each -> settings.set(StateRecoveryOptions.SAVEPOINT_PATH, each.toUri().toString()));
        return StreamExecutionEnvironment.createLocalEnvironment(PARALLELISM, settings);
    }

    /** Returns the last checkpoint that was completed by an earlier process, if there is one. */
    private static Optional<Path> last(Path checkpoints) throws IOException {
        try (var found = Files.walk(checkpoints, 3)) {
            return found.filter(path -> path.endsWith("_metadata"))
                    .max(Comparator.comparing(path -> path.toFile().lastModified()))
                    .map(Path::getParent);
        }
    }

    static DataStream<Report> reports(StreamExecutionEnvironment flink, boolean withRaw) {
        KafkaSource<Report> source = KafkaSource.<Report>builder()
                .setBootstrapServers(Job.BROKER)
                .setTopics(Job.TOPIC)
                .setGroupId(Job.NAME)
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setDeserializer(new Reports(withRaw))
                .build();
        return flink.fromSource(source, times(), "reports");
    }

    /** The time of the occurrence, and how far behind the latest of them the clock runs. */
    static WatermarkStrategy<Report> times() {
        return WatermarkStrategy.<Report>forBoundedOutOfOrderness(Duration.ofDays(3))
                .withTimestampAssigner((report, before) -> report.occurredMs);
    }

    private static final class Reports implements KafkaRecordDeserializationSchema<Report> {
        private final boolean withRaw;

        Reports(boolean withRaw) {
            this.withRaw = withRaw;
        }

        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Report> out) {
            Report report = Report.of(record.value());
            if (report != null) {
                report.raw = withRaw ? record.value() : null;
                out.collect(report);
            }
        }

        @Override
        public TypeInformation<Report> getProducedType() {
            return TypeInformation.of(Report.class);
        }
    }
}
