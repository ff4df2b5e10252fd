package ai.onnxruntime;

import java.util.Arrays;
import java.util.Map;
import java.util.Set;

public class OrtSession implements AutoCloseable {
    OrtSession() {
        OrtStub.open++;
    }

    public Set<String> getInputNames() {
        return OrtStub.inputNames;
    }

    public Set<String> getOutputNames() {
        return OrtStub.outputNames;
    }

    public Result run(Map<String, ? extends OnnxTensorLike> inputs, Set<String> requestedOutputs)
            throws OrtException {
        OnnxTensor ids = (OnnxTensor) inputs.get("input_ids");
        OnnxTensor mask = (OnnxTensor) inputs.get("attention_mask");
        boolean whole = mask.ids.length == ids.ids.length && Arrays.stream(mask.ids).allMatch(one -> one == 1);
        boolean asked = requestedOutputs.equals(Set.of("logits"));
        if (inputs.size() != 2 || !whole || !asked) throw new OrtException("feed");
        float[] logits = OrtStub.answer.apply(ids.ids);
        if (logits.length == 0) throw new OrtException("no answer");
        return new Result(new OnnxTensor(null, logits));
    }

    @Override
    public void close() throws OrtException {
        OrtStub.open--;
    }

    public static class SessionOptions implements AutoCloseable {
        public SessionOptions() {
            OrtStub.open++;
        }

        public void setIntraOpNumThreads(int numThreads) throws OrtException {}

        public void setMemoryPatternOptimization(boolean memoryPatternOptimization) throws OrtException {}

        public void addConfigEntry(String configKey, String configValue) throws OrtException {}

        @Override
        public void close() {
            OrtStub.open--;
        }
    }

    public static class Result implements AutoCloseable {
        private final OnnxValue value;

        Result(OnnxValue value) {
            this.value = value;
        }

        public OnnxValue get(int index) {
            return value;
        }

        @Override
        public void close() {
            value.close();
        }
    }
}
