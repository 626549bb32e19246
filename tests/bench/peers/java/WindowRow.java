package peers;

/** Reports of a region's window and their deaths. Public fields and no arguments: a POJO to Flink's serializer. */
public final class WindowRow {
    public String region;
    public long start;
    public long count;
    public long sum;

    public static WindowRow of(String region, long start, long count, long sum) {
        WindowRow row = new WindowRow();
        row.region = region;
        row.start = start;
        row.count = count;
        row.sum = sum;
        return row;
    }

    /** Returns the key of the row's record. */
    public String key() {
        return region + "|" + start;
    }

    /** Returns the value of the row's record. */
    public String value() {
        return "{\"count\":" + count + ",\"sum\":" + sum + "}";
    }
}
