package peers;

import java.nio.charset.StandardCharsets;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.duckdb.DuckDBAppender;
import org.duckdb.DuckDBConnection;

/** Every revision and the window rows in DuckDB. Written twice, both are as if written once. */
final class Store implements AutoCloseable {
    private static final String TABLES =
            """
            SET memory_limit = '2GB';
            CREATE TABLE IF NOT EXISTS reports (
                feed VARCHAR, report_id VARCHAR, revision INTEGER, region VARCHAR, occurred_ms BIGINT, deaths BIGINT,
                raw VARCHAR, PRIMARY KEY (feed, report_id, revision));
            CREATE TABLE IF NOT EXISTS window_rows (
                region VARCHAR, start_ms BIGINT, count BIGINT, sum BIGINT, PRIMARY KEY (region, start_ms));
            CREATE TABLE IF NOT EXISTS positions (topic_partition VARCHAR PRIMARY KEY, position BIGINT);
            CREATE TEMP TABLE incoming AS FROM reports LIMIT 0;
            """;

    private final DuckDBConnection connection;

    Store() throws SQLException {
        // Two writers of one process would both make the tables.
        synchronized (Store.class) {
            connection = (DuckDBConnection) DriverManager.getConnection("jdbc:duckdb:" + Job.DATABASE);
            try (Statement statement = connection.createStatement()) {
                statement.execute(TABLES);
            }
        }
        connection.setAutoCommit(false);
    }

    /** Adds reports to the transaction. */
    void addReports(List<Report> reports) throws SQLException {
        if (reports.isEmpty()) return;
        try (DuckDBAppender appender = connection.createAppender("temp", "main", "incoming")) {
            for (Report report : reports) {
                appender.beginRow()
                        .append(report.feed)
                        .append(report.id)
                        .append(report.revision)
                        .append(report.region)
                        .append(report.occurredMs)
                        .append(report.deaths)
                        .append(new String(report.raw, StandardCharsets.UTF_8))
                        .endRow();
            }
        }
        try (Statement statement = connection.createStatement()) {
            statement.execute("INSERT OR IGNORE INTO reports FROM incoming");
            statement.execute("DELETE FROM incoming");
        }
    }

    /** Adds the last row of each window to the transaction. */
    void addRows(List<WindowRow> rows) throws SQLException {
        Map<String, WindowRow> last = new HashMap<>();
        rows.forEach(row -> last.put(row.key(), row));
        if (last.isEmpty()) return;
        try (PreparedStatement insert =
                connection.prepareStatement("INSERT OR REPLACE INTO window_rows VALUES (?, ?, ?, ?)")) {
            for (WindowRow row : last.values()) {
                insert.setString(1, row.region);
                insert.setLong(2, row.start);
                insert.setLong(3, row.count);
                insert.setLong(4, row.sum);
                insert.addBatch();
            }
            insert.executeBatch();
        }
    }

    /** Adds where a reader stands to the transaction. */
    void addPositions(Map<String, Long> positions) throws SQLException {
        try (PreparedStatement insert =
                connection.prepareStatement("INSERT OR REPLACE INTO positions VALUES (?, ?)")) {
            for (var position : positions.entrySet()) {
                insert.setString(1, position.getKey());
                insert.setLong(2, position.getValue());
                insert.addBatch();
            }
            insert.executeBatch();
        }
    }

    void commit() throws SQLException {
        connection.commit();
    }

    Map<String, Long> positions() throws SQLException {
        Map<String, Long> found = new HashMap<>();
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT topic_partition, position FROM positions")) {
            while (rows.next()) found.put(rows.getString(1), rows.getLong(2));
        }
        return found;
    }

    /** Returns the sum of all windows' counts. */
    long counts() throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT coalesce(sum(count), 0)::BIGINT FROM window_rows")) {
            rows.next();
            return rows.getLong(1);
        }
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
