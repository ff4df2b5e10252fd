package ai.onnxruntime;

import java.nio.FloatBuffer;
import java.nio.LongBuffer;

public class OnnxTensor extends OnnxTensorLike {
    final long[] ids;
    private final float[] values;

    OnnxTensor(long[] ids, float[] values) {
        this.ids = ids;
        this.values = values;
        OrtStub.open++;
    }

    public static OnnxTensor createTensor(OrtEnvironment env, LongBuffer data, long[] shape) throws OrtException {
        long[] ids = new long[data.remaining()];
        data.get(ids);
        if (shape.length != 2 || shape[0] != 1 || shape[1] != ids.length) throw new OrtException("shape");
        return new OnnxTensor(ids, null);
    }

    public FloatBuffer getFloatBuffer() {
        return values == null ? null : FloatBuffer.wrap(values);
    }

    @Override
    public void close() {
        OrtStub.open--;
    }
}
