package peers;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

/** Flink at the equal job: the last revision wins, and all goes to DuckDB before a checkpoint is complete. */
public final class Equal {
    private static final OutputTag<Report> REVISIONS = new OutputTag<>("revisions", TypeInformation.of(Report.class));

    public static void main(String[] arguments) throws Exception {
        StreamExecutionEnvironment flink = Flink.environment();
        SingleOutputStreamOperator<Report> changes =
                Flink.reports(flink, true).keyBy(Report::name).process(new Latest());
        // One writer each: DuckDB has one file.
        changes.getSideOutput(REVISIONS).sinkTo(new DuckSink<>(Store::addReports)).setParallelism(1);
        // What takes a revision back belongs to the time of that revision.
        Windows.of(changes.assignTimestampsAndWatermarks(Flink.times()))
                .sinkTo(new DuckSink<>(Store::addRows))
                .setParallelism(1);
        flink.execute(Job.NAME);
    }

    private static final class Latest extends KeyedProcessFunction<String, Report, Report> {
        private transient ValueState<Report> latest;

        @Override
        public void open(OpenContext context) {
            latest = getRuntimeContext().getState(new ValueStateDescriptor<>("latest", Report.class));
        }

        @Override
        public void processElement(Report report, Context context, Collector<Report> changes) throws Exception {
            Report before = latest.value();
            if (before != null && before.revision >= report.revision) return;
            latest.update(report.signed(1));
            if (before != null) changes.collect(before.signed(-1));
            changes.collect(report.signed(1));
            context.output(REVISIONS, report);
        }
    }
}
