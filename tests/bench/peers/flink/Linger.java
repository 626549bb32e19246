package peers;

import java.time.Duration;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.streaming.api.windowing.triggers.Trigger;
import org.apache.flink.streaming.api.windowing.triggers.TriggerResult;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;

/**
 * Trigger that fires a while after a window changed, once for all changes since.
 *
 * <p>By itself a window has a row once it is past, and then another for each late report. The trigger by processing
 * time that Flink brings fires a past window once only.
 */
final class Linger extends Trigger<Object, TimeWindow> {
    private final long millis;
    private final ValueStateDescriptor<Boolean> waits = new ValueStateDescriptor<>("waits", Boolean.class);

    Linger(Duration linger) {
        millis = linger.toMillis();
    }

    @Override
    public TriggerResult onElement(Object element, long timestamp, TimeWindow window, TriggerContext context)
            throws Exception {
        ValueState<Boolean> state = context.getPartitionedState(waits);
        if (state.value() == null) {
            context.registerProcessingTimeTimer(context.getCurrentProcessingTime() + millis);
            state.update(true);
        }
        return TriggerResult.CONTINUE;
    }

    @Override
    public TriggerResult onProcessingTime(long time, TimeWindow window, TriggerContext context) {
        context.getPartitionedState(waits).clear();
        return TriggerResult.FIRE;
    }

    @Override
    public TriggerResult onEventTime(long time, TimeWindow window, TriggerContext context) {
        return TriggerResult.CONTINUE;
    }

    @Override
    public void clear(TimeWindow window, TriggerContext context) {
        context.getPartitionedState(waits).clear();
    }
}
