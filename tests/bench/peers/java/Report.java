package peers;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** A report as far as the windows need it. Public fields and no arguments: a POJO to Flink's serializer. */
public final class Report {
    public String feed;
    public String id;
    public int revision;
    public String region;
    public long occurredMs;
    public long deaths;
    /** The record as it was read; kept by the equal job alone. */
    public byte[] raw;
    /** 1, or -1 where it takes back what an earlier revision added. */
    public int sign = 1;

    private static final ObjectReader READER = new ObjectMapper().readerFor(Document.class);
    private static final Map<String, String> REGIONS = regions(Path.of(Job.REGIONS));

    /** Returns the report in a record's value, or null where it is no JSON. */
    public static Report of(byte[] value) {
        Document document;
        try {
            document = READER.readValue(value);
        } catch (IOException unreadable) {
            return null;
        }
        Report report = new Report();
        report.feed = document.feed;
        report.id = document.id;
        report.revision = document.revision;
        report.region = document.place.pcode != null ? document.place.pcode : REGIONS.get(document.place.names.get(0));
        report.occurredMs = OffsetDateTime.parse(document.occurred.from).toInstant().toEpochMilli();
        report.deaths = document.deaths.best;
        return report;
    }

    /** Returns what names the report among all feeds. */
    public String name() {
        return feed + "/" + id;
    }

    /** Returns what takes this report back, or adds it, without the record. */
    public Report signed(int newSign) {
        Report other = new Report();
        other.feed = feed;
        other.id = id;
        other.revision = revision;
        other.region = region;
        other.occurredMs = occurredMs;
        other.deaths = deaths;
        other.sign = newSign;
        return other;
    }

    private static Map<String, String> regions(Path file) {
        try (var lines = Files.lines(file, StandardCharsets.UTF_8)) {
            return lines.map(line -> line.split("\t")).collect(Collectors.toMap(cells -> cells[0], cells -> cells[1]));
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    @JsonIgnoreProperties(ignoreUnknown = true)
    private record Document(
            String feed, @JsonProperty("report_id") String id, int revision, Place place, Occurred occurred, Deaths deaths) {}

    @JsonIgnoreProperties(ignoreUnknown = true)
    private record Place(String pcode, List<String> names) {}

    @JsonIgnoreProperties(ignoreUnknown = true)
    private record Occurred(String from) {}

    @JsonIgnoreProperties(ignoreUnknown = true)
    private record Deaths(long best) {}
}
