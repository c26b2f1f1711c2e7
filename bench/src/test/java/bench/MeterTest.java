package bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.UnaryOp;
import tensor.memory.Scope;

class MeterTest {
    private final List<String> seen = new ArrayList<>();
    private long nanos;

    @BeforeAll
    static void install() {
        Meter.install();
    }

    @AfterEach
    void end() {
        Meter.watch(null);
        Meter.slow("", 1);
        Meter.clock(System::nanoTime);
    }

    @Test
    void everyCallOfEveryBackendIsSeenOnceWithItsArguments() {
        for (String name : List.of("reference", "auto")) {
            seen.clear();
            try (Backend on = Backends.open(name, 1).backend();
                    Scope scope = Scope.open("test")) {
                Tensor x = Tensor.of(on, Shape.of(2), 1, 4);
                Tensor y = x.emptyLike();
                Meter.watch((who, call, arguments, time) -> {
                    assertEquals(on, who);
                    if (call.equals("unary")) assertEquals(List.of(UnaryOp.SQRT, x, y), List.of(arguments));
                    seen.add(call);
                });
                on.unary(UnaryOp.SQRT, x, y);
                y.toFloats();
                Meter.watch(null);
                on.fill(y, 0);
            }
            assertEquals(List.of("unary", "download"), seen);
        }
    }

    /** With a clock that ticks once for each look, a call takes one tick, and the slowed one spins to the factor. */
    @Test
    void slowsTheNamedCallByTheFactorAndNoOther() {
        long[] now = {0};
        Meter.clock(() -> now[0] += 1000);
        Meter.slow("fill", 5);
        try (Backend on = Backends.open("reference", 1).backend();
                Scope scope = Scope.open("test")) {
            Tensor x = Tensor.full(on, tensor.DType.F32, Shape.of(2), 1);
            Meter.watch((who, call, arguments, time) -> nanos = time);
            on.fill(x, 2);
            assertTrue(nanos >= 5000, nanos + " ns");
            on.unary(UnaryOp.SQRT, x, x);
            assertEquals(1000, nanos);
        }
    }
}
