package peers;

import java.nio.charset.StandardCharsets;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Flink that counts and sums sliding windows, on the heap. */
public final class Count {
    public static void main(String[] arguments) throws Exception {
        StreamExecutionEnvironment flink = Flink.environment();
        Windows.of(Flink.reports(flink, false))
                .sinkTo(KafkaSink.<WindowRow>builder()
                        .setBootstrapServers(Job.BROKER)
                        .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                        .setTransactionalIdPrefix(Job.NAME)
                        // The broker takes no more than 15 minutes.
                        .setProperty("transaction.timeout.ms", "600000")
                        .setRecordSerializer(new Rows())
                        .build());
        flink.execute(Job.NAME);
    }

    private static final class Rows implements KafkaRecordSerializationSchema<WindowRow> {
        @Override
        public ProducerRecord<byte[], byte[]> serialize(WindowRow row, KafkaSinkContext context, Long timestamp) {
            return new ProducerRecord<>(
                    Job.ROWS,
                    row.key().getBytes(StandardCharsets.UTF_8),
                    row.value().getBytes(StandardCharsets.UTF_8));
        }
    }
}
