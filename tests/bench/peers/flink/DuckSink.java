package peers;

import java.io.IOException;
import java.io.Serializable;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;

/** Sink of elements into DuckDB; all that was written is committed before each checkpoint. */
final class DuckSink<T> implements Sink<T> {
    private static final int MOST_HELD = 20_000;

    /** What adds elements to the transaction of a store. */
    interface Add<T> extends Serializable {
        void to(Store store, List<T> elements) throws SQLException;
    }

    private final Add<T> add;

    DuckSink(Add<T> add) {
        this.add = add;
    }

    @Override
    public SinkWriter<T> createWriter(WriterInitContext context) throws IOException {
        try {
            return new Writer<>(add, new Store());
        } catch (SQLException failure) {
            throw new IOException(failure);
        }
    }

    private record Writer<T>(Add<T> add, Store store, List<T> held) implements SinkWriter<T> {
        Writer(Add<T> add, Store store) {
            this(add, store, new ArrayList<>());
        }

        @Override
        public void write(T element, Context context) throws IOException {
            held.add(element);
            if (held.size() >= MOST_HELD) flush(false);
        }

        @Override
        public void flush(boolean atTheEnd) throws IOException {
            try {
                add.to(store, held);
                store.commit();
                held.clear();
            } catch (SQLException failure) {
                throw new IOException(failure);
            }
        }

        @Override
        public void close() throws SQLException {
            store.close();
        }
    }
}
