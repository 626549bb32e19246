package peers;

import java.time.Duration;

/** What the runner gives a peer to do. */
public final class Job {
    public static final String BROKER = System.getenv("PEER_BROKER");
    public static final String NAME = System.getenv("PEER_NAME");
    public static final String TOPIC = System.getenv("PEER_TOPIC");
    public static final String ROWS = System.getenv("PEER_ROWS");
    public static final String BETWEEN = System.getenv("PEER_BETWEEN");
    public static final String FOLDER = System.getenv("PEER_FOLDER");
    public static final String DATABASE = System.getenv("PEER_DATABASE");
    public static final String REGIONS = System.getenv("PEER_REGIONS");

    public static final Duration SIZE = Duration.ofDays(7);
    public static final Duration STEP = Duration.ofDays(1);
    /** Longer than the reports reach back: none is too late. */
    public static final Duration LATENESS = Duration.ofDays(400);

    private Job() {}
}
