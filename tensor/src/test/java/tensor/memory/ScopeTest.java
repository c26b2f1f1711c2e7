package tensor.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.reference.ReferenceBackend;

class ScopeTest {
    private final Backend backend = new ReferenceBackend();

    private Tensor make() {
        return Tensor.full(backend, DType.F32, Shape.of(16), 1); // 64 bytes
    }

    @AfterEach
    void nothingIsLeft() {
        backend.close();
    }

    @Test
    void closingTheScopeReturnsEveryByte() {
        try (Scope root = Scope.open("root")) {
            Tensor parameter = make();
            try (Scope step = Scope.open("step")) {
                make();
                make().reshape(4, 4);
                assertEquals(3 * 64, backend.memory().live());
            }
            assertEquals(64, backend.memory().live());
            assertTrue(parameter.buffer().isLive());
        }
        assertEquals(0, backend.memory().live());
        assertEquals(3 * 64, backend.memory().peak());
    }

    @Test
    void anExceptionReturnsEveryByteToo() {
        assertThrows(ArithmeticException.class, () -> {
            try (Scope root = Scope.open("root")) {
                make();
                throw new ArithmeticException();
            }
        });
        assertEquals(0, backend.memory().live());
    }

    @Test
    void keepHandsOverToTheEnclosingScope() {
        try (Scope root = Scope.open("root")) {
            Tensor kept;
            try (Scope step = Scope.open("step")) {
                kept = step.keep(make());
                make();
            }
            assertTrue(kept.buffer().isLive());
            assertEquals(64, backend.memory().live());
        }
    }

    @Test
    void keepLeavesAViewOfAForeignTensorReadable() {
        try (Scope root = Scope.open("root")) {
            Tensor parameter = make();
            Tensor view = Scope.local("view", () -> parameter.reshape(4, 4));
            assertEquals(1, view.toFloats()[0]);
            Tensor same = Scope.local("same", () -> parameter);
            assertEquals(1, same.toFloats()[0]);
        }
    }

    @Test
    void useAfterReleaseSaysSo() {
        Tensor escaped;
        try (Scope root = Scope.open("root")) {
            escaped = make();
        }
        String message =
                assertThrows(IllegalStateException.class, escaped::toFloats).getMessage();
        assertTrue(message.startsWith("this tensor's memory was released"), message);
    }

    @Test
    void aProductOfAParameterDoesNotLiveAsLongAsTheModel() {
        try (Scope model = Scope.open("model")) {
            Tensor parameter = make();
            Tensor product;
            try (Scope step = Scope.open("step")) {
                product = parameter.mul(parameter);
                assertTrue(product.buffer().isLive());
            }
            assertFalse(product.buffer().isLive());
        }
    }

    @Test
    void withoutAScopeNoTensorIsMade() {
        String message = assertThrows(IllegalStateException.class, this::make).getMessage();
        assertTrue(message.startsWith("no scope is open on this thread"), message);
        assertEquals(0, backend.memory().live());
    }

    @Test
    void closingTheRootWithSurvivorsThrows() {
        Buffer survivor;
        Scope root = Scope.open("root");
        try (Scope step = Scope.open("step")) {
            survivor = make().buffer().retain();
        }
        String message = assertThrows(IllegalStateException.class, root::close).getMessage();
        assertTrue(message.startsWith("1 block outlives the root scope \"root\""), message);
        survivor.release();
    }

    @Test
    void aScopeThatWasLeftKeepsItsTensorsUntilItIsClosed() {
        try (Scope root = Scope.open("root")) {
            Scope node = Scope.open("node");
            Tensor saved = make();
            node.leave();
            Tensor later = make();
            assertEquals(2 * 64, backend.memory().live());
            node.close();
            assertFalse(saved.buffer().isLive());
            assertTrue(later.buffer().isLive());
        }
    }

    @Test
    void scopesCloseInOrder() {
        try (Scope outer = Scope.open("outer");
                Scope inner = Scope.open("inner")) {
            String message =
                    assertThrows(IllegalStateException.class, outer::close).getMessage();
            assertEquals("scope outer is not the innermost one: close scopes in order", message);
            assertEquals("outer/inner", inner.toString());
        }
    }
}
