package peers;

import java.time.Duration;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** What both Flink jobs share: reports and deaths by region and sliding window. */
final class Windows {
    private static final Duration LINGER = Duration.ofMillis(100);

    private Windows() {}

    static DataStream<WindowRow> of(DataStream<Report> reports) {
        return reports.keyBy(report -> report.region)
                .window(SlidingEventTimeWindows.of(Job.SIZE, Job.STEP))
                .allowedLateness(Job.LATENESS)
                .trigger(new Linger(LINGER))
                .aggregate(new Totals(), new Row());
    }

    private static final class Totals implements AggregateFunction<Report, Tuple2<Long, Long>, Tuple2<Long, Long>> {
        @Override
        public Tuple2<Long, Long> createAccumulator() {
            return Tuple2.of(0L, 0L);
        }

        @Override
        public Tuple2<Long, Long> add(Report report, Tuple2<Long, Long> totals) {
            return Tuple2.of(totals.f0 + report.sign, totals.f1 + report.sign * report.deaths);
        }

        @Override
        public Tuple2<Long, Long> getResult(Tuple2<Long, Long> totals) {
            return totals;
        }

        @Override
        public Tuple2<Long, Long> merge(Tuple2<Long, Long> one, Tuple2<Long, Long> other) {
            return Tuple2.of(one.f0 + other.f0, one.f1 + other.f1);
        }
    }

    private static final class Row extends ProcessWindowFunction<Tuple2<Long, Long>, WindowRow, String, TimeWindow> {
        @Override
        public void process(
                String region, Context context, Iterable<Tuple2<Long, Long>> totals, Collector<WindowRow> rows) {
            Tuple2<Long, Long> only = totals.iterator().next();
            rows.collect(WindowRow.of(region, context.window().getStart(), only.f0, only.f1));
        }
    }
}
